"""Everything that banish tells about itself: one value per thing that happens.

Code says *what* happened by emitting one of these; this file says how that
reads in the log, and how loud. Texts that people's scripts parse (logwatch,
munin, the recidive filter) are Fail2Ban's, from server/actions.py and
server/filter.py of 1.1.1: ``[J] Found A - TIME``, ``[J] Ban A``, ``[J] Unban A``,
``[J] Restore Ban A``, ``[J] A already banned``, ``[J] Ignore A by WHAT``.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

import msgspec

from banish.model.address import Subject
from banish.model.duration import format_duration
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.telemetry.clocktext import clock_text

NOTICE = 25
"""Fail2Ban's level between INFO and WARNING, used for bans."""


class Event(msgspec.Struct, frozen=True):
    """Something that happened and is given to `Emit`; subclasses have names in the past tense."""

    level: ClassVar[int] = logging.INFO
    origin: ClassVar[str] = "banish.server"
    """The logger that speaks, in Fail2Ban's manner."""
    counter: ClassVar[str] = ""
    """The counter that one more of these adds 1 to; empty: not counted."""
    labels: ClassVar[tuple[str, ...]] = ()
    """Fields that split the counter: only such as the configuration bounds."""
    amount: ClassVar[str] = ""
    """The field that says how many this adds to the counter; empty: 1."""

    def text(self) -> str:
        """Return the log line without its prefix."""
        raise AssertionError(type(self))


Emit = Callable[[Event], None]
"""Takes what happened; never raises, never waits."""

EmitEvery = Callable[[Sequence[Event]], None]
"""Takes all that happened at one time, in its order; never raises, never waits."""


class FailureFound(Event, frozen=True):
    """A line counted against a subject."""

    origin: ClassVar[str] = "banish.filter"
    counter: ClassVar[str] = "banish_failures_found_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    subject: Subject
    at: Instant

    def text(self) -> str:
        return f"[{self.jail}] Found {self.subject} - {clock_text(self.at)}"


class FailuresFound(Event, frozen=True):
    """Lines of one jail counted, in their order: many `FailureFound` in one event.

    Log, counters and listeners get what they would get from single events; a
    log full of attacks costs a quarter of that.
    """

    origin: ClassVar[str] = FailureFound.origin
    counter: ClassVar[str] = FailureFound.counter
    labels: ClassVar[tuple[str, ...]] = FailureFound.labels
    amount: ClassVar[str] = "count"
    jail: str
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


class FailureExempted(Event, frozen=True):
    """A failure did not count since the subject is exempt."""

    origin: ClassVar[str] = "banish.filter"
    counter: ClassVar[str] = "banish_failures_exempt_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    subject: Subject
    by: str

    def text(self) -> str:
        return f"[{self.jail}] Ignore {self.subject} by {self.by}"


class NetworkExempted(Event, frozen=True):
    """A network was not banned for its members since it holds somebody exempt."""

    level: ClassVar[int] = NOTICE
    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_networks_exempt_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    network: Subject
    members: int
    by: str

    def text(self) -> str:
        return (
            f"[{self.jail}] {self.network} is not banned though {self.members} of its members "
            f"were: {self.by}"
        )


class AmbiguousMatch(Event, frozen=True):
    """A line that matched could have named somebody else; emitted once for each regex."""

    level: ClassVar[int] = logging.WARNING
    origin: ClassVar[str] = "banish.filter"
    counter: ClassVar[str] = "banish_matches_ambiguous_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
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


class BannedSubjectFailed(Event, frozen=True):
    """A banned subject failed again: an older line, or the ban does not hold."""

    level: ClassVar[int] = NOTICE
    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_failures_banned_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    amount: ClassVar[str] = "times"
    jail: str
    subject: Subject
    times: int = 1
    """How many failures this tells of: the first one alone, later ones by ``maxretry``."""
    holder: Subject | None = None
    """Whose ban keeps the subject out, such as a network around it; None: its own."""

    def text(self) -> str:
        return f"[{self.jail}] {self.subject} already banned"


class LineTimedOut(Event, frozen=True):
    """A regex took too long on a line, so that nobody knows what the line says."""

    level: ClassVar[int] = logging.WARNING
    origin: ClassVar[str] = "banish.filter"
    counter: ClassVar[str] = "banish_lines_stopped_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    rule: str
    characters: int
    line: str

    def text(self) -> str:
        shown = self.line.strip()[:200].encode("unicode_escape").decode("ascii")
        return (
            f"[{self.jail}] {self.rule} took too long on {self.characters} characters, "
            f'the line is skipped: "{shown}"'
        )


