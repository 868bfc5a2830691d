"""Follows log files: paths and globs, for ever.

Each path is followed by its own `Tail`; they take turns, one block each. A
block is read when the consumer asks for the next batch, so a slow consumer
slows the reading and nothing piles up. A write wakes the reader at once; there
is no delay to gather more.
"""

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple

from banish.detect.framing import count_lines
from banish.model.instant import Seconds
from banish.model.record import Batch, FilePosition, Position
from banish.model.settings import LogPath
from banish.model.status import NOT_STARTED, Absent, SourceHealth, SourceState
from banish.ports import Clock
from banish.sources.beginning import FileAtStart
from banish.sources.filehealth import partial_trouble, state_of
from banish.sources.inotify import Inotify
from banish.sources.lognames import LogNames
from banish.sources.openfiles import OpenFiles
from banish.sources.piece import LATE_MARK, Piece
from banish.sources.presence import GRACE, Fate, Presence, reason
from banish.sources.readsofar import ReadSoFar
from banish.sources.roster import Roster
from banish.sources.seek import Seeker
from banish.sources.tail import Tail
from banish.sources.watch import PathChanges, Watch
from banish.telemetry.events import Emit

OPENED_AT_ONCE = 64
"""Files that are opened, or looked at, before those that are open are read again."""

LOOK_SPAN = Seconds(0.02)
"""After so long everybody else has a turn, however many are still to be looked at."""

CHEAP_SCAN = Seconds(0.02)
SCAN_SHARE = 0.2
"""A look for names that takes longer than `CHEAP_SCAN` is made in this part of the time at most,
however fast names come."""


class _Look(NamedTuple):
    """How to look at a path, see `Tail.look`."""

    from_end: bool = False
    is_first: bool = False
    found: FileAtStart | None = None


