"""Turns banned networks, nested as they come, into ranges that do not overlap.

A kernel set of ranges takes no two that overlap, but operators and attackers
make 192.0.2.0/24 and 192.0.2.128/25 be banned at the same time, to end at
different times. So the set holds *pieces*: every address once, with the end of
the longest ban that covers it. Networks nest or are apart, never half, so one
pass in order with a stack is enough.

Only the networks around a change are looked at again: a change costs what its
widest wanted network holds, not what the set holds.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from banish.model.instant import Instant


class Block(NamedTuple):
    """A network as numbers; blocks sort so that a wider one comes before what it holds."""

    first: int
    length: int
    """The prefix length: 0 to 32 or 128."""


class AddressRange(NamedTuple):
    """A range of addresses, both ends in it, and when its ban ends."""

    first: int
    last: int
    until: Instant | None


def cut_into_pieces(blocks: Mapping[Block, Instant | None], bits: int) -> list[AddressRange]:
    """Return ranges that cover exactly what *blocks* cover, in order, none overlapping."""
    pieces: list[AddressRange] = []
    around: list[tuple[int, Instant | None]] = []
    at = 0
    for block in sorted(blocks):
        first, last, until = block.first, _last(block, bits), blocks[block]
        while around and around[-1][0] < first:
            at = _close(pieces, at, *around.pop())
        if around:
            _, outer_until = around[-1]
            if outer_until is None or (until is not None and until <= outer_until):
                continue
            if at < first:
                pieces.append(AddressRange(at, first - 1, outer_until))
        around.append((last, until))
        at = first
    while around:
        at = _close(pieces, at, *around.pop())
    return pieces


def _close(pieces: list[AddressRange], at: int, last: int, until: Instant | None) -> int:
    if at <= last:
        pieces.append(AddressRange(at, last, until))
    return last + 1


def _last(block: Block, bits: int) -> int:
    return block.first + (1 << (bits - block.length)) - 1


def _join(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return *ranges*, which are in order and apart, with neighbours made one."""
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _is_inside(one: tuple[int, int], joined: Sequence[tuple[int, int]]) -> bool:
    index = bisect_right(joined, one[0], key=lambda other: other[0]) - 1
    return index >= 0 and one[1] <= joined[index][1]


def _sooner(one: float | None, other: float | None) -> float | None:
    """Return the lesser of two times left, None being without end."""
    return min((time for time in (one, other) if time is not None), default=None)


class Exchange(NamedTuple):
    """What a set of ranges must lose and gain."""

    gone: list[AddressRange]
    """Pieces that are no more, and those that get a new end."""
    new: list[AddressRange]


class BlockAccount:
    """The networks that one set of ranges stands for.

    Pure bookkeeping: `plan` says what would change, `commit` takes it over once
    the kernel has done it.
    """

    def __init__(self, bits: int, blocks: Mapping[Block, Instant | None] | None = None) -> None:
        self._bits = bits
        self._until: dict[Block, Instant | None] = dict(blocks or {})
        self._order = sorted(self._until)
        self._lengths = Counter(block.length for block in self._until)

    def __len__(self) -> int:
        return len(self._until)

    def pieces(self) -> list[AddressRange]:
        """Return all ranges of the set."""
        return cut_into_pieces(self._until, self._bits)

    def covers(self, ranges: Sequence[tuple[int, int]]) -> bool:
        """Tell whether every address in *ranges* is in a wanted network."""
        wanted = _join((piece.first, piece.last) for piece in self.pieces())
        return all(_is_inside(one, wanted) for one in ranges)

    def blocks_within(self, ranges: Sequence[tuple[int, int]]) -> list[Block]:
        """Return the wanted networks of which every address is in *ranges* (in order, apart)."""
        joined = _join(ranges)
        return [
            block
            for block in self._order
            if _is_inside((block.first, _last(block, self._bits)), joined)
        ]

    def times_left(
        self, ranges: Sequence[tuple[int, int, float | None]]
    ) -> dict[Block, float | None]:
        """Return how long each wanted network would stay, going by what is left of *ranges*.

        *ranges* are in order and apart, each with the seconds left of it, None for no end.
        Where the longer ban of a network around it keeps a piece in, what is left counts as
        if it were to end with the network itself. A network without any such piece is left
        out, and one that is not wholly in *ranges* is judged by the rest of it.
        """
        firsts = [first for first, _, _ in ranges]
        found: dict[Block, float | None] = {}
        pieces = self.pieces()
        starts = [piece.first for piece in pieces]
        for block in self._order:
            until = self._until[block]
            inside = pieces[
                bisect_left(starts, block.first) : bisect_right(starts, _last(block, self._bits))
            ]
            for piece in inside:
                index = bisect_right(firsts, piece.first) - 1
                if index < 0 or ranges[index][1] < piece.first:
                    continue
                left = ranges[index][2]
                if piece.until is None or until is None:
                    if until is None:
                        found[block] = _sooner(found.get(block), left)
                elif left is None:
                    found[block] = None
                    break
                else:
                    extra = piece.until - until
                    known = found.get(block)
                    found[block] = left - extra if known is None else min(known, left - extra)
        return found

    def plan(self, starts: Mapping[Block, Instant | None], ends: Iterable[Block]) -> Exchange:
        """Return what changes when *starts* are wanted (anew) and *ends* no more.

        A network that is started anew is in both lists, so that what the kernel
        has lost of it comes back.
        """
        ended = set(ends) & self._until.keys()
        if not ended and not starts:
            return Exchange([], [])
        gone: list[AddressRange] = []
        new: list[AddressRange] = []
        for root in self._roots([*starts, *ended], starts):
            inside = {block: self._until[block] for block in self._within(root)}
            gone += cut_into_pieces(inside, self._bits)
            for block in ended:
                inside.pop(block, None)
            last = _last(root, self._bits)
            inside.update((b, u) for b, u in starts.items() if root.first <= b.first <= last)
            new += cut_into_pieces(inside, self._bits)
        return Exchange(gone, new)

    def commit(self, starts: Mapping[Block, Instant | None], ends: Iterable[Block]) -> None:
        """Take over a change that the kernel has taken."""
        for block in ends:
            if block in self._until:
                del self._until[block]
                del self._order[bisect_left(self._order, block)]
                self._lengths[block.length] -= 1
        for block, until in starts.items():
            if block not in self._until:
                insort(self._order, block)
                self._lengths[block.length] += 1
            self._until[block] = until

    def _roots(
        self, touched: Iterable[Block], starts: Mapping[Block, Instant | None]
    ) -> list[Block]:
        """Return the widest networks around *touched*; they are apart from each other."""
        lengths = {length for length, count in self._lengths.items() if count}
        lengths.update(block.length for block in starts)
        ascending = sorted(lengths)
        roots = set()
        for block in touched:
            for length in ascending:
                if length >= block.length:
                    roots.add(block)
                    break
                shift = self._bits - length
                wider = Block(block.first >> shift << shift, length)
                if wider in self._until or wider in starts:
                    roots.add(wider)
                    break
        return sorted(roots)

    def _within(self, root: Block) -> list[Block]:
        low = bisect_left(self._order, root)
        high = bisect_right(self._order, Block(_last(root, self._bits), self._bits))
        return self._order[low:high]
