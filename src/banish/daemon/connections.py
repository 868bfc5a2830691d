"""Has connections of newly banned peers cut, in jails that want it; never in the way of a ban.

It gets what the firewall has carried out and works in a task of its own: whatever waits is
cut together. A kernel that cannot do so is reported once.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from banish.enforce.connections import BannedPeer, kill_connections
from banish.errors import EnforceError
from banish.model.decision import Decision, StartBan
from banish.model.settings import JailSettings, PortRange
from banish.telemetry.events import ConnectionsKilled, Emit, WarningGiven

WAITING_LIMIT = 10_000
"""Bans that wait to have their connections cut; more are left to the firewall alone."""

Cut = Callable[[Sequence[BannedPeer]], Mapping[BannedPeer, int]]


class ConnectionKiller:
    """Cuts the connections of those whose ban starts; `run` is its task."""

    def __init__(
        self,
        jails: Sequence[JailSettings] = (),
        *,
        emit: Emit,
        cut: Cut = kill_connections,
        is_on: bool = True,
    ) -> None:
        """Serve *jails*, unless *is_on* is False: then nothing is ever cut."""
        self._emit = emit
        self._cut = cut
        self._is_on = is_on
        self._ports: dict[str, tuple[PortRange, ...]] = {}
        self.follow(jails)
        self._waiting: list[BannedPeer] = []
        self._has_news = asyncio.Event()
        self._is_reported = False
        self.left_total = 0
        """Bans that found no room."""

    def follow(self, jails: Sequence[JailSettings]) -> None:
        """Serve *jails* from now on, those that want it."""
        self._ports = {
            jail.name: jail.enforcement.ports if jail.enforcement is not None else ()
            for jail in jails
            if jail.cutconnections and self._is_on
        }

    def act(self, decisions: Sequence[Decision]) -> None:
        """Take note of what the firewall has taken; never waits."""
        for decision in decisions:
            if not isinstance(decision, StartBan) or decision.restored:
                continue
            ban = decision.ban
            ports = self._ports.get(ban.jail)
            if ports is None or not ban.subject.is_enforceable:
                continue
            if len(self._waiting) >= WAITING_LIMIT:
                self.left_total += 1
                continue
            self._waiting.append(BannedPeer(ban.jail, ban.subject, ports))
            self._has_news.set()

    async def run(self) -> None:
        """Cut for ever."""
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            targets, self._waiting = self._waiting, []
            await self._cut_all(targets)

    async def _cut_all(self, targets: Sequence[BannedPeer]) -> None:
        try:
            counts = await asyncio.to_thread(self._cut, targets)
        except EnforceError as error:
            if not self._is_reported:
                self._is_reported = True
                self._emit(WarningGiven(part="connections", what=str(error)))
            return
        self._is_reported &= not counts
        for target, count in counts.items():
            self._emit(ConnectionsKilled(jail=target.jail, subject=target.subject, count=count))
