"""Notices that a line which matched could have named somebody else.

An attacker who writes an address into a name makes a line with two addresses in it, and
maybe the regex takes the wrong one. Such a line is read in every way its rule allows
(`readings`); whom it counts against then is the jail's choice, and mostly the address that
only the service itself can have written. Only lines that match and hold two addresses, or a
name with its address beside it (`beside`), are looked at.

Filters that can be turned so are found beforehand by `banish.detect.vetting`;
this is for those who keep them.
"""

import functools
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from banish.detect.beside import has_address_beside, with_addresses
from banish.detect.pattern import Pattern
from banish.detect.quarantine import interruptible
from banish.detect.readings import Settled, addresses_in
from banish.model.address import parse_logged

EITHER: Final = "mended_either"
"""The group that a rule of `mendedrules` captures in a line that two clients could cause."""

_LEAST_DOTS = 3
_LEAST_COLONS = 7
"""An address has at least so many of the one or of the other, or two colons together."""
_LEAST_DOTS_OF_TWO = 2 * _LEAST_DOTS
_LEAST_GAP = 2


class SecondReading(NamedTuple):
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
    trusted: str = ""
    """The one of all readings that only the service can have written; empty: unknown."""
    is_six: bool = False
    """Whether *trusted* is an IPv6 address."""


class Ambiguities:
    """The matches of one jail that have a second reading; each rule is reported once."""

    def __init__(self, *, takes_names: bool = False) -> None:
        """Make it for one jail; with *takes_names* names count as they stand in the log."""
        self._takes_names = takes_names
        self.total = 0
        """How many matches there were, of all rules."""
        self._reported: set[int] = set()
        self._unreported: list[SecondReading] = []

    def look(self, rule: int, pattern: Pattern, found: re.Match[str]) -> SecondReading | None:
        """Return the second reading of what failregex *rule* has found, if there is one.

        *pattern* is that rule, or the prefregex where that has the address.
        """
        captured = _captured(pattern, found)
        if not captured:
            return None
        reading = None
        if "dns" in pattern.host_groups and (name := found["dns"]) and not self._takes_names:
            reading = _address_of_name(rule, pattern, found, name)
        if reading is None:
            if holds_one_address(found.string, captured):
                return None
            reading = _second_reading(rule, pattern, found)
        if reading is not None:
            self._count(reading)
        return reading

    def _count(self, reading: SecondReading) -> None:
        self.total += 1
        if reading.rule not in self._reported:
            self._reported.add(reading.rule)
            self._unreported.append(reading)

    def add(self, rule: int, line: str, found: re.Match[str], address: str) -> SecondReading:
        """Count a match whose true *address* the prefregex has left out; return it."""
        groups = found.groupdict()
        captured = next((groups[name] for name in ("ip4", "ip6", "dns") if groups.get(name)), "")
        reading = SecondReading(rule, line, captured, address, False, address, ":" in address)
        self._count(reading)
        return reading

    def add_either(self, rule: int, found: re.Match[str]) -> SecondReading | None:
        """Count a match of a mended *rule* that two clients could cause; None if only one could."""
        named = found.groupdict()
        if named.get(EITHER) is None:
            return None
        text = found.string
        captured = next((named[name] for name in ("ip4", "ip6", "dns") if named.get(name)), "")
        written = [text[begin:end] for begin, end, _ in addresses_in(text, len(text))]
        other = next((each for each in written if each != captured), "")
        reading = SecondReading(rule, text, captured, other, text.find(other) > text.find(captured))
        self._count(reading)
        return reading

    def drain(self) -> list[SecondReading]:
        """Return what has not been returned before: the first match of each rule."""
        taken, self._unreported = self._unreported, []
        return taken


def holds_one_address(text: str, address: str, begin: int = 0) -> bool:
    """Whether *text* from *begin* on certainly holds *address* once, and no other address.

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
    """Return the *texts* that may hold a second address; each comes with an address or ``""``."""
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
    return _second_reading(0, pattern, found) is not None


@interruptible("failregex")
def _second_reading(number: int, pattern: Pattern, found: re.Match[str]) -> SecondReading | None:
    text = found.string
    readings = _settled(pattern).readings(found)
    if readings is None:
        return None
    taken, trusted = readings.taken, readings.trusted
    other = trusted if trusted in readings.others else readings.others[-1]
    assert other is not None
    return SecondReading(
        number,
        text,
        text[taken.begin : taken.end],
        text[other.begin : other.end],
        other > taken,
        text[trusted.begin : trusted.end] if trusted is not None else "",
        trusted is not None and trusted.group == "ip6",
    )


@interruptible("failregex")
def _address_of_name(
    number: int, pattern: Pattern, found: re.Match[str], name: str
) -> SecondReading | None:
    """Return the reading by which the address beside *name* counts, or None if there is none."""
    text = found.string
    if not has_address_beside(text, found.end("dns")):
        return None
    tried = (pattern.search(each) for each in with_addresses(text))
    again = next((each for each in tried if each is not None), None)
    address = _captured(pattern, again) if again is not None else ""
    if again is None or parse_logged(address) is None:
        return None
    readings = _settled(pattern).readings(again)
    if readings is None:
        return SecondReading(number, text, name, address, True, address, ":" in address)
    trusted = readings.trusted
    if trusted is None:
        return SecondReading(number, text, name, address, is_last=True)
    own = again.string[trusted.begin : trusted.end]
    return SecondReading(number, text, name, address, True, own, trusted.group == "ip6")


@functools.lru_cache(maxsize=2048)
def _settled(pattern: Pattern) -> Settled:
    return Settled(pattern)


def _captured(pattern: Pattern, found: re.Match[str]) -> str:
    """Return the address or name that *found* names; empty for none."""
    return next((text for name in pattern.host_groups if (text := found[name])), "")
