"""The places of a regular expression and which may follow which (Glushkov's automaton).

Every place takes one character. A place that may follow itself is a *loop*:
``.*`` is one, ``(?:ab)*`` is none but two places that follow each other.
Conditions and back references are taken as always met and empty, and short
counted repeats as often as they must: what is found here is a guess to be tried.
"""

from typing import NamedTuple

from banish.detect.regextree import (
    Atomic,
    Chars,
    Choice,
    Group,
    Node,
    Repeat,
    Sequence,
    When,
    likely,
)

LOOP_LEAST = 16
"""A repeat that takes its body this often, or oftener, is a loop."""

PLACES_LIMIT = 1_500
"""Most places of one regex; what goes beyond is left out."""

START = 0
"""The place before the first, which takes nothing."""


class _Part(NamedTuple):
    """A piece of the automaton: where it begins and ends, and whether it may be skipped."""

    first: frozenset[int]
    last: frozenset[int]
    is_optional: bool


_NOTHING = _Part(frozenset(), frozenset(), is_optional=True)


class Places:
    """The automaton of one regex."""

    def __init__(self, tree: Node) -> None:
        self.masks = [0]
        self.texts = [""]
        self.after: list[set[int]] = [set()]
        """For each place, those that may follow it."""
        self.doubled: set[tuple[int, int]] = set()
        """Steps from one place to the next that two repeats, one inside the other, both make."""
        whole = self._part(tree)
        self.after[START] |= whole.first

    def loops(self) -> list[int]:
        """Return the places that may follow themselves."""
        return [place for place, after in enumerate(self.after) if place in after]

    def way(self, begin: int, end: int, mask: int) -> list[int]:
        """Return the shortest way from *begin* to *end* by places that take a character of *mask*.

        *begin* is left out, *end* is not; from a loop back to itself the way leaves it
        in between. Empty if there is none.
        """
        came_from: dict[int, int] = {}
        edge = [place for place in self.after[begin] if place != begin]
        came_from.update(dict.fromkeys(edge, -1))
        edge = [place for place in edge if self.masks[place] & mask]
        while edge:
            further = []
            for place in edge:
                if place == end:
                    return self._back(came_from, place)
                for other in self.after[place]:
                    if other not in came_from and self.masks[other] & mask:
                        came_from[other] = place
                        further.append(other)
            edge = further
        return []

    def _back(self, came_from: dict[int, int], place: int) -> list[int]:
        way = [place]
        while (place := came_from[place]) != -1:
            way.append(place)
        return way[::-1]

    def text(self, way: list[int], mask: int) -> str:
        """Return what the places of *way* take, all of it characters of *mask*."""
        written = []
        for place in way:
            text = self.texts[place]
            shared = self.masks[place] & mask
            written.append(text if shared == self.masks[place] else likely(shared))
        return "".join(written)

    def _place(self, node: Chars) -> _Part:
        if len(self.masks) >= PLACES_LIMIT:
            return _NOTHING
        self.masks.append(node.mask)
        self.texts.append(node.text)
        self.after.append(set())
        alone = frozenset((len(self.masks) - 1,))
        return _Part(alone, alone, is_optional=False)

    def _part(self, node: Node) -> _Part:
        match node:
            case Chars():
                return self._place(node)
            case Sequence(items):
                return self._chain([self._part(item) for item in items])
            case Choice(_, branches):
                return _either([self._part(branch) for branch in branches])
            case Repeat():
                return self._repeat(node)
            case Group(body=body) | Atomic(body):
                return self._part(body)
            case When(_, yes, no):
                return _either([self._part(yes), self._part(no)])
            case _:
                return _NOTHING

    def _repeat(self, node: Repeat) -> _Part:
        if node.most == 0:
            return _NOTHING
        parts = [self._part(node.body) for _ in range(max(1, min(node.least, LOOP_LEAST)))]
        last = parts[-1]
        if node.most >= LOOP_LEAST and node.kind != "possessive":
            for place in last.last:
                self.doubled |= {(place, again) for again in last.first & self.after[place]}
                self.after[place] |= last.first
        whole = self._chain(parts)
        return whole._replace(is_optional=whole.is_optional or node.least == 0)

    def _chain(self, parts: list[_Part]) -> _Part:
        ends: frozenset[int] = frozenset()
        first: frozenset[int] = frozenset()
        is_optional = True
        for part in parts:
            for place in ends:
                self.after[place] |= part.first
            if is_optional:
                first |= part.first
            ends = ends | part.last if part.is_optional else part.last
            is_optional = is_optional and part.is_optional
        return _Part(first, ends, is_optional)


def _either(parts: list[_Part]) -> _Part:
    return _Part(
        frozenset().union(*(part.first for part in parts)),
        frozenset().union(*(part.last for part in parts)),
        is_optional=any(part.is_optional for part in parts),
    )
