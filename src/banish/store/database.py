"""The database as its thread sees it: whole transactions, on a file that may go bad.

A file found damaged is moved aside, what is readable is saved into a new one,
and the call goes on there. A file deleted or replaced while we write to it is
noticed before each call, since SQLite would go on writing to what nobody finds.
"""

import os
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from banish.errors import StoreError
from banish.model.actionban import ActionBan
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit, JailMemory, Memory, PastBan, Slice
from banish.ports import Clock
from banish.store import actionbans, ledger, legacy, progress
from banish.store.connection import MEMORY, connect, damage, is_damaged, translate
from banish.store.loading import load_all, load_bans, transaction
from banish.store.migrations import migrate
from banish.store.progress import Windows
from banish.store.salvage import COMPANIONS, copy_file, move_aside, name_aside
from banish.telemetry.events import Event, WarningGiven

CHECKED_BYTES = 64 * 1024 * 1024
"""A file up to this size is checked whole when opened (some 0.1 s), a larger one as it is read."""

ASKED_STEPS = 100_000
"""Steps of SQLite's machine, some milliseconds, after which it asks whether to read on."""

VACUUM_PAGES = 2_000
"""Pages given back to the file system by one `Database.tidy`: 8 MB."""

Result = TypeVar("Result")

_Identity = tuple[int, int] | None
"""Device and inode of a file, None where there is none."""