class RuleQuarantined(Event, frozen=True):
    """A regex took too long again and again; it is not tried on such lines for a while."""

    level: ClassVar[int] = logging.ERROR
    origin: ClassVar[str] = "banish.filter"
    counter: ClassVar[str] = "banish_rules_quarantined_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
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


class RuleReleased(Event, frozen=True):
    """A regex is tried on every line again."""

    level: ClassVar[int] = NOTICE
    origin: ClassVar[str] = "banish.filter"
    counter: ClassVar[str] = "banish_rules_released_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    rule: str

    def text(self) -> str:
        return f"[{self.jail}] {self.rule} is tried on every line again"


class BanStarted(Event, frozen=True):
    """A ban is in force."""

    level: ClassVar[int] = NOTICE
    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_bans_started_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    subject: Subject
    restored: bool = False

    def text(self) -> str:
        return f"[{self.jail}] {'Restore Ban' if self.restored else 'Ban'} {self.subject}"


class BanEnded(Event, frozen=True):
    """A ban is over."""

    level: ClassVar[int] = NOTICE
    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_bans_ended_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    subject: Subject
    folded: bool = False
    """Whether the ban of a network around it goes on in its place."""

    def text(self) -> str:
        if self.folded:
            return f"[{self.jail}] {self.subject} is now covered by the ban of a network"
        return f"[{self.jail}] Unban {self.subject}"


class BanBudgetExceeded(Event, frozen=True):
    """A jail would start more bans than it may; it starts none for a while."""

    level: ClassVar[int] = logging.ERROR
    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_budgets_exceeded_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    most: int
    span: Seconds
    until: Instant

    def text(self) -> str:
        return (
            f"[{self.jail}] more than {self.most} bans in {self.span:g} s: no further ban "
            f"starts until {clock_text(self.until)}; check with 'banish bans --jail "
            f"{self.jail}' that the filter bans the right addresses; if it does, run 'banish "
            f"resume {self.jail}' and raise banbudget"
        )


class BanHeldBack(Event, frozen=True):
    """A subject would be banned if the jail's budget allowed it; emitted once for each pause."""

    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_bans_held_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    subject: Subject

    def text(self) -> str:
        return f"[{self.jail}] Would ban {self.subject}, but for the ban budget"


class BanBudgetReturned(Event, frozen=True):
    """A jail whose bans were held back starts bans again."""

    level: ClassVar[int] = NOTICE
    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_budgets_returned_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str
    held: int

    def text(self) -> str:
        what = f"{self.held} subject{'' if self.held == 1 else 's'} held back meanwhile"
        return f"[{self.jail}] bans start again; {what}, whoever goes on is banned now"


class ConnectionsKilled(Event, frozen=True):
    """Connections of a peer ended as its ban began."""

    level: ClassVar[int] = logging.INFO
    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_connections_cut_total"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    amount: ClassVar[str] = "count"
    jail: str
    subject: Subject
    count: int

    def text(self) -> str:
        what = f"{self.count} connection{'' if self.count == 1 else 's'}"
        return f"[{self.jail}] {what} of {self.subject} cut"


class ClockSet(Event, frozen=True):
    """Somebody set the clock while the server ran."""

    level: ClassVar[int] = logging.WARNING
    counter: ClassVar[str] = "banish_clock_steps_total"
    by: Seconds
    """By how much; below zero if it was set back."""
    bans: int
    """Bans whose ends were moved with it."""

    def text(self) -> str:
        way = "forward" if self.by > 0 else "back"
        return (
            f"clock set {way} by {format_duration(abs(self.by))}: {self.bans:,} bans and "
            "all counts of failures keep the time they had left"
        )


class JailStarted(Event, frozen=True):
    """A jail watches its logs."""

    origin: ClassVar[str] = "banish.jail"
    counter: ClassVar[str] = "banish_jails_started_total"
    jail: str

    def text(self) -> str:
        return f"Jail '{self.jail}' started"


class JailStopped(Event, frozen=True):
    """A jail watches no more."""

    origin: ClassVar[str] = "banish.jail"
    counter: ClassVar[str] = "banish_jails_stopped_total"
    jail: str

    def text(self) -> str:
        return f"Jail '{self.jail}' stopped"


class ServerStarted(Event, frozen=True):
    """The server is ready."""

    version: str
    jails: int
    bans: int

    def text(self) -> str:
        jails = f"{self.jails} jail{'' if self.jails == 1 else 's'}"
        bans = f"{self.bans} ban{'' if self.bans == 1 else 's'}"
        return f"banish {self.version} ready: {jails}, {bans} restored"


