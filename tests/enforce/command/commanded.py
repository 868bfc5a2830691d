"""Lets actions of commands stand in for a firewall, as far as commands can.

Commands cannot say what a firewall holds, so whoever tests gives a way to look.
They know no transaction: a batch that fails half way stays so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from banish.enforce.command import shell
from banish.enforce.command.action import ShellAction
from banish.enforce.fold import FirewallContents, fold, fold_bans
from banish.errors import ActionError, EnforceError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant
from banish.model.settings import ActionSettings, Enforcement

Look = Callable[[str], frozenset[Subject] | None]
"""Tells whom a jail's commands keep out; None if what they set up is gone."""


class NoFacts:
    """What our own firewall actions have no need of."""

    async def host_of(self, address: Subject) -> str:
        return ""

    async def past(self, subject: Subject, jail: str | None) -> tuple[Ban, ...]:
        return ()

    def counts(self, jail: str) -> tuple[int, int, int, int]:
        return (0, 0, 0, 0)

    async def names(self) -> tuple[str, str]:
        return ("", "")


class CommandedFirewall:
    """Actions of commands as `banish.ports.Enforcer`."""

    def __init__(self, settings: Callable[[Enforcement], ActionSettings], look: Look) -> None:
        self._settings = settings
        self._look = look
        self._now = Instant(0)
        self._actions: dict[str, ShellAction] = {}

    @property
    def name(self) -> str:
        return "commands"

    @property
    def changed_by(self) -> str:
        return ""

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        self._now = now
        await self.stop(keep=False)
        self._actions = {jail.jail: self._action(jail) for jail in jails}
        for action in self._actions.values():
            await self._do(action.start())
        wanted = fold_bans(bans, self._actions, now)
        for ban in bans:
            if ban.subject in wanted.get(ban.jail, ()):
                await self._do(self._actions[ban.jail].ban(ban))

    def _action(self, jail: Enforcement) -> ShellAction:
        return ShellAction(
            jail.jail,
            self._settings(jail),
            run=shell.run,
            facts=NoFacts(),
            clock=lambda: self._now,
        )

    async def change(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> bool:
        await self.start(jails, bans, now)
        return True

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        self._now = now
        for jail, state in fold(batch, self._actions, now).items():
            action = self._actions[jail]
            for subject in state.free:
                await self._do(action.unban(Ban(jail, subject, now, now)))
            for subject, until in state.banned.items():
                ban = Ban(jail, subject, now, until)
                known = subject in action.held
                await self._do(action.reban(ban) if known else action.ban(ban))
                while action.needs_rebans:
                    action.needs_rebans = False
                    for held in list(action.held.values()):
                        await self._do(action.reban(held))

    async def read(self) -> FirewallContents:
        found = {jail: self._look(jail) for jail in self._actions}
        gone = [jail for jail, subjects in found.items() if subjects is None]
        return FirewallContents(
            {jail: subjects or frozenset() for jail, subjects in found.items()},
            # What no ban has needed yet need not be there.
            bool(found) and not any(self._actions[jail].held for jail in gone),
        )

    async def wait_for_foreign_change(self) -> None:
        while True:
            wanted: Mapping[str, frozenset[Subject]] = {
                jail: frozenset(action.held) for jail, action in self._actions.items()
            }
            if any((self._look(jail) or set()) != bans for jail, bans in wanted.items()):
                return
            await asyncio.sleep(0.02)

    async def stop(self, *, keep: bool) -> None:
        if keep:
            return
        actions, self._actions = self._actions, {}
        for action in actions.values():
            try:
                if not await action.flush():
                    for ban in list(action.held.values()):
                        await action.unban(ban)
                await action.stop()
            except ActionError:
                continue  # somebody else has taken it away before

    @staticmethod
    async def _do(work: Awaitable[None]) -> None:
        try:
            await work
        except ActionError as error:
            raise EnforceError(str(error)) from error
