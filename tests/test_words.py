"""The project speaks plain words: one class name for one thing, and none of the words it gave up.

docs/glossary.md is the source: its first table says what our words mean, its last one which
words were given up and what is written in their place.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

ONE_NAME_BY_CONTRACT = {
    # Fail2Ban's Python actions import these by name (enforce/python/names.py).
    "Jail": {"enforce/python/names.py"},
    "CommandAction": {"enforce/python/actions.py"},
}
"""Classes whose names are not ours to choose; another class must not take the name either."""

TREES = {"detect/regextree.py", "detect/prefilter/outline.py"}
"""Two forms of a regular expression, each with the nodes that such a form has."""


def _glossary(heading: str) -> list[tuple[str, str]]:
    """Return the rows of the table below *heading* of the glossary."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    _, found, part = text.partition(f"## {heading}\n")
    assert found, f"docs/glossary.md has no part {heading!r}"
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", part.split("\n## ")[0], re.MULTILINE)
    return [(word, meaning) for word, meaning in rows if not set(word) <= set("- ")][1:]


def _given_up() -> dict[str, re.Pattern[str]]:
    found = {}
    for words, _ in _glossary("Words not to use"):
        for word in words.split(", "):
            found[word] = re.compile(rf"(?<![\w`]){re.escape(word)}(?![\w`])", re.IGNORECASE)
    return found


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield docstrings, messages and comments of a file, each with its line."""
    source = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
    for number, line in enumerate(source.splitlines(), 1):
        _, mark, comment = line.partition("# ")
        if mark:
            yield number, comment


def _identifiers(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield node.lineno, name
            case ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield node.lineno, name
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield node.lineno, name
            case _:
                pass


def test_the_glossary_lists_words_to_use_and_words_given_up() -> None:
    assert len(_glossary("Words")) > 20
    assert len(_glossary("Words not to use")) > 5


def test_each_public_class_name_stands_for_one_class() -> None:
    places: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        short = path.relative_to(ROOT / "src" / "banish").as_posix()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].add(short)
    twice = {name: found for name, found in places.items() if len(found) > 1 and not found <= TREES}
    assert twice == {}
    for name, owner in ONE_NAME_BY_CONTRACT.items():
        assert places[name] == owner


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_word_that_was_given_up_is_in_the_source(path: Path) -> None:
    given_up = _given_up()
    found = [
        f"{path.name}:{line}: {word}"
        for line, text in _texts(path)
        for word, pattern in given_up.items()
        if pattern.search(text)
    ]
    names = {word for word in given_up if word.isalpha()}
    found += [
        f"{path.name}:{line}: {name}"
        for line, name in _identifiers(path)
        if names & set(re.findall(r"[a-z]+", re.sub(r"([A-Z])", r"_\1", name).lower()))
    ]
    assert found == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_word_that_was_given_up_is_in_the_docs(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if path.name == "glossary.md":
        text = text.partition("## Words not to use\n")[0]
    found = {word for word, pattern in _given_up().items() if pattern.search(text)}
    assert found == set()
