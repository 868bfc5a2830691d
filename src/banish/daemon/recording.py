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
import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import msgspec

from banish.errors import StoreError
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit, Memory, Slice, last_positions, merged_changes
from banish.ports import Clock, Store
from banish.telemetry.happenings import Emit, TroubleMet, TroubleOver

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

HANGS = f"it has not answered for {HANG_LIMIT:g} s"
HANGS_CURE = "bans go on, and are written once it answers: look at its disk (dmesg)"


class Recording:
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
        """Take what was done, in its order; empty steps are passed over.

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

    async def write(self) -> None:
        """Write what waits, in one transaction; what cannot be written goes on waiting.

        A write that takes long goes on while bans are carried out.
        """
        if self._writing is None and not self._unwritten:
            return
        if self.store is None and not await self._reopen():
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
        """Write what waits and let go of the store; of one that hangs at once."""
        while self._writing is not None or self._unwritten:
            if self.store is None and not await self._reopen(HANG_LIMIT):
                break
            if not await self._write(HANG_LIMIT):
                break
        if self._opening is not None:
            self._opening.cancel()
        if self.store is not None and self._writing is None:
            await self.store.close()

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
                self._note_trouble(StoreError(HANGS, cure=HANGS_CURE))
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
        if self.trouble:
            self.trouble = ""
            self._emit(TroubleOver(part="database"))
        return True

    def _bound(self) -> None:
        self._unwritten = without_evidence_past(self._unwritten, UNWRITTEN_EVIDENCE_LIMIT)

    async def _reopen(self, limit: Seconds = PATIENCE) -> bool:
        """Open the database for up to *limit*; tell whether it is open."""
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._open())
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
        return True

    async def _open(self) -> tuple[Store, Memory, list[Slice]]:
        store = await self._open_store()
        try:
            return store, await store.load_bans(self._clock()), await _past(store, self._clock())
        except BaseException:
            await store.close()
            raise

    def _note_trouble(self, error: StoreError) -> None:
        if str(error) != self.trouble:
            self._emit(TroubleMet(part="database", what=str(error)))
        self.trouble = str(error)
        self._retry_at = asyncio.get_running_loop().time() + RETRY_PAUSE


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
