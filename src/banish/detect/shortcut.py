"""The short way of a line that fails as most lines of an attack do.

The matcher's way is exact for every filter and every line. Of the lines of an
attack nearly all are alike, though: the time at their beginning in the format
found last, one or two rules that could match, an address. For those one search
finds all at once (`fused`), and what the line says beside the address is left
unread (`Hit`). Whatever is unlike goes the long way: the same failures come out.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from banish.detect.datepattern import Template
from banish.detect.fused import Dated, fuse
from banish.detect.hit import Hit, Shape
from banish.detect.pattern import Captured, Pattern
from banish.detect.quarantine import OverBudgetError
from banish.detect.report import Counters
from banish.detect.session import KEY_CHARACTERS, Sessions
from banish.detect.stretch import NO_WAY, Found, Lane, Lines, read
from banish.detect.timing import OFF_SECONDS, Timing
from banish.model.failure import Evidence, Failure
from banish.model.instant import Instant, Seconds

AFTER_LINES = 32
"""Lines that want the same rules go the long way before these are fused: compiling takes as
long as a thousand lines."""

RULES_AT_ONCE = 4
"""With more rules that could match, each tried on the whole line, the long way is shorter."""

CHOICES = 256
"""Choices of rules that are fused for one jail."""

_Template = Template | Literal["given"] | None

_GIVEN: Final = "given"
"""In place of the format of times: the source knows when a line was written."""

Conclude = Callable[
    [int, dict[str, Captured], tuple[Evidence, ...], Instant, Instant], Failure | None
]
"""Takes a rule, what it captured, the line, when that was and what time it is; returns the
failure that it makes."""


class Shortcut:
    """The short way into one matcher; shares its state.

    Args:
        jail: The jail's name.
        prefregex: Of the filter, or None.
        rules: Its failregexes.
        sessions: Those of the matcher.
        timing: Of the matcher; it gives the finder of dates.
        findtime: How old a line may be while the log is read from behind.
        counters: Of the matcher.
        conclude: Does with a line of a known session what is to be done.

    """

    def __init__(
        self,
        jail: str,
        prefregex: Pattern | None,
        rules: Sequence[Pattern],
        *,
        sessions: Sessions,
        timing: Timing,
        findtime: Seconds,
        counters: Counters,
        conclude: Conclude,
    ) -> None:
        self._jail = jail
        self._prefregex = prefregex
        self._rules = rules
        self._sessions = sessions
        self._timing = timing
        self._findtime = findtime
        self._counters = counters
        self._conclude = conclude
        self._template: _Template = None
        """What times the rules are fused with now."""
        self._dated: Dated | None = None
        """How times of it look mostly; these are read before the rules are searched for."""
        self._fused: dict[tuple[int, bool], Shape | None] = {}
        self._lanes: tuple[dict[tuple[int, ...], Lane], ...] = ({}, {})
        """Rules fused, for lines whose times are to be found, and whose times are known."""
        self._waiting: dict[tuple[int, ...], int] = {}
        """How many lines more go the long way, by the rules they want."""
        self._is_closed = False
        self._is_searched = False
        """Whether `search` was called after all that `close` was told."""

    def close(self, *, is_closed: bool) -> None:
        """Let every line go the long way, since a regex is in quarantine; or no longer."""
        self._forget()
        self._is_closed = is_closed
        self._is_searched = False

    def _forget(self) -> None:
        self._dated = None
        self._fused.clear()
        for lanes in self._lanes:
            lanes.clear()
        self._waiting.clear()

    def search(self, lines: Lines, now: Instant, live: bool | None) -> list[Found]:
        """Return what *lines* say, with nothing done about it; those left out are unlike.

        It must be taken before lines that come later are looked at any other way.
        """
        settled = self._timing.dates.settled
        template: _Template = settled if lines.times is None else _GIVEN
        if template is not self._template:
            self._forget()
            self._template = template
        self._is_searched = True
        if template is None or self._is_closed:
            return []
        try:
            return self._search(lines, now, live)
        except OverBudgetError:
            return []  # the long way finds out who is to blame

    def _search(self, lines: Lines, now: Instant, live: bool | None) -> list[Found]:
        dates, times = self._timing.dates, lines.times
        if times is None:
            if self._dated is None and (clock := dates.clock) is not None:
                self._dated = Dated(*clock)
            if self._dated is not None:
                times = dates.clocks(lines.texts, self._dated.width, now)
                lines = lines._replace(times=times)
        is_dated = times is not None
        known = self._lanes[is_dated]
        lanes = [known.get(rules) or self._lane(rules, is_dated=is_dated) for rules in lines.rules]
        if lanes.count(NO_WAY) == len(lanes):
            return []
        return read(lines, lanes, dates, now, spares_ends=live is not False)

    @property
    def is_same(self) -> bool:
        """Whether `search` would find now what it has found."""
        is_given = self._template == _GIVEN
        return self._is_searched and (is_given or self._template is self._timing.dates.settled)

    def take(
        self,
        founds: Sequence[Found],
        now: Instant,
        live: bool | None,
        path: str,
        failures: list[Failure],
    ) -> int:
        """Take what lines one after the other say as `Matcher.match` takes them.

        Add the failures to *failures*. Return how many were taken: the first that is left
        out must go the long way.
        """
        add, jail = failures.append, self._jail
        counters, sessions = self._counters, self._sessions
        keys = sessions.keys
        earliest, latest = now - OFF_SECONDS, now + OFF_SECONDS
        oldest = now - self._findtime
        matched = learnt = 0
        last = ""
        taken = 0
        for said in founds:
            _, text, offset, shape, at, subject, block, dns, key, nofail, gained, forget = said
            is_known = key is not None and key[:KEY_CHARACTERS] in keys
            if at is None:
                if is_known:
                    break
                taken += 1
                matched += 1  # a login, as most are
                continue
            taken += 1
            if live:
                if not earliest < at < latest:
                    counters.retimed += 1
                    at = now
            elif live is False and at < oldest:
                counters.too_old += 1
                continue
            matched += 1
            if gained and forget and not is_known:
                continue
            learnt += 1
            last = text
            is_failure = not (nofail or gained)
            line = Hit(shape, text, path, offset, at, "", key is not None, is_failure)
            if is_known or (is_failure and subject is None):
                failure = self._conclude(shape.rule, line.captured(), line.evidence, at, now)
                if failure is not None:
                    add(failure)
                continue
            if key is not None and not forget:
                # The subject's own text is kept anyway.
                line.owner = block or (subject.text if subject is not None else dns or "")
                sessions.begin(key, line)
            if is_failure and subject is not None:
                counters.failures += 1
                at = at if at < now else now  # noqa: FURB136  a third of the cost of min()
                add(Failure(jail, subject, at, shape.rule, 1, line))
        counters.matched += matched
        if learnt and self._template != _GIVEN:
            self._timing.dates.confirm_short(last, learnt, now)
        return taken

    def _lane(self, rules: tuple[int, ...], *, is_dated: bool) -> Lane:
        """Return *rules* fused, or the first of them; `NO_WAY` if there is none, or not yet."""
        date: Template | Dated | None = self._dated if is_dated else None
        if not is_dated and self._template != _GIVEN:
            date = self._template
        is_known = date is not None or self._template == _GIVEN
        if not is_known or self._is_closed or len(self._waiting) >= CHOICES:
            return NO_WAY
        left = self._waiting.get(rules, AFTER_LINES) - 1
        self._waiting[rules] = left
        if left > 0:
            return NO_WAY
        lane: list[Shape] = []
        for number in rules if len(rules) <= RULES_AT_ONCE else ():
            key = (number, is_dated)
            if key not in self._fused:
                self._fused[key] = self._fuse(number, date)
            fused = self._fused[key]
            if fused is None:
                break
            lane.append(fused)
        lanes = self._lanes[is_dated]
        lanes[rules] = lane or NO_WAY
        return lanes[rules]

    def _fuse(self, number: int, date: Template | Dated | None) -> Shape | None:
        rule = self._rules[number - 1]
        patterns = [rule] if self._prefregex is None else [rule, self._prefregex]
        if not all(pattern.is_plain for pattern in patterns):
            return None
        fused = fuse(date, self._prefregex, rule)
        if fused is None or not _LONG_GROUPS.isdisjoint(fused.groups):
            return None
        if fused.groups.keys() >= _ENDING and not rule.names >= _ENDING:
            return None  # the matcher does not spare itself such logins
        wanted = (fused.date, *(fused.groups.get(name, fused.never) for name in _WANTED))
        directives: tuple[int, ...] = ()
        if isinstance(date, Template):
            date.compile()
            directives = tuple(fused.dates[name] for name in date.directives)
        names = tuple(fused.groups.items())
        return Shape(number, fused.match, wanted, directives, fused.front, names)


_WANTED = ("ip4", "ip6", "dns", "mlfid", "nofail", "mlfgained", "mlfforget")

_ENDING = frozenset({"mlfgained", "mlfforget"})

_LONG_GROUPS = frozenset({"fid", "cidr"})
"""Groups that say more of whom a failure counts against than the address alone."""
