"""Looks for lines on which a regular expression takes far too long.

Python's engine tries one way after another. Where a text can be read in many
ways and none of them leads to a match, it tries all: twice as many with each
further character if a loop lies inside another and both take the same text, a
power of the length if several loops follow each other. The lines found here are
such texts, to be written at any length; whether they do harm, only a clock can
tell, and there is none here: `banish.config.stopwatch` has one.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from banish.detect.pattern import Pattern
from banish.detect.positions import START, Places
from banish.detect.regextree import ANY, Chars, Group, is_anchored, read, replace_group
from banish.detect.vetting.frame import content_openings, fitted
from banish.detect.vetting.reading import Reader, narrow
from banish.detect.vetting.writing import plain_text, shapes
from banish.model.settings import FilterSettings, Place

PUMPS_LIMIT = 4
"""Most texts that are tried on one regex, the worst first."""

LOOPS_LIMIT = 48
"""Most loops of one regex that are compared with each other."""

TAILS = ("", "\x01", "!")
"""What keeps a regex from matching after all: the end, or what few regexes take."""

_MARK = "\x02"


class Pump(NamedTuple):
    """A line that can be made as long as one likes, and the regex that may not bear it."""

    option: str
    """``failregex`` or ``prefregex``."""
    rule: int
    """The failregex, counted from 1; 0 for the prefregex."""
    place: Place | None
    lead: str
    pump: str
    tail: str
    ways: int
    """How many loops share the text: time grows with the length to that power; 0: it doubles
    with every further repetition."""

    def line(self, characters: int) -> str:
        """Return the line with the pump as often as fits into *characters*, once at least."""
        room = characters - len(self.lead) - len(self.tail)
        return self.lead + self.pump * max(1, room // len(self.pump)) + self.tail

    @property
    def shown(self) -> str:
        """The line as people read it, all its repetitions written as one."""
        return f"{self.lead}({self.pump}) many times{self.tail}"


def vet_runtime(settings: FilterSettings) -> list[Pump]:
    """Return the lines that may keep regexes of *settings* busy, the worst first for each.

    Raises:
        ConfigError: A regex is wrong.

    """
    reader = Reader(settings)
    first = reader.prefregex
    found = []
    if first is not None:
        found += [
            Pump("prefregex", 0, first.source.place, lead, pump, tail, ways)
            for lead, pump, ways in _pumps(first, reader.flags)
            for tail in TAILS
        ]
    fronts = _fronts(reader)
    openings = content_openings(reader)
    for number, rule in enumerate(reader.rules, 1):
        for lead, pump, ways in _pumps(rule, reader.flags):
            leads = [lead, *fitted(lead, openings)]
            for tail in TAILS:
                placed = _placed(reader, fronts, leads, pump, tail)
                if placed is not None:
                    place = rule.source.place
                    found.append(Pump("failregex", number, place, placed[0], pump, placed[1], ways))
    return found


def _fronts(reader: Reader) -> list[tuple[str, str]]:
    """Return what may stand before and after the content, as the prefregex has it."""
    first = reader.prefregex
    if first is None or "content" not in first.names:
        return [("", "")]
    mark = Group(-3, "", Chars(1 << 2, _MARK))
    tree = replace_group(read(first.expanded, reader.flags), "content", mark)
    written = (*shapes(tree, is_full=True), *shapes(tree, is_full=False))
    parts = (plain_text(shape).partition(_MARK) for shape in written)
    return list(dict.fromkeys((before, after) for before, _, after in parts))


def _placed(
    reader: Reader, fronts: list[tuple[str, str]], leads: list[str], pump: str, tail: str
) -> tuple[str, str] | None:
    """Return lead and tail such that the failregexes see just one of *leads*, pumps and *tail*.

    None: the prefregex lets no such text through.
    """
    for before, after in fronts:
        for lead in leads:
            text = f"{lead}{pump}{pump}{tail}"
            narrowed = narrow(reader.prefregex, f"{before}{text}{after}")
            if narrowed is not None and narrowed[0] == f"{text}\n":
                return f"{before}{lead}", f"{tail}{after}"
    return None


def _pumps(pattern: Pattern, flags: int) -> list[tuple[str, str, int]]:
    """Return lead, text and kind of what may keep *pattern* busy, the worst first."""
    tree = read(pattern.expanded, flags)
    places = Places(tree)
    found: dict[str, tuple[str, int]] = {}
    for lead, pump, ways in _shared(places):
        known = found.get(pump, (lead, ways))
        found[pump] = max(known, (lead, ways), key=lambda entry: _badness(entry[1]))
    if not is_anchored(tree, at_end=False) and not flags & re.MULTILINE:
        # A search begins anew at every character, as if ".*?" stood in front.
        for loop in places.loops()[:LOOPS_LIMIT]:
            way = places.way(START, loop, places.masks[loop])
            if way:
                pump = places.text(way, places.masks[loop])
                found.setdefault(pump, ("", 1 + _sharing(places, loop, pump)))
    ranked = sorted(
        (item for item in found.items() if "\n" not in item[0]),
        key=lambda item: (-_badness(item[1][1]), len(item[0])),
    )
    return [(lead, pump, ways) for pump, (lead, ways) in ranked[:PUMPS_LIMIT]]


def _badness(ways: int) -> int:
    return ways or 1_000


def _shared(places: Places) -> Iterator[tuple[str, str, int]]:
    """Give the texts that two loops can share, or one loop with another around it."""
    for place, again in sorted(places.doubled)[:LOOPS_LIMIT]:
        way = [again] if place == again else [again, *places.way(again, place, ANY)]
        yield places.text(places.way(START, place, ANY), ANY), places.text(way, ANY), 0
    loops = places.loops()[:LOOPS_LIMIT]
    for loop in loops:
        mask = places.masks[loop]
        lead = places.text(places.way(START, loop, ANY), ANY)
        if way := places.way(loop, loop, mask):
            yield lead, places.text(way, mask), 0
        for other in loops:
            shared = mask & places.masks[other]
            if other == loop or not shared:
                continue
            if way := places.way(loop, other, shared):
                pump = places.text(way, shared)
                yield lead, pump, _sharing(places, loop, pump)


def _sharing(places: Places, begin: int, pump: str) -> int:
    """Return how many loops from *begin* on take all of *pump*."""
    wanted = [1 << min(ord(character), 128) for character in pump]
    seen = {begin}
    edge = [begin]
    while edge:
        edge = [other for place in edge for other in places.after[place] if other not in seen]
        seen.update(edge)
    return sum(
        all(places.masks[place] & bit for bit in wanted)
        for place in places.loops()
        if place in seen
    )