class ServerStopped(Event, frozen=True):
    """The server has ended in order."""

    def text(self) -> str:
        return "Exiting banish"


class BansImported(Event, frozen=True):
    """The bans in force of a Fail2Ban were taken over, once."""

    level: ClassVar[int] = NOTICE
    bans: int
    path: str

    def text(self) -> str:
        bans = f"{self.bans} ban{'' if self.bans == 1 else 's'}"
        return f"{bans} taken over from {self.path}"


class PartFailed(Event, frozen=True):
    """A part failed; it is tried again. *what* ends with the cure where there is one."""

    level: ClassVar[int] = logging.ERROR
    counter: ClassVar[str] = "banish_troubles_met_total"
    labels: ClassVar[tuple[str, ...]] = ("part",)
    part: str
    what: str

    def text(self) -> str:
        return f"{self.part}: {self.what}"


class PartRecovered(Event, frozen=True):
    """A part that had failed works again."""

    level: ClassVar[int] = NOTICE
    counter: ClassVar[str] = "banish_troubles_over_total"
    labels: ClassVar[tuple[str, ...]] = ("part",)
    part: str

    def text(self) -> str:
        return f"{self.part}: works again"


class WarningGiven(Event, frozen=True):
    """Something is odd and deserves a look, but nothing failed."""

    level: ClassVar[int] = logging.WARNING
    counter: ClassVar[str] = "banish_warnings_given_total"
    labels: ClassVar[tuple[str, ...]] = ("part",)
    part: str
    what: str

    def text(self) -> str:
        return f"{self.part}: {self.what}"


class FirewallRepaired(Event, frozen=True):
    """The firewall did not hold what it should, and does again."""

    level: ClassVar[int] = logging.WARNING
    origin: ClassVar[str] = "banish.firewall"
    counter: ClassVar[str] = "banish_firewall_repairs_total"
    amount: ClassVar[str] = "times"
    missing: int
    foreign: int
    rebuilt: bool
    mistimed: int = 0
    """Bans that would have ended at a wrong time."""
    times: int = 1
    """How many repairs this is the sum of."""

    def text(self) -> str:
        what = "tables or rules were missing or changed; " if self.rebuilt else ""
        what += f"{self.missing} bans added back, {self.foreign} removed"
        if self.mistimed:
            what += f", {self.mistimed} with their time corrected"
        times = f" {self.times} times" if self.times > 1 else ""
        return f"firewall repaired{times}: {what}"


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


class RequestRefused(Event, frozen=True):
    """Somebody asked over the control socket for what is not theirs, or made no sense."""

    level: ClassVar[int] = logging.WARNING
    origin: ClassVar[str] = "banish.control"
    counter: ClassVar[str] = "banish_requests_refused_total"
    what: str
    uid: int = -1
    pid: int = -1

    def text(self) -> str:
        return f"request refused (uid {self.uid}, pid {self.pid}): {self.what}"


class RequestRefusedAgain(RequestRefused, frozen=True):
    """The same user was refused for the same reason a short time ago."""

    level: ClassVar[int] = logging.DEBUG


class ActionPlanned(Event, frozen=True):
    """A dry run skipped a command of an action."""

    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_actions_planned_total"
    labels: ClassVar[tuple[str, ...]] = ("jail", "action")
    jail: str
    action: str
    what: str
    """The script, and the values that it would have been given."""

    def text(self) -> str:
        return f"[{self.jail}] {self.action} would run: {self.what}"


class ActionLogged(Event, frozen=True):
    """A Python action wrote to its log."""

    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_actions_said_total"
    labels: ClassVar[tuple[str, ...]] = ("jail", "action")
    jail: str
    action: str
    what: str

    def text(self) -> str:
        return f"[{self.jail}] {self.action}: {self.what}"


class ActionWarned(ActionLogged, frozen=True):
    """A Python action wrote to its log, as a warning or an error."""

    level: ClassVar[int] = logging.WARNING
    counter: ClassVar[str] = "banish_actions_complained_total"


class NotificationsDropped(Event, frozen=True):
    """An action that only tells could not tell of everything: too much at once, or given up."""

    level: ClassVar[int] = logging.WARNING
    origin: ClassVar[str] = "banish.actions"
    counter: ClassVar[str] = "banish_notifications_dropped_total"
    labels: ClassVar[tuple[str, ...]] = ("jail", "action")
    jail: str
    action: str
    count: int

    def text(self) -> str:
        what = "queue full or delivery failed"
        return f"[{self.jail}] {self.action}: {self.count} notifications dropped ({what})"
