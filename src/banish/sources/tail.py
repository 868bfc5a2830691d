"""Follows one path through rotation: which file to read next, and from where.

Lines come out in the order they were written. When the path leads to another
file, the old one is read to its end first, and left only once the new one has
been begun, since a writer goes on with the file it has open until it is told
(``systemctl reload``, after the rename). Lines that reach the old file even
later, from a second worker say, are still read for `LINGER_SPAN`.

Positions are kept under two keys. Under the path itself: the file being read,
which for a while is the rotated one; as the new file's lines only follow the
old one's last, whoever saves positions in the order of the batches loses and
doubles nothing, wherever it stops. Under the path and `LATE_MARK`: how far the
file before it was read, told once by an empty batch when it is left.

After a restart the saved file is looked for at its path and, by inode and
beginning or by beginning alone, among the names it may have been rotated to.
"""

from collections import deque
from pathlib import Path
from typing import NamedTuple

from banish.detect.framing import Chunk
from banish.model.instant import Seconds
from banish.model.record import FilePosition
from banish.sources.logfile import LogFile, RewrittenError
from banish.sources.roster import Roster
from banish.sources.rotated import RotatedFiles
from banish.sources.seek import Seeker
from banish.telemetry.happenings import Emit, SourceChanged, TroubleMet, TroubleOver

LATE_MARK = " (rotated)"
"""Ends the key under which the position in the file before is kept."""

LINGER_SPAN = Seconds(60.0)
"""How long a rotated or deleted file is kept open after its last line. Long enough for
workers that finish their requests first; short enough to give a deleted file's room back."""


class Piece(NamedTuple):
    """Lines of one file, and the place after them; none, where only the place is told."""

    key: str
    chunk: Chunk
    after: FilePosition
    live: bool


