"""What becomes of bans: started, ended, not started for a reason."""

import logging
from typing import ClassVar

from banish.model.address import Subject
from banish.model.instant import Instant, Seconds
from banish.telemetry.clocktext import clock_text
from banish.telemetry.events.event import NOTICE, Event


class BanEvent(Event, frozen=True):
    """Something about the bans of one jail."""

    origin: ClassVar[str] = "banish.actions"
    labels: ClassVar[tuple[str, ...]] = ("jail",)
    jail: str


class BanStarted(BanEvent, frozen=True):
    """A ban is in force."""

    level: ClassVar[int] = NOTICE
    counter: ClassVar[str] = "banish_bans_started_total"
    subject: Subject
    restored: bool = False

    def text(self) -> str:
        return f"[{self.jail}] {'Restore Ban' if self.restored else 'Ban'} {self.subject}"


class BanEnded(BanEvent, frozen=True):
    """A ban is over."""

    level: ClassVar[int] = NOTICE
    counter: ClassVar[str] = "banish_bans_ended_total"
    subject: Subject
    folded: bool = False
    """Whether the ban of a network around it goes on in its place."""

    def text(self) -> str:
        if self.folded:
            return f"[{self.jail}] {self.subject} is now covered by the ban of a network"
        return f"[{self.jail}] Unban {self.subject}"


class BannedSubjectFailed(BanEvent, frozen=True):
    """A banned subject failed again: an older line, or the ban does not hold."""

    level: ClassVar[int] = NOTICE
    counter: ClassVar[str] = "banish_failures_banned_total"
    amount: ClassVar[str] = "times"
    subject: Subject
    times: int = 1
    """How many failures this tells of: the first one alone, later ones by ``maxretry``."""
    holder: Subject | None = None
    """Whose ban keeps the subject out, such as a network around it; None: its own."""

    def text(self) -> str:
        return f"[{self.jail}] {self.subject} already banned"


class NetworkExempted(BanEvent, frozen=True):
    """A network was not banned for its members since it holds somebody exempt."""

    level: ClassVar[int] = NOTICE
    counter: ClassVar[str] = "banish_networks_exempt_total"
    network: Subject
    members: int
    by: str

    def text(self) -> str:
        return (
            f"[{self.jail}] {self.network} is not banned though {self.members} of its members "
            f"were: {self.by}"
        )


class BanBudgetExceeded(BanEvent, frozen=True):
    """A jail would start more bans than it may; it starts none for a while."""

    level: ClassVar[int] = logging.ERROR
    counter: ClassVar[str] = "banish_budgets_exceeded_total"
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


class BanHeldBack(BanEvent, frozen=True):
    """A subject would be banned if the jail's budget allowed it; emitted once for each pause."""

    counter: ClassVar[str] = "banish_bans_held_total"
    subject: Subject

    def text(self) -> str:
        return f"[{self.jail}] Would ban {self.subject}, but for the ban budget"


class BanBudgetReturned(BanEvent, frozen=True):
    """A jail whose bans were held back starts bans again."""

    level: ClassVar[int] = NOTICE
    counter: ClassVar[str] = "banish_budgets_returned_total"
    held: int

    def text(self) -> str:
        text = f"[{self.jail}] Ban budget available again"
        if not self.held:
            return text
        if self.held == 1:
            return f"{text}. 1 subject was held back; it is banned on its next failure"
        return f"{text}. {self.held:,} subjects were held back; each is banned on its next failure"


class ConnectionsKilled(BanEvent, frozen=True):
    """Connections of a peer ended as its ban began."""

    level: ClassVar[int] = logging.INFO
    counter: ClassVar[str] = "banish_connections_cut_total"
    amount: ClassVar[str] = "count"
    subject: Subject
    count: int

    def text(self) -> str:
        what = f"{self.count} connection{'' if self.count == 1 else 's'}"
        return f"[{self.jail}] {what} of {self.subject} cut"
