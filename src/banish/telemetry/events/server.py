"""What happens to the server and its parts, as against what happens in one jail's logs."""

import logging
from typing import ClassVar

from banish.model.duration import format_duration
from banish.model.instant import Seconds
from banish.telemetry.events.event import NOTICE, Event


class PartEvent(Event, frozen=True):
    """Something about one part of the server."""

    labels: ClassVar[tuple[str, ...]] = ("part",)
    part: str


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


class JailReloaded(Event, frozen=True):
    """A jail follows other settings from now on."""

    origin: ClassVar[str] = "banish.jail"
    counter: ClassVar[str] = "banish_jails_reloaded_total"
    jail: str

    def text(self) -> str:
        return f"Jail '{self.jail}' reloaded"


class Reloaded(Event, frozen=True):
    """The server follows the configuration as it is now."""

    counter: ClassVar[str] = "banish_config_reloads_total"
    changed: int
    unchanged: int
    kept: tuple[str, ...] = ()
    """Jails that go on with their old settings, since the new ones have an error."""

    def text(self) -> str:
        jails = f"{self.changed} jail{'' if self.changed == 1 else 's'}"
        kept = ", ".join(self.kept)
        spoilt = f"; errors, so the old settings stay in force: {kept}" if kept else ""
        return f"Reload finished: {jails} changed, {self.unchanged} unchanged{spoilt}"


class BansImported(Event, frozen=True):
    """The bans in force of a Fail2Ban were taken over, once."""

    level: ClassVar[int] = NOTICE
    bans: int
    path: str

    def text(self) -> str:
        bans = f"{self.bans} ban{'' if self.bans == 1 else 's'}"
        return f"{bans} taken over from {self.path}"


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


class PartFailed(PartEvent, frozen=True):
    """A part failed; it is tried again. *what* ends with the cure where there is one."""

    level: ClassVar[int] = logging.ERROR
    counter: ClassVar[str] = "banish_troubles_met_total"
    what: str

    def text(self) -> str:
        return f"{self.part}: {_in_one_line(self.what)}"


class PartRecovered(PartEvent, frozen=True):
    """A part that had failed works again."""

    level: ClassVar[int] = NOTICE
    counter: ClassVar[str] = "banish_troubles_over_total"

    def text(self) -> str:
        return f"{self.part}: works again"


class WarningGiven(PartEvent, frozen=True):
    """Something is odd and deserves a look, but nothing failed."""

    level: ClassVar[int] = logging.WARNING
    counter: ClassVar[str] = "banish_warnings_given_total"
    what: str

    def text(self) -> str:
        return f"{self.part}: {_in_one_line(self.what)}"


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


def _in_one_line(what: str) -> str:
    """Return *what* with its cure behind it, not below: the log has one line for each event."""
    return what.replace("\n    ", "; ")
