"""Writes what was done into the database, and keeps what cannot be written yet.

Steps that bring no decision (a block of harmless lines moved a position) are
written at most once a second; a crash then reads a second of log again, and
since window and position are one snapshot, counts nothing twice. For the same
reason decisions that follow each other fast are written four times a second: who
reads the lines again decides the same. What an operator wanted stands in no log,
so that is written at once. When the store fails, bans go on and the unwritten
steps are kept and tried again.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

import msgspec

from banish.errors import StoreError
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit, Memory, Slice, last_positions, merged_changes
from banish.ports import Clock, Store
from banish.telemetry.events import Emit, PartFailed, PartRecovered

WRITE_PAUSE = Seconds(1)
"""How long a step without decisions may stay unwritten."""

DECISIONS_PAUSE = Seconds(0.25)
"""How long a step with decisions may stay unwritten."""

TALLIES_LIMIT = 5_000
"""Changed windows that may wait for the pause to be over: some 3 MB of memory."""

RETRY_PAUSE = Seconds(5)
"""How long after a failure the store is tried again."""

UNWRITTEN_EVIDENCE_LIMIT = 10_000
"""Decisions that may wait for the database with their evidence; more wait without."""


PATIENCE = Seconds(0.5)
"""How long bans wait for a write; it then goes on beside them, and is looked at again."""

LOOK_PAUSE = Seconds(0.1)

HANG_LIMIT = Seconds(10)
"""A write that takes longer is trouble: a disk that hangs. SQLite waits 5 s for a lock."""

OPEN_LIMIT = Seconds(10)
"""How long the start waits for the database to be opened."""

READ_LIMIT = Seconds(30)
"""How long the start then waits for the bans in it: a million took 2.5 s where it was measured."""

SLICE_LIMIT = Seconds(20)
"""How long failures of before are waited for, each slice of them."""

CLOSE_LIMIT = Seconds(2)
"""How long a database that has hung is waited for at the end."""

HANGS_CURE = "bans continue, and are written once it answers; check its disk (dmesg)"


class Recorder:
    """Owns the store; used by one task."""

    def __init__(
        self,
        open_store: Callable[[], Awaitable[Store]],
        *,
        emit: Emit,
        clock: Clock,
        on_memory: Callable[[Memory], Awaitable[None]],
    ) -> None:
        """Prepare; nothing is opened yet.

        *open_store* opens the database again when it could not be used at the
        start; *on_memory* then gets what is in it.
        """
        self._open_store = open_store
        self._on_memory = on_memory
        self._emit = emit
        self._clock = clock
        self._unwritten: list[Commit] = []
        self._in_hand: list[Commit] = []
        """What is being written just now."""
        self._writing: asyncio.Future[None] | None = None
        self._writing_since = 0.0
        self._opening: asyncio.Future[tuple[Store, Memory, list[Slice]]] | None = None
        self._tallies = 0
        """Changed windows among the unwritten."""
        self._pause = WRITE_PAUSE
        """How long the unwritten may wait."""
        self._written_at = 0.0
        self._retry_at = 0.0
        self._is_hanging = False
        """Whether it has not answered when it was asked last."""
        self.store: Store | None = None
        """The store, if one is open."""
        self.trouble = ""
        """Why it cannot be used at the moment, and the cure."""

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to write."""
        return bool(self._unwritten or self._in_hand)

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        return self.due_in <= 0

    @property
    def due_in(self) -> Seconds:
        """How long until it is time to write; endless where nothing waits."""
        if self._opening is not None:
            return Seconds(0) if self._opening.done() else LOOK_PAUSE
        if self._writing is not None:
            is_late = self._has_hung or self._is_full
            return Seconds(0) if self._writing.done() or is_late else LOOK_PAUSE
        if not self._unwritten:
            return Seconds(math.inf)
        pause = Seconds(0) if self._tallies >= TALLIES_LIMIT else self._pause
        due = max(self._retry_at, self._written_at + pause)
        return Seconds(due - asyncio.get_running_loop().time())

    def add(self, commits: Sequence[Commit], *, at_once: bool = False) -> None:
        """Add what was done, in its order; empty steps are skipped.

        *at_once*: it is due now, for it cannot be found again in a log.
        """
        for commit in commits:
            if commit.decisions or commit.changes or commit.positions:
                self._unwritten.append(commit)
                self._tallies += sum(len(change.tallies) for change in commit.changes)
                if commit.decisions:
                    self._pause = min(self._pause, DECISIONS_PAUSE)
        if at_once:
            self._pause = Seconds(0)
        if self.trouble and len(self._unwritten) > UNWRITTEN_EVIDENCE_LIMIT:
            self._bound()

    async def begin(self) -> Memory:
        """Open the database and return the bans in it.

        Where that fails, or takes longer than `OPEN_LIMIT` and `READ_LIMIT`, nothing is
        returned; what is in it is taken up as soon as it answers.
        """
        opening = asyncio.ensure_future(self._open_store())
        reading = asyncio.ensure_future(self._read_bans(opening))
        try:
            await asyncio.wait({opening}, timeout=OPEN_LIMIT)
            if opening.done():
                await asyncio.wait({reading}, timeout=READ_LIMIT)
        except asyncio.CancelledError:
            reading.cancel()
            await asyncio.wait({reading}, timeout=CLOSE_LIMIT)
            raise
        if not reading.done():
            self._opening = asyncio.ensure_future(self._with_past(reading))
            self._note_hanging(READ_LIMIT if opening.done() else OPEN_LIMIT)
            return Memory()
        try:
            self.store, memory = reading.result()
        except StoreError as error:
            self._note_trouble(error)
            return Memory()
        return memory

    async def windows(self) -> AsyncGenerator[Slice]:
        """Yield past bans and failures of before; none where there is no database.

        Raises:
            StoreError: The database cannot be read, or hangs; what was yielded is good.

        """
        if self.store is None:
            return
        async with aclosing(self.store.windows(self._clock())) as slices:
            while True:
                try:
                    async with asyncio.timeout(SLICE_LIMIT):
                        part = await anext(slices, None)
                except TimeoutError as error:
                    raise _hanging(SLICE_LIMIT) from error
                if part is None:
                    return
                yield part

    async def history(self, *, limit: int) -> Sequence[Ban]:
        """Return the newest bans, newest first; none where there is no database.

        Raises:
            StoreError: The database cannot be read, or hangs.

        """
        if self.store is None:
            return ()
        try:
            async with asyncio.timeout(SLICE_LIMIT):
                return await self.store.history(limit=limit)
        except TimeoutError as error:
            raise _hanging(SLICE_LIMIT) from error

    async def write(self) -> None:
        """Write what waits, in one transaction; what cannot be written goes on waiting.

        A write that takes long goes on while bans are carried out.
        """
        if self._writing is None and not self._unwritten and self._opening is None:
            return
        if self.store is None and not await self._reopen():
            return
        if self._writing is None and not self._unwritten:
            return
        limit = HANG_LIMIT if self._is_full else PATIENCE if self._writing is None else Seconds(0)
        await self._write(limit)

    @property
    def _is_full(self) -> bool:
        """Whether whoever makes so many changes has to wait, since the disk answers still."""
        return self._tallies >= TALLIES_LIMIT and not self.trouble

    @property
    def _has_hung(self) -> bool:
        """Whether a write takes too long, and this is not known yet."""
        took = asyncio.get_running_loop().time() - self._writing_since
        return took >= HANG_LIMIT and not self.trouble

    async def close(self) -> None:
        """Write what waits and close the store; one that hangs is closed at once."""
        limit = CLOSE_LIMIT if self._is_hanging else HANG_LIMIT
        while self._writing is not None or self._unwritten:
            if self.store is None and not await self._reopen(limit):
                break
            if not await self._write(limit):
                break
        if self._opening is not None:
            self._opening.cancel()
        if self.store is not None and self._writing is None:
            await _close(self.store)

    async def _write(self, limit: Seconds) -> bool:
        """Write for up to *limit*; tell whether what was in hand then is written."""
        assert self.store is not None
        now = asyncio.get_running_loop().time
        if self._writing is None:
            self._in_hand, self._unwritten = self._unwritten, []
            self._tallies, self._pause = 0, WRITE_PAUSE
            self._writing = asyncio.ensure_future(self.store.commit(self._in_hand))
            self._writing_since = now()
        await asyncio.wait({self._writing}, timeout=limit)
        if not self._writing.done():
            if self._has_hung:
                self._note_hanging(HANG_LIMIT)
            return False
        writing, self._writing = self._writing, None
        commits, self._in_hand = self._in_hand, []
        try:
            writing.result()
        except StoreError as error:
            self._note_trouble(error)
            self._unwritten = [*commits, *self._unwritten]
            self._tallies = sum(
                len(change.tallies) for commit in self._unwritten for change in commit.changes
            )
            self._bound()
            return False
        self._written_at = now()
        self._note_well()
        return True

    def _bound(self) -> None:
        self._unwritten = without_evidence_past(self._unwritten, UNWRITTEN_EVIDENCE_LIMIT)

    async def _reopen(self, limit: Seconds = PATIENCE) -> bool:
        """Open the database for up to *limit*; tell whether it is open."""
        if self._opening is None:
            reading = asyncio.ensure_future(self._read_bans(self._open_store()))
            self._opening = asyncio.ensure_future(self._with_past(reading))
        elif limit == PATIENCE:
            limit = Seconds(0)
        await asyncio.wait({self._opening}, timeout=limit)
        if not self._opening.done():
            return False
        opening, self._opening = self._opening, None
        try:
            store, memory, past = opening.result()
        except StoreError as error:
            self._note_trouble(error)
            return False
        self.store = store
        await self._on_memory(memory)
        for part in past:
            await self._on_memory(Memory(part.jails))
        if not self._unwritten:  # else the next writing tells
            self._note_well()
        return True

    async def _read_bans(self, opening: Awaitable[Store]) -> tuple[Store, Memory]:
        store = await opening
        try:
            return store, await store.load_bans(self._clock())
        except BaseException:
            await _close(store)
            raise

    async def _with_past(
        self, reading: Awaitable[tuple[Store, Memory]]
    ) -> tuple[Store, Memory, list[Slice]]:
        store, memory = await reading
        try:
            return store, memory, await _past(store, self._clock())
        except BaseException:
            await _close(store)
            raise

    def _note_hanging(self, limit: Seconds) -> None:
        self._note_trouble(_hanging(limit))
        self._is_hanging = True

    def _note_well(self) -> None:
        self._is_hanging = False
        if self.trouble:
            self.trouble = ""
            self._emit(PartRecovered(part="database"))

    def _note_trouble(self, error: StoreError) -> None:
        if str(error) != self.trouble:
            self._emit(PartFailed(part="database", what=str(error)))
        self.trouble = str(error)
        self._is_hanging = False
        self._retry_at = asyncio.get_running_loop().time() + RETRY_PAUSE


