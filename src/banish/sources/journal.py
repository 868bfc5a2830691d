"""Follows the systemd journal, from a cursor on, for ever.

Everything happens on the event loop: libsystemd's reader belongs to one thread
and cysystemd holds the interpreter lock in it anyway, so a thread of its own
would block the loop just the same. Instead entries are read in small batches,
and the journal's descriptor, an inotify, tells when there are more.

The cursor of the last entry is the position. Where that entry is gone (the
journal was vacuumed, or is another machine's), reading goes on by its time.
"""

import asyncio
import functools
import operator
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from banish.errors import SourceError
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition, Position
from banish.model.status import SourceHealth, SourceState
from banish.ports import Clock
from banish.sources.journalentry import render
from banish.sources.journalmatch import JournalMatch
from banish.telemetry.events import Emit, PartFailed, PartRecovered, SourceChanged, WarningGiven

if TYPE_CHECKING:
    from cysystemd.reader import JournalEntry, JournalReader

SYSTEM_ONLY = 4
"""SD_JOURNAL_SYSTEM of sd_journal_open(3): no user's own journal."""

SAFETY_SPAN = Seconds(2.0)
"""How often is looked although no event came, and after trouble."""

POLL_SPAN = Seconds(0.2)
"""How often is looked where no events can be had."""

BATCH_ENTRIES = 128
"""Most entries in a batch: about 2 ms of reading."""

FIRST_SPAN = Seconds(600.0)
"""How far back to begin by default: Fail2Ban's default findtime."""

_STANDARD_FOLDERS = (Path("/var/log/journal"), Path("/run/log/journal"))


