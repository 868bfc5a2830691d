"""What docs/fail2ban-messages.md says that banish says, banish says."""

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "fail2ban-messages.md"
ROW = re.compile(r"^\| ([^|]+?) \| ([^|]+?) \| (?:`(.+?)`)? ?\|$", re.MULTILINE)


def rows() -> list[tuple[str, str, str]]:
    """Return each row: Fail2Ban's text, what is done here, and our own text."""
    return ROW.findall(PAGE.read_text("utf-8"))


@functools.cache
def said() -> str:
    """Return every text in the program that is no docstring."""
    found: list[str] = []
    for path in sorted((ROOT / "src" / "banish").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        found += [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documents
        ]
    return "\n".join(found)


def test_the_page_has_rows() -> None:
    assert len(rows()) > 40


@pytest.mark.parametrize("theirs", [row[0] for row in rows()])
def test_each_warning_has_a_companion_or_a_reason(theirs: str) -> None:
    (row,) = [row for row in rows() if row[0] == theirs]
    _, here, ours = row
    if not ours:
        assert here.startswith("nothing: ")
    else:
        assert ours in said()
