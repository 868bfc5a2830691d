"""Which time counts for a line, and whether the line is too old to count.

What Fail2Ban does in ``processLine`` of fail2ban/server/filter.py, 1.1.1: a live
line more than a minute off counts as now, a line without time takes that of a
dated one nearby, and what is older than findtime is dropped while catching up.
"""

from collections.abc import Callable, Iterable

from banish.detect.datefinder import DateFinder
from banish.detect.report import MatcherCounters
from banish.model.instant import Instant, Seconds

OFF_SECONDS = 61
"""A live line this far from now, or further, counts as now: Fail2Ban's "more than 60"
cuts fractions off before it compares."""

KNOWN_SECONDS = 60
KNOWN_LINES = 64
"""An undated line takes the time of the last dated one if that is no older and no further up."""

Behind = Callable[[int], Iterable[str]]
"""Gives so many of the lines that stand just before one, the nearest first."""


def no_lines(_: int) -> Iterable[str]:
    """Give none."""
    return ()


class LineTiming:
    """Takes the times out of one matcher's lines.

    Args:
        dates: Finds them; may be shared with other matchers.
        findtime: How old a line may be while the log is read from behind.
        counters: Of the matcher; its ``lines`` count the line in hand already.

    """

    def __init__(self, dates: DateFinder, findtime: Seconds, counters: MatcherCounters) -> None:
        self.dates = dates
        self.at: Instant | None = None
        """The time that counts for the last line; None: nobody can say how old it is."""
        self.is_undated = False
        """Whether the line should have had a time."""
        self.is_retimed = False
        """Whether the line's own time was too far off to count."""
        self.off_by = 0.0
        """By how many seconds it was, ahead of now."""
        self.ahead = 0.0
        """How many seconds the times of this log are ahead of the clock, as seen while it was
        live. Live lines count as now anyway; this is taken off the times of a backlog."""
        self._findtime = findtime
        self._counters = counters
        self._known: Instant | None = None
        self._known_line = 0

    def time_of(
        self,
        line: str,
        now: Instant,
        given: Instant | None,
        *,
        live: bool | None,
        skipped: int | None = 0,
        behind: Behind = no_lines,
    ) -> str | None:
        r"""Return *line* without its time and with ``\n``, or None if it is too old.

        Leaves in `at` the time that counts. A live line more than a minute off
        counts as now, so that a wrong clock or zone prevents no ban. While
        catching up a line from before findtime is dropped, and one without any
        time counts for nothing (`at` is None). With *live* None neither is done.
        *given* is the line's time where the source knows it. *skipped* lines stand
        before it, which *behind* gives; None: as many as it gives, not counted yet.
        """
        self.is_undated = False
        self.is_retimed = False
        is_dated = True
        text: str | None
        found: Instant | None
        if given is not None:
            text, found, optional = line + "\n", given, False
        else:
            text, found, optional = self.dates.look(line, now)
        if found is not None:
            at = found
        else:
            is_dated = False
            self.is_undated = not optional
            known = self._recent(skipped, behind, now, live=live)
            if known is not None:
                at = known
            elif optional or live is not False:
                at = now
            else:
                self.at = None
                return text
        if live is False and given is None and is_dated:
            at = Instant(at - self.ahead)
        if live:
            if not -OFF_SECONDS < at - now < OFF_SECONDS:
                self.is_retimed = at != now
                self.off_by = at - now
                at = now
        elif live is False and at < now - self._findtime:
            self._counters.too_old += 1
            self._counters.newest_old = max(self._counters.newest_old, at)
            text = None
        self.at = at
        if is_dated:
            self._known = at
            self._known_line = self._counters.lines
        return text

    def pass_over(
        self,
        skipped: int | None,
        behind: Behind,
        now: Instant,
        given: Instant | None,
        *,
        live: bool,
    ) -> None:
        """Learn the time of the last of the *skipped* lines, which *behind* gives."""
        if given is None:
            number = self._counters.lines + 1
            self._counters.lines += self._learn(skipped, behind, now, live=live, number=number)
        else:
            self._know(_trusted(given, now, live=live), self._counters.lines)

    def count_more(self, lines: int) -> None:
        """Count *lines* that were skipped before the last dated one."""
        self._counters.lines += lines
        self._known_line += lines

    def _know(self, at: Instant, number: int) -> None:
        self._known = at
        self._known_line = number

    def _recent(
        self, skipped: int | None, behind: Behind, now: Instant, *, live: bool | None
    ) -> Instant | None:
        """Return the time of the last dated line, None where it says nothing of this one."""
        counters = self._counters
        if skipped != 0:
            counters.lines += self._learn(skipped, behind, now, live=live, number=counters.lines)
        number, known = counters.lines, self._known
        if known is None or known <= now - KNOWN_SECONDS or number - self._known_line > KNOWN_LINES:
            return None
        return known

    def _learn(
        self, skipped: int | None, behind: Behind, now: Instant, *, live: bool | None, number: int
    ) -> int:
        """Look for the last dated line among the *skipped* ones before line *number*.

        Return how many were found to be undated and have not been counted.
        """
        distance = 0
        lines = behind(KNOWN_LINES if skipped is None else min(skipped, KNOWN_LINES))
        for distance, line in enumerate(lines, 1):
            at = self.dates.glance(line, now)
            if at is not None:
                if live is False:
                    at = Instant(at - self.ahead)
                self._know(_trusted(at, now, live=live), number - distance)
                return 0
        return distance if skipped is None else 0


def _trusted(at: Instant, now: Instant, *, live: bool | None) -> Instant:
    """Return the time that counts for a line that says *at*."""
    return now if live and not -OFF_SECONDS < at - now < OFF_SECONDS else at
