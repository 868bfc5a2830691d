"""A firewall in memory that a test can make fail, and can change as another program would."""

import asyncio
from collections.abc import Sequence

from banish.enforce.fold import FirewallContents
from banish.enforce.memory import MemoryEnforcer
from banish.errors import EnforceError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant
from banish.model.settings import Enforcement


class ScriptedEnforcer(MemoryEnforcer):
    """A `MemoryEnforcer` that does what a test asks for; passes the same contract suite."""

    def __init__(self, name: str = "memory") -> None:
        """Hold nothing, for no jail."""
        super().__init__(name)
        self._failures: list[EnforceError] = []
        self._changed = asyncio.Event()
        self.starts = 0
        """How often `start` succeeded."""
        self.batches = 0
        """How often `apply` succeeded."""

    def fail_next(self, error: EnforceError | None = None, *, times: int = 1) -> None:
        """Let the next calls fail, changing nothing."""
        self._failures += [error or EnforceError("asked to fail")] * times

    def meddle(self, *, jail: str | None = None, subject: Subject | None = None) -> None:
        """Do as another program might: lift one ban, all of a jail, or delete everything."""
        if jail is None:
            self._bans = {name: {} for name in self._bans}
            self._is_whole = False
        elif subject is None:
            self._bans[jail] = {}
        else:
            self._bans[jail].pop(subject, None)
        self._changed.set()

    def slip_in(self, jail: str, subject: Subject) -> None:
        """Do as another program might: ban a subject that nobody has decided on."""
        self._bans[jail][subject] = None
        self._changed.set()

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*."""
        self._fail_if_asked()
        await super().start(jails, bans, now)
        self.starts += 1

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*, all of it or none."""
        self._fail_if_asked()
        await super().apply(batch, now)
        self.batches += 1

    async def read(self) -> FirewallContents:
        """Return what is held."""
        self._fail_if_asked()
        return await super().read()

    async def wait_for_foreign_change(self) -> None:
        """Return once `meddle` or `slip_in` was called; without it never."""
        await self._changed.wait()
        self._changed.clear()

    def _fail_if_asked(self) -> None:
        if self._failures:
            raise self._failures.pop(0)