class Tail:
    """Follows one path.

    Args:
        path: The path as configured or matched, absolute.
        roster: Which files are open under other paths.
        emit: Told when the log appears, rotates, is cut, goes away or cannot be read.
        saved: Where an earlier run left off.
        saved_late: Where an earlier run left off in the file before.
        seeker: Finds the lines that are not too old; None: every line is read.

    """

    def __init__(
        self,
        path: str,
        *,
        roster: Roster,
        emit: Emit,
        saved: FilePosition | None = None,
        saved_late: FilePosition | None = None,
        seeker: Seeker | None = None,
    ) -> None:
        self.path = path
        self.trouble = ""
        """Why the log cannot be read; empty while it can."""
        self.is_missing = False
        """Whether nothing is at the path."""
        self.is_idle = True
        """Whether the last `read` found nothing more to do."""
        self._roster = roster
        self._rotated = RotatedFiles(path, roster)
        self._emit = emit
        self._saved = saved
        self._saved_late = saved_late
        self._seeker = seeker
        self._files: deque[LogFile] = deque()
        self._late: LogFile | None = None
        self._late_at = Seconds(0.0)
        self._read_at = Seconds(0.0)
        self._now = Seconds(0.0)
        self._pieces: deque[Piece] = deque()
        self._is_live = False
        self._backlog: tuple[LogFile, int] | None = None
        """The newest file that was there at the start and its size then: what follows is live."""

    @property
    def is_open(self) -> bool:
        """Whether a file is being read."""
        return bool(self._files)

    @property
    def is_over(self) -> bool:
        """Whether the path is gone, and all that was there was read."""
        return self.is_missing and not (self._files or self._late or self._pieces)

    def look(self, now: Seconds, *, from_end: bool = False, is_first: bool = False) -> None:
        """See what is at the path; to be called at each sign of change, before `read`.

        *now* is any steady clock. *from_end* lets a file without a known
        position begin at its end; *is_first* that the server has just started.
        """
        self._now = now
        try:
            status = Path(self.path).stat()
        except (FileNotFoundError, NotADirectoryError):
            self._miss()
        except OSError as error:
            self._fail(error)
        else:
            if self._files and self._files[-1].identity == (status.st_dev, status.st_ino):
                self.is_missing = False
                self._recover()
            else:
                self._open(from_end=from_end, is_first=is_first)
        self._open_saved_late()
        self._expire()
        self.is_idle = False

    def read(self) -> Piece | None:
        """Return the next lines, or None; `is_idle` then tells whether to wait for a sign."""
        self.is_idle = False
        while not self._pieces and self._files:
            self._add_cut_unread()
            file = self._files[0]
            until = self._backlog_end(file)
            # Asked before the read: what the writer put into the old file came before.
            is_followed = len(self._files) > 1 and (file.is_copy or self._files[1].size > 0)
            try:
                chunk = file.read(live=self._is_live, until=until)
            except RewrittenError:
                self._cope_with_rewrite(file)
                return None
            except OSError as error:
                self._lose(file, error)
                break
            if chunk is not None:
                self._read_at = self._now
                return Piece(self.path, chunk, file.position(chunk.end), self._is_live)
            if not file.is_at_end:
                return None
            if not is_followed:
                self._is_live = True
                break
            if self._late is not None and not file.is_copy:
                # There is room for one: what is left of the one before comes first.
                piece = self._read_late()
                if piece is not None or not self.is_idle:
                    return piece
                self.is_idle = False
            self._files.popleft()
            self._leave(file)
        return self._pieces.popleft() if self._pieces else self._read_late()

    def _backlog_end(self, file: LogFile) -> int | None:
        """Return up to where *file* was there before we were, while that is being read."""
        if self._is_live or self._backlog is None or file is not self._backlog[0]:
            return None
        if file.read_to < self._backlog[1]:
            return self._backlog[1]
        self._is_live, self._backlog = True, None
        return None

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files:
            self._roster.drop(file)
        self._files.clear()
        if self._late is not None:
            self._roster.drop(self._late)
            self._late = None

    # What is at the path

    def _miss(self) -> None:
        if not self.is_missing:
            self.is_missing = True
            self._recover()
            self._read_at = self._now
            if self._files:
                self._tell("was moved or deleted; its old file is read on until a new one begins")
        if self._saved is not None and not self._files:
            self._add(self._rotated.since(self._saved, None))
            self._saved = None

    def _open(self, *, from_end: bool, is_first: bool) -> None:
        try:
            new = LogFile(self.path)
        except OSError as error:
            self._fail(error)
            return
        if self._roster.is_open(new.identity):
            # Another name leads to the same file: it is read once, there.
            new.close()
            self.is_missing = False
            return
        try:
            older = self._place_next(new) if self._files else self._place_first(new, from_end)
        except OSError as error:
            new.close()
            self._fail(error)
            return
        if not is_first and not self._files:
            self._tell("appeared")
        if is_first:
            self._backlog = (new, new.size)
        self._add([*older, new])
        self.is_missing = False
        self._recover()

    def _place_first(self, new: LogFile, from_end: bool) -> list[LogFile]:
        """Go to where reading begins in *new*; return the files to read before it."""
        saved, self._saved = self._saved, None
        places = [place for place in (saved, self._roster.recall(new)) if place is not None]
        places.sort(key=lambda place: place.offset, reverse=True)
        if any(new.resume(place) for place in places):
            return []
        older = self._rotated.since(saved, new) if saved is not None else []
        if older or not from_end:
            new.begin(0)
            return older
        new.begin_after_line(new.size)
        self._is_live = True
        self._pieces.append(self._place_only(self.path, new))
        return []

    def _place_next(self, new: LogFile) -> list[LogFile]:
        """Go to where reading begins in *new*, which has taken the place of our newest file."""
        last = self._files[-1]
        # First there, then compared, for the reason that `LogFile.resume` gives.
        new.begin(last.offset)
        if last.is_continued_by(new):
            self._files.pop()
            self._roster.drop(last)
            self._tell("was replaced by a copy of itself")
            return []
        known = self._roster.recall(new)
        if known is None or not new.resume(known):
            new.begin(0)
        self._tell("was rotated" if last.links else "was replaced by another file")
        return self._rotated.missed(last.modified_ns, last, new)

    def _add(self, files: list[LogFile]) -> None:
        for file in files:
            if not self._is_live:
                self._skip_old(file)
            self._roster.add(file, self.path)
            self._files.append(file)

    def _skip_old(self, file: LogFile) -> None:
        """Go on to the lines that are young enough to count."""
        if self._seeker is None:
            return
        try:
            passed = file.skip(self._seeker.place)
        except OSError:
            return  # who reads it next is told why it cannot be read
        if passed:
            old = f"{passed / 1e6:.0f} MB"
            self._tell(f"{old} of lines are older than findtime and not read")

    def _add_cut_unread(self) -> None:
        """Put in what ``copytruncate`` took out of a file before we read any of it.

        Nothing in the file itself tells; but it was written to since it was
        first seen, and so was the copy.
        """
        for file in tuple(self._files):
            if file.is_untouched and (stamp := file.stamp()) != file.first_seen:
                since_ns, _ = file.first_seen
                file.first_seen = stamp
                for missed in self._rotated.copies(since_ns, file):
                    self._roster.add(missed, self.path)
                    self._files.insert(self._files.index(file), missed)

    def _open_saved_late(self) -> None:
        saved, self._saved_late = self._saved_late, None
        if saved is None or self._late is not None:
            return
        late = self._rotated.same(saved)
        if late is not None:
            self._roster.add(late, self.path)
            self._late, self._late_at = late, self._now

    # A file's end

    def _cope_with_rewrite(self, file: LogFile) -> None:
        try:
            kept = file.kept_bytes()
            if kept:
                file.begin_after_line(kept)
                self._tell(f"was cut to {kept} bytes")
                return
            file.first_seen = file.stamp()
            before = self._rotated.copy_and_since(file)
            file.begin(0)
        except OSError as error:
            self._lose(file, error)
            return
        for older in reversed(before):
            self._roster.add(older, self.path)
            self._files.appendleft(older)
        rest = f"; its rest is read from {before[0].path}" if before else ""
        self._tell(f"was cut and begins anew{rest}")

    def _leave(self, file: LogFile) -> None:
        """Turn to the next file; *file* is read on the side for a while."""
        if file.is_copy:
            self._finish(self.path, file)
            return
        if self._late is not None:
            self._finish(self.path + LATE_MARK, self._late)
        self._late, self._late_at = file, self._now
        self._pieces.append(self._place_only(self.path + LATE_MARK, file))

    def _read_late(self) -> Piece | None:
        late = self._late
        if late is not None:
            try:
                chunk = late.read()
            except OSError:
                # Cut or gone bad after its end was read: nothing of it is owed any more.
                self._roster.drop(late)
                self._late = None
            else:
                if chunk is not None:
                    self._late_at = self._now
                    key = self.path + LATE_MARK
                    return Piece(key, chunk, late.position(chunk.end), self._is_live)
                if not late.is_at_end:
                    return None
        self.is_idle = True
        return None

    def _expire(self) -> None:
        if self._late is not None and self._now - self._late_at >= LINGER_SPAN:
            self._finish(self.path + LATE_MARK, self._late)
            self._late = None
        if self.is_missing and len(self._files) == 1 and self._now - self._read_at >= LINGER_SPAN:
            file = self._files[0]
            if file.is_at_end and not file.links:
                self._saved = file.position()
                self._finish(self.path, file)
                self._files.clear()

    def _finish(self, key: str, file: LogFile) -> None:
        """Close a file that nobody writes to, with its last line even if that never ended."""
        chunk = file.finish()
        if chunk is not None:
            self._pieces.append(Piece(key, chunk, file.position(chunk.end), self._is_live))
        self._roster.drop(file)

    def _place_only(self, key: str, file: LogFile) -> Piece:
        place = file.offset
        return Piece(key, Chunk(b"", place, place), file.position(place), self._is_live)

    # What people are told

    def _lose(self, file: LogFile, error: OSError) -> None:
        self._files.remove(file)
        if not self._files:
            self._saved = file.position()
        self._roster.drop(file)
        self._fail(error)

    def _fail(self, error: OSError) -> None:
        what = error.strerror or str(error)
        match error:
            case PermissionError():
                cure = f"let the server's user read it; see: namei -l {self.path}"
            case _ if error.errno in (23, 24):
                cure = "raise the limit of open files: LimitNOFILE= in the unit file"
            case _:
                cure = "it is tried again every few seconds"
        trouble = f"{self.path}: {what}; {cure}"
        if trouble != self.trouble:
            self.trouble = trouble
            self._emit(TroubleMet(self.path, f"{what}; {cure}"))

    def _recover(self) -> None:
        if self.trouble:
            self.trouble = ""
            self._emit(TroubleOver(self.path))

    def _tell(self, what: str) -> None:
        self._emit(SourceChanged(self.path, what))