class JournalSource:
    """Follows the entries that *matches* mean.

    Args:
        name: The source's name; its position is kept under it.
        matches: ``journalmatch``, one tuple of words a line; see `JournalMatch`.
        emit: Told about trouble and its end.
        clock: Tells the wall time.
        journal_path: A journal file or a folder of them; None: this machine's journal.
        flags: For sd_journal_open(3), where *journal_path* is None.
        since: How far back to begin where no position is known.

    Raises:
        ConfigError: *matches* cannot be understood.

    """

    def __init__(
        self,
        name: str,
        matches: tuple[tuple[str, ...], ...],
        *,
        emit: Emit,
        clock: Clock,
        journal_path: str | None = None,
        flags: int = SYSTEM_ONLY,
        since: Seconds = FIRST_SPAN,
    ) -> None:
        self._name = name
        self._match = JournalMatch(matches)
        self._emit = emit
        self._clock = clock
        self._journal_path = journal_path
        self._flags = flags
        self._since = since
        self._state: SourceState = "waiting"
        self._detail = "not started yet"
        self._position: JournalPosition | None = None
        self._held: JournalEntry | None = None
        self._is_live = False
        self._placed = asyncio.Event()
        self._lines = 0
        self._bytes = 0
        self._cut_lines = 0
        self._last_line_at: Instant | None = None

    @property
    def name(self) -> str:
        """What positions and health are kept by."""
        return self._name

    async def batches(self, after: Mapping[str, Position]) -> AsyncIterator[Batch]:
        """Yield matching entries as lines, from just after the given position, for ever.

        Raises:
            SourceError: The package cysystemd is missing.

        """
        position = after.get(self._name)
        self._position = position if isinstance(position, JournalPosition) else None
        begin = Instant(self._clock() - self._since)
        while True:
            try:
                try:
                    reader, descriptor = self._open(begin)
                finally:  # one that cannot be opened is not waited for
                    self._placed.set()
                while True:
                    batch, is_at_end = self._read(reader)
                    if batch is not None:
                        yield batch
                    if not is_at_end:
                        await asyncio.sleep(0)
                        continue
                    self._is_live = True
                    await _wait(descriptor)
                    reader.process_events()
            except _JournalMissing as missing:
                self._state, self._detail = "waiting", str(missing)
            except (SystemError, OSError) as error:
                # cysystemd raises SystemError for what libsystemd answers with an errno.
                self._fail(str(error.args[0] if error.args else error))
            self._held = None
            await asyncio.sleep(SAFETY_SPAN)

    async def placed(self) -> None:
        """Return once the journal is open at its place, or known to be missing."""
        await self._placed.wait()

    def health(self) -> SourceHealth:
        """Return how the source is doing; never waits."""
        return SourceHealth(
            name=self._name,
            state=self._state,
            detail=self._detail,
            lines=self._lines,
            bytes=self._bytes,
            cut_lines=self._cut_lines,
            last_line_at=self._last_line_at,
        )

    def _open(self, begin: Instant) -> tuple["JournalReader", int | None]:
        """Open the journal just after our position, or else at *begin*."""
        try:
            from cysystemd.reader import (  # noqa: PLC0415 - optional, the extra `journal`
                JournalOpenMode,
                JournalReader,
                Rule,
            )
        except ImportError as error:
            self._state = "failing"
            missing = SourceError(
                f"{self._name}: the systemd journal cannot be read without the package cysystemd",
                cure="install it: pip install 'banish[journal]'",
                retry=False,
            )
            self._detail = str(missing)
            raise missing from error
        reader = JournalReader()
        if self._journal_path is None:
            if not any(next(folder.glob("*/*.journal"), None) for folder in _STANDARD_FOLDERS):
                raise _JournalMissing(NO_JOURNAL)
            reader.open(JournalOpenMode(self._flags))
        elif Path(self._journal_path).is_dir():
            reader.open_directory(self._journal_path)
        elif Path(self._journal_path).exists():
            reader.open_files(self._journal_path)
        else:
            raise _JournalMissing(f"there is no journal at {self._journal_path} yet")
        for clause in self._match.clauses():
            reader.add_filter(functools.reduce(operator.or_, (Rule(*pair) for pair in clause)))
        # Asking for the descriptor begins the watching, so it comes before the first read.
        try:
            descriptor: int | None = reader.fd
        except SystemError as error:
            descriptor = None
            what = f"no inotify ({error.args[0]}), so the journal is polled every {POLL_SPAN} s"
            cure = "raise the limit: sysctl fs.inotify.max_user_instances=1024"
            self._emit(WarningGiven(self._name, f"{what}; {cure}"))
        self._seek(reader, begin)
        self._recover()
        return reader, descriptor

    def _seek(self, reader: "JournalReader", begin: Instant) -> None:
        if self._position is None:
            reader.seek_realtime_usec(_microseconds(begin))
            return
        cursor = self._position.cursor.encode()
        try:
            reader.seek_cursor(cursor)
            entry = reader.next()
        except SystemError:
            # EINVAL: the text is no cursor, so it can point at nothing.
            entry = None
        if entry is None or entry.cursor != cursor:
            self._emit(
                SourceChanged(self._name, "the last entry read is gone; goes on by its time")
            )
            # The clock may have been set back since; what comes now must not count as read.
            reader.seek_realtime_usec(_microseconds(min(self._position.at, self._clock())))

    def _read(self, reader: "JournalReader") -> tuple[Batch | None, bool]:
        """Return the next entries as a batch, if any are meant, and whether there are no more."""
        lines: list[bytes] = []
        times: list[Instant] = []
        cut = 0
        is_at_end = False
        for _ in range(BATCH_ENTRIES):
            entry, self._held = self._held or reader.next(), None
            if entry is None:
                is_at_end = True
                break
            if not self._match.matches(entry.data):
                continue
            line, is_cut = render(entry.data, entry.get_monotonic_sec())
            if is_cut and lines:
                # A cut line comes alone in its batch.
                self._held = entry
                break
            lines.append(line)
            times.append(Instant(entry.get_realtime_sec()))
            self._position = JournalPosition(entry.cursor.decode(), times[-1])
            if is_cut:
                cut = 1
                break
        if not lines or self._position is None:
            return None, is_at_end
        block = b"".join(lines)
        self._lines += len(lines)
        self._bytes += len(block)
        self._cut_lines += cut
        self._last_line_at = self._clock()
        batch = Batch(
            source=self._name,
            path="journal",
            block=block,
            after=self._position,
            live=self._is_live,
            times=tuple(times),
            cut=cut,
        )
        return batch, is_at_end

    def _fail(self, what: str) -> None:
        detail = f"the journal cannot be read: {what}; see: journalctl --verify"
        if self._state != "failing":
            self._emit(PartFailed(self._name, detail))
        self._state, self._detail = "failing", detail

    def _recover(self) -> None:
        if self._state == "failing":
            self._emit(PartRecovered(self._name))
        self._state, self._detail = "reading", ""


NO_JOURNAL = (
    "there is no systemd journal here; start systemd-journald, or install rsyslog and set"
    " backend = auto"
)


class _JournalMissing(Exception):  # noqa: N818 - no error: it is waited for
    """There is no journal yet; says where it was looked for."""


def _microseconds(at: Instant) -> int:
    return max(0, round(at * 1_000_000))


async def _wait(descriptor: int | None) -> None:
    """Return when the journal may have changed."""
    if descriptor is None:
        await asyncio.sleep(POLL_SPAN)
        return
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    loop.add_reader(descriptor, woken.set)
    timer = loop.call_later(SAFETY_SPAN, woken.set)
    try:
        await woken.wait()
    finally:
        timer.cancel()
        loop.remove_reader(descriptor)
