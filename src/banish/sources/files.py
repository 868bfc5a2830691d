"""Follows log files: paths and globs, for ever.

Each path is followed by its own `Tail`; they take turns, one block each. A
block is read when the consumer asks for the next batch, so a slow consumer
slows the reading and nothing piles up. A write wakes the reader at once; there
is no delay to gather more.

A wildcard that also matches rotated names (``auth.log*``) does not make them
logs of their own: ``auth.log.1`` was or will be read as the end of
``auth.log``. It is reported once; naming such a file without wildcards follows it.
"""

import asyncio
import contextlib
import glob
import itertools
import os
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import PurePath
from typing import NamedTuple

from banish.detect.framing import count_lines
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, FilePosition, Position
from banish.model.settings import LogPath
from banish.model.status import NOT_STARTED, Absent, SourceHealth, SourceState
from banish.ports import Clock
from banish.sources.beginning import FileAtStart
from banish.sources.fingerprint import is_compressed, names_before_rotation
from banish.sources.globs import expand, name_matches
from banish.sources.inotify import Inotify
from banish.sources.openfiles import OpenFiles
from banish.sources.piece import LATE_MARK, Piece
from banish.sources.presence import GRACE, Fate, Presence, gone_trouble, reason
from banish.sources.roster import Roster
from banish.sources.seek import Seeker
from banish.sources.tail import Tail
from banish.sources.watch import PathChanges, Watch
from banish.telemetry.events import Emit, WarningGiven

PATHS_LIMIT = 100_000
"""How many paths one source follows at most: each costs some 7 KB and an inotify watch."""

OPENED_AT_ONCE = 64
"""Files that are opened, or looked at, before those that are open are read again."""

LOOK_SPAN = Seconds(0.02)
"""After so long everybody else has a turn, however many are still to be looked at."""

MANY_PATHS = 500
"""From so many paths on, they are looked for in a thread: nobody else is to wait for it."""

CHEAP_SCAN = Seconds(0.02)
SCAN_SHARE = 0.2
"""A look for names that takes longer than `CHEAP_SCAN` is made in this part of the time at most,
however fast names come."""

FOLDER_DEPTH_LIMIT = 16
"""How often the patterns are expanded again because a folder was new."""

_ROTATED = "are read as the rotated part of another log only; name them in logpath to follow them"

