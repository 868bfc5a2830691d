"""Learns in which time zone each log file is written, where its times are not those of the clock.

Each file of a source has its own offset: what one container writes in its own zone says nothing
of its neighbours.
"""

from collections.abc import Collection, Mapping, Sequence

from banish.detect.matcher import Matcher
from banish.detect.zone import zone_difference
from banish.model.record import FilePosition, Position

ZONE_LINES = 3
"""Live lines in a row that must be off by the same difference of zones."""


class ZoneSeen:
    """Learns from live lines that a log is written in another time zone.

    Live lines count as now whatever time they say. The lines of a backlog do not, so what was
    learnt is kept with the position, for the next start.
    """

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        """How many seconds the log's times are ahead of the clock; 0 while that is not known."""
        self._last = 0.0
        self._times = 0
        """How many lines in a row were ahead by `_last`."""

    def look(self, retimed: int, matched: int, off_by: float) -> None:
        """Take what one batch had: lines off, the last of them by *off_by*, and matched lines."""
        if retimed:
            found = zone_difference(off_by)
            is_same = found == self._last
            self._times = retimed + (self._times if is_same else 0)
            self._last = found
            if self._times >= ZONE_LINES:
                self.ahead = found
        elif matched:
            self.ahead, self._times = 0.0, 0  # the times are right again


class Zones:
    """Knows for each file of a source in which zone it is written."""

    def __init__(self) -> None:
        self._matchers: Sequence[Matcher] = ()
        self._zones: dict[str, ZoneSeen] = {}
        self._common = 0.0
        """What all known files share: it is assumed of those that are not known yet."""
        self._counted: list[tuple[int, int]] = []

    def resume(self, positions: Mapping[str, Position], own: Collection[str]) -> None:
        """Take what an earlier run learnt; *positions* are by file, *own* were of this source."""
        ahead = {
            key: place.ahead for key, place in positions.items() if isinstance(place, FilePosition)
        }
        self._zones = {key: ZoneSeen(seconds) for key, seconds in ahead.items() if seconds}
        known = {ahead[key] for key in own if key in ahead}
        self._common = known.pop() if len(known) == 1 else 0.0

    def ahead(self, key: str) -> float:
        """Return how many seconds the times in file *key* are ahead of the clock."""
        zone = self._zones.get(key)
        return self._common if zone is None else zone.ahead

    def begin(self, key: str, matchers: Sequence[Matcher]) -> None:
        """Have *matchers* read the times of file *key*; `end` is to follow."""
        ahead = self.ahead(key)
        self._matchers = matchers
        for matcher in self._matchers:
            matcher.set_ahead(ahead)
        self._counted = [(each.counters.retimed, each.counters.matched) for each in self._matchers]

    def end(self, key: str) -> None:
        """Learn from the live lines of file *key* that were read since `begin`."""
        retimed = matched = 0
        off_by = 0.0
        for matcher, (before, matched_before) in zip(self._matchers, self._counted, strict=True):
            counters = matcher.counters
            matched += counters.matched - matched_before
            if counters.retimed > before:
                retimed += counters.retimed - before
                off_by = counters.off_by
        if retimed or (matched and self.ahead(key)):
            zone = self._zones.setdefault(key, ZoneSeen(self._common))
            zone.look(retimed, matched, off_by)
