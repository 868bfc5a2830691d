"""The running server, as the commands of Fail2Ban see it: `ServerPort` on the live parts."""

import asyncio
from collections.abc import Mapping, Sequence

from banish.control.fail2ban.port import JailCounts
from banish.daemon.changes import LIVE_SERVER_OPTIONS
from banish.daemon.enforcing import EnforcementTask
from banish.daemon.jails import Jails
from banish.daemon.operations import ServerOperations
from banish.daemon.protection import Protection
from banish.daemon.reload import Reloader
from banish.errors import RequestError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.failure import EVIDENCE_LIMIT_CHARACTERS, Evidence, Failure, KnownDetails
from banish.model.instant import Instant, Seconds
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.settings import JailSettings, ServerSettings
from banish.ports import Clock, Resolver
from banish.telemetry.logs import Log
from banish.telemetry.targets import open_target

STREAMS = ("STDOUT", "STDERR", "SYSOUT", "SYSLOG", "SYSTEMD-JOURNAL")
"""Targets of the log that are no file, and so cannot be opened anew."""

PLACES_LIMIT = Seconds(5)
"""How long logs that a command adds are waited for; a dead network disk is not waited for."""

_MAGIC = frozenset("*?[")


class LivePort:
    """Implements `banish.control.fail2ban.port.ServerPort`."""

    def __init__(
        self,
        protection: Protection,
        *,
        jails: Jails,
        enforcing: EnforcementTask,
        operations: ServerOperations,
        reloader: Reloader,
        resolver: Resolver,
        log: Log,
        clock: Clock,
    ) -> None:
        self._protection = protection
        self._jails = jails
        self._enforcing = enforcing
        self._operations = operations
        self._reloader = reloader
        self._resolver = resolver
        self._log = log
        self.now = clock

    def server(self) -> ServerSettings:
        """Return the options of the server that are in effect."""
        return self._protection.settings.server

    def jails(self) -> Mapping[str, JailSettings]:
        """Return the running jails by name."""
        return {name: running.settings for name, running in self._protection.jails.items()}

    def counts(self, jail: str) -> JailCounts:
        """Return the counts of *jail*; they cost the same however many bans there are."""
        policy = self._protection.jails[jail].policy
        return JailCounts(
            failed=policy.failing(self.now()),
            failed_total=policy.failures_total,
            banned=len(policy.bans),
            banned_total=policy.bans_total,
        )

    def files(self, jail: str) -> Sequence[str]:
        """Return the files that *jail* names itself, and those open now that its patterns name."""
        found: dict[str, None] = {}
        opened = [
            path
            for pipeline in self._protection.pipelines
            for watch in pipeline.watches
            if watch.matcher.jail == jail
            for path in pipeline.source.health().paths
            if watch.wants(path)
        ]
        for entry in self._protection.jails[jail].settings.logpaths:
            if not _MAGIC & set(entry.pattern):
                found[entry.pattern] = None
        return [*found, *(path for path in dict.fromkeys(opened) if path not in found)]

    def bans(self, jail: str) -> Mapping[Subject, Ban]:
        """Return the bans of *jail* in force; a view."""
        return self._protection.jails[jail].policy.bans

    async def ban(self, jail: str, subjects: Sequence[Subject]) -> int:
        """Ban *subjects* by hand, all or none; return how many were not banned before."""
        before = self.bans(jail)
        new = {subject for subject in subjects if subject not in before}
        await self._operations.ban(jail, subjects, None)
        after = self.bans(jail)
        return sum(subject in after for subject in new)

    async def unban(self, subjects: Sequence[Subject] | None, jail: str | None) -> Sequence[Ban]:
        """End bans and return those ended."""
        return await self._operations.unban(subjects, jail)

    async def addresses(self, name: str) -> Sequence[Subject]:
        """Return the addresses of a DNS name."""
        return await self._resolver.addresses(name)

    async def attempt(self, jail: str, subject: Subject, lines: Sequence[str]) -> bool:
        """Count a failure of *subject* for each of *lines*; False if the subject is exempt.

        Raises:
            RequestError: The subject is a name, which cannot fail by itself.

        """
        if not subject.is_enforceable:
            raise RequestError(f"'{subject}' is not an address", cure="write an address")
        if self._protection.jails[jail].policy.exempt.exempts(subject) is not None:
            return False
        now = self.now()
        failures = [_failure(jail, subject, line, now) for line in lines]
        await self._enforcing.put(self._jails.judge(failures, now, {}))
        return True

    async def change_jail(self, settings: JailSettings) -> None:
        """Have the jail that *settings* names run by them; its logs are open then.

        What is written from the answer on counts, in logs that are read from their end too.
        """
        await self._reloader.change_jails(settings)
        places = [
            asyncio.ensure_future(pipeline.source.placed())
            for pipeline in self._protection.pipelines
            if any(watch.matcher.jail == settings.name for watch in pipeline.watches)
        ]
        if places:
            _, late = await asyncio.wait(places, timeout=PLACES_LIMIT)
            for place in late:
                place.cancel()

    async def remove_jail(self, jail: str) -> None:
        """End *jail*."""
        await self._reloader.remove_jail(jail)

    async def set_idle(self, jail: str, *, is_idle: bool) -> None:
        """Leave the logs of *jail* unread, or read on."""
        await self._protection.set_idle(jail, is_idle=is_idle)

    async def change_server(self, settings: ServerSettings) -> None:
        """Follow *settings*, as far as a running server can.

        Raises:
            ConfigError: The log cannot be written there.
            RequestError: An option that changed waits for the next start.

        """
        old = self.server()
        for option in ServerSettings.__struct_fields__:
            is_new = getattr(old, option) != getattr(settings, option)
            if is_new and option not in LIVE_SERVER_OPTIONS:
                raise RequestError(
                    f"{option} cannot change while the server runs",
                    cure="set it in the configuration, and restart the server",
                )
        if settings.logtarget != old.logtarget:
            target = await asyncio.to_thread(open_target, settings.logtarget)
            target.close()
        await self._reloader.change_server(settings)

    async def reload(self, wish: ReloadWish) -> ReloadReport:
        """Read the configuration and follow it."""
        return await self._operations.reload(wish)

    async def flush_logs(self) -> str:
        """Open the log anew, where it is a file."""
        self._log.reopen()
        word = self.server().logtarget.partition("[")[0].strip().upper()
        return "flushed" if word in STREAMS else "rolled over"

    async def stop(self) -> None:
        """Ask the server to stop."""
        await self._operations.stop()


def _failure(jail: str, subject: Subject, line: str, now: Instant) -> Failure:
    evidence = (Evidence(line[:EVIDENCE_LIMIT_CHARACTERS], at=now),) if line else ()
    return Failure(jail, subject, now, details=KnownDetails(evidence=evidence))