def _hanging(limit: Seconds) -> StoreError:
    return StoreError(f"it has not answered for {limit:g} s", cure=HANGS_CURE)


async def _close(store: Store) -> None:
    """Close *store*; one that hangs is left as it is."""
    with contextlib.suppress(TimeoutError, StoreError):
        async with asyncio.timeout(CLOSE_LIMIT):
            await store.close()


async def _past(store: Store, now: Instant) -> list[Slice]:
    """Return the past bans; windows were built anew meanwhile."""
    found: list[Slice] = []
    async with aclosing(store.windows(now)) as slices:
        async for part in slices:
            if part.rows:
                break
            found.append(part)
    return found


def without_evidence_past(commits: list[Commit], limit: int) -> list[Commit]:
    """Return *commits* as one or more, evidence taken off all but the newest decisions."""
    if sum(len(commit.decisions) for commit in commits) <= limit and len(commits) <= limit:
        return commits
    kept: list[Commit] = []
    room = limit
    for commit in reversed(commits):
        room -= len(commit.decisions)
        if room < 0:
            bare = tuple(
                msgspec.structs.replace(
                    decision, ban=msgspec.structs.replace(decision.ban, evidence=())
                )
                for decision in commit.decisions
            )
            commit = msgspec.structs.replace(commit, decisions=bare)  # noqa: PLW2901
        kept.append(commit)
    kept.reverse()
    return [_merged(kept)] if len(kept) > limit else kept


def _merged(commits: Sequence[Commit]) -> Commit:
    """Return one commit that leaves what *commits* leave in order."""
    return Commit(
        at=commits[-1].at,
        decisions=tuple(decision for commit in commits for decision in commit.decisions),
        changes=merged_changes(commits),
        positions=last_positions(commits),
    )
