"""The short way of a line that fails as most lines of an attack do.

The matcher's way is exact for every filter and every line. Of the lines of an
attack nearly all are alike, though: the time at their beginning in the format
found last, one or two rules that could match, an address. For those one search
finds all at once (`fused`), and what the line says beside the address is left
unread (`Hit`). Whatever is unlike goes the long way: the same failures come out.
"""

from collections.abc import Callable, Sequence

from banish.detect.ambiguity import EITHER
from banish.detect.cutting import is_loose
from banish.detect.fused import Dated, fuse
from banish.detect.fusible import leads
from banish.detect.hit import Hit, Shape
from banish.detect.pattern import Captured, Pattern
from banish.detect.quarantine import OverBudgetError
from banish.detect.report import MatcherCounters
from banish.detect.session import KEY_CHARACTERS, Sessions
from banish.detect.stretch import NO_WAY, NOTHING, Found, Lane, Lines, read
from banish.detect.swallowing import swallows
from banish.detect.template import Template
from banish.detect.timing import OFF_SECONDS, LineTiming
from banish.model.failure import Evidence, Failure
from banish.model.instant import Instant, Seconds

AFTER_LINES = 32
"""Lines that want the same rules go the long way before these are fused: compiling takes as
long as a thousand lines."""

RULES_AT_ONCE = 4
"""With more rules that could match, each tried on the whole line, the long way is shorter."""

CHOICES = 256
"""Choices of rules that are fused for one jail."""

_Date = Template | Dated | None
"""What rules are fused with; None: it is known when a line was written."""

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
        timing: LineTiming,
        findtime: Seconds,
        counters: MatcherCounters,
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
        self._template: Template | None = None
        """The format of times for which everything here was made."""
        self._dated: Dated | None = None
        """How times of it look mostly; these are read before the rules are searched for."""
        self._fused: dict[tuple[int, _Date], Shape | None] = {}
        self._lanes: dict[_Date, dict[tuple[int, ...], Lane]] = {}
        self._waiting: dict[tuple[int, ...], int] = {}
        """How many lines more go the long way, by the rules they want."""
        self._is_led = True
        """Whether lines begin with their times; else these are cut out before the search."""
        self._lines: Sequence[str] = ()
        """Those searched last, as they stand in the log."""
        self._is_closed = False
        self._learns = False
        """Whether the lines searched last tell the format of times something."""
        self._is_searched = False
        """Whether `search` was called after all that `close` was given."""

    def close(self, *, is_closed: bool) -> None:
        """Let every line go the long way, since a regex is in quarantine; or no longer."""
        self._forget()
        self._is_closed = is_closed
        self._is_searched = False

    def _forget(self) -> None:
        self._dated = None
        self._fused.clear()
        self._lanes.clear()
        self._waiting.clear()

    def search(self, lines: Lines, now: Instant) -> list[Found]:
        """Return what *lines* say, with nothing done about it; those left out are unlike.

        It must be taken before lines that come later are looked at any other way.
        """
        template = self._timing.dates.settled
        if template is not self._template:
            self._forget()
            self._template = template
            self._is_led = template is None or leads(template.regex)
        self._is_searched = True
        self._learns = lines.times is None
        self._lines = lines.texts
        if self._is_closed or (self._learns and template is None):
            return []
        try:
            return self._search(lines, now)
        except OverBudgetError:
            return []  # the long way finds out who is to blame

    def _search(self, lines: Lines, now: Instant) -> list[Found]:
        dates = self._timing.dates
        date: _Date = None
        if self._learns and not self._is_led:
            texts, times = dates.cut(lines.texts, now)
            lines = lines._replace(texts=texts, times=times)
        elif self._learns:
            date = self._template
            if self._dated is None and (clock := dates.clock) is not None:
                self._dated = Dated(*clock)
            if self._dated is not None:
                lines = lines._replace(times=dates.clocks(lines.texts, self._dated.width, now))
                date = self._dated if lines.times is not None else date
        known = self._lanes.setdefault(date, {})
        lanes = [known.get(rules) or self._lane(rules, date) for rules in lines.rules]
        if lanes.count(NO_WAY) == len(lanes):
            return []
        return read(lines, lanes, dates, now)

    @property
    def is_same(self) -> bool:
        """Whether `search` would find now what it has found."""
        return self._is_searched and self._template is self._timing.dates.settled

    def take(
        self,
        founds: Sequence[Found],
        now: Instant,
        live: bool | None,
        path: str,
        failures: list[Failure],
    ) -> None:
        """Take what lines one after the other say as `Matcher.match` takes them.

        *founds* are of the last `search`. Add the failures to *failures*.
        """
        add, jail, lines = failures.append, self._jail, self._lines
        counters, sessions = self._counters, self._sessions
        keys = sessions.keys
        earliest, latest = now - OFF_SECONDS, now + OFF_SECONDS
        oldest = now - self._findtime
        ahead = self._timing.ahead if self._learns else 0.0
        matched = 0
        whole = ""
        for said in founds:
            place, text, offset, shape, at, subject, block, dns, key, nofail, gained, forget = said
            is_known = key is not None and key[:KEY_CHARACTERS] in keys
            if live is False:
                at = Instant(at - ahead)  # as `Timing.take` does
            if live is False and at < oldest:
                counters.too_old += 1
                counters.newest_old = max(counters.newest_old, at)
                continue
            if shape is NOTHING or (gained and forget and not is_known):
                continue
            if live and not earliest < at < latest:
                counters.retimed += 1
                counters.off_by = at - now
                at = now
            matched += 1
            whole = lines[place]
            is_failure = not (nofail or gained)
            line = Hit(shape, text, whole, path, offset, at, "", key is not None, is_failure)
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
        if matched and self._learns:
            self._timing.dates.confirm_short(whole, matched, now)

    def _lane(self, rules: tuple[int, ...], date: _Date) -> Lane:
        """Return *rules* fused, or the first of them; `NO_WAY` if there is none, or not yet."""
        if len(self._waiting) >= CHOICES:
            return NO_WAY
        left = self._waiting.get(rules, AFTER_LINES) - 1
        self._waiting[rules] = left
        if left > 0:
            return NO_WAY
        lane: list[Shape] = []
        for number in rules if len(rules) <= RULES_AT_ONCE else ():
            key = (number, date)
            if key not in self._fused:
                self._fused[key] = self._fuse(number, date)
            fused = self._fused[key]
            if fused is None:
                break
            lane.append(fused)
        if date is None and lane and len(lane) == len(rules):
            lane.append(NOTHING)
        made = self._lanes[date][rules] = lane or NO_WAY
        return made

    def _fuse(self, number: int, date: _Date) -> Shape | None:
        rule = self._rules[number - 1]
        patterns = [rule] if self._prefregex is None else [rule, self._prefregex]
        if not all(pattern.is_plain for pattern in patterns) or swallows(self._prefregex):
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
        alone = rule if date is None and self._prefregex is None else None
        loose = any(map(is_loose, patterns))
        return Shape(number, fused.match, wanted, directives, fused.front, names, alone, loose)


_WANTED = ("ip4", "ip6", "dns", "mlfid", "nofail", "mlfgained", "mlfforget")

_ENDING = frozenset({"mlfgained", "mlfforget"})

_LONG_GROUPS = frozenset({"fid", "cidr", EITHER})
"""Groups that say more of whom a failure counts against than the address alone."""
