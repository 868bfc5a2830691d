"""A server without jails' logs or a firewall: operations in memory, and a socket to ask them.

Bans are kept as a real server keeps them, so clients and the command line can
be tried against it. The clock stands still.
"""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from banish.control.server import ControlServer
from banish.errors import BanishError, RequestError
from banish.model.actionresult import ActionResult
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.status import EnforcementStatus, JailStatus, ServerStatus
from banish.policy.networks import NetworkTable
from banish.ports import Subscription
from banish.telemetry.emitter import Emitter
from banish.telemetry.events import Event
from banish.telemetry.stream import EventStream

TEN_MINUTES = Seconds(600)

NOON = Instant(1_700_000_000.0)
"""2023-11-14T22:13:20+00:00: what time it is here, always."""


class MemoryOperations:
    """An `Operations` over plain lists."""

    def __init__(
        self, jails: Sequence[str] = ("sshd",), bantime: Seconds | None = TEN_MINUTES
    ) -> None:
        self.jails = tuple(jails)
        self.bantime = bantime
        self.in_force: dict[tuple[str, Subject], Ban] = {}
        self.past: list[Ban] = []
        self.done: list[ActionResult] = []
        self.resumed: list[str] = []
        self.allowed: list[tuple[str | None, Subject]] = []
        self.stops = 0
        self.wishes: list[ReloadWish] = []
        self.report = ReloadReport()
        """What `reload` returns."""
        self.confirmations = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        """What serves, in a thread of its own, while `serving`."""
        self.emitter = Emitter(clock=lambda: NOON)
        self.stream = EventStream(self.emitter, clock=lambda: NOON)
        self.trouble: BanishError | None = None
        """Raised by every operation, where it is set."""
        self.answer: ServerStatus | None = None
        """What `status` returns, where it is set."""

    def _check(self, jail: str | None) -> None:
        if self.trouble is not None:
            raise self.trouble
        if jail is not None and jail not in self.jails:
            raise RequestError(
                f"the jail '{jail}' does not exist",
                cure="running jails: " + ", ".join(sorted(self.jails)),
            )

    async def status(self) -> ServerStatus:
        """Return a status that agrees with the bans."""
        self._check(None)
        if self.answer is not None:
            return self.answer
        jails = tuple(
            JailStatus(
                name,
                filter=name,
                banned_now=sum(jail == name for jail, _ in self.in_force),
                bans_total=sum(ban.jail == name for ban in [*self.in_force.values(), *self.past]),
            )
            for name in self.jails
        )
        held = len(self.in_force)
        return ServerStatus(
            version="0",
            pid=1,
            started_at=Instant(NOON - 3_600),
            now=NOON,
            root="built-in",
            dry_run=False,
            jails=jails,
            sources=(),
            enforcement=EnforcementStatus("memory", held, held, NOON),
            store=":memory:",
        )

    async def bans(self, jail: str | None) -> Sequence[Ban]:
        """Return the bans in force, oldest first."""
        self._check(jail)
        return [ban for ban in self.in_force.values() if jail in (None, ban.jail)]

    async def ban(
        self, jail: str, subjects: Sequence[Subject], lasts: Seconds | None
    ) -> Sequence[Ban]:
        """Ban what is not banned yet."""
        self._check(jail)
        span = self.bantime if lasts is None else lasts
        until = None if span is None or span < 0 else Instant(NOON + span)
        fresh: list[Ban] = []
        for subject in subjects:
            if not subject.is_enforceable:
                raise RequestError(f'"{subject}" is not an address', cure="write an address")
            if (jail, subject) not in self.in_force:
                ban = Ban(jail, subject, since=NOON, until=until, cause="operator")
                self.in_force[jail, subject] = ban
                fresh.append(ban)
        return fresh

    async def unban(self, subjects: Sequence[Subject] | None, jail: str | None) -> Sequence[Ban]:
        """End what is banned."""
        self._check(jail)
        ended = [
            ban
            for ban in self.in_force.values()
            if (subjects is None or ban.subject in subjects) and jail in (None, ban.jail)
        ]
        for ban in ended:
            del self.in_force[ban.jail, ban.subject]
            self.past.append(msgspec.structs.replace(ban, ended_at=NOON, end_reason="operator"))
        return ended

    async def allow(self, subjects: Sequence[Subject], jail: str | None) -> Sequence[Ban]:
        """Keep in mind who is exempt, and end their bans."""
        self._check(jail)
        self.allowed += [(jail, subject) for subject in subjects]
        return await self.unban(subjects, jail)

    async def why(self, subject: Subject) -> Sequence[Ban]:
        """Return the bans of *subject*, newest first; in force, those of networks around it too."""
        self._check(None)
        held = [ban for ban in reversed(self.in_force.values()) if _covers(ban.subject, subject)]
        return held + [ban for ban in reversed(self.past) if ban.subject == subject]

    async def action_results(self, subject: Subject) -> Sequence[ActionResult]:
        """Return those of `done` that are about *subject*."""
        self._check(None)
        return [result for result in self.done if result.subject == subject]

    async def resume(self, jail: str) -> None:
        """Keep *jail* in mind; a second time it holds no bans back."""
        self._check(jail)
        if jail in self.resumed:
            raise RequestError(f"jail {jail} holds no bans back")
        self.resumed.append(jail)

    async def reload(self, wish: ReloadWish) -> ReloadReport:
        """Keep *wish* in mind, and return `report`."""
        self._check(wish.jail)
        self.wishes.append(wish)
        return self.report

    async def confirm(self) -> None:
        """Keep in mind that somebody confirmed."""
        self._check(None)
        self.confirmations += 1

    def subscribe(self, since: int | None, kinds: Sequence[str]) -> Subscription:
        """Return a subscription to `emitter`."""
        self._check(None)
        return self.stream.subscribe(since, kinds)

    async def stop(self) -> None:
        """Count that somebody asked."""
        self._check(None)
        self.stops += 1


def _covers(one: Subject, other: Subject) -> bool:
    around: NetworkTable[Subject] = NetworkTable()
    if one.is_network:
        around.put(one, one)
    return one == other or around.around(other) is not None


@contextmanager
def serving(path: Path, operations: MemoryOperations) -> Iterator[list[Event]]:
    """Serve *operations* at *path* from a thread of its own; yield what it tells."""
    emitted: list[Event] = []
    ready, done = threading.Event(), asyncio.Event()
    loop = operations.loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = ControlServer(path, operations, emitted.append)
        try:
            await server.start()
        finally:
            ready.set()
        await done.wait()
        await server.close()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield emitted
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
        loop.close()
