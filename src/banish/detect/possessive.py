"""Writes possessive repeats as Python's engine can search them.

What never lets go, ``(?:a(b)|.)*+``, is ``(?>(?:a(b)|.)*)`` in other words (Python's
documentation of `re`, "Regular Expression Syntax"). Some versions of Python, 3.11.7 among
them, mistake the spans of groups inside the first form and raise SystemError in the midst
of a search; of the second form none is known to. So the rule of somebody who wrote the
first is compiled as the second.
"""

import re
from collections.abc import Callable

_POSSESSIVE = re.compile(r"(?:[*+?]|\{(?:\d+(?:,\d*)?|,\d*)\})\+")
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?#[^)]*\)|\(\??|.", re.DOTALL)
_SHOWN_BY = (r"(?:b(.)|.)*+", "bab")


def mistakes_spans(search: Callable[[str, str], object] = re.search) -> bool:
    """Whether this Python's *search* fails over possessive repeats of groups."""
    try:
        search(*_SHOWN_BY)
    except SystemError:
        return True
    return False


_IS_MISTAKEN = mistakes_spans()


def searchable(regex: str) -> str:
    """Return *regex*, or what finds the same where this Python could not search it."""
    return as_atomic(regex) if _IS_MISTAKEN else regex


def as_atomic(regex: str) -> str:
    """Return *regex*, which is one, with each possessive repeat of a group as an atomic group.

    One in which spaces and comments may stand anywhere (``(?x)``) is returned as it is.
    """
    if re.search(r"\(\?[a-z]*x", regex):
        return regex
    out: list[str] = []
    opened: list[int] = []
    at = 0
    while at < len(regex):
        found = _PIECE.match(regex, at)
        assert found is not None
        piece, at = found[0], found.end()
        if piece in {"(", "(?"}:
            opened.append(len(out))
        out.append(piece)
        if piece == ")" and opened:
            begin = opened.pop()
            if (repeat := _POSSESSIVE.match(regex, at)) is not None:
                out[begin] = f"(?>{out[begin]}"
                out.append(f"{repeat[0][:-1]})")
                at = repeat.end()
    return "".join(out)
