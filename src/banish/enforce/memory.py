"""An enforcer that only remembers, for ``--dry-run``.

It keeps every promise of `banish.ports.Enforcer` and passes the same contract
suite as the real ones.
"""

import asyncio
from collections.abc import Sequence

from banish.enforce.fold import FirewallContents, fold, fold_bans
from banish.errors import EnforceError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant
from banish.model.settings import Enforcement


class MemoryEnforcer:
    """Bans in a dictionary (`banish.ports.Enforcer`)."""

    def __init__(self, name: str = "memory") -> None:
        """Hold nothing, for no jail."""
        self._name = name
        self._bans: dict[str, dict[Subject, Instant | None]] = {}
        self._is_whole = False

    @property
    def name(self) -> str:
        """What status and logs call it."""
        return self._name

    @property
    def changed_by(self) -> str:
        """Nobody: no other program can change it."""
        return ""

    @property
    def bans(self) -> dict[str, dict[Subject, Instant | None]]:
        """When each ban ends, by jail and subject; a copy."""
        return {jail: dict(bans) for jail, bans in self._bans.items()}

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*."""
        names = {enforcement.jail for enforcement in jails}
        held = fold_bans(bans, names, now)
        self._bans = {enforcement.jail: held.get(enforcement.jail, {}) for enforcement in jails}
        self._is_whole = True

    async def change(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> bool:
        """Hold exactly *bans* for exactly *jails*; all are put there anew."""
        await self.start(jails, bans, now)
        return True

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*, all of it or none."""
        states = fold(batch, self._bans, now)
        if states and not self._is_whole:
            raise EnforceError("memory: its bans were lost", cure="it is rebuilt")
        for jail, state in states.items():
            for subject in state.free:
                self._bans[jail].pop(subject, None)
            self._bans[jail].update(state.banned)

    async def read(self) -> FirewallContents:
        """Return what is held."""
        return FirewallContents(
            {jail: frozenset(bans) for jail, bans in self._bans.items()}, is_whole=self._is_whole
        )

    async def wait_for_foreign_change(self) -> None:
        """Wait for ever: no other program can change it."""
        await asyncio.Event().wait()

    async def stop(self, *, keep: bool) -> None:
        """Forget everything, or with *keep* nothing."""
        if not keep:
            self._bans = {}
            self._is_whole = False
