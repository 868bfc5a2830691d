"""The async front of the store: one thread alone touches the file.

Every call is handed to the thread and waited for without blocking the event
loop; calls run in the order they were made. A call whose caller is cancelled
still runs to its end, so a commit is never half done. A disk that hangs holds the
thread, and nobody waits for it when the server stops.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

from banish.blocking import LoneThread
from banish.errors import StoreError
from banish.model.actionban import ActionBan
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit, JailMemory, Memory, Slice
from banish.ports import Clock
from banish.store.connection import MEMORY
from banish.store.database import Database
from banish.telemetry.events import Emit

EVIDENCE_LIMIT = 10
"""Lines of evidence kept for each ban, as Fail2Ban's ``dbmaxmatches``."""

BUSY = Seconds(5)
"""How long another program's lock is waited for; a backup takes less."""

PURGE_ROUNDS = 20
"""Transactions of one `purge`, each of at most `banish.store.ledger.PURGE_ROWS` rows."""

SLICE_ROWS = 2_000
"""Windows of one slice: some 10 ms of their reader and of whoever takes them in."""

Result = TypeVar("Result")


class SqliteStore:
    """Remembers across restarts; open one with `open`."""

    def __init__(
        self, path: str, emit: Emit, evidence_limit: int, busy: Seconds, clock: Clock
    ) -> None:
        self._emit = emit
        self._thread = LoneThread("store")
        self._database = Database(path, evidence_limit, busy, clock)
        self._is_closed = False

    @classmethod
    async def open(
        cls,
        path: str | Path | None,
        emit: Emit,
        *,
        evidence_limit: int = EVIDENCE_LIMIT,
        busy: Seconds = BUSY,
        clock: Clock = lambda: Instant(time.time()),
    ) -> Self:
        """Open the database at *path*, made if missing.

        ``None`` (or the word) and ``:memory:`` remember until the end of the
        process. A damaged file is moved aside with a warning, what is readable
        in it is saved, and a new one begun.

        Raises:
            StoreError: The file cannot be opened or made; ``retry`` says
                whether waiting may help.

        """
        name = MEMORY if path is None or str(path).lower() == "none" else str(path)
        store = cls(name, emit, evidence_limit, busy, clock)
        try:
            await store._run(store._database.open)
        except BaseException:
            store._is_closed = True
            store._thread.shutdown(wait=False)
            raise
        return store

    @property
    def path(self) -> str:
        """The database's path, or ``:memory:``."""
        return self._database.path

    async def load(self, now: Instant) -> Memory:
        """Return what is remembered: bans in force at *now*, windows, positions."""
        return await self._run(lambda: self._database.load(now))

    async def load_bans(self, now: Instant) -> Memory:
        """Return what `load` does but for windows and past bans, which may be millions."""
        return await self._reading(lambda: self._database.load_bans(now))

    async def windows(self, now: Instant) -> AsyncGenerator[Slice]:
        """Yield past bans and windows of all jails, in slices; windows oldest first."""
        past = await self._reading(lambda: self._database.past(now))
        for jail, bans in past.items():
            every = iter(bans.items())
            while part := dict(islice(every, SLICE_ROWS)):
                yield Slice({jail: JailMemory(past=part)}, 0, 0)
        while True:
            found = await self._reading(lambda: self._database.next_windows(SLICE_ROWS))
            if found is None:
                return
            yield found

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Write the commits in order, all or none."""
        taken = tuple(commits)
        await self._run(lambda: self._database.commit(taken))

    async def write_actions(self, changes: Sequence[ActionBan]) -> None:
        """Write what actions began or ended, in order, all or none."""
        taken = tuple(changes)
        await self._run(lambda: self._database.write_actions(taken))

    async def history(self, *, limit: int, subject: Subject | None = None) -> Sequence[Ban]:
        """Return the newest bans, newest first."""
        return await self._run(lambda: self._database.history(limit, subject))

    async def purge(self, now: Instant, age: Seconds) -> int:
        """Forget history older than *age* and give the room back; return the rows forgotten.

        The work of one call is bounded; what is left over goes with the next.
        """
        forgotten = 0
        for _ in range(PURGE_ROUNDS):  # commits get their turn in between
            rows, is_done = await self._run(lambda: self._database.purge(now, age))
            forgotten += rows
            if is_done:
                break
        return forgotten + await self._run(lambda: self._database.tidy(now))

    async def import_bans(self, path: str | Path, now: Instant) -> int:
        """Take the bans of the Fail2Ban database *path* over, if nothing is remembered here yet.

        Return how many of them are in force at *now*. To be called before `load`;
        once anything was written here it does nothing.

        Raises:
            StoreError: The other file cannot be read, or ours cannot be written.

        """
        return await self._run(lambda: self._database.import_bans(str(path), now))

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        if self._is_closed:
            return
        try:
            await self._run(self._database.close)
        finally:
            self._is_closed = True
            self._thread.shutdown(wait=False)

    async def _reading(self, work: Callable[[], Result]) -> Result:
        """Run *work*, which only reads, and end it early if we are cancelled."""
        try:
            return await self._run(work)
        except asyncio.CancelledError:
            self._database.interrupt()
            raise

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._is_closed:
            raise StoreError(f"{self.path} is closed", retry=False)
        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(future)
        finally:
            events = self._database.events
            while events:
                self._emit(events.popleft())
