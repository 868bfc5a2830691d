"""Reads ``name[option=value, other="a, b"]``, as filters, actions and backends are written.

Values stand in double or single quotes, or bare up to the next comma or closing
bracket, and are taken as they are. Several groups may follow each other, and an
option may be for one family only: ``blocktype?family=inet6=DROP`` (Fail2Ban:
``extractOptions`` and ``splitWithOptions`` in helpers.py).
"""

import re

from banish.config.problem import FaultError, shown
from banish.config.text import Cutter, Text, single
from banish.model.settings import Place

_NAME = re.compile(r"[\w.\-]+(?:\?\w+=\w+)?(?=\s*=)")

_OPTION = re.compile(r"([\w.\-]+(?:\?\w+=\w+)?)\s*=\s*(\"[^\"]*\"|'[^']*'|[^,\"'\[\]]+)")
"""One option in brackets that are not written as they should be."""


def _skip(text: str, at: int, characters: str) -> int:
    while at < len(text) and (text[at].isspace() or text[at] in characters):
        at += 1
    return at


def _value(text: str, at: int, place: Place) -> tuple[str, int]:
    """Return the value that begins at *at*, and where it ends."""
    quote = text[at : at + 1]
    if quote in ("'", '"') and quote:
        end = text.find(quote, at + 1)
        if end >= 0:
            after = _skip(text, end + 1, "")
            if text[after : after + 1] not in (",", "]"):
                what = f"{shown(text[after:])} is not understood behind a value in quotes"
                cure = 'write a comma between two options: name[one="a", two="b"]'
                raise FaultError(what, place, cure)
            return text[at + 1 : end].strip(), after
    end = at
    while end < len(text) and text[end] not in ",]":
        end += 1
    return text[at:end].strip(), end


def _group(text: str, at: int, place: Place, found: dict[str, str]) -> int:
    """Read the group whose bracket is just before *at* into *found*; return where it ends."""
    while True:
        at = _skip(text, at, ",")
        if text[at : at + 1] == "]":
            return at + 1
        if at >= len(text):
            raise FaultError(
                f'{shown(text)} lacks a "]"', place, 'close the bracket: name[option="value"]'
            )
        match = _NAME.match(text, at)
        if match is None:
            cure = 'write option=value in the brackets: name[option="value"]'
            raise FaultError(f"{shown(text[at:])} is not option=value", place, cure)
        at = _skip(text, _skip(text, match.end(), "") + 1, "")
        found[match[0]], at = _value(text, at, place)


def _spec(text: str, at: int, place: Place) -> tuple[str, dict[str, str], int]:
    """Read one ``name[...]`` at *at*; return its name, its options, and where it ends."""
    start = at
    while at < len(text) and not text[at].isspace() and text[at] != "[":
        at += 1
    name = text[start:at]
    found: dict[str, str] = {}
    while text[(bracket := _skip(text, at, "")) : bracket + 1] == "[":
        at = _group(text, bracket + 1, place, found)
    if not name:
        raise FaultError(f"{shown(text[start:])} lacks a name before the bracket", place)
    return name, found, at


def parse_spec(text: Text) -> tuple[str, dict[str, Text]]:
    """Return the name and the options of one ``name[...]``.

    Raises:
        FaultError: It is written otherwise.

    """
    content = text.text.strip()
    name, found, end = _spec(content, 0, text.place)
    if content[end:].strip():
        cure = "write one name here, with its options in brackets"
        raise FaultError(f"{shown(content[end:].strip())} is left over", text.place, cure)
    return name, {option: single(value, text.place) for option, value in found.items()}


def mended_spec(text: Text) -> Text | None:
    """Return *text*, a ``name[...]`` that cannot be read, as it is likely to be meant.

    What of its brackets is no ``option=value`` is left out. None if nothing can be made of it.
    """
    name, _, rest = text.text.strip().partition("[")
    words = name.split()
    if not words:
        return None
    options = _OPTION.findall(rest)
    written = ", ".join(f"{option}={value.strip()}" for option, value in options)
    return single(f"{words[0]}[{written}]" if written else words[0], text.place)


def parse_specs(text: Text) -> list[tuple[str, dict[str, Text], Place]]:
    """Return each of the ``name[...]`` that *text* holds, parted by blanks or lines.

    Raises:
        FaultError: One is written otherwise.

    """
    found: list[tuple[str, dict[str, Text], Place]] = []
    cutter = Cutter(text)
    at = _skip(text.text, 0, "")
    while at < len(text.text):
        place = cutter.place(at)
        name, options, at = _spec(text.text, at, place)
        found.append((name, {key: single(value, place) for key, value in options.items()}, place))
        at = _skip(text.text, at, "")
    return found
