"""Finds a jail's failures, line by line, by Fail2Ban's rules.

One matcher is one jail's filter at work. The steps and their order are those
of fail2ban/server/filter.py, ``processLine`` and ``findFailure``, 1.1.1: the
time is cut out, ignoreregex looks first where there are few of them, prefregex
narrows, the first failregex that matches wins, sessions join, the subject is
named. What becomes of a time that is missing or off is said at `Timing.take`.

Where we differ: ``<F-NOFAIL>`` means no failure without a session too, as its
documentation has it; an address that is none (``999.0.0.1``) or that is the
whole internet (``/0``) is counted as unusable instead of banned; a line whose
time no calendar has (30 February) is searched without it, like any other;
``message repeated 5 times: [...]`` is searched as the message, and counts 5.
"""

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from banish.detect.ambiguity import Ambiguities, SecondReading
from banish.detect.cutting import is_loose, whole_address
from banish.detect.datefinder import DateFinder
from banish.detect.datepattern import parse_datepattern
from banish.detect.identity import identify, tags_of
from banish.detect.mended import mended, mended_ignore, mended_prefix
from banish.detect.multiline import LineBuffer
from banish.detect.pattern import Captured, Pattern, Search, compile_pattern, groups_of
from banish.detect.quarantine import OverBudgetError, Quarantine, interruptible
from banish.detect.repeated import MARK, unpack
from banish.detect.report import LineReport, LineState, MatcherCounters
from banish.detect.session import Sessions, wait
from banish.detect.shortcut import Shortcut
from banish.detect.swallowing import swallowed, swallows
from banish.detect.timing import Behind, LineTiming, no_lines
from banish.detect.zone import zone_named
from banish.model.failure import EVIDENCE_LIMIT_CHARACTERS, Evidence, Failure, KnownDetails, Tags
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings

Searches = Sequence[tuple[int, Search]]
"""Rules to be tried, in order, each with its number."""

CHOICES = 4_096
"""Choices of rules that are remembered; a prefilter makes some dozens."""

_Hit = tuple[int, "re.Match[str]", "re.Match[str] | None", str, int]
"""A failregex matched: which, what it found, what the prefregex found, the text
that was searched, and where that begins in the text of the line or lines.

A plain tuple, as one is made for each line that matches."""

_NO_TAGS: Tags = MappingProxyType({})


class _Outcome(NamedTuple):
    """What a hit came to, for `Matcher.trace`."""

    state: LineState
    ignore_rule: int = 0
    tags: Tags = _NO_TAGS
    host: str = ""
    lines: int = 0


