"""Every command that a message names is one that banish has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import banish
from banish.cli.dispatch import VERBS

pytestmark = pytest.mark.slow

SOURCE = Path(banish.__file__).parent
NAMED = re.compile(r"(?:['`]|sudo )banish ([a-z][a-z-]*)|^banish ([a-z]+)(?= --|\s*$)")

NO_COMMANDS = {"on", "mail"}
"""What follows the name where no command is meant: "banish on HOST", the thread "banish mail"."""


def texts() -> Iterator[tuple[str, str]]:
    """Yield each text of the program that is no docstring, or a part of one, with its file."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
            if is_text and id(node) not in documents:
                yield path.name, str(node.value)  # type: ignore[attr-defined]


def test_every_command_that_a_message_names_is_one_that_banish_has() -> None:
    found = [
        (name, verb)
        for name, text in texts()
        for verbs in NAMED.findall(text)
        for verb in filter(None, verbs)
    ]
    assert len(found) > 15
    assert [each for each in found if each[1] not in {*VERBS, *NO_COMMANDS}] == []