_TOO_MANY_CURE = f"name fewer than {PATHS_LIMIT:,} files in one logpath"


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
        self._patterns = tuple(patterns)
        self._emit = emit
        self._clock = clock
        self._polls = polls
        self._seeker = seeker
        self._inotify = inotify
        self._open_files = open_files or OpenFiles()
        self._tails: dict[str, Tail] = {}
        self._found: dict[str, bool] = {}
        self._name_patterns: dict[str, set[str]] = {}
        self._matched: dict[str, list[str]] = {}
        self._presence = Presence(entry.pattern for entry in self._patterns)
        self._owes_presence = False
        self._busy: dict[str, Tail] = {}
        self._unseen: dict[str, _Look] = {}
        self._cost = Seconds(0.0)
        self._is_full_look = False
        self._runs_short = False
        self._owes_scan = False
        self._scan_after = 0.0
        self._unread_paths = 0
        self._saved: Mapping[str, Position] = {}
        self._warned: set[str] = set()
        self._roster: Roster | None = None
        self._watch: Watch | None = None
        self._placed = asyncio.Event()
        self._lines = 0
        self._bytes = 0
        self._cut_lines = 0
        self._last_line_at: Instant | None = None

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
        state, detail = self._state()
        absent = self._absent(Seconds(0.0) if state == "waiting" else GRACE)
        return SourceHealth(
            name=self._name,
            state=state,
            detail=detail,
            paths=tuple(path for path, tail in sorted(self._tails.items()) if tail.is_open),
            lines=self._lines,
            bytes=self._bytes,
            lag_bytes=sum(file.lag_bytes for file in files),
            cut_lines=self._cut_lines,
            last_line_at=self._last_line_at,
            unread_files=self._unread_paths,
            lost_files=0 if self._roster is None else self._roster.lost_files,
            trouble="" if state == "waiting" else self._partial_trouble(absent),
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

    def _is_present(self, path: str) -> bool:
        tail = self._tails.get(path)
        return tail is not None and tail.is_present

    def _is_open(self, path: str) -> bool:
        tail = self._tails.get(path)
        return tail is not None and tail.is_open

    def _partial_trouble(self, absent: Sequence[Absent]) -> str:
        """Return what is not read although the rest is, the cure on a second line."""
        if gone := gone_trouble(absent):
            return gone
        if self._unread_paths:
            return f"{self._unread_paths:,} files are not read\n    {_TOO_MANY_CURE}"
        lost = 0 if self._roster is None else self._roster.lost_files
        if lost:
            cure = "rotate it less often, and keep more rotated files uncompressed"
            return f"{lost:,} or more rotated files were removed unread since the start\n    {cure}"
        return ""

    def _state(self) -> tuple[SourceState, str]:
        troubles = [tail.trouble for tail in self._tails.values() if tail.trouble]
        if troubles:
            more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
            return "failing", troubles[0] + more
        missing = [path for path, tail in self._tails.items() if tail.is_missing]
        if any(tail.is_open for tail in self._tails.values()):
            away = f"waiting for {missing[0]} to appear again" if missing else ""
            return "reading", away
        if self._watch is None:
            return "waiting", NOT_STARTED
        return "waiting", reason(self._absent(Seconds(0.0)))

    async def _wait(self, watch: Watch) -> None:
        if self._is_full_look:
            watch.look_took(self._cost)
        self._cost, self._is_full_look = Seconds(0.0), False
        changes = await watch.wait(by=self._scan_after if self._owes_scan else None)
        self._owes_scan |= changes.names or any(map(self._is_new_name, changes.paths))
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

    def _is_new_name(self, path: str) -> bool:
        """Tell whether a pattern may name *path*, which nobody follows."""
        if path in self._tails:
            return False
        folder, _, name = path.rpartition("/")
        wanted = self._name_patterns.get(folder or "/", ())
        if is_compressed(name) or not any(name_matches(name, pattern) for pattern in wanted):
            return False
        is_rotated = any(before in self._tails for before in names_before_rotation(path))
        return not is_rotated or _ROTATED not in self._warned

    async def _scan(self, *, at_start: bool = False) -> None:
        """See which paths the patterns name now; have all of them looked at."""
        assert self._roster is not None
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._owes_scan = False
        self._owes_presence = True
        self._found = found = await self._find_paths()
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
        self._presence.set_paths(self._matched)
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
            self._presence.look(now, self._is_present, self._is_open)
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
        if tail.is_over and tail.path not in self._found:
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

    async def _find_paths(self) -> dict[str, bool]:
        """Return the paths to follow, and whether each may begin at its end."""
        assert self._watch is not None
        patterns = [entry.pattern for entry in self._patterns]
        found: dict[str, bool] = {}
        for _ in range(FOLDER_DEPTH_LIMIT):
            found.clear()
            literal: set[str] = set()
            if len(self._tails) < MANY_PATHS:
                expanded = [expand(pattern) for pattern in patterns]
            else:
                expanded = await asyncio.to_thread(lambda: [expand(each) for each in patterns])
            for entry, expansion in zip(self._patterns, expanded, strict=True):
                found.update({path: entry.tail for path in expansion.paths if path not in found})
                if not glob.has_magic(entry.pattern):
                    literal.update(expansion.paths)
            self._pass_over(found, literal)
            self._matched = {
                entry.pattern: [path for path in expansion.paths if path in found]
                for entry, expansion in zip(self._patterns, expanded, strict=True)
            }
            self._name_patterns = {}
            for entry, expansion in zip(self._patterns, expanded, strict=True):
                for folder in expansion.leaves:
                    name = PurePath(entry.pattern).name
                    self._name_patterns.setdefault(folder, set()).add(name)
            # A name that came between the listing and the watching would be missed else.
            leaves: frozenset[str] = frozenset().union(*(each.leaves for each in expanded))
            others: frozenset[str] = frozenset().union(*(each.others for each in expanded))
            if not self._watch.set_folders(leaves, others):
                break
        return found

    def _pass_over(self, found: dict[str, bool], literal: set[str]) -> None:
        """Take out of *found* what is read under another name, and what is too many."""
        known = found.keys() | self._tails.keys() | self._saved.keys()
        rotated = {
            path
            for path in found
            if path not in literal and any(name in known for name in names_before_rotation(path))
        }
        self._warn_once(rotated, _ROTATED)
        fresh = sorted(found.keys() - rotated - self._tails.keys() - literal)
        excess = set(fresh[max(0, PATHS_LIMIT - len(self._tails) - len(literal)) :])
        self._unread_paths = len(excess)
        self._warn_once(excess, f"are too many and not read: {_TOO_MANY_CURE}")
        for path in rotated | excess:
            del found[path]

    def _warn_once(self, paths: set[str], what: str) -> None:
        if paths and what not in self._warned:
            self._warned.add(what)
            shown = ", ".join(sorted(paths)[:3]) + (", ..." if len(paths) > 3 else "")
            self._emit(WarningGiven(self._name, f"{shown}: {what}"))

    def _batch(self, piece: Piece) -> Batch:
        chunk = piece.chunk
        lines = count_lines(chunk.block)
        if chunk.block:
            self._lines += lines
            self._bytes += chunk.end - chunk.start
            self._cut_lines += chunk.cut
            self._last_line_at = self._clock()
        return Batch(
            source=piece.key,
            path=piece.after.path,
            block=chunk.block,
            after=piece.after,
            live=piece.live,
            start=chunk.start,
            cut=chunk.cut,
            lines=lines,
        )

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
