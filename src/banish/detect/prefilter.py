"""Says which lines of a block could match at all, before anything is decoded.

The truth of a match is always `re` on the decoded line. A prefilter may only
say *no*, and only where it is sure; the law is that with and without one the
same failures come out. `Everything` is the one that never says no.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Candidate(NamedTuple):
    """A line that some rules of one matcher could match."""

    line: int
    """Its number in the block, from 0."""
    matcher: int
    """Which matcher, in the detector's order, from 0."""
    rules: tuple[int, ...] | None = None
    """The only failregexes that could match, counted from 1 and ascending; None: any."""


class Prefilter(Protocol):
    """Scans a block once for all matchers of a detector."""

    def scan(self, lines: Sequence[bytes]) -> Sequence[Candidate] | None:
        """Return the candidates among *lines*, by line and then matcher; None: every line is one.

        A matcher that `needs_every_line` is asked about every line whatever is
        returned here.
        """
        ...


class Everything:
    """Calls every line a candidate for every matcher."""

    def scan(self, lines: Sequence[bytes]) -> Sequence[Candidate] | None:  # noqa: ARG002
        """Return None: every line."""
        return None
