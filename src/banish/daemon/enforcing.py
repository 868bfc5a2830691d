"""Carries decisions out in their order: firewall, then ledger, then position.

One task owns the firewall and the store, so nothing is done out of turn. What
waits in the queue is taken together: a burst of a thousand bans is one batch
for the kernel and one transaction for the database.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import msgspec

from banish.daemon.firewall import READ_BACK_PAUSE, Firewall
from banish.daemon.recorder import WRITE_PAUSE, Recorder
from banish.daemon.whilebanned import WhileBanned, in_order
from banish.errors import EnforceError
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Seconds
from banish.model.settings import Enforcement
from banish.model.snapshot import Commit, Memory, Slice
from banish.model.status import EnforcementStatus
from banish.ports import Clock, Enforcer, Store
from banish.telemetry.events import Emit

QUEUE_LIMIT = 256
"""Steps that may wait; a full queue makes the sources wait."""

TALLIES_LIMIT = 10_000
"""Changed windows that steps which wait may hold, some 10 MB of memory; one step may hold more.

Twice as many let the bans of other sources wait twice as long behind the
ledger, and make who floods no faster.
"""


LOOK_WAIT = Seconds(2)
"""How long somebody who asks how the firewall is waits for it to be read."""


class Step(msgspec.Struct):
    """One commit on its way, and whom to tell when it is carried out."""

    commit: Commit
    done: asyncio.Future[None] | None = None
    looks: bool = False
    """Whether the firewall is to be read back then."""
    jails: "JailsChange | None" = None
    """Jails that the firewall is to serve from then on."""


class JailsChange(msgspec.Struct, frozen=True):
    """Other jails for the firewall to serve."""

    jails: tuple[Enforcement, ...]
    ended: frozenset[str] = frozenset()
    """Jails that are no more, and whose bans are no longer in force."""
    bans: tuple[Ban, ...] = ()
    """Bans of an earlier time that are in force again."""


class EnforcementTask:
    """Owns firewall and record; `run` is its task."""

    def __init__(
        self,
        enforcer: Enforcer,
        open_store: Callable[[], Awaitable[Store]],
        *,
        emit: Emit,
        clock: Clock,
        on_memory: Callable[[Memory], Commit],
        on_done: Callable[[Sequence[Decision]], None] = lambda _decisions: None,
    ) -> None:
        """Prepare; nothing is touched before `begin`.

        *open_store* opens the database again when it could not be used at the
        start; *on_memory* then gets what is in it and returns the step that puts it back.
        *on_done* gets all that the firewall has taken, and never waits.
        """
        self._firewall = Firewall(enforcer, emit=emit, clock=clock, on_done=on_done)
        self._while_banned = WhileBanned(self._firewall.is_reported, emit=emit)

        async def take_back(memory: Memory) -> None:
            await self._carry_out([Step(on_memory(memory))])

        self._recording = Recorder(open_store, emit=emit, clock=clock, on_memory=take_back)
        self._clock = clock
        self._queue: asyncio.Queue[Step] = asyncio.Queue()
        self._tallies = 0
        """Changed windows in the queue."""
        self._has_room = asyncio.Event()
        self._is_running = False

    # -- the beginning and the end ------------------------------------------------

    def use_store(self, store: Store | None, trouble: str = "") -> None:
        """Write to *store* from now on; without one, *trouble* says why there is none."""
        self._recording.store = store
        self._recording.trouble = trouble

    async def open(self) -> Memory:
        """Open the database and return the bans in it; see `Recorder.begin`."""
        return await self._recording.begin()

    def windows(self) -> AsyncGenerator[Slice]:
        """Yield past bans and failures of before; see `Recorder.windows`."""
        return self._recording.windows()

    async def history(self, *, limit: int) -> Sequence[Ban]:
        """Return the newest bans, newest first; see `Recorder.history`."""
        return await self._recording.history(limit=limit)

    async def begin(self, jails: Sequence[Enforcement], bans: Sequence[Ban]) -> None:
        """Put the bans of an earlier run back into the firewall, in one step.

        An error that may pass is trouble, and the firewall is tried again by `run`.

        Raises:
            EnforceError: The firewall cannot be used.

        """
        try:
            await self._firewall.begin(jails, bans)
        except EnforceError as error:
            if not error.retry:
                raise
            self._firewall.note_trouble(error)

    async def finish(
        self, *, keep: bool, last: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        """Carry out what still waits, write it, and leave the firewall in order.

        *last* is what else is to be done before the database is closed.
        """
        await self._carry_out(self._take_waiting())
        await self._recording.write()
        try:
            await self._firewall.stop(keep=keep)
        finally:
            try:
                if last is not None:
                    await last()
            finally:
                await self._recording.close()

    # -- what others ask ----------------------------------------------------------

    @property
    def store(self) -> Store | None:
        """The store, if one is open."""
        return self._recording.store

    @property
    def store_trouble(self) -> str:
        """Why the database cannot be used at the moment, and the cure."""
        return self._recording.trouble

    def firewall_status(self) -> EnforcementStatus:
        """Return what we want the firewall to hold and what it held when read last."""
        return self._firewall.status()

    async def look(self) -> None:
        """Have the firewall read back and repaired now, so that `firewall_status` says how it is.

        Returns at once where a reading takes long, and after `LOOK_WAIT` at the latest.
        """
        if not self._is_running or self._firewall.is_dear:
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(Step(Commit(at=self._clock()), done, looks=True))
        await asyncio.wait({done}, timeout=LOOK_WAIT)

    async def put(self, commit: Commit) -> None:
        """Queue a step, then wait while the queue is full.

        The step is taken before anything waits: whoever is cancelled meanwhile
        has lost nothing.
        """
        self._queue.put_nowait(Step(commit))
        self._tallies += sum(len(change.tallies) for change in commit.changes)
        while self._queue.qsize() > QUEUE_LIMIT or self._tallies > TALLIES_LIMIT:
            self._has_room.clear()
            await self._has_room.wait()

    async def carry_out(self, commit: Commit) -> None:
        """Queue a step and wait until the firewall has taken it.

        Raises:
            EnforceError: It has not; the decisions stay wanted and are tried again.

        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(Step(commit, done))
        await done

    async def change_jails(self, change: JailsChange) -> None:
        """Have the firewall serve other jails, after all that was queued before.

        Returns once it does, or is in trouble, which `firewall_status` tells.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(Step(Commit(at=self._clock()), done, jails=change))
        await done

    # -- the tasks ----------------------------------------------------------------

    async def run(self) -> None:
        """Carry steps out for ever."""
        self._is_running = True
        while True:
            await self._carry_out(await self._next_steps())
            await self._firewall.look_after()
            self._while_banned.release()
            if self._recording.is_due:
                await self._recording.write()

    async def watch(self) -> None:
        """Have the firewall looked at whenever somebody else may have changed it."""
        while True:
            await self._firewall.wait_for_doubt()
            if self._queue.empty():  # else `run` is on its way
                self._queue.put_nowait(Step(Commit(at=self._clock())))

    async def _next_steps(self) -> list[Step]:
        if self._queue.empty():
            is_idle = not self._recording.is_waiting and not self._firewall.trouble
            pause = READ_BACK_PAUSE if is_idle else WRITE_PAUSE
            pause = min(pause, self._firewall.due_in, Seconds(max(self._recording.due_in, 0)))
            try:
                async with asyncio.timeout(pause):
                    first = await self._queue.get()
            except TimeoutError:
                return []
            return [first, *self._take_waiting()]
        return self._take_waiting()

    def _take_waiting(self) -> list[Step]:
        steps = []
        while not self._queue.empty():
            steps.append(self._queue.get_nowait())
        self._tallies = 0
        self._has_room.set()
        return steps

    async def _carry_out(self, steps: Sequence[Step]) -> None:
        for _, run in itertools.groupby(steps, key=lambda step: step.jails is not None):
            together = list(run)
            if together[0].jails is None:
                await self._carry_out_commits(together)
                continue
            for step in together:
                await self._change_jails(step)

    async def _change_jails(self, step: Step) -> None:
        change = step.jails
        assert change is not None
        await self._firewall.change(change.jails, change.ended, change.bans)
        if step.done is not None and not step.done.done():
            step.done.set_result(None)

    async def _carry_out_commits(self, steps: Sequence[Step]) -> None:
        rest = iter(steps)
        for group in in_order(step.commit for step in steps):
            await self._carry_out_at_once(list(itertools.islice(rest, len(group))))

    async def _carry_out_at_once(self, steps: Sequence[Step]) -> None:
        error = await self._firewall.apply(
            [decision for step in steps for decision in step.commit.decisions]
        )
        self._while_banned.release()
        for step in steps:
            self._while_banned.report(step.commit.while_banned)
        self._recording.add(
            [msgspec.structs.replace(step.commit, while_banned=()) for step in steps],
            at_once=any(step.done is not None for step in steps),
        )
        if any(step.looks for step in steps):
            await self._firewall.look()
        for step in steps:
            if step.done is None or step.done.done():
                continue
            if error is None or not step.commit.decisions:
                step.done.set_result(None)
            else:
                step.done.set_exception(error)
