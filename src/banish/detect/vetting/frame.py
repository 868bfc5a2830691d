"""Turns one failregex into the lines that a service writes, the true address in its place."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from banish.detect.pattern import Pattern
from banish.detect.regextree import (
    Group,
    Node,
    Sequence,
    is_anchored,
    read,
    replace_group,
    walk,
)
from banish.detect.vetting import forgery
from banish.detect.vetting.reading import Reader, narrow
from banish.detect.vetting.writing import (
    OPEN_END,
    OPEN_START,
    SHAPES_LIMIT,
    LinePiece,
    Shape,
    plain_text,
    shapes,
)
from banish.errors import ConfigError
from banish.model.settings import Regex

SLOTS_LIMIT = 24
"""Most gaps of one regex that are tried, all its shapes together."""

MENDED_LIMIT = 200
"""Most shapes tried where none is read as it was written first."""

LED_CHARACTERS = 8
"""How much text has to agree where a rule is fitted to its prefregex."""

_ADDRESS_TAG = re.compile(r"<(HOST|(?:F-)?(?:ADDR|IP4|DNS|IP6|SUBNET|ID)/?)>")
_NEEDS_SLASH = re.compile(r"<F-(?:ADDR|IP4|DNS|IP6|SUBNET|ID)>|<ID/?>|<(?!F-)\w+/>")
_ID_TAG = re.compile(r"<F-ID>(?:(?!<F-ID>).)*</F-ID>")


class Gap(NamedTuple):
    """A gap in a line, and the text on its sides."""

    gap: str
    """``before`` or ``after`` the address, a user ``name``, or open ``start`` or ``end``."""
    before: str
    after: str


class Frame(NamedTuple):
    """One failregex that finds no address but the true one, and lines that it reads."""

    rule: int
    """The failregex, counted from 1."""
    settled: Pattern
    settled_first: Pattern | None
    """The prefregex, where that is what has the address."""
    true: str
    forged: str
    full: list[Shape]
    """Shapes with what is optional: a service writes its whole prefix."""
    plain: list[Shape]
    """Shapes without, that make a proof easier to read."""


def has_address(reader: Reader, number: int) -> bool:
    """Whether failregex *number*, or the prefregex, has an address to be found."""
    first = reader.settings.prefregex
    own = _settled(reader.settings.failregex[number - 1])
    return own is not None or (first is not None and _settled(first) is not None)


def frame(reader: Reader, number: int) -> Frame | None:
    """Return the frame of failregex *number*, or None if no line can be written for it."""
    first = reader.settings.prefregex
    settled = _settled(reader.settings.failregex[number - 1])
    settled_first = _settled(first) if settled is None and first is not None else None
    place = settled or settled_first
    if place is None:
        return None
    true, forged = forgery.TRUE, forgery.FORGED
    if place[1]:
        true, forged = forgery.IN_V6[true], forgery.IN_V6[forged]
    try:
        rule = reader.compile(settled[0]) if settled else reader.rules[number - 1]
        pattern = reader.compile(settled_first[0]) if settled_first else None
        tree = tree_of(reader, rule, pattern or reader.prefregex)
    except (ConfigError, re.error, RecursionError):
        return None
    made = Frame(number, rule, pattern, true, forged, [], [])
    full = _readable(reader, made, shapes(tree, is_full=True))
    plain = _readable(reader, made, shapes(tree, is_full=False))
    return made._replace(full=full or plain, plain=plain) if full or plain else None


def written(reader: Reader, number: int) -> list[str]:
    """Return lines of the shape of failregex *number*, which has an address, if any can be made.

    The filter may make of them what it likes.
    """
    settled = _settled(reader.settings.failregex[number - 1])
    try:
        assert settled is not None
        tree = tree_of(reader, reader.compile(settled[0]), reader.prefregex)
    except (ConfigError, re.error, RecursionError):
        return []
    return [
        plain_text(shape) for is_full in (False, True) for shape in shapes(tree, is_full=is_full)
    ]


def could_be(reader: Reader, made: Frame, line: str) -> bool:
    """Whether the frame's rule has a reading of *line* with the true address."""
    narrowed = narrow(made.settled_first or reader.prefregex, line)
    return narrowed is not None and made.settled.search(narrowed[0]) is not None


