"""An enforcer that only remembers: for ``--dry-run`` and for tests.

It keeps every promise of `banish.ports.Enforcer` and passes the same contract
suite as the real ones. Tests can make it fail and can play the stranger who
meddles with the firewall.
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
        self._failures: list[EnforceError] = []
        self._meddled = asyncio.Event()
        self.starts = 0
        """How often `start` succeeded."""
        self.batches = 0
        """How often `apply` succeeded."""

    @property
    def name(self) -> str:
        """What status and logs call it."""
        return self._name

    @property
    def changed_by(self) -> str:
        """Nobody knows who meddled."""
        return ""

    @property
    def bans(self) -> dict[str, dict[Subject, Instant | None]]:
        """When each ban ends, by jail and subject; a copy."""
        return {jail: dict(bans) for jail, bans in self._bans.items()}

    def fail_next(self, error: EnforceError | None = None, *, times: int = 1) -> None:
        """Let the next calls fail, changing nothing."""
        self._failures += [error or EnforceError("asked to fail")] * times

    def meddle(self, *, jail: str | None = None, subject: Subject | None = None) -> None:
        """Do as a stranger would: lift one ban, all of a jail, or take everything away."""
        if jail is None:
            self._bans = {name: {} for name in self._bans}
            self._is_whole = False
        elif subject is None:
            self._bans[jail] = {}
        else:
            self._bans[jail].pop(subject, None)
        self._meddled.set()

    def slip_in(self, jail: str, subject: Subject) -> None:
        """Do as a stranger would: ban somebody whom nobody has decided on."""
        self._bans[jail][subject] = None
        self._meddled.set()

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*."""
        self._fail_if_asked()
        names = {enforcement.jail for enforcement in jails}
        held = fold_bans(bans, names, now)
        self._bans = {enforcement.jail: held.get(enforcement.jail, {}) for enforcement in jails}
        self._is_whole = True
        self.starts += 1

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*, all of it or none."""
        self._fail_if_asked()
        states = fold(batch, self._bans, now)
        if states and not self._is_whole:
            raise EnforceError("memory: its bans were lost", cure="it is rebuilt")
        for jail, state in states.items():
            for subject in state.free:
                self._bans[jail].pop(subject, None)
            self._bans[jail].update(state.banned)
        self.batches += 1

    async def read(self) -> FirewallContents:
        """Return what is held."""
        self._fail_if_asked()
        return FirewallContents(
            {jail: frozenset(bans) for jail, bans in self._bans.items()}, is_whole=self._is_whole
        )

    async def wait_for_foreign_change(self) -> None:
        """Return once `meddle` was called; without it never."""
        await self._meddled.wait()
        self._meddled.clear()

    async def stop(self, *, keep: bool) -> None:
        """Forget everything, or with *keep* nothing."""
        if not keep:
            self._bans = {}
            self._is_whole = False

    def _fail_if_asked(self) -> None:
        if self._failures:
            raise self._failures.pop(0)
