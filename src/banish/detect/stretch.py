"""Lines of an attack as they are found: many at once, each by one search.

What a line says whatever stood before it is made out here for a whole stretch of lines,
step by step: most of what a line alone would cost is Python's way from one step to the
next. What the lines come to is the `shortcut`'s.
"""

import functools
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from banish.detect.ambiguity import has_two_readings, holds_one_address, places_of_two
from banish.detect.beside import has_address_beside
from banish.detect.cutting import whole_address
from banish.detect.datefinder import DateFinder
from banish.detect.hit import Shape
from banish.detect.pattern import TEXT_CHARACTERS
from banish.detect.quarantine import interruptible
from banish.detect.session import block_of
from banish.model.address import Subject, parse_logged
from banish.model.instant import Instant

LINES_AT_ONCE = 256
"""Most lines of one stretch: as many as make what is done once for all of them cost nothing,
and few, as they count as one where slow regexes are looked for."""

Lane = Sequence[Shape]
"""The rules that could match a line, in their order."""


def _nothing(_: str) -> None:
    """Find nothing."""


NO_WAY: Lane = (Shape(0, _nothing, (), (), 0, ()),)
"""For lines that have to go the long way."""


NOTHING = Shape(0, re.compile("(x){0}").match, (1,) * 8, (), 0, ())
"""Ends a lane that finds all that its rules would find: what comes so far matches none of them."""


class Lines(NamedTuple):
    """A stretch of lines, by columns."""

    texts: Sequence[str]
    r"""What is searched, each with its ``\n``: the line, or what a time was cut out of."""
    offsets: Sequence[int]
    rules: Sequence[tuple[int, ...]]
    """The only failregexes that could match."""
    times: Sequence[Instant | None] | None = None
    """When they were written, if that is known, None for a line of which it is not; else it
    is to be found where the texts begin."""


_Matched = tuple[int, str, int, Shape, "re.Match[str]"]
"""A text in which something was found: its place in the stretch, the text, its offset, the
rule, and the match.

A plain tuple, as one is made for each line; `Found` likewise."""

_Groups = tuple[str | None, ...]
"""What the groups `Shape.wanted` hold."""

Found = tuple[
    int, str, int, Shape, Instant, Subject | None,
    str | None, str | None, str | None, str | None, str | None, str | None,
]  # fmt: skip
"""What a line says: its place in the stretch, the text, its offset, the rule, when it was,
whose address stands in it, the network of that if it is IPv6; then what the groups ``dns``,
``mlfid``, ``nofail``, ``mlfgained`` and ``mlfforget`` hold."""

DNS: Final = 3
"""Where the group of a name stands in `Shape.wanted`."""

KEY: Final = 8
"""Where ``mlfid`` stands in `Found`."""


def read(lines: Lines, lanes: Sequence[Lane], dates: DateFinder, now: Instant) -> list[Found]:
    """Return what *lines* say, in their order, searched by *lanes*, one for each.

    Left out is a line of which its lane does not tell what it says, whose time or address
    is none, or that has two readings.

    Raises:
        OverBudgetError: It takes too long.

    """
    texts = lines.texts
    if len(max(texts, key=len)) > TEXT_CHARACTERS:
        lanes = [
            lane if len(text) <= TEXT_CHARACTERS else NO_WAY
            for text, lane in zip(texts, lanes, strict=True)
        ]
    founds, shapes = _search(texts, lanes)
    matched = [
        (place, text, offset, shape, found)
        for place, (text, offset, shape, found) in enumerate(
            zip(texts, lines.offsets, shapes, founds, strict=True)
        )
        if found is not None
    ]
    groups = [found.group(*shape.wanted) for _, _, _, shape, found in matched]
    return _said(matched, groups, lines.times, dates, now)


def _said(
    matched: Sequence[_Matched],
    groups: Sequence[_Groups],
    times: Sequence[Instant | None] | None,
    dates: DateFinder,
    now: Instant,
) -> list[Found]:
    if not matched:
        return []
    places, texts, offsets, shapes, founds = zip(*matched, strict=True)
    days, ip4, ip6, dns, keys, nofail, gained, forget = zip(*groups, strict=True)
    ats: Sequence[Instant | None]
    if times is None:
        ats = dates.when(days, founds, [shape.directives for shape in shapes], now)
    else:
        ats = [times[place] for place in places]
    addresses = [four or six or "" for four, six in zip(ip4, ip6, strict=True)]
    subjects = [*map(_one_address, addresses)]
    blocks: Sequence[str | None] = ip6
    if any(ip6):
        pairs = zip(ip4, ip6, strict=True)
        blocks = [block_of(six) if six and not four else None for four, six in pairs]
    begins = [
        found.end(shape.front) if shape.front else 0
        for found, shape in zip(founds, shapes, strict=True)
    ]
    odd = {
        at
        for at in places_of_two(texts, addresses, begins)
        if (rule := shapes[at].alone) is None or has_two_readings(rule, founds[at])
    }
    if any(dns):
        odd.update(
            at
            for at, name in enumerate(dns)
            if name and not addresses[at] and not holds_one_address(texts[at], name, begins[at])
        )
    if any(shape.is_loose for shape in shapes):
        odd.update(
            at
            for at, (shape, found) in enumerate(zip(shapes, founds, strict=True))
            if shape.is_loose and _is_piece(shape, found)
        )
    if not all(subjects):
        odd.update(at for at, address in enumerate(addresses) if address and not subjects[at])
    if any(dns):
        odd.update(
            at
            for at, name in enumerate(dns)
            if name and has_address_beside(texts[at], founds[at].end(shapes[at].wanted[DNS]))
        )
    if None in ats:
        odd.update(at for at, when in enumerate(ats) if when is None)
    said = zip(
        places, texts, offsets, shapes, ats, subjects, blocks, dns, keys, nofail, gained, forget,
        strict=True,
    )  # fmt: skip
    return [each for at, each in enumerate(said) if at not in odd] if odd else list(said)


def _is_piece(shape: Shape, found: re.Match[str]) -> bool:
    """Whether what *found* names is a piece of an address or of a name."""
    groups = zip(shape.wanted[1:4], ("ip4", "ip6", "dns"), strict=True)
    return any(
        found[group] and whole_address(found.string, *found.span(group), name) is not None
        for group, name in groups
    )


@interruptible("failregex")
def _search(
    texts: Sequence[str], lanes: Sequence[Lane]
) -> "tuple[list[re.Match[str] | None], list[Shape]]":
    """Return what the first rule that matches has found in each text, and which that is."""
    shapes = [lane[0] for lane in lanes]
    founds = [shape.match(text) for shape, text in zip(shapes, texts, strict=True)]
    if None in founds:
        for place, found in enumerate(founds):
            if found is None:
                for shape in lanes[place][1:]:
                    found = shape.match(texts[place])  # noqa: PLW2901
                    if found is not None:
                        founds[place], shapes[place] = found, shape
                        break
    return founds, shapes


@functools.lru_cache(maxsize=4096)
def _one_address(text: str) -> Subject | None:
    """Return the address that *text* is, or None if it is none."""
    subject = parse_logged(text)
    return subject if subject is not None and subject.is_address else None