class Matcher:
    """The filter of one jail, compiled, with what it remembers from line to line.

    Args:
        jail: The jail's name, for the failures.
        settings: The filter after includes and interpolation.
        findtime: How old a line may be while the log is read from behind.
        check_all: Let `trace` tell all rules that match, not only the first.
        before: The matcher whose place it takes: sessions, lines that a rule may span, and
            counters go on.

    Raises:
        ConfigError: A regular expression, the date pattern or the zone is wrong.

    """

    def __init__(
        self,
        jail: str,
        settings: FilterSettings,
        findtime: Seconds,
        *,
        check_all: bool = False,
        before: "Matcher | None" = None,
    ) -> None:
        self.jail = jail
        self.settings = settings
        self.counters: MatcherCounters = MatcherCounters() if before is None else before.counters
        many = settings.maxlines > 1
        usedns = settings.usedns
        searched, ignoring = settings.failregex, settings.ignoreregex
        first = settings.prefregex
        if settings.ambiguous == "safe" and not many:
            searched = tuple(map(mended, searched))
            ignoring = tuple(map(mended_ignore, ignoring))
            first = mended_prefix(first) if first is not None else None
        self._usedns = usedns
        self._check_all = check_all
        self._prefregex: Pattern | None = None
        if first is not None:
            self._prefregex = compile_pattern(
                first, option="prefregex", usedns=usedns, multiline=many
            )
        self._swallows = settings.ambiguous == "safe" and swallows(self._prefregex)
        self._narrows = "content" in groups_of(self._prefregex)
        self.rules: tuple[Pattern, ...] = tuple(
            compile_pattern(
                regex, usedns=usedns, multiline=many, elsewhere=groups_of(self._prefregex)
            )
            for regex in searched
        )
        self._mended = frozenset(
            number
            for number, (own, regex) in enumerate(zip(settings.failregex, searched, strict=True), 1)
            if own is not regex
        )
        """Rules that are known to take the right address, whatever else the line holds."""
        self.ignores: tuple[Pattern, ...] = tuple(
            compile_pattern(regex, option="ignoreregex", usedns=usedns, multiline=many)
            for regex in ignoring
        )
        self.quarantine = Quarantine(self._note_searches)
        self.shortcut: Shortcut | None = None
        """A cheaper way for most lines, where the filter allows of one."""
        self._note_searches()
        for option, patterns in (("failregex", self.rules), ("ignoreregex", self.ignores)):
            for number, pattern in enumerate(patterns, 1):
                self.quarantine.watch(option, number, pattern)
        if self._prefregex is not None:
            self.quarantine.watch("prefregex", 0, self._prefregex)
        self._closing = frozenset(
            number
            for number, rule in enumerate(self.rules, 1)
            if {"mlfgained", "mlfforget"} <= rule.names and rule.is_plain and not many
        )
        """Rules that may end a session as gained."""
        if self._prefregex is not None and not self._prefregex.is_plain:
            self._closing = frozenset()
        self._ignores_first = 0 < len(self.ignores) < len(self.rules) - 2
        self._ignores_after = bool(self.ignores) and not self._ignores_first
        self.buffer = LineBuffer(settings.maxlines) if many else None
        if before is not None and before.settings.maxlines == settings.maxlines:
            self.buffer = before.buffer
        self.sessions: Sessions = Sessions() if before is None else before.sessions
        self.ambiguities = Ambiguities(takes_names=usedns == "raw")
        dates = DateFinder(
            parse_datepattern(settings.datepattern), zone_named(settings.logtimezone)
        )
        self._timing = LineTiming(dates, findtime, self.counters)
        if not many and not self.ignores:
            self.shortcut = Shortcut(
                jail,
                self._prefregex,
                self.rules,
                sessions=self.sessions,
                timing=self._timing,
                findtime=findtime,
                counters=self.counters,
                conclude=self._conclude,
            )
        self._is_traced = False
        """Whether ``_outcome`` is to be filled in."""
        self._outcome = _Outcome("missed")
        self._reading: SecondReading | None = None
        """The second reading of the newest line that had one."""

    def _note_searches(self) -> None:
        self._searches = tuple(enumerate((rule.search for rule in self.rules), 1))
        self._chosen: dict[tuple[int, ...] | None, Searches] = {None: self._searches}
        if self.shortcut is not None:
            self.shortcut.close(is_closed=bool(self.quarantine.in_force))

    @property
    def prefregex(self) -> Pattern | None:
        """The compiled prefregex, if the filter has one."""
        return self._prefregex

    @property
    def dates(self) -> DateFinder:
        """What finds the times in its lines."""
        return self._timing.dates

    @property
    def needs_every_line(self) -> bool:
        """Whether its rules span lines, so that no line may be left out."""
        return self.buffer is not None

    def share_dates(self, finder: DateFinder) -> None:
        """Find times with *finder*, of a matcher with the same date pattern and zone."""
        self._timing.dates = finder

    def match(
        self,
        line: str,
        now: Instant,
        *,
        live: bool = True,
        path: str = "",
        offset: int = 0,
        at: Instant | None = None,
        rules: tuple[int, ...] | None = None,
        skipped: int | None = 0,
        behind: Behind = no_lines,
    ) -> Failure | None:
        """Take the next line, without its end; return the failure it makes, if any.

        Args:
            line: The line as decoded.
            now: The wall time.
            live: Whether the source had caught up; see `Timing.take`.
            path: Where the line stands, for evidence.
            offset: Its first byte there.
            at: The line's time where the source knows it; no time is looked for then.
            rules: The only rules that can match, counted from 1 and in order; None: all.
            skipped: How many lines before it were left out, as no rule can match them; None:
                some, and `count_more` gets the number later.
            behind: Gives those lines.

        """
        self.counters.lines += (skipped or 0) + 1
        timing = self._timing
        text = timing.time_of(line, now, at, live=live, skipped=skipped, behind=behind)
        if text is None:
            return None
        try:
            if MARK in text and (repeat := self._unpacked(text, at)) is not None:
                return self._take_repeat(text, *repeat, line, path, offset, now)
            return self._take(text, line, path, offset, now, rules)
        except OverBudgetError as error:
            self.quarantine.offend(error, line)
            return None

    def _take(
        self,
        text: str,
        line: str,
        path: str,
        offset: int,
        now: Instant,
        rules: tuple[int, ...] | None,
    ) -> Failure | None:
        """Do what `match` does with a *line* whose time is removed already."""
        if self.buffer is not None:
            text = self.buffer.add(text, self._evidence(line, path, offset, now))
        if self._timing.at is None:
            return None
        if self._ignores_first and self._ignored_by(text):
            self.counters.ignored += 1
            return None
        hit = self._find(text, rules)
        if hit is None:
            return None
        return self._account(hit, line, path, offset, now)

    def _unpacked(self, text: str, at: Instant | None) -> tuple[str, int] | None:
        """Return the message that *text* says was repeated, and how often; None: it says none.

        *at* is the line's time where the source knows it: a journal sums up nothing.
        """
        return unpack(text) if self.settings.countrepeated and at is None else None

    def _take_repeat(
        self, text: str, message: str, times: int, line: str, path: str, offset: int, now: Instant
    ) -> Failure | None:
        """Take *message* for *times* failures; if no regex knows it, take *text* as it stands."""
        counters = self.counters
        before = counters.matched + counters.ignored
        failure = self._take(message, line, path, offset, now, None)
        if failure is not None:
            return self._times(failure, times)
        if self.buffer is not None or counters.matched + counters.ignored > before:
            return None
        return self._take(text, line, path, offset, now, None)

    def _times(self, failure: Failure, times: int) -> Failure:
        self.counters.failures += times - 1
        return msgspec.structs.replace(failure, attempts=times)

    def set_ahead(self, seconds: float) -> None:
        """Take *seconds* off the times of a backlog: the log is written in another time zone."""
        self._timing.ahead = seconds

    def pass_over(
        self,
        skipped: int | None,
        behind: Behind,
        now: Instant,
        *,
        live: bool = True,
        at: Instant | None = None,
    ) -> None:
        """Take lines that no rule can match, and that are the last for now.

        *behind* gives them; how many may be said later, as for `match`. *at* is the time
        of the last, where the source knows it.
        """
        self.counters.lines += skipped or 0
        self._timing.pass_over(skipped, behind, now, at, live=live)

    def count_more(self, lines: int) -> None:
        """Add *lines* to the count: lines that were skipped, whose number is known only now."""
        self._timing.count_more(lines)

    def trace(
        self, line: str, now: Instant, at: Instant | None = None, *, live: bool | None = None
    ) -> LineReport:
        """Take the next line as `match` does, and report everything about it.

        With *live* None no line is too old and none counts as now.
        """
        try:
            return self._trace(line, now, at, live=live)
        except OverBudgetError as error:
            self._is_traced = False
            self.quarantine.offend(error, line)
            return LineReport(line=line, state="missed", stopped=error.name)

    def _trace(
        self, line: str, now: Instant, at: Instant | None, *, live: bool | None
    ) -> LineReport:
        self.counters.lines += 1
        timing = self._timing
        text = timing.time_of(line, now, at, live=live)
        if at is None:
            self.dates.confirm()
        date, template = (self.dates.text, self.dates.template) if at is None else ("", None)
        undated = timing.is_undated

        def report(
            outcome: _Outcome,
            rules: tuple[int, ...] = (),
            prefregex: bool | None = None,
            failure: Failure | None = None,
            reading: tuple[str, ...] = (),
        ) -> LineReport:
            return LineReport(
                line=line,
                state=outcome.state,
                text=text or "",
                rule=rules[0] if rules else 0,
                rules=rules,
                ignore_rule=outcome.ignore_rule,
                prefregex=prefregex,
                failures=(failure,) if failure else (),
                date=date,
                template=template.name if template else "",
                at=timing.at,
                undated=undated,
                tags=outcome.tags,
                host=outcome.host,
                attempts=outcome.lines + times - 1 if outcome.lines else 0,
                repeated=times,
                readings=reading,
            )

        times = 1
        packed = None
        if text is not None and (repeat := self._unpacked(text, at)) is not None:
            packed, (text, times) = text, repeat
        if text is not None and self.buffer is not None:
            text = self.buffer.add(text, self._evidence(line, "", 0, now))
        if text is None or timing.at is None:
            return report(_Outcome("missed"))
        if self._ignores_first and (ignored_by := self._ignored_by(text)):
            self.counters.ignored += 1
            return report(_Outcome("ignored", ignore_rule=ignored_by))
        hit = self._find(text, None)
        if hit is None and packed is not None and self.buffer is None:
            text, times = packed, 1
            if self._ignores_first and (ignored_by := self._ignored_by(text)):
                self.counters.ignored += 1
                return report(_Outcome("ignored", ignore_rule=ignored_by))
            hit = self._find(text, None)
        prefregex = None
        if self._prefregex is not None:
            prefregex = hit is not None or self._is_let_through(text)
        if hit is None:
            return report(_Outcome("missed"), prefregex=prefregex)
        others: tuple[int, ...] = ()
        if self._check_all:
            others = self._also_matching(hit[3], hit[0])
        self._is_traced = True
        self._reading = None
        failure = self._account(hit, line, "", 0, now)
        self._is_traced = False
        if failure is not None and times > 1:
            failure = self._times(failure, times)
        return report(self._outcome, (hit[0], *others), prefregex, failure, self._newest_readings())

    def _newest_readings(self) -> tuple[str, ...]:
        reading = self._reading
        return (reading.captured, reading.other) if reading is not None else ()

    @interruptible("ignoreregex")
    def _ignored_by(self, text: str) -> int:
        """Return the first ignoreregex that matches *text*, counted from 1, or 0."""
        for number, pattern in enumerate(self.ignores, 1):
            if pattern.search(text):
                return number
        return 0

    @interruptible("prefregex")
    def _is_let_through(self, text: str) -> bool:
        return self._prefregex is not None and self._prefregex.search(text) is not None

    @interruptible("failregex")
    def _also_matching(self, text: str, rule: int) -> tuple[int, ...]:
        """Return the failregexes after *rule* that also match."""
        found = []
        for number, search in self._searches[rule:]:
            if search(text) is not None:
                found.append(number)
        return tuple(found)

    @interruptible("failregex")
    def _find(self, text: str, rules: tuple[int, ...] | None) -> _Hit | None:
        """Return the first failregex that matches, behind the prefregex if there is one."""
        before = None
        number = shift = 0  # until a failregex is searched for, it is the prefregex
        if self._prefregex is not None:
            before = self._prefregex.search(text)
            if before is None:
                return None
            if self._narrows and (content := before["content"]):
                if self.buffer is not None:
                    shift = before.start("content")
                text = content + "\n"
        for number, search in self._chosen.get(rules) or self._choose(rules):
            found = search(text)
            if found is not None:
                return number, found, before, text, shift
        return None

    def _choose(self, rules: tuple[int, ...] | None) -> Searches:
        assert rules is not None
        chosen = tuple(self._searches[number - 1] for number in rules)
        if len(self._chosen) < CHOICES:
            self._chosen[rules] = chosen
        return chosen

    def _account(
        self, hit: _Hit, line: str, path: str, offset: int, now: Instant
    ) -> Failure | None:
        """Return the failure that a hit makes, if any, in its session and under the ignoreregexes.

        Leaves in ``_outcome`` what it comes to otherwise.
        """
        rule, found, before, searched, shift = hit
        covered: list[int] = []
        if self.buffer is not None:
            covered = self.buffer.covered(found, shift)
        if self._ignores_after and self._is_ignored(searched, covered):
            return None
        if rule in self._closing and not self._is_traced and self._closes_nothing(found, before):
            return None
        counters = self.counters
        counters.matched += 1
        counters.undated += self._timing.is_undated
        if self._timing.is_retimed:
            counters.retimed += 1
            counters.off_by = self._timing.off_by
        self.dates.confirm()
        captured = self.rules[rule - 1].groups(found)
        if self._prefregex is not None and before is not None:
            self._prefregex.lend(before, captured)
        if not self._is_settled(rule, found, before, captured, line):
            if self.buffer is not None:
                self.buffer.remove(covered)
            return None
        if self.buffer is None:
            evidence: tuple[Evidence, ...] = (self._evidence(line, path, offset, now),)
        else:
            evidence = self.buffer.remove(covered)
        at = self._timing.at if self._timing.at is not None else now
        return self._conclude(rule, captured, evidence, at, now)

    def _conclude(
        self,
        rule: int,
        captured: dict[str, Captured],
        evidence: tuple[Evidence, ...],
        at: Instant,
        now: Instant,
    ) -> Failure | None:
        """Return the failure that a line makes in its session; *captured* is all it says."""
        counters = self.counters
        lines = len(evidence)
        key = captured.get("mlfid")
        users: tuple[str, ...] = ()
        joined = None
        if isinstance(key, str):
            joined = self.sessions.join(key, captured, evidence, at)
            captured, lines = joined.captured, joined.lines
            is_failure, users = joined.is_failure, joined.users
        else:
            is_failure = not (captured.get("nofail") or captured.get("mlfgained"))
        if not is_failure and not self._is_traced:
            return None
        tags = tags_of(captured, users)
        subject, address, host = identify(captured, self._usedns)
        if not is_failure:
            self._outcome = _Outcome("informing", tags=tags, host=host)
            return None
        if joined is not None and not host:
            wait(joined)
            self._outcome = _Outcome("pending", tags=tags)
            return None
        if subject is None:
            counters.unusable += 1
            self._outcome = _Outcome("unusable", tags=tags, host=host)
            return None
        if joined is not None:
            evidence, joined.evidence = joined.evidence, ()
        counters.failures += 1
        if self._is_traced:
            self._outcome = _Outcome("failure", tags=tags, host=host, lines=lines)
        return Failure(
            jail=self.jail,
            subject=subject,
            at=at if at < now else now,  # noqa: FURB136  a third of the cost of min()
            rule=rule,
            details=KnownDetails(evidence, tags),
            address=address,
        )

    def _closes_nothing(self, found: re.Match[str], before: re.Match[str] | None) -> bool:
        """Whether a line gains and ends a session that nobody knows, as most logins do."""
        if not (found["mlfgained"] and found["mlfforget"]):
            return False
        key = found.groupdict().get("mlfid")
        if key is None and before is not None:
            key = before.groupdict().get("mlfid")
        return key is None or key not in self.sessions

    def _is_ignored(self, searched: str, covered: list[int]) -> bool:
        """Whether an ignoreregex matches what a failregex matched."""
        if self.buffer is not None:
            searched = self.buffer.text(covered)
        ignored_by = self._ignored_by(searched)
        if not ignored_by:
            return False
        self.counters.ignored += 1
        if self.buffer is not None:
            self.buffer.remove(covered)
        self._outcome = _Outcome("ignored", ignore_rule=ignored_by)
        return True

    def _is_settled(
        self,
        rule: int,
        found: re.Match[str],
        before: re.Match[str] | None,
        captured: dict[str, Captured],
        line: str,
    ) -> bool:
        """Let *captured* name whom the jail takes of two readings; tell whether it takes any.

        Where nobody can be trusted and the line belongs to a session, *captured* names nobody:
        the other lines of the session say who it was.
        """
        pattern = self.rules[rule - 1]
        if self._swallows and before is not None and self._prefregex is not None:
            address = swallowed(self._prefregex, before, [one.search for one in self.rules])
            if address:
                self._reading = self.ambiguities.add(rule, line, found, address)
                _rename(captured, address, is_six=":" in address)
                return True
        if rule in self._mended:
            reading = self.ambiguities.add_either(rule, found)
            return reading is None or self._is_named(reading, captured)
        if not pattern.host_groups and self._prefregex is not None and before is not None:
            pattern, found = self._prefregex, before
        try:
            reading = self.ambiguities.look(rule, pattern, found)
        except OverBudgetError as error:
            # The line has matched, and counts where that does not depend on a second reading.
            # The search that was broken off does not know its rule.
            option, number = (
                ("failregex", rule) if pattern is not self._prefregex else ("prefregex", 0)
            )
            self.quarantine.offend(OverBudgetError(option, number, error.characters), line)
            return self.settings.ambiguous == "report"
        if reading is None:
            return self._is_whole(pattern, found, captured)
        return self._is_named(reading, captured)

    def _is_named(self, reading: SecondReading, captured: dict[str, Captured]) -> bool:
        """Let *captured* name whom the jail takes of *reading*; tell whether it takes any."""
        self._reading = reading
        match self.settings.ambiguous:
            case "report":
                return True
            case "last":
                if reading.is_last:
                    _rename(captured, reading.other, is_six=":" in reading.other)
                return True
            case "safe" if reading.trusted:
                if reading.trusted != reading.captured:
                    _rename(captured, reading.trusted, is_six=reading.is_six)
                return True
            case "safe" if "mlfid" in captured:
                _rename(captured, "", is_six=False)
                return True
        self.counters.unusable += 1
        self._outcome = _Outcome("unusable", host=reading.captured)
        return False

    def _is_whole(
        self, pattern: Pattern, found: re.Match[str], captured: dict[str, Captured]
    ) -> bool:
        """Let *captured* name the whole address, where it names a piece of one; tell if it can."""
        if self.settings.ambiguous != "safe" or not is_loose(pattern):
            return True
        for group in pattern.host_groups:
            begin, end = found.span(group)
            if begin < end:
                whole = whole_address(found.string, begin, end, group)
                if whole is None:
                    return True
                if not whole:
                    self.counters.unusable += 1
                    self._outcome = _Outcome("unusable", host=found[group])
                    return False
                _rename(captured, whole, is_six=":" in whole)
                return True
        return True

    def _evidence(self, line: str, path: str, offset: int, now: Instant) -> Evidence:
        at = now if self._timing.at is None else self._timing.at
        return Evidence(line[:EVIDENCE_LIMIT_CHARACTERS], path, offset, at)


def _rename(captured: dict[str, Captured], address: str, *, is_six: bool) -> None:
    """Put *address*, or nobody, into *captured* in place of the address or name it holds."""
    for group in ("ip4", "ip6", "dns", "cidr"):
        captured.pop(group, None)
    if address:
        captured["ip6" if is_six else "ip4"] = address
