"""Lines of an attack as they are found: many at once, each by one search.

What a line says whatever stood before it is made out here for a whole stretch of lines,
step by step: most of what a line alone would cost is Python's way from one step to the
next. What the lines come to is the `shortcut`'s.
"""

import functools
import operator
import re
from collections.abc import Sequence
from typing import NamedTuple

from banish.detect.ambiguity import places_of_two
from banish.detect.datefinder import DateFinder
from banish.detect.hit import Shape
from banish.detect.pattern import TEXT_CHARACTERS
from banish.detect.quarantine import interruptible
from banish.detect.session import block_of
from banish.model.address import Subject, parse_address
from banish.model.instant import Instant

LINES_AT_ONCE = 128
"""Most lines of one stretch: as many as make what is done once for all of them cost nothing,
and few, as they count as one where slow regexes are looked for."""

Lane = Sequence[Shape]
"""The rules that could match a line, in their order."""


def _nothing(_: str) -> None:
    """Find nothing."""


NO_WAY: Lane = (Shape(0, _nothing, (), (), 0, ()),)
"""For lines that have to go the long way."""


class Lines(NamedTuple):
    """A stretch of lines, by columns."""

    texts: Sequence[str]
    r"""Each with its ``\n``."""
    offsets: Sequence[int]
    rules: Sequence[tuple[int, ...]]
    """The only failregexes that could match."""
    times: Sequence[Instant] | None = None
    """When they were written, if the source knows; else that stands in them."""


_Matched = tuple[int, str, int, Shape, "re.Match[str]"]
"""A line in which something was found: its place in the stretch, its text, its offset, the
rule, and the match.

A plain tuple, as one is made for each line; `Found` likewise."""

_Groups = tuple[str | None, ...]
"""What the groups `Shape.wanted` hold."""

Found = tuple[
    int, str, int, Shape, Instant | None, Subject | None,
    str | None, str | None, str | None, str | None, str | None, str | None,
]  # fmt: skip
"""What a line says: its place in the stretch, its text, its offset, the rule, when it was,
whose address stands in it, the network of that if it is IPv6; then what the groups ``dns``,
``mlfid``, ``nofail``, ``mlfgained`` and ``mlfforget`` hold. When and whose may be left unread
where the last two hold something."""


def read(
    lines: Lines, lanes: Sequence[Lane], dates: DateFinder, now: Instant, *, spares_ends: bool
) -> list[Found]:
    """Return what *lines* say, in their order, searched by *lanes*, one for each.

    Left out is a line in which nothing is found, whose time or address is none, or that
    may hold a second address. With *spares_ends*, lines that gain and end a session are
    read no further than that.

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
    if not spares_ends or not [1 for each in groups if each[-1] and each[-2]]:
        return _said(matched, groups, lines.times, dates, now)
    ends: list[Found] = [
        (*each[:4], None, None, None, *said[3:])  # type: ignore[misc]
        for each, said in zip(matched, groups, strict=True)
        if said[-1] and said[-2]
    ]
    matched = [
        each for each, said in zip(matched, groups, strict=True) if not said[-1] or not said[-2]
    ]
    groups = [said for said in groups if not said[-1] or not said[-2]]
    return sorted(ends + _said(matched, groups, lines.times, dates, now), key=_PLACE)


_PLACE = operator.itemgetter(0)


def _said(
    matched: Sequence[_Matched],
    groups: Sequence[_Groups],
    times: Sequence[Instant] | None,
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
    begins = [found.end(shape.front) for found, shape in zip(founds, shapes, strict=True)]
    odd = set(places_of_two(texts, addresses, begins))
    if not all(subjects):
        odd.update(at for at, address in enumerate(addresses) if address and not subjects[at])
    if None in ats:
        odd.update(at for at, when in enumerate(ats) if when is None)
    said = zip(
        places, texts, offsets, shapes, ats, subjects, blocks, dns, keys, nofail, gained, forget,
        strict=True,
    )  # fmt: skip
    return [each for at, each in enumerate(said) if at not in odd] if odd else list(said)


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
    subject = parse_address(text)
    return subject if subject is not None and subject.is_address else None
