"""Follows log files: paths and globs, for ever.

Each path is followed by its own `Tail`; they take turns, one block each. A
block is read when the consumer asks for the next batch, so a slow consumer
slows the reading and nothing piles up. A write wakes the reader at once; there
is no delay to gather more.

A wildcard that also matches rotated names (``auth.log*``) does not make them
logs of their own: ``auth.log.1`` was or will be read as the end of
``auth.log``. It is told once; naming such a file without wildcards follows it.
"""

import asyncio
import glob
import time
from collections.abc import AsyncIterator, Mapping, Sequence

from banish.detect.framing import count_lines
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, FilePosition, Position
from banish.model.settings import LogPath
from banish.model.status import NOT_STARTED, SourceHealth, SourceState
from banish.ports import Clock
from banish.sources.fingerprint import names_before_rotation
from banish.sources.globs import matching_files, watched_folders
from banish.sources.roster import Roster
from banish.sources.seek import Seeker
from banish.sources.tail import LATE_MARK, Piece, Tail
from banish.sources.watch import Watch
from banish.telemetry.happenings import Emit, WarningGiven

PATHS_LIMIT = 1000
"""How many paths one source follows at most: each costs an open file and an inotify watch."""

FOLDER_DEPTH_LIMIT = 16
"""How often the patterns are expanded again because a folder was new."""

JOURNAL_CURE = "correct logpath, or set backend = systemd if the log is in the journal"


class FileSource:
    """Follows every file that *patterns* name, also those that appear later.

    A batch's ``source`` is the file's absolute path, or that path and
    `LATE_MARK` for what reached a rotated file late; so one path must belong to
    one source only. A batch may be empty: then it only moves the position.

    Args:
        name: What health and warnings call it.
        patterns: Paths and globs. ``tail`` concerns the files that are there at
            the start and were never read; what appears later is read from its start.
        emit: Told about rotation, trouble and odd things.
        clock: Tells when the newest line was read.
        polls: Look at the files every fifth of a second instead of using inotify.
        seeker: Finds the lines that are not too old; None: every line is read.

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
    ) -> None:
        self._name = name
        self._patterns = tuple(patterns)
        self._emit = emit
        self._clock = clock
        self._polls = polls
        self._seeker = seeker
        self._tails: dict[str, Tail] = {}
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

    async def batches(self, after: Mapping[str, Position]) -> AsyncIterator[Batch]:
        """Yield blocks of whole lines, from just after the given positions, for ever."""
        if self._watch is not None:
            raise AssertionError(f"{self._name} is being read already")
        saved = [position for position in after.values() if isinstance(position, FilePosition)]
        self._watch = watch = Watch(self._name, self._emit, polls=self._polls)
        self._roster = Roster(watch, saved)
        self._saved = after
        try:
            self._scan(at_start=True)
            self._placed.set()
            while True:
                busy = [tail for tail in self._tails.values() if not tail.is_idle]
                for tail in busy:
                    piece = tail.read()
                    if piece is not None:
                        yield self._batch(piece)
                    if not tail.is_idle:
                        # Between blocks everybody else has a turn, whatever the consumer does.
                        await asyncio.sleep(0)
                if not busy:
                    await self._wait(watch)
        finally:
            self._close()

    async def placed(self) -> None:
        """Return once it is known where to begin in every file that is there."""
        await self._placed.wait()

    def health(self) -> SourceHealth:
        """Return how the source is doing; never waits."""
        files = [] if self._roster is None else list(self._roster.files)
        state, detail = self._state()
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
        )

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
        patterns = ", ".join(entry.pattern for entry in self._patterns)
        return "waiting", f"no file matches {patterns}; {JOURNAL_CURE}"

    async def _wait(self, watch: Watch) -> None:
        changes = await watch.wait()
        if changes.names:
            self._scan()
            return
        now = Seconds(time.monotonic())
        for owner in list(self._tails) if changes.all else changes.owners:
            if (tail := self._tails.get(owner)) is not None:
                tail.look(now)

    def _scan(self, *, at_start: bool = False) -> None:
        """See which paths the patterns name now, and what is at each."""
        assert self._roster is not None
        found = self._find_paths()
        now = Seconds(time.monotonic())
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
        for path, tail in list(self._tails.items()):
            tail.look(now, from_end=at_start and found[path], is_first=at_start)
            if tail.is_over and path not in found:
                del self._tails[path]

    def _find_paths(self) -> dict[str, bool]:
        """Return the paths to follow, and whether each may begin at its end."""
        assert self._watch is not None
        found: dict[str, bool] = {}
        for _ in range(FOLDER_DEPTH_LIMIT):
            found.clear()
            literal: set[str] = set()
            folders: set[str] = set()
            for entry in self._patterns:
                paths = matching_files(entry.pattern)
                folders |= watched_folders(entry.pattern, paths)
                found.update({path: entry.tail for path in paths if path not in found})
                if not glob.has_magic(entry.pattern):
                    literal.update(paths)
            self._pass_over(found, literal)
            # A name that came between the listing and the watching would be missed else.
            if not self._watch.set_folders(frozenset(folders)):
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
        self._warn_once(
            rotated,
            "are read as the rotated part of another log only; name them in logpath to follow them",
        )
        fresh = sorted(found.keys() - rotated - self._tails.keys() - literal)
        excess = set(fresh[max(0, PATHS_LIMIT - len(self._tails) - len(literal)) :])
        self._warn_once(excess, f"are too many: at most {PATHS_LIMIT} files for one logpath")
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
            tail.close()
        self._tails.clear()
        if self._watch is not None:
            self._watch.close()
        self._watch = None
        self._roster = None


def _file_position(position: Position | None) -> FilePosition | None:
    return position if isinstance(position, FilePosition) else None
