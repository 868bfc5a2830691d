"""Lets an enforcer that waits for programs or disks do so in a thread of its own.

The event loop never waits with it, and what it is asked for is done one by one,
in the order of asking. Where nobody tells of foreign changes, it is asked for
them now and then.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from banish.enforce.fold import FirewallContents
from banish.enforce.halt import Halting
from banish.errors import EnforceError
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement

LOOK_PAUSE = Seconds(2)
"""How long after one look for foreign changes the next one comes."""

LOOK_SHARE = 50
"""The pause is at least this many times what the last look took: 2 % of the time at most."""

Result = TypeVar("Result")


class BlockingEnforcer(Protocol):
    """What `banish.ports.Enforcer` promises, by calls that return when they are done."""

    @property
    def name(self) -> str:
        """What status and logs call it."""
        ...

    def replace(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*; raises EnforceError."""
        ...

    def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*; raises EnforceError."""
        ...

    def read(self) -> FirewallContents:
        """Return what is really held; raises EnforceError."""
        ...

    def has_foreign_change(self) -> bool:
        """Whether something else is held than was asked for; raises EnforceError."""
        ...

    def remove(self) -> None:
        """Take away all that is ours; raises EnforceError."""
        ...


class ThreadedEnforcer:
    """An enforcer in a thread of its own (`banish.ports.Enforcer`)."""

    def __init__(
        self,
        enforcer: BlockingEnforcer,
        *,
        pause: Seconds = LOOK_PAUSE,
        halting: Halting | None = None,
    ) -> None:
        """Prepare; nothing is touched before `start`. *pause*: see `LOOK_PAUSE`.

        *halting* ends what the enforcer is at, when whoever asked for it is cancelled.
        """
        self._enforcer = enforcer
        self._halting = halting or Halting()
        self._pause = pause
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="enforcer")

    @property
    def name(self) -> str:
        """What status and logs call it."""
        return self._enforcer.name

    @property
    def changed_by(self) -> str:
        """Nobody tells who changes chains and sets."""
        return ""

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*."""
        await self._in_thread(lambda: self._enforcer.replace(jails, bans, now), is_long=True)

    async def change(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> bool:
        """Hold exactly *bans* for exactly *jails*; all are put there anew."""
        await self.start(jails, bans, now)
        return True

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*."""
        if batch:
            await self._in_thread(lambda: self._enforcer.apply(batch, now))

    async def read(self) -> FirewallContents:
        """Return what is really held."""
        return await self._in_thread(self._enforcer.read, is_long=True)

    async def wait_for_foreign_change(self) -> None:
        """Return once something else is held than was asked for, or nobody can tell."""
        loop = asyncio.get_running_loop()
        pause: float = self._pause
        while True:
            await asyncio.sleep(pause)
            began = loop.time()
            try:
                if await self._in_thread(self._enforcer.has_foreign_change):
                    return
            except EnforceError:
                return  # whoever reads next learns why
            pause = max(self._pause, (loop.time() - began) * LOOK_SHARE)

    async def stop(self, *, keep: bool) -> None:
        """Take away all that is ours, or with *keep* leave the bans in force."""
        if not keep:
            await self._in_thread(self._enforcer.remove)

    async def _in_thread(self, work: Callable[[], Result], *, is_long: bool = False) -> Result:
        """Do *work* in the thread; if we are cancelled, it goes on, unless it *is_long*."""
        job = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            if not is_long:
                raise
            self._halting.begin()
            try:
                await asyncio.gather(job, return_exceptions=True)
            finally:
                self._halting.end()
            raise
