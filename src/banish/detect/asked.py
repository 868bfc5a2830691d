"""What one matcher is asked about in a stretch of lines, and how far it has come.

Logs that several jails watch are searched jail by jail and taken in the order of their
lines; so each jail keeps its own place among those lines that it is to look at.
"""

from collections.abc import Callable, Sequence
from itertools import compress

from banish.detect.endings import Endings, is_any_begun
from banish.detect.stretch import KEY, Found


class Asked:
    """Some lines of a stretch, by columns, and what a short way has found in them."""

    __slots__ = ("_at", "begins", "founds", "index", "places", "rules", "taken", "wholes")

    def __init__(
        self,
        index: int,
        places: list[int],
        begins: list[int],
        wholes: list[str],
        rules: list[tuple[int, ...] | None],
    ) -> None:
        self.index = index
        """Which matcher."""
        self.places = places
        """Which lines of the stretch, ascending."""
        self.begins = begins
        """Their first bytes in the block."""
        self.wholes = wholes
        """Their texts with their ends."""
        self.rules = rules
        """The only failregexes that could match each; None: any."""
        self.founds: Sequence[Found] = ()
        """What the short way finds, by the places of lines among these."""
        self.taken = 0
        """How many of these lines were taken, by whichever way."""
        self._at = 0
        """How many of `founds` were."""

    @property
    def last(self) -> int:
        """Which line of the stretch was taken last."""
        return self.places[self.taken - 1]

    def take_found(self, end: int) -> Sequence[Found]:
        """Return what was found in the next lines, up to *end*, and count these as taken.

        They end where one comes in which nothing was found.
        """
        founds, first = self.founds, self._at
        last = first + end - self.taken
        if last > len(founds) or (first < last and founds[last - 1][0] != end - 1):
            last = first
            while last < len(founds) and founds[last][0] == self.taken + last - first < end:
                last += 1
        self.taken += last - first
        self._at = last
        return founds[first:last]

    def without(self, left_out: Sequence[bool]) -> "Asked":
        """Return the same for lines that are not *left_out*."""
        kept = [not is_left_out for is_left_out in left_out]
        return Asked(
            self.index,
            [*compress(self.places, kept)],
            [*compress(self.begins, kept)],
            [*compress(self.wholes, kept)],
            [*compress(self.rules, kept)],
        )


def searched(each: Asked, find: Callable[[Asked], Sequence[Found]], endings: Endings) -> Asked:
    """Return *each* with what *find* finds in its lines, without lines that end nothing."""
    ends = endings.among(each.rules)
    marks = endings.marks_of_idle([*compress(each.wholes, ends)]) if ends else None
    if marks is not None:
        others = each.without(ends)
        others.founds = find(others) if others.places else ()
        # Else one may begin a session of which nobody knows yet.
        if len(others.founds) == len(others.places) and not is_any_begun(
            marks, [said[KEY] for said in others.founds]
        ):
            return others
    each.founds = find(each)
    return each
