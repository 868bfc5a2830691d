"""Notices that a line which matched could have named somebody else.

An attacker who writes an address into a name makes a line with two addresses in
it, and maybe the regex takes the wrong one. Such a line is looked at again: with
the address that was taken made unreadable, and, where another address follows
the very same word, with everything left out between the two. If the regex then
finds another address, the line has two readings, and nobody can say which is
true. Only lines that match and hold two addresses are looked at.

Filters that can be turned so are found beforehand by `banish.detect.vetting`;
this is for those who keep them.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from banish.detect.pattern import Pattern
from banish.detect.quarantine import interruptible
from banish.model.address import parse_address

ADDRESSES_LIMIT = 8
"""Most addresses of one line that are looked at; the first ones."""

_ADDRESS = re.compile(
    r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*\w)"
    r"|(?<![\w:.])(?:[0-9a-fA-F]{1,4}:|:){2,8}[0-9a-fA-F.]{0,15}(?![\w:])"
)
_MAYBE = re.compile(r"\.\d{1,3}\.\d{1,3}\.\d|:[0-9a-fA-F]{0,4}:")
"""What each text that `_ADDRESS` finds has in it, and is sooner looked for."""
_WORD_BEFORE = re.compile(r"\S*\s?$")
_WORD_CHARACTERS = 32
_LEAST_DOTS = 3
_LEAST_COLONS = 7
"""An address has at least so many of the one or of the other, or two colons together."""
_LEAST_DOTS_OF_TWO = 2 * _LEAST_DOTS
_LEAST_GAP = 2


class Reading(NamedTuple):
    """A match that has a second reading."""

    rule: int
    """The failregex, counted from 1."""
    line: str
    """What was searched: the line without its time and, behind a prefregex, its front."""
    captured: str
    other: str
    """The address of the other reading."""
    is_last: bool
    """Whether *other* stands behind *captured*."""


class Ambiguities:
    """The matches of one jail that have a second reading; each rule is told of once."""

    def __init__(self) -> None:
        self.total = 0
        """How many matches there were, of all rules."""
        self._told: set[int] = set()
        self._untold: list[Reading] = []

    def look(self, rule: int, pattern: Pattern, found: re.Match[str]) -> Reading | None:
        """Return the second reading of what failregex *rule* has found, if there is one."""
        for group in pattern.address_groups:
            captured = found[group]
            if captured:
                break
        else:
            return None
        if holds_one_address(found.string, captured):
            return None
        reading = _second_reading(rule, pattern, found, group)
        if reading is not None:
            self.total += 1
            if rule not in self._told:
                self._told.add(rule)
                self._untold.append(reading)
        return reading

    def take(self) -> list[Reading]:
        """Return what has not been returned before: the first match of each rule."""
        taken, self._untold = self._untold, []
        return taken


def holds_one_address(text: str, address: str, begin: int = 0) -> bool:
    """Whether *text* from *begin* on surely holds no other address than *address*, once.

    Most lines hold one only, and that is cheaply seen.
    """
    if text.count(".", begin) - address.count(".") >= _LEAST_DOTS:
        return False
    colons = text.count(":", begin)
    return colons < _LEAST_GAP or (
        colons - address.count(":") < _LEAST_COLONS
        and text.count("::", begin) <= address.count("::")
    )


def places_of_two(
    texts: Sequence[str], addresses: Sequence[str], begins: Sequence[int]
) -> list[int]:
    """Return which of *texts*, each with an address or ``""``, may hold another, too."""
    doubted = [
        place
        for place, (text, begin) in enumerate(zip(texts, begins, strict=True))
        if text.count(".", begin) >= _LEAST_DOTS_OF_TWO
        or (
            (colons := text.count(":", begin)) >= _LEAST_GAP
            and (colons >= _LEAST_COLONS or "::" in text)
        )
    ]
    return [
        place
        for place in doubted
        if addresses[place] and not holds_one_address(texts[place], addresses[place], begins[place])
    ]


def has_two_readings(pattern: Pattern, found: re.Match[str]) -> bool:
    """Whether what *pattern*, or a search equal to it, has found may have a second reading."""
    group = next((name for name in pattern.address_groups if found[name]), "")
    return group != "" and _second_reading(0, pattern, found, group) is not None


@interruptible("failregex")
def _second_reading(
    number: int, pattern: Pattern, found: re.Match[str], group: str
) -> Reading | None:
    text = found.string
    begin, end = found.span(group)
    captured = found[group]
    if _MAYBE.search(text, 0, begin) is None and _MAYBE.search(text, end) is None:
        return None
    masked = text[:begin] + "~" * (end - begin) + text[end:]
    again = pattern.search(masked)
    taken = _group(pattern, again) if again is not None else ""
    if not begin and not taken:
        return None  # before every other address stands something
    others = [
        each.span()
        for each, _ in zip(_ADDRESS.finditer(text), range(ADDRESSES_LIMIT), strict=False)
        if (each.end() <= begin or each.start() >= end) and parse_address(each[0]) is not None
    ]
    if not any(text[slice(*span)] != captured for span in others):
        return None
    if again is not None and taken:
        return Reading(number, text, captured, again[taken], again.start(taken) > begin)
    word = _word_before(text, begin)
    for other_begin, other_end in others:
        if _word_before(text, other_begin) != word:
            continue
        is_last = other_begin > begin
        rest = text[:begin] + text[other_begin:] if is_last else text[:other_end] + text[end:]
        again = pattern.search(rest)
        other = text[other_begin:other_end]
        if again is None:
            continue
        taken = _group(pattern, again)
        if taken and again[taken] == other != captured:
            return Reading(number, text, captured, other, is_last)
    return None


def _group(pattern: Pattern, found: re.Match[str]) -> str:
    """Return which group holds the address that *found* names; empty for none."""
    return next((name for name in pattern.address_groups if found[name]), "")


def _word_before(text: str, at: int) -> str:
    word = _WORD_BEFORE.search(text[max(0, at - _WORD_CHARACTERS) : at])
    return word[0] if word else ""
