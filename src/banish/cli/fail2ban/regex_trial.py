"""Tries a filter on lines and counts as ``fail2ban-regex`` counts.

A line is *matched* if a rule found a failure in it, also one that still waits
for its session to name an address; *ignored* if an ignoreregex matched, or a
rule that only supplies data (``<F-NOFAIL>``); else *missed*. A name that has no
address makes no failure. Of the lines that a rule spans, all count as matched
once it matches. Unless asked otherwise, every rule is tried on every line, so that
rules that cover each other show (Fail2Ban: client/fail2banregex.py, 1.0.2).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import msgspec

from banish.cli.fail2ban.regex_lines import InputLine
from banish.detect.matcher import Matcher
from banish.detect.report import LineReport
from banish.errors import ResolveError
from banish.model.address import (
    Subject,
    SubjectKind,
    name_subject,
    parse_address,
    parse_logged,
    parse_subject,
)
from banish.model.instant import Instant
from banish.resolve.dns import DnsResolver

Kept = list[str]

SHOWN_LIMIT = 10
"""Most lines that are shown as naming two addresses, and as naming nobody."""


class MatchedFailure(msgspec.Struct, frozen=True):
    """One failure that a line came to."""

    identity: str | None
    """Whom it counts against; None while it waits for its session to tell."""
    at: Instant | None
    """None where the line has no time."""
    report: LineReport

    @property
    def ip(self) -> str | None:
        """The address, also where something else is counted."""
        failures = self.report.failures
        if failures and failures[0].address is not None:
            return failures[0].address.text
        return self.identity

    @property
    def lines(self) -> list[str]:
        """The lines that speak for it."""
        if self.report.failures:
            return [evidence.text for evidence in self.report.failures[0].evidence]
        return [self.report.line]


class Limits(msgspec.Struct, frozen=True):
    """Which lines are kept to be shown."""

    lines: int = 20
    all_matched: bool = False
    all_ignored: bool = False
    all_missed: bool = False
    no_ignored: bool = False
    no_missed: bool = False


class RegexTrial:
    """One run of a filter over lines, and what came of it."""

    def __init__(
        self, matcher: Matcher, limits: Limits, *, checks_all: bool = True, verbose: bool = False
    ) -> None:
        """Try the filter of *matcher*; *checks_all* is whether it tries every rule."""
        self.matcher = matcher
        self._checks_all = checks_all
        self.limits = limits
        self._verbose = verbose
        self._resolver: DnsResolver | None = None
        self._runner: asyncio.Runner | None = None
        settings = matcher.settings
        self._ignores_first = 0 < len(settings.ignoreregex) < len(settings.failregex) - 2
        self.tested = self.matched = self.ignored = self.missed = 0
        self.prefregex_hits = 0
        self.ambiguous = 0
        """Lines that could name two addresses."""
        self.ambiguities: list[LineReport] = []
        """The first of these."""
        self.nobody = 0
        """Lines that match and name nobody, and so come to nothing."""
        self.nobodies: list[LineReport] = []
        """The first of these."""
        self.prefregex_groups: list[str] = []
        """What the prefregex captured; kept only if verbose."""
        self.hits: Counter[int] = Counter()
        self.ignore_hits: Counter[int] = Counter()
        self.found: dict[int, list[MatchedFailure]] = {}
        """The failures of each rule; kept only if verbose."""
        self.kept: dict[str, Kept] = {"matched": [], "ignored": [], "missed": []}
        self.seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            self._runner.close()

    def feed_all(self, lines: Iterable[InputLine], now: Callable[[], Instant]) -> None:
        """Try every line and count; comments and empty lines are skipped."""
        begin = time.monotonic()
        for line in lines:
            if line.at is not None or (line.text and not line.text.startswith("#")):
                self._count(*self.feed(line, now()))
        self.seconds = time.monotonic() - begin

    def feed(self, line: InputLine, now: Instant) -> tuple[LineReport, list[MatchedFailure]]:
        """Try one line; return what the filter says and the failures it comes to."""
        report = self.matcher.trace(line.text, now, line.at, live=None)
        if report.failures:
            subjects = self._resolve(report.failures[0].subject)
            return report, [
                MatchedFailure(_as_written(each, report), _time(report, now), report)
                for each in subjects
            ]
        if report.state == "pending" or (report.state == "informing" and not report.host):
            return report, [MatchedFailure(None, _time(report, now), report)]
        if report.state == "unusable" and report.readings:
            return report, [MatchedFailure(None, _time(report, now), report)]
        if report.state == "unusable" and report.tags.get("dns") != report.host:
            # Fail2Ban counts such text (256.0.2.1) although no firewall can ban it.
            return report, [MatchedFailure(report.host, _time(report, now), report)]
        if report.state == "informing":
            subjects = self._resolve(_subject(report))
            return report, [
                MatchedFailure(each.text, _time(report, now), report) for each in subjects
            ]
        return report, []

    def _resolve(self, subject: Subject) -> Iterable[Subject]:
        if subject.kind is not SubjectKind.NAME:
            return (subject,)
        if self._resolver is None or self._runner is None:
            self._resolver, self._runner = DnsResolver(), asyncio.Runner()
        try:
            return self._runner.run(_addresses(self._resolver, subject.text))
        except ResolveError:
            return ()

    def _count(self, report: LineReport, found: list[MatchedFailure]) -> None:
        self.tested += 1
        if report.readings:
            self.ambiguous += 1
            if len(self.ambiguities) < SHOWN_LIMIT:
                self.ambiguities.append(report)
        if report.state == "unusable" and not (report.host or report.readings):
            self.nobody += 1
            if len(self.nobodies) < SHOWN_LIMIT:
                self.nobodies.append(report)
        self.prefregex_hits += report.prefregex is True
        if self._verbose and report.prefregex and len(self.prefregex_groups) <= self.limits.lines:
            self._keep_groups(report)
        if report.state == "informing" and "mlfid" in report.tags and not self._checks_all:
            found = []  # it went into its session, and that is all
        for rule in report.rules if found else ():
            self.hits[rule] += len(found)
            if self._verbose:
                self.found.setdefault(rule, []).extend(found)
        if report.state == "ignored":
            self._count_ignore_rules(report)
            self._count_ignored(report)
        elif found and report.state == "informing":
            self._count_ignored(report)
        elif found:
            self._count_matched(report)
        else:
            self.missed += 1
            limits = self.limits
            wanted = limits.all_missed or self.missed <= limits.lines + 1
            if wanted and not limits.no_missed:
                self.kept["missed"].append(report.line)

    def _count_matched(self, report: LineReport) -> None:
        self.matched += 1
        earlier = []
        if self.matcher.settings.maxlines > 1 and report.failures:
            earlier = [evidence.text for evidence in report.failures[0].evidence[:-1]]
        for line in earlier:
            self.matched += 1
            self.missed -= 1
            if line in self.kept["missed"]:
                self.kept["missed"].remove(line)
        if self.limits.all_matched:
            self.kept["matched"] += [*earlier, report.line]

    def _count_ignored(self, report: LineReport) -> None:
        self.ignored += 1
        limits = self.limits
        wanted = limits.all_ignored or self.ignored <= limits.lines + 1
        if wanted and not limits.no_ignored:
            self.kept["ignored"].append(report.line)

    def _count_ignore_rules(self, report: LineReport) -> None:
        """Count the ignoreregexes: for each failregex that matched, or once if they look first."""
        text, times = report.text, 1
        if not self._ignores_first:
            times = len(report.rules)
            prefregex = self.matcher.prefregex
            before = prefregex.search(text) if prefregex is not None else None
            if before is not None and (content := before.groupdict().get("content")):
                text = content + "\n"
        for number, pattern in enumerate(self.matcher.ignores, 1):
            if pattern.search(text) is not None:
                self.ignore_hits[number] += times

    def _keep_groups(self, report: LineReport) -> None:
        if len(self.prefregex_groups) == self.limits.lines:
            self.prefregex_groups.append("...")
        elif (prefregex := self.matcher.prefregex) is not None:
            before = prefregex.search(report.text)
            self.prefregex_groups.append(str(before.groupdict()) if before else "")


async def _addresses(resolver: DnsResolver, name: str) -> Iterable[Subject]:
    return await resolver.addresses(name)


def _subject(report: LineReport) -> Subject:
    """Return whom a line that only informs names."""
    if report.tags.get("dns") == report.host and "ip4" not in report.tags:
        return name_subject(report.host)
    return parse_subject(report.host)


def _as_written(subject: Subject, report: LineReport) -> str:
    """Return *subject* as text; with the leading zeros that the line has, as Fail2Ban tells it."""
    is_padded = parse_address(report.host) is None and parse_logged(report.host) == subject
    return report.host if is_padded else subject.text


def _time(report: LineReport, now: Instant) -> Instant | None:
    """Return the time of a line as Fail2Ban tells it: none where the line has none."""
    return None if report.undated and report.at == now else report.at
