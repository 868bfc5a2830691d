"""What the commands of Fail2Ban need of a running server.

Few calls, in our own words. What is changed at run time goes through `change_jail` and
`change_server`, whatever the option: whoever implements them has one way for all changes.
Counts cost the same however many bans there are; `bans` is a view, not a copy.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.settings import JailSettings, ServerSettings


class JailCounts(msgspec.Struct, frozen=True):
    """How many failures and bans a jail has now, and has had in all."""

    failed: int = 0
    """Subjects that have failed within findtime."""
    failed_total: int = 0
    banned: int = 0
    banned_total: int = 0


class ServerPort(Protocol):
    """The running server, as the commands of Fail2Ban see it."""

    def now(self) -> Instant:
        """Return the time of day."""

    def server(self) -> ServerSettings:
        """Return the options of the server that are in effect."""

    def jails(self) -> Mapping[str, JailSettings]:
        """Return the running jails by name, in the order in which they started."""

    def counts(self, jail: str) -> JailCounts:
        """Return the counts of *jail*, which runs."""

    def files(self, jail: str) -> Sequence[str]:
        """Return the files that *jail*, which runs, reads or waits for."""

    def bans(self, jail: str) -> Mapping[Subject, Ban]:
        """Return the bans of *jail* in force, oldest first; a view that changes as they do."""

    async def ban(self, jail: str, subjects: Sequence[Subject]) -> int:
        """Ban *subjects* by hand, and return how many were not banned before.

        Raises:
            RequestError: One of them cannot be banned; none was.
            EnforceError: The firewall did not take them.

        """

    async def unban(self, subjects: Sequence[Subject] | None, jail: str | None) -> Sequence[Ban]:
        """End bans (of all subjects for None, in all jails for None) and return those ended."""

    async def addresses(self, name: str) -> Sequence[Subject]:
        """Return the addresses of a DNS name.

        Raises:
            ResolveError: Nobody answered.

        """

    async def attempt(self, jail: str, subject: Subject, lines: Sequence[str]) -> bool:
        """Count a failure of *subject* for each of *lines*; False if the subject is exempt."""

    async def change_jail(self, settings: JailSettings) -> None:
        """Have the jail that *settings* names run by them; one that does not run starts.

        Raises:
            ConfigError: The settings make no sense; nothing has changed.

        """

    async def remove_jail(self, jail: str) -> None:
        """End *jail*."""

    async def set_idle(self, jail: str, *, is_idle: bool) -> None:
        """Leave the logs of *jail* unread, or read on."""

    async def change_server(self, settings: ServerSettings) -> None:
        """Follow *settings*.

        Raises:
            ConfigError: They make no sense; nothing has changed.
            RequestError: One of the options that changed waits for the next start.

        """

    async def reload(self, wish: ReloadWish) -> ReloadReport:
        """Read the configuration and follow it.

        Raises:
            RequestError: The jail does not exist.
            ConfigError: The configuration is broken as a whole; nothing has changed.

        """

    async def flush_logs(self) -> str:
        """Open the log anew; return what was done: ``rolled over``, or ``flushed``."""

    async def stop(self) -> None:
        """Ask the server to stop; returns at once."""