class Database:
    """One file and the connection to it; every method is called in one and the same thread."""

    def __init__(self, path: str, evidence_limit: int, busy: Seconds, clock: Clock) -> None:
        self.path = path
        self.events: deque[Event] = deque()
        """Events to be emitted; appended here, removed by the caller that emits them."""
        self._evidence_limit = evidence_limit
        self._busy = busy
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._file: _Identity = None
        self._companions: dict[str, _Identity] = {}
        self._rescued: str | None = None
        self._windows: Windows | None = None
        self._window_count = 0
        self._gate = threading.Lock()
        self._is_reading = False
        self._is_unwanted = False

    def open(self) -> None:
        """Open or make the file.

        Raises:
            StoreError: It cannot be opened.

        """
        self._do(lambda _: None)

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def load(self, now: Instant) -> Memory:
        """Return what is remembered."""
        return self._do(lambda connection: load_all(connection, now))

    def load_bans(self, now: Instant) -> Memory:
        """Return what is remembered, but for windows and past bans."""
        return self._read(lambda connection: load_bans(connection, now))

    def next_windows(self, most: int) -> Slice | None:
        """Return the next *most* windows, oldest first; None at the end, and then all anew."""

        def take(connection: sqlite3.Connection) -> Slice | None:
            if self._windows is None:
                self._windows = Windows(connection)
                self._window_count = self._windows.count()
            found, rows = self._windows.next_slice(most)
            if not rows:
                self._windows = None
                return None
            jails = {jail: JailMemory(tallies=tallies) for jail, tallies in found.items()}
            return Slice(jails, rows, self._window_count)

        try:
            return self._read(take)
        except StoreError:
            self._windows = None
            raise

    def past(self, now: Instant) -> Mapping[str, Mapping[Subject, PastBan]]:
        """Return by jail the last ban of subjects that are not banned; begin windows anew."""
        self._windows = None
        return self._read(lambda connection: ledger.past(connection, now))

    def interrupt(self) -> None:
        """End what is read just now with an error; to be called in any other thread.

        Nothing but reading is ended: what is being written goes on.
        """
        with self._gate:
            if self._is_reading and self._connection is not None:
                # SQLite's own interrupt does nothing to a statement that has not begun yet.
                self._is_unwanted = True
                self._connection.interrupt()

    def _read(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        def read(connection: sqlite3.Connection) -> Result:
            with self._gate:
                self._is_reading, self._is_unwanted = True, False
            connection.set_progress_handler(lambda: self._is_unwanted, ASKED_STEPS)
            try:
                return work(connection)
            finally:
                connection.set_progress_handler(None, 0)
                with self._gate:
                    self._is_reading = False

        return self._do(read)

    def commit(self, commits: Sequence[Commit]) -> None:
        """Write *commits* in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            with transaction(connection, "IMMEDIATE"):
                for commit in commits:
                    ledger.write(connection, commit.at, commit.decisions, self._evidence_limit)
                progress.write(connection, commits)

        self._do(write)

    def write_actions(self, changes: Sequence[ActionBan]) -> None:
        """Write what actions did in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            with transaction(connection, "IMMEDIATE"):
                actionbans.write(connection, changes)

        self._do(write)

    def history(self, limit: int, subject: Subject | None) -> list[Ban]:
        """Return the newest bans, newest first."""
        return self._do(lambda connection: ledger.history(connection, limit, subject))

    def purge(self, now: Instant, age: Seconds) -> tuple[int, bool]:
        """Forget some history in one short transaction; return how much, and if that was all."""

        def purge(connection: sqlite3.Connection) -> tuple[int, bool]:
            with transaction(connection, "IMMEDIATE"):
                marked = ledger.mark_expired(connection, now)
                forgotten = ledger.purge(connection, now, age)
            return forgotten, max(marked, forgotten) < ledger.PURGE_ROWS

        return self._do(purge)

    def tidy(self, now: Instant) -> int:
        """Forget windows of jails long gone, and give free pages back; return how many windows."""

        def tidy(connection: sqlite3.Connection) -> int:
            with transaction(connection, "IMMEDIATE"):
                forgotten = progress.purge(connection, now)
            # Gives back one page a step, and only executescript takes more than the first.
            connection.executescript(f"PRAGMA incremental_vacuum({VACUUM_PAGES})")
            return forgotten

        return self._do(tidy)

    def import_bans(self, path: str, now: Instant) -> int:
        """Write the bans of the Fail2Ban database *path* if ours is empty; return how many hold."""
        if not self._do(_is_empty):
            return 0
        bans = legacy.read_bans(path)
        decisions: list[Decision] = []
        for ban in bans:
            decisions.append(StartBan(ban, restored=True))
            if ban.is_over(now):
                decisions.append(EndBan(ban, "expired"))
        self.commit([Commit(now, tuple(decisions))])
        return sum(not ban.is_over(now) for ban in bans)

    def _do(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do *work* on the file as it is now; once more on a new one if it is damaged."""
        try:
            try:
                return work(self._current())
            except sqlite3.Error as error:
                if not is_damaged(error) or self.path == MEMORY:
                    raise
                return work(self._renew(error))
        except sqlite3.Error as error:
            raise translate(error, self.path) from error
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}") from error
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise StoreError(
                f"{self.path}: its contents are not understood: {error}",
                cure="move the file away; a new one is created, without the old bans",
            ) from error

    def _current(self) -> sqlite3.Connection:
        connection = self._connection
        if connection is not None and self.path != MEMORY and _identify(self.path) != self._file:
            self._rescue(connection)
            connection = None
        if connection is None:
            connection = self._begin()
        if self._rescued is not None:
            self._bring_back(connection, self._rescued)
        return connection

    def _begin(self) -> sqlite3.Connection:
        self._connection = self._connect()
        if self.path != MEMORY:
            self._file = _identify(self.path)
            self._companions = {name: _identify(self.path + name) for name in COMPANIONS}
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.path, self._busy)
        try:
            migrate(connection, self.path)
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            size = connection.execute("PRAGMA page_size").fetchone()[0]
            if pages * size <= CHECKED_BYTES:
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if found != "ok":
                    raise damage(found)
        except (sqlite3.Error, StoreError):
            connection.close()
            raise
        return connection

    def _renew(self, error: sqlite3.Error) -> sqlite3.Connection:
        """Move the damaged file aside, begin a new one, save what can be saved."""
        self.close()
        aside = move_aside(self.path, self._clock())
        connection = self._begin()
        bans, is_whole = copy_file(aside, connection)
        saved = "all of it was recovered" if is_whole else f"{bans} bans were recovered from it"
        self._warn(f"{self.path} was damaged ({error}); it was moved to {aside}, and {saved}")
        return connection

    def _rescue(self, old: sqlite3.Connection) -> None:
        """Write what the lost file holds to a file of its own, then close it.

        The old connection must be closed before another one opens the path, and
        its write-ahead log must go: SQLite leaves it to whatever file has the
        name by then, and would write it into that.
        """
        Path(self.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        rescued = name_aside(self.path, "rescued", self._clock())
        os.close(os.open(rescued, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            old.execute("VACUUM INTO ?", (rescued,))
        except sqlite3.Error:
            Path(rescued).unlink()
            raise
        self._rescued = rescued
        self.close()
        for name, identity in self._companions.items():
            if identity is not None and _identify(self.path + name) == identity:
                Path(self.path + name).unlink()

    def _bring_back(self, connection: sqlite3.Connection, rescued: str) -> None:
        if _is_empty(connection):
            copy_file(rescued, connection)
            Path(rescued).unlink()
            self._warn(f"{self.path} was deleted by another program; it was created again")
        else:
            self._warn(
                f"{self.path} was replaced by another program; its earlier contents are in "
                f"{rescued}"
            )
        self._rescued = None

    def _warn(self, what: str) -> None:
        self.events.append(WarningGiven(part="store", what=what))


def _is_empty(connection: sqlite3.Connection) -> bool:
    held = "SELECT 1 FROM bans UNION ALL SELECT 1 FROM totals UNION ALL SELECT 1 FROM positions"
    return connection.execute(held).fetchone() is None


def _identify(path: str) -> _Identity:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
