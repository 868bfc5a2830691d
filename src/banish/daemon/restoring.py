"""What an earlier run remembered comes back: bans first, then failures, then counts of bans.

Each a slice at a time, so that signals and requests are answered meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from banish.daemon.enforcing import EnforcementTask
from banish.daemon.jails import Jails
from banish.daemon.pipeline import Pipeline
from banish.daemon.startup import Startup
from banish.errors import StoreError
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import JailMemory, Memory
from banish.telemetry.events import Emit, WarningGiven

BANS_AT_ONCE = 2_000
"""Bans that are put back between two looks at signals and requests: some 10 ms."""

PLACES_LIMIT = Seconds(20)
"""How long the start waits for logs to be opened; a dead network disk is not waited for."""

RECOUNT_LIMIT = 10_000
"""Bans of the ledger that a jail with ``backend = ledger`` counts at its first start."""


class Restoring:
    """Puts back into *jails* what the database of *enforcing* holds; *starting* says how far."""

    def __init__(
        self,
        jails: Jails,
        enforcing: EnforcementTask,
        starting: Startup,
        *,
        emit: Emit,
        clock: Callable[[], Instant],
    ) -> None:
        self._jails = jails
        self._enforcing = enforcing
        self._starting = starting
        self._emit = emit
        self._clock = clock
        self._known: set[str] = set()
        """The jails that ran here before."""

    async def bans(self, memory: Memory) -> None:
        """Put totals and bans of *memory* back."""
        for jail, kept in memory.jails.items():
            totals = msgspec.structs.replace(kept, bans=())
            self._jails.restore_part({jail: totals}, self._clock())
            for start in range(0, len(kept.bans), BANS_AT_ONCE):
                part = kept.bans[start : start + BANS_AT_ONCE]
                self._jails.restore_part({jail: JailMemory(bans=part)}, self._clock())
                await asyncio.sleep(0)

    async def windows(self, memory: Memory) -> None:
        """Put failures and past bans back.

        Should the database fail meanwhile, the rest is forgotten, and protection begins.
        """
        self._known, done = set(memory.jails), 0
        self._starting.begin("restoring failures from before the restart")
        try:
            async for part in self._enforcing.windows():
                self._jails.restore_part(part.jails, self._clock())
                self._known |= part.jails.keys()
                done += part.rows
                if part.of:
                    self._starting.begin(
                        f"restoring failures from before the restart: {done:,} of {part.of:,} "
                        "subjects"
                    )
        except StoreError as error:
            what = (
                f"failures from before the restart are counted only in part ({done:,} "
                f"subjects): {error}"
            )
            self._emit(WarningGiven(part="database", what=what))
        self._jails.restore_part({}, self._clock(), more=False)

    async def recount(self) -> None:
        """Let jails that count bans, and never ran here before, count those of the ledger."""
        new = [jail for jail in self._jails.counting if jail not in self._known]
        if not new or self._enforcing.store is None:
            return
        try:
            history = await self._enforcing.history(limit=RECOUNT_LIMIT)
        except StoreError as error:
            self._emit(WarningGiven(part="database", what=f"past bans are not counted: {error}"))
            return
        for jail in new:
            await self._enforcing.put(self._jails.recount(jail, history[::-1], self._clock()))


async def wait_for_places(pipelines: Sequence[Pipeline], *, emit: Emit) -> None:
    """Return once every log that is there is open at its place, or `PLACES_LIMIT` is over."""
    waiting = {
        asyncio.ensure_future(pipeline.source.placed()): pipeline.source.name
        for pipeline in pipelines
    }
    try:
        if waiting:
            await asyncio.wait(waiting, timeout=PLACES_LIMIT)
        late = [name for place, name in waiting.items() if not place.done()]
    finally:
        for place in waiting:
            place.cancel()
    for name in late:
        what = f"not open after {PLACES_LIMIT:g} s; the server continues without it until it is"
        emit(WarningGiven(part=name, what=what))
