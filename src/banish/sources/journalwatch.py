"""Tells all sources of one journal when it changes, by one inotify instance.

Each reader of libsystemd that watches takes an instance of its own, and the kernel gives each
user 128 by default. So one reader watches, and reads nothing; the readers of the sources do
not watch. They see what is appended to their files, but not files that were added since: for
those, after a rotation, they are opened anew, which `JournalWatch.generation` tells.
"""

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

from banish.model.instant import Seconds
from banish.sources.journalfiles import JournalFiles
from banish.telemetry.events import Emit, WarningGiven

if TYPE_CHECKING:
    from cysystemd.reader import JournalReader

SAFETY_SPAN = Seconds(2.0)
"""How often is looked although no event came."""

POLL_SPAN = Seconds(0.2)
"""How often is looked where no events can be had."""


class JournalWatch:
    """Watches one journal as long as sources use it.

    Args:
        files: The journal.
        emit: Gets an event if the kernel gives no inotify instance.

    """

    def __init__(self, files: JournalFiles, emit: Emit) -> None:
        self.files = files
        self.changes = 0
        """Grows with each change; to be asked before a read, see `wait`."""
        self.generation = 0
        """Grows when files were added or removed, so that readers must be opened anew."""
        self._emit = emit
        self._users = 0
        self._reader: JournalReader | None = None
        self._descriptor: int | None = None
        self._has_warned = False
        self._waiting: set[asyncio.Future[None]] = set()
        self._names: frozenset[str] = frozenset()
        self._listed_at = 0.0

    def use(self, name: str) -> None:
        """Begin to watch for one more source, *name*; to be called before its reader is opened.

        Raises:
            JournalMissingError: There is no journal.
            SourceError: The package cysystemd is missing.
            SystemError: It cannot be opened.

        """
        if self._descriptor is None:
            reader = self.files.open(name)
            self._list()
            try:
                self._descriptor = reader.fd
            except SystemError as error:
                self._warn(name, str(error.args[0]))
            else:
                self._reader = reader
                asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        self._users += 1

    def leave(self) -> None:
        """Watch no more for one source; the last one closes the instance."""
        self._users -= 1
        if not self._users:
            self._stop()

    async def wait(self, changes: int) -> None:
        """Return when the journal has changed since it was at *changes*, or may have."""
        span = POLL_SPAN if self._descriptor is None else SAFETY_SPAN
        if changes == self.changes:
            woken = asyncio.get_running_loop().create_future()
            self._waiting.add(woken)
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken, span)
            finally:
                self._waiting.discard(woken)
        else:
            await asyncio.sleep(0)
        # Listed once for all sources, whoever comes first.
        if time.monotonic() - self._listed_at >= SAFETY_SPAN:
            before = self._names
            self._list()
            self.generation += self._names != before

    @property
    def is_there(self) -> bool:
        """Whether the journal had a file when it was listed last."""
        return bool(self._names)

    def _list(self) -> None:
        self._names = self.files.names()
        self._listed_at = time.monotonic()

    def _read(self) -> None:
        from cysystemd.reader import JournalEvent  # noqa: PLC0415 - optional, and here by now

        assert self._reader is not None
        self.changes += 1
        try:
            event = self._reader.process_events()
        except SystemError:
            self._stop()
            self.generation += 1
        else:
            self.generation += event == JournalEvent.INVALIDATE
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)

    def _stop(self) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
        self._reader = self._descriptor = None

    def _warn(self, name: str, why: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            what = f"no inotify ({why}), so the journal is polled every {POLL_SPAN} s"
            cure = "raise the limit: sysctl fs.inotify.max_user_instances=1024"
            self._emit(WarningGiven(name, f"{what}; {cure}"))
