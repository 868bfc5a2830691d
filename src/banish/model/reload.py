"""What a reload of the configuration is asked to do, and what it did."""

from typing import Literal

import msgspec

from banish.model.instant import Instant, Seconds
from banish.model.settings import Problem

JailOutcome = Literal["started", "stopped", "changed", "restarted", "kept", "unchanged"]
"""``kept``: it goes on with its old settings, since the new ones have an error."""


class ReloadWish(msgspec.Struct, frozen=True):
    """What is to be reloaded, and how."""

    jail: str | None = None
    """One jail only; None: all, and the options of the server."""
    dry_run: bool = False
    """Only say what would change."""
    confirm: Seconds | None = None
    """Go back to the old configuration after so long, unless somebody confirms the new one."""
    restart: bool = False
    """Make the jails anew, also where nothing changed: their actions stop and start again."""
    unban: bool = False
    """End the bans of the jails concerned first."""
    if_exists: bool = False
    """A jail that does not exist is no error."""


class OptionDifference(msgspec.Struct, frozen=True):
    """One option before and after, each in one line."""

    option: str
    before: str
    after: str


class JailDifference(msgspec.Struct, frozen=True):
    """What became of one jail."""

    jail: str
    outcome: JailOutcome
    options: tuple[OptionDifference, ...] = ()


class ReloadReport(msgspec.Struct, frozen=True):
    """What a reload did, or with ``dry_run`` would do."""

    jails: tuple[JailDifference, ...] = ()
    server: tuple[OptionDifference, ...] = ()
    """Options of the server that are followed at once."""
    later: tuple[OptionDifference, ...] = ()
    """Options of the server that take effect at its next start."""
    problems: tuple[Problem, ...] = ()
    """All that is wrong in the configuration."""
    confirm_until: Instant | None = None
    """When the server goes back, unless somebody confirms."""

    @property
    def kept(self) -> tuple[str, ...]:
        """The jails that go on with their old settings."""
        return tuple(each.jail for each in self.jails if each.outcome == "kept")