class FileSource:
    """Follows every file that *patterns* name, also those that appear later.

    A batch's ``source`` is the file's absolute path, or that path and
    `LATE_MARK` for what reached a rotated file late; so one path must belong to
    one source only. A batch may be empty: then it only moves the position.

    Args:
        name: What health and warnings call it.
        patterns: Paths and globs. ``tail`` concerns the files that are there at
            the start and were never read; what appears later is read from its start.
        emit: Gets events about rotation, trouble and odd things.
        clock: Tells when the newest line was read.
        polls: Look at the files every fifth of a second instead of using inotify.
        seeker: Finds the lines that are not too old; None: every line is read.
        inotify: The process's; None: one of its own.
        open_files: Bounds the open files of the process; None: of this source alone.

    """

    def __init__(
        self,
        name: str,
        patterns: Sequence[LogPath],
        *,
        emit: Emit,
        clock: Clock,
        polls: bool = False,
        seeker: Seeker | None = None,
        inotify: Inotify | None = None,
        open_files: OpenFiles | None = None,
    ) -> None:
        self._name = name
        self._names = LogNames(name, patterns, emit)
        self._emit = emit
        self._read_so_far = ReadSoFar(clock)
        self._polls = polls
        self._seeker = seeker
        self._inotify = inotify
        self._open_files = open_files or OpenFiles()
        self._tails: dict[str, Tail] = {}
        self._presence = Presence(entry.pattern for entry in patterns)
        self._owes_presence = False
        self._busy: dict[str, Tail] = {}
        self._unseen: dict[str, _Look] = {}
        self._cost = Seconds(0.0)
        self._is_full_look = False
        self._runs_short = False
        self._owes_scan = False
        self._scan_after = 0.0
        self._saved: Mapping[str, Position] = {}
        self._roster: Roster | None = None
        self._watch: Watch | None = None
        self._placed = asyncio.Event()

    @property
    def name(self) -> str:
        """What positions and health are kept by."""
        return self._name

    async def batches(self, after: Mapping[str, Position]) -> AsyncGenerator[Batch]:
        """Yield blocks of whole lines, from just after the given positions, for ever."""
        if self._watch is not None:
            raise AssertionError(f"{self._name} is being read already")
        saved = [position for position in after.values() if isinstance(position, FilePosition)]
        self._watch = watch = Watch(
            self._name, self._emit, polls=self._polls, inotify=self._inotify
        )
        self._roster = Roster(watch, saved, self._open_files)
        self._saved = after
        try:
            await self._scan(at_start=True)
            await self._place()
            while True:
                self._look_at_some()
                busy = list(self._busy.values())
                for tail in busy:
                    piece = tail.read()
                    if piece is not None:
                        yield self._batch(piece)
                    if tail.is_idle:
                        self._busy.pop(tail.path, None)
                    else:
                        # Between blocks everybody else has a turn, whatever the consumer does.
                        await asyncio.sleep(0)
                self._open_files.tidy()
                if self._unseen:
                    await asyncio.sleep(0)
                elif not busy:
                    await self._wait(watch)
        finally:
            self._close()

    async def placed(self) -> None:
        """Return once it is known where to begin in the files that are there.

        Of thousands, in as many as may be open at once; the others have their turn after them.
        """
        await self._placed.wait()

    def health(self) -> SourceHealth:
        """Return how the source is doing; never waits."""
        files = [] if self._roster is None else list(self._roster.files)
        lost = 0 if self._roster is None else self._roster.lost_files
        state, detail = self._state()
        absent = self._absent(Seconds(0.0) if state == "waiting" else GRACE)
        trouble = partial_trouble(absent, unread=self._names.unread, lost=lost)
        return SourceHealth(
            name=self._name,
            state=state,
            detail=detail,
            paths=tuple(path for path, tail in sorted(self._tails.items()) if tail.is_open),
            lines=self._read_so_far.lines,
            bytes=self._read_so_far.bytes,
            lag_bytes=sum(file.lag_bytes for file in files),
            cut_lines=self._read_so_far.cut_lines,
            last_line_at=self._read_so_far.last_line_at,
            unread_files=self._names.unread,
            lost_files=lost,
            trouble="" if state == "waiting" else trouble,
            absent=absent,
        )

    def _absent(self, grace: Seconds) -> tuple[Absent, ...]:
        if self._watch is None:
            return ()
        return self._presence.absent(Seconds(time.monotonic()), self._fate, grace)

    def _fate(self, path: str) -> Fate:
        tail = self._tails.get(path)
        if tail is None:
            return Fate("was moved or deleted, and no new one has appeared")
        return tail.fate()

    def _state(self) -> tuple[SourceState, str]:
        state = state_of(self._tails)
        if state is not None:
            return state
        if self._watch is None:
            return "waiting", NOT_STARTED
        return "waiting", reason(self._absent(Seconds(0.0)))

    async def _wait(self, watch: Watch) -> None:
        if self._is_full_look:
            watch.look_took(self._cost)
        self._cost, self._is_full_look = Seconds(0.0), False
        changes = await watch.wait(by=self._scan_after if self._owes_scan else None)
        self._owes_scan |= changes.names or any(
            self._names.may_name(path, self._tails) for path in changes.paths
        )
        if self._owes_scan and asyncio.get_running_loop().time() >= self._scan_after:
            await self._scan()
            return
        self._note(changes)

    def _note(self, changes: PathChanges) -> None:
        """Have those looked at of whom there are signs."""
        self._is_full_look |= changes.all
        for path in list(self._tails) if changes.all else changes.owners | changes.paths:
            if path in self._tails:
                self._unseen.setdefault(path, _Look())

    async def _scan(self, *, at_start: bool = False) -> None:
        """See which paths the patterns name now; have all of them looked at."""
        assert self._roster is not None
        assert self._watch is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._owes_scan = False
        self._owes_presence = True
        await self._names.find(self._watch, self._tails, self._saved)
        found = self._names.found
        for path in found:
            if path not in self._tails:
                self._tails[path] = Tail(
                    path,
                    roster=self._roster,
                    emit=self._emit,
                    saved=_file_position(self._saved.get(path)),
                    saved_late=_file_position(self._saved.get(path + LATE_MARK)),
                    seeker=self._seeker,
                )
        self._presence.set_paths(self._names.matched)
        for path in self._tails:
            look = _Look(from_end=at_start and found[path], is_first=at_start)
            self._unseen.setdefault(path, look)
        # At the start files are opened and read, which says nothing of later looks.
        self._is_full_look = not at_start
        took = loop.time() - began
        self._cost = Seconds(self._cost + took)
        pause = took / SCAN_SHARE - took if took > CHEAP_SCAN else 0.0
        self._scan_after = loop.time() + pause

    async def _place(self) -> None:
        """Find out where to begin in every file that is there; nothing is read before."""
        left = len(self._unseen) + 1
        while len(self._unseen) < left:
            left = len(self._unseen)
            self._look_at_some()
            await asyncio.sleep(0)
        for path, look in self._unseen.items():
            # There are more than may be open: they wait until others were read.
            with contextlib.suppress(OSError):
                status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
                found = FileAtStart((status.st_dev, status.st_ino), status.st_size)
                self._unseen[path] = look._replace(found=found)
        self._placed.set()

    def _look_at_some(self) -> bool:
        """Look at some of those of whom there are signs; open no more than there is room for.

        Tell whether there are more for whom there may be room.
        """
        if not self._unseen:
            return False
        began = time.monotonic()
        may_open = True
        for path in list(itertools.islice(self._unseen, OPENED_AT_ONCE)):
            tail = self._tails[path]
            if not tail.holds_file:
                may_open = may_open and self._has_room()
                if not may_open:
                    continue
            look = self._unseen.pop(path)
            tail.look(Seconds(began), **look._asdict())
            self._after_look(tail)
            if time.monotonic() - began > LOOK_SPAN:
                break
        if self._runs_short:
            self._runs_short = False
            self._open_files.shrink()
        self._see_presence(Seconds(began))
        self._cost = Seconds(self._cost + time.monotonic() - began)
        return may_open and bool(self._unseen)

    def _see_presence(self, now: Seconds) -> None:
        """Note which patterns name a log, where that may have changed."""
        if self._owes_presence:
            tails = self._tails
            self._presence.look(
                now,
                lambda path: path in tails and tails[path].is_present,
                lambda path: path in tails and tails[path].is_open,
            )
            self._owes_presence = not self._presence.is_whole

    def _has_room(self) -> bool:
        """Tell whether one more file may be opened; a quiet one is closed for it."""
        if not self._open_files.room:
            self._open_files.make_room()
        # Whoever has nothing else to do may go on, however many others have open.
        return bool(self._open_files.room) or not self._busy

    def _after_look(self, tail: Tail) -> None:
        assert self._roster is not None
        self._owes_presence |= tail.is_missing
        self._runs_short |= tail.path in self._roster.without_descriptor
        if tail.is_over and tail.path not in self._names.found:
            self._forget(tail)
            return
        if tail.holds_file:
            self._open_files.use(tail)
        if not tail.is_idle:
            self._busy[tail.path] = tail

    def _forget(self, tail: Tail) -> None:
        self._open_files.forget(tail)
        self._busy.pop(tail.path, None)
        del self._tails[tail.path]

    def _batch(self, piece: Piece) -> Batch:
        chunk = piece.chunk
        lines = count_lines(chunk.block)
        if chunk.block:
            self._read_so_far.add(lines, chunk.end - chunk.start, chunk.cut)
        return piece.batch(lines)

    def _close(self) -> None:
        for tail in self._tails.values():
            self._open_files.forget(tail)
            tail.close()
        self._tails.clear()
        self._busy.clear()
        self._unseen.clear()
        if self._watch is not None:
            self._watch.close()
        self._watch = None
        self._roster = None


def _file_position(position: Position | None) -> FilePosition | None:
    return position if isinstance(position, FilePosition) else None