def slots(written: list[Shape]) -> list[Gap]:
    """Return the gaps of the shapes *written*: names first, then those next to the address."""
    found: dict[Gap, tuple[bool, int]] = {}
    for shape in written:
        place = next(at for at, piece in enumerate(shape) if piece.kind == "address")
        for at, piece in enumerate(shape):
            if piece.kind in ("text", "address"):
                continue
            gap = piece.kind
            if gap == "gap":
                gap = "before" if at < place else "after"
            slot = Gap(gap, plain_text(shape[:at]), plain_text(shape[at + 1 :]))
            found.setdefault(slot, (gap != "name", abs(at - place)))
    return sorted(found, key=found.__getitem__)[:SLOTS_LIMIT]


def _settled(regex: Regex) -> tuple[Regex, bool] | None:
    """Return *regex* with the true address for its tag, and whether that is an IPv6 one."""
    is_v6 = False

    def replace(found: re.Match[str]) -> str:
        nonlocal is_v6
        if _NEEDS_SLASH.fullmatch(found[0]):
            return found[0]
        tag = found[1].removeprefix("F-").rstrip("/")
        group = {"DNS": "dns", "IP6": "ip6", "ID": "fid"}.get(tag, "ip4")
        is_v6 = tag == "IP6"
        true = forgery.IN_V6[forgery.TRUE] if is_v6 else forgery.TRUE
        return f"(?P<{group}>{re.escape(true)})"

    text = _ADDRESS_TAG.sub(replace, regex.text)
    if text == regex.text:
        text = _ID_TAG.sub(f"(?P<fid>{re.escape(forgery.TRUE)})", regex.text)
    if text == regex.text:
        return None
    return Regex(text, regex.place), is_v6


def tree_of(reader: Reader, rule: Pattern, first: Pattern | None) -> Node:
    """Return the tree of *rule* inside that of the prefregex *first*, as they take a line."""
    tree = opened(read(rule.expanded, reader.flags))
    if first is not None and "content" in first.names:
        around = read(first.expanded, reader.flags, first=10_000)
        tree = opened(replace_group(around, "content", tree))
    return tree


def opened(tree: Node) -> Sequence:
    """Return *tree* with the gaps it leaves open on its sides."""
    parts: list[Node] = [tree]
    if not is_anchored(tree, at_end=False):
        parts.insert(0, OPEN_START)
    if not is_anchored(tree, at_end=True):
        parts.append(OPEN_END)
    return Sequence(tuple(parts))


def _readable(reader: Reader, made: Frame, written: list[Shape]) -> list[Shape]:
    """Return those of the shapes *written* that the filter reads; mended ones, if none."""

    def is_read(shape: Shape) -> bool:
        line = plain_text(shape)
        if line.count(made.true) != 1 or all(piece.kind != "address" for piece in shape):
            return False
        return could_be(reader, made, line) and made.true in reader.captured(line)[1]

    kept = list(filter(is_read, written))
    if kept:
        return kept
    openings = content_openings(reader)
    fronts = openings if reader.narrows else [f"{opening} " for opening in openings]
    mended = [
        variant
        for shape in written
        for variant in (
            *((LinePiece(front), *shape) for front in fronts),
            *_mended(shape, openings),
        )
    ]
    return list(filter(is_read, mended[:MENDED_LIMIT]))


def content_openings(reader: Reader) -> list[str]:
    """Return what the prefregex lets its content, or else the line, begin with."""
    if reader.prefregex is None:
        return []
    tree = read(reader.prefregex.expanded, reader.flags)
    content = (node for node in walk(tree) if isinstance(node, Group) and node.name == "content")
    return [
        plain_text(shape)
        for node in (content if reader.narrows else [Group(0, "", tree)])
        for shape in shapes(node.body, is_full=False, limit=SHAPES_LIMIT // 4)
    ]


def _mended(shape: Shape, openings: list[str]) -> Iterator[Shape]:
    r"""Give variants of *shape* for regexes with conditions that shapes know nothing of.

    A rule may begin with ``\S+`` where the prefregex says which word that is; what
    follows a gap may have to begin a word.
    """
    yield tuple(piece._replace(text="") if piece.kind == "gap" else piece for piece in shape)
    for at, (gap, text) in enumerate(pairwise(shape)):
        if gap.kind != "gap":
            continue
        yield (*shape[:at], gap._replace(text="x "), *shape[at + 1 :])
        for opening in openings:
            cut = opening.find(text.text[:LED_CHARACTERS])
            if cut > 0:
                yield (*shape[:at], gap._replace(text=opening[:cut]), *shape[at + 1 :])


def fitted(lead: str, openings: list[str]) -> list[str]:
    """Return *lead*, whose first character is made up, as each of *openings* has its beginning."""
    cuts = ((opening, opening.find(lead[1 : 1 + LED_CHARACTERS])) for opening in openings)
    return [opening[:cut] + lead[1:] for opening, cut in cuts if cut > 0]
