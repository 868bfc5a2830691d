"""A great many addresses and networks, fixed, in little room.

They become ranges that do not touch, sorted, in one block of bytes: 8 bytes a
range for IPv4, 32 for IPv6. A million addresses take 8 MB, and a question is
one bisection whatever their number.
"""

from bisect import bisect_right
from collections.abc import Iterable

from banish.model.address import Subject
from banish.policy.networks import WIDTH, first_and_length

Range = tuple[int, int]
"""The first and the last address of a network, as numbers."""


class AddressSet:
    """Which addresses are in it, and which networks share one with it."""

    def __init__(self, four: Iterable[Range] = (), six: Iterable[Range] = ()) -> None:
        """Hold the ranges of both families; they may overlap, in any order."""
        self._ranges = {4: _Ranges(four, 4), 6: _Ranges(six, 16)}

    def __len__(self) -> int:
        """Return how many ranges it takes to tell what is in it."""
        return sum(len(ranges) for ranges in self._ranges.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AddressSet) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(tuple(self._ranges.values()))

    def overlaps(self, subject: Subject) -> bool:
        """Whether *subject*, an address or a network, has an address in it; a name has none."""
        if not subject.is_enforceable:
            return False
        return self._ranges[subject.family].overlap(*range_of(subject))


def range_of(subject: Subject) -> Range:
    """Return the range of an address or a network.

    Raises:
        ValueError: *subject* is a name or an identifier.

    """
    first, length = first_and_length(subject)
    return first, first + (1 << (WIDTH[subject.family] - length)) - 1


class _Ranges:
    """The ranges of one family: their first and their last addresses, *size* bytes each."""

    def __init__(self, ranges: Iterable[Range], size: int) -> None:
        self._size = size
        firsts: list[int] = []
        lasts: list[int] = []
        end = -2  # what touches the end goes on, so nothing touches it yet
        for first, last in sorted(ranges):
            if first > end + 1:
                firsts.append(first)
                lasts.append(last)
                end = last
            elif last > end:
                lasts[-1] = end = last
        self._firsts = b"".join([first.to_bytes(size, "big") for first in firsts])
        self._lasts = b"".join([last.to_bytes(size, "big") for last in lasts])

    def __len__(self) -> int:
        return len(self._firsts) // self._size

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Ranges)
            and self._firsts == other._firsts
            and self._lasts == other._lasts
        )

    def __hash__(self) -> int:
        return hash((self._firsts, self._lasts))

    def __getitem__(self, index: int) -> bytes:
        return self._firsts[index * self._size : (index + 1) * self._size]

    def overlap(self, first: int, last: int) -> bool:
        """Whether one of the ranges shares an address with *first* to *last*."""
        index = bisect_right(self, last.to_bytes(self._size, "big")) - 1
        if index < 0:
            return False
        end = self._lasts[index * self._size : (index + 1) * self._size]
        return int.from_bytes(end, "big") >= first
