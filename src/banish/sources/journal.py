"""Follows the systemd journal, from a cursor on, for ever.

Everything happens on the event loop: libsystemd's reader belongs to one thread
and cysystemd holds the interpreter lock in it anyway, so a thread of its own
would block the loop just the same. Instead entries are read in small batches,
and a watch that all sources of the journal share tells when there are more.

The cursor of the last entry is the position. Where that entry is gone (the
journal was vacuumed, or is another machine's), reading goes on by its time.
"""

import asyncio
import functools
import operator
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING

from banish.errors import SourceError
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition, Position
from banish.model.status import SourceHealth, SourceState
from banish.ports import Clock
from banish.sources.journalentry import render
from banish.sources.journalfiles import SYSTEM_ONLY, JournalFiles, JournalMissingError
from banish.sources.journalmatch import JournalMatch
from banish.sources.journalwatch import SAFETY_SPAN, JournalWatch
from banish.sources.readsofar import ReadSoFar
from banish.telemetry.events import Emit, PartFailed, PartRecovered, SourceChanged

if TYPE_CHECKING:
    from cysystemd.reader import JournalEntry, JournalReader

BATCH_ENTRIES = 128
"""Most entries in a batch: about 2 ms of reading."""

FIRST_SPAN = Seconds(600.0)
"""How far back to begin by default: Fail2Ban's default findtime."""


class JournalSource:
    """Follows the entries that *matches* mean.

    Args:
        name: The source's name; its position is kept under it.
        matches: ``journalmatch``, one tuple of words a line; see `JournalMatch`.
        emit: Gets events about trouble and its end.
        clock: Tells the wall time.
        journal_path: A journal file or a folder of them; None: this machine's journal.
        flags: For sd_journal_open(3), where *journal_path* is None.
        since: How far back to begin where no position is known.
        watch: Of this journal, shared with its other sources; None: one of its own.

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
        watch: JournalWatch | None = None,
    ) -> None:
        self._name = name
        self._match = JournalMatch(matches)
        self._emit = emit
        self._clock = clock
        self._watch = watch or JournalWatch(JournalFiles(journal_path, flags), emit)
        self._since = since
        self._state: SourceState = "waiting"
        self._detail = "not started yet"
        self._position: JournalPosition | None = None
        self._held: JournalEntry | None = None
        self._is_live = False
        self._placed = asyncio.Event()
        self._read_so_far = ReadSoFar(clock)

    @property
    def name(self) -> str:
        """What positions and health are kept by."""
        return self._name

    async def batches(self, after: Mapping[str, Position]) -> AsyncGenerator[Batch]:
        """Yield matching entries as lines, from just after the given position, for ever.

        Raises:
            SourceError: The package cysystemd is missing.

        """
        position = after.get(self._name)
        self._position = position if isinstance(position, JournalPosition) else None
        begin = Instant(self._clock() - self._since)
        while True:
            is_watched = False
            try:
                try:
                    self._watch.use(self._name)
                    is_watched = True
                    generation = self._watch.generation
                    reader = self._open(begin)
                finally:  # one that cannot be opened is not waited for
                    self._placed.set()
                while generation == self._watch.generation:
                    changes = self._watch.changes
                    batch, is_at_end = self._read(reader)
                    if batch is not None:
                        yield batch
                    if not is_at_end:
                        await asyncio.sleep(0)
                        continue
                    self._is_live = True
                    await self._watch.wait(changes)
                    if not self._watch.is_there:
                        raise JournalMissingError(GONE)
                pause = 0.0
            except JournalMissingError as missing:
                self._state, self._detail, pause = "waiting", str(missing), SAFETY_SPAN
            except SourceError as error:
                self._state, self._detail = "failing", str(error)
                raise
            except (SystemError, OSError) as error:
                # cysystemd raises SystemError for what libsystemd answers with an errno.
                self._fail(str(error.args[0] if error.args else error))
                pause = SAFETY_SPAN
            finally:
                if is_watched:
                    self._watch.leave()
            self._held = None
            await asyncio.sleep(pause)

    async def placed(self) -> None:
        """Return once the journal is open at its place, or known to be missing."""
        await self._placed.wait()

    def health(self) -> SourceHealth:
        """Return how the source is doing; never waits."""
        return SourceHealth(
            name=self._name,
            state=self._state,
            detail=self._detail,
            lines=self._read_so_far.lines,
            bytes=self._read_so_far.bytes,
            cut_lines=self._read_so_far.cut_lines,
            last_line_at=self._read_so_far.last_line_at,
        )

    def _open(self, begin: Instant) -> "JournalReader":
        """Open the journal just after our position, or else at *begin*."""
        reader = self._watch.files.open(self._name)
        from cysystemd.reader import Rule  # noqa: PLC0415 - optional, and here by now

        for clause in self._match.clauses():
            reader.add_filter(functools.reduce(operator.or_, (Rule(*pair) for pair in clause)))
        self._seek(reader, begin)
        self._recover()
        return reader

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
        self._read_so_far.add(len(lines), len(block), cut)
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


GONE = "the files of the systemd journal were deleted; restart systemd-journald"


def _microseconds(at: Instant) -> int:
    return max(0, round(at * 1_000_000))
