"""What is read in logs and found there: failures, odd lines, slow regexes, changes of files."""

import logging
from collections.abc import Iterable, Sequence
from typing import ClassVar

from banish.model.address import Subject
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.telemetry.clocktext import clock_text
from banish.telemetry.events.event import NOTICE, Event


class FilterEvent(Event, frozen=True):
    """Something that the filter of one jail met."""

    origin: ClassVar[str] = "banish.filter"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str


class FailureFound(FilterEvent, frozen=True):
    """A line counted against a subject."""

    counter: ClassVar[str] = "banish_failures_found_total"
    subject: Subject
    at: Instant

    def text(self) -> str:
        return f"[{self.jail}] Found {self.subject} - {clock_text(self.at)}"


class FailuresFound(FilterEvent, frozen=True):
    """Lines of one jail counted, in their order: many `FailureFound` in one event.

    Log, counters and listeners get what they would get from single events; a
    log full of attacks costs a quarter of that.
    """

    counter: ClassVar[str] = FailureFound.counter
    amount: ClassVar[str] = "count"
    found: Sequence[Failure]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.found)

    def each(self) -> Iterable[FailureFound]:
        """Yield them one by one, as listeners hear them."""
        jail = self.jail
        return (FailureFound(jail, failure.subject, failure.at) for failure in self.found)

    def texts(self) -> list[str]:
        """Return the log lines, without their prefix."""
        front = f"[{self.jail}] Found "
        texts: list[str] = []
        add, last, when = texts.append, None, ""
        for failure in self.found:
            at = failure.at
            if at != last:
                last, when = at, clock_text(at)
            add(f"{front}{failure.subject.text} - {when}")
        return texts

    def text(self) -> str:
        """Return all of them; the log asks for `texts`, to write each on a line of its own."""
        return ", ".join(self.texts())


class FailureExempted(FilterEvent, frozen=True):
    """A failure did not count since the subject is exempt."""

    counter: ClassVar[str] = "banish_failures_exempt_total"
    subject: Subject
    by: str

    def text(self) -> str:
        return f"[{self.jail}] Ignore {self.subject} by {self.by}"


class AmbiguousMatch(FilterEvent, frozen=True):
    """A line that matched could have named somebody else; emitted once for each regex."""

    level: ClassVar[int] = logging.WARNING
    counter: ClassVar[str] = "banish_matches_ambiguous_total"
    rule: int
    captured: str
    other: str
    line: str
    counts: str = ""
    """The address that such a line counts against, or nobody; empty: what the jail says."""

    def text(self) -> str:
        shown = self.line.strip()[:200].encode("unicode_escape").decode("ascii")
        counts = f", and the line counts against {self.counts}" if self.counts else ""
        return (
            f"[{self.jail}] failregex {self.rule} took {self.captured} where it could have taken "
            f'{self.other}{counts}: "{shown}"'
        )


class LineTimedOut(FilterEvent, frozen=True):
    """A regex took too long on a line, so that nobody knows what the line says."""

    level: ClassVar[int] = logging.WARNING
    counter: ClassVar[str] = "banish_lines_stopped_total"
    rule: str
    characters: int
    line: str

    def text(self) -> str:
        shown = self.line.strip()[:200].encode("unicode_escape").decode("ascii")
        return (
            f"[{self.jail}] {self.rule} took too long on {self.characters} characters, "
            f'the line is skipped: "{shown}"'
        )


class RuleQuarantined(FilterEvent, frozen=True):
    """A regex took too long again and again; it is not tried on such lines for a while."""

    level: ClassVar[int] = logging.ERROR
    counter: ClassVar[str] = "banish_rules_quarantined_total"
    rule: str
    limit: int
    """The longest text that it is still tried on; 0: it is off."""
    until: Instant

    def text(self) -> str:
        what = f"lines above {self.limit} characters are skipped" if self.limit else "it is off"
        return (
            f"[{self.jail}] {self.rule} takes too long: {what} until {clock_text(self.until)}; "
            "fix the regex, 'banish check' shows how"
        )


class RuleReleased(FilterEvent, frozen=True):
    """A regex is tried on every line again."""

    level: ClassVar[int] = NOTICE
    counter: ClassVar[str] = "banish_rules_released_total"
    rule: str

    def text(self) -> str:
        return f"[{self.jail}] {self.rule} is tried on every line again"


class SourceChanged(Event, frozen=True):
    """A log appeared, was rotated, was cut or went away."""

    origin: ClassVar[str] = "banish.filter"
    counter: ClassVar[str] = "banish_sources_changed_total"
    source: str
    what: str

    def text(self) -> str:
        return f"{self.source}: {self.what}"


class LinesLost(Event, frozen=True):
    """Rotated files went by unread, or may have; *what* ends with the cure."""

    level: ClassVar[int] = logging.ERROR
    origin: ClassVar[str] = "banish.filter"
    counter: ClassVar[str] = "banish_files_lost_total"
    amount: ClassVar[str] = "files"
    source: str
    files: int
    """At least so many."""
    what: str

    def text(self) -> str:
        return f"{self.source}: {self.what}"
