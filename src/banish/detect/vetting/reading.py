"""Reads lines as one filter reads them, thousands of made-up ones, and remembers nothing."""

import re
from collections.abc import Sequence

import msgspec

from banish.detect.matcher import Matcher
from banish.detect.pattern import Pattern, compile_pattern
from banish.detect.report import LineReport
from banish.detect.session import Sessions
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Regex

_NOW = Instant(1_767_225_600)
_FINDTIME = Seconds(600)


class Reader:
    """One filter, asked whom a line counts against; the line's time is left out.

    Raises:
        ConfigError: A regex is wrong.

    """

    def __init__(self, settings: FilterSettings) -> None:
        # What the regexes themselves take is vetted, not what becomes of it (`readings`).
        settings = msgspec.structs.replace(settings, ambiguous="report")
        self.settings = settings
        self.is_multiline = settings.maxlines > 1
        self._matcher = Matcher("vetting", settings, _FINDTIME)
        self.rules = self._matcher.rules
        self.ignores = self._matcher.ignores
        self.prefregex = self._matcher.prefregex
        self.narrows = self.prefregex is not None and "content" in self.prefregex.names
        self._searches = [rule.search for rule in self.rules]

    @property
    def flags(self) -> int:
        """The flags of `re` that the filter's regexes are compiled with."""
        return re.MULTILINE if self.is_multiline else 0

    def compile(self, regex: Regex) -> Pattern:
        """Return *regex* compiled as the filter's own are.

        Raises:
            ConfigError: It is no regular expression.

        """
        return compile_pattern(regex, usedns=self.settings.usedns, multiline=self.is_multiline)

    def captured(self, line: str) -> tuple[int, str]:
        """Return which failregex takes *line*, and the address it names; 0 for none."""
        narrowed = narrow(self.prefregex, line)
        if narrowed is None:
            return 0, ""
        text, before = narrowed
        for number, search in enumerate(self._searches, 1):
            found = search(text)
            if found is not None:
                return number, _address(found) or (_address(before) if before else "")
        return 0, ""

    def counts_against(self, line: str, forged: str, true: str) -> bool:
        """Whether the matcher, with all that belongs to it, takes *forged* from *line*, not *true*.

        A line that only supplies the address for a failure of its session counts too.
        """
        return any(
            forged in report.host and true not in report.host and self._matters(report)
            for report in self.reports(line)
        )

    def reports(self, line: str) -> list[LineReport]:
        """Return what the matcher makes of *line*, or of each of several."""
        matcher = self._matcher
        if self.is_multiline:
            matcher = Matcher("vetting", self.settings, _FINDTIME)
        matcher.sessions = Sessions()
        return [matcher.trace(each, _NOW, _NOW) for each in line.split("\n")]

    def _matters(self, report: LineReport) -> bool:
        if report.state == "failure":
            return True
        names = self.rules[report.rule - 1].names if report.rule else frozenset()
        # A session in which two users were tried is a failure, its last line too.
        is_last = "mlfforget" in names and ("user" not in names or "mlfgained" in names)
        return report.state == "informing" and "mlfid" in report.tags and not is_last


def narrow(first: Pattern | None, line: str) -> tuple[str, re.Match[str] | None] | None:
    """Return what the failregexes see of *line* behind the prefregex *first*, and its match."""
    text = line + "\n"
    if first is None:
        return text, None
    before = first.search(text)
    if before is None:
        return None
    if "content" in first.names and (content := before["content"]):
        text = content + "\n"
    return text, before


def _address(found: re.Match[str], names: Sequence[str] = ("fid", "ip4", "ip6", "dns")) -> str:
    groups = found.groupdict()
    return next((str(groups[name]) for name in names if groups.get(name)), "")
