"""Follows one path through rotation: which file to read next, and from where.

Lines come out in the order they were written. When the path leads to another
file, the old one is read to its end first, and left only once the new one has
been begun, since a writer goes on with the file it has open until it is asked
(``systemctl reload``, after the rename). Lines that reach the old file even
later, from a second worker say, are still read for `LINGER_SPAN`.

Positions are kept under two keys. Under the path itself: the file being read,
which for a while is the rotated one; as the new file's lines only follow the
old one's last, whoever saves positions in the order of the batches loses and
doubles nothing, wherever it stops. Under the path and `LATE_MARK`: how far the
file before it was read, reported once by an empty batch when it is left.

After a restart the saved file is looked for at its path and, by inode and
beginning or by beginning alone, among the names it may have been rotated to.
"""

import errno
import functools
import os
from collections import deque
from typing import NamedTuple

from banish.detect.framing import Chunk
from banish.model.instant import Seconds
from banish.model.record import FilePosition
from banish.sources.logfile import Identity, LogFile, RewrittenError
from banish.sources.presence import Fate
from banish.sources.roster import Roster
from banish.sources.rotated import RotatedFiles
from banish.sources.seek import Seeker
from banish.telemetry.events import Emit, LinesLost, PartFailed, PartRecovered, SourceChanged

LATE_MARK = " (rotated)"
"""Ends the key under which the position in the file before is kept."""

LINGER_SPAN = Seconds(60.0)
"""How long a rotated or deleted file is kept open after its last line. Long enough for
workers that finish their requests first; short enough to give a deleted file's room back."""


class Piece(NamedTuple):
    """Lines of one file, and the place after them; none, where only the place is given."""

    key: str
    chunk: Chunk
    after: FilePosition
    live: bool


class FileAtStart(NamedTuple):
    """A file as it was when the server started."""

    identity: Identity
    size: int


class Tail:
    """Follows one path.

    Args:
        path: The path as configured or matched, absolute.
        roster: Which files are open under other paths.
        emit: Gets an event when the log appears, rotates, is cut, goes away or cannot be read.
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
        self.is_present = False
        """Whether something was at the path at the last look."""
        self._was_deleted = False
        self.is_idle = True
        """Whether the last `read` found nothing more to do."""
        self._roster = roster
        self._rotated = RotatedFiles(path, roster)
        self._emit = emit
        self._saved = saved
        self._saved_late = saved_late
        self._ahead = 0.0 if saved is None else saved.ahead
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
        self._parked: LogFile | None = None

    @property
    def is_open(self) -> bool:
        """Whether a file is being followed, be it closed for a while."""
        return bool(self._files) or self._parked is not None

    @property
    def holds_file(self) -> bool:
        """Whether a file of the path is open, so that `look` need not open it."""
        return bool(self._files)

    @property
    def is_over(self) -> bool:
        """Whether the path is gone, and all that was there was read."""
        return self.is_missing and not (self.is_open or self._late or self._pieces)

    def look(
        self,
        now: Seconds,
        *,
        from_end: bool = False,
        is_first: bool = False,
        found: FileAtStart | None = None,
    ) -> None:
        """See what is at the path; to be called at each sign of change, before `read`.

        *now* is any steady clock. *from_end* lets a file without a known
        position begin at its end; *is_first* that the server has just started;
        *found* what was there then, if it could not be opened at once.
        """
        self._now = now
        try:
            status = os.stat(self.path)  # noqa: PTH116 - a third of the time of Path.stat
        except (FileNotFoundError, NotADirectoryError):
            self._miss()
        except OSError as error:
            self._fail(error)
        else:
            self.is_present = True
            identity = (status.st_dev, status.st_ino)
            if self._files and self._files[-1].identity == identity:
                self.is_missing = False
                self._recover()
            elif (
                self._parked is not None
                and self._parked.identity == identity
                and self._parked.read_stamp == (status.st_mtime_ns, status.st_size)
            ):
                self._recover()
            else:
                self._open(from_end=from_end, is_first=is_first, found=found)
        self._open_saved_late()
        self._expire()
        self._report_lost()
        self.is_idle = False

    def read(self) -> Piece | None:
        """Return the next lines, or None; `is_idle` then tells whether to wait for a sign."""
        self.is_idle = False
        while not self._pieces and self._files:
            try:
                self._add_cut_unread()
            except OSError as error:
                self._fail(error)
                self.is_idle = True
                return None
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

    def fate(self) -> Fate:
        """Return what became of the log that was at the path."""
        if not self._files:
            what = "was deleted" if self._was_deleted else "was moved or deleted"
            return Fate(f"{what}, and no new one has appeared")
        file = self._files[-1]
        if not file.links:
            what = "was deleted, and its old file is read until it is quiet for a minute"
            return Fate(what, is_read_on=True)
        place = file.name_now
        away = f"was moved to {place}" if place else "was moved away"
        return Fate(f"{away}, and is read on there until a new one appears", is_read_on=True)

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

    def park(self, *, pressed: bool = False) -> bool:
        """Close the file for a while, where it is read to its end; tell whether that was done.

        *pressed*: of a log that was rotated, close the file before, too, which is open for lines
        that may come late.
        """
        if pressed and self._late is not None and self._late.is_at_end and self.is_idle:
            self._finish(self.path + LATE_MARK, self._late)
            self._late = None
            return True
        if len(self._files) != 1 or self._late or self._pieces or not self.is_idle:
            return False
        file = self._files[0]
        if file.read_stamp is None or self.is_missing or self.trouble:
            return False
        self._parked = file
        self._saved = file.position()
        self._files.clear()
        self._roster.park(file, self.path)
        return True

    def _take_parked(self) -> LogFile | None:
        parked, self._parked = self._parked, None
        if parked is not None:
            self._roster.unpark(parked.identity)
        return parked

    # What is at the path

    def _miss(self) -> None:
        self.is_present = False
        if not self.is_missing:
            self.is_missing = True
            self._recover()
            self._read_at = self._now
            if self._files:
                self._report("was moved or deleted; its old file is read on until a new one begins")
        if self._saved is not None and not self._files:
            parked = self._take_parked()
            try:
                older = self._rotated_since(self._saved, None, parked)
            except OSError as error:
                self._fail(error)
                return
            self._saved = None
            self._add(older)
            self._roster.forget_parked(self.path)

    def _open(self, *, from_end: bool, is_first: bool, found: FileAtStart | None) -> None:
        try:
            new = LogFile(self.path)
        except OSError as error:
            self._fail(error)
            return
        parked = self._take_parked()
        if self._roster.is_open(new.identity):
            # Another name leads to the same file: it is read once, there.
            new.close()
            self.is_missing = False
            self._roster.forget_parked(self.path)
            return
        if parked is not None and parked.identity == new.identity:
            parked.reopen(new)
            self._take_up([parked])
            return
        old_bytes = new.size
        if found is not None:
            # What came since we started is live, in whichever file.
            old_bytes = min(found.size, new.size) if found.identity == new.identity else 0
        try:
            if self._files:
                older = self._place_next(new)
            elif parked is not None and self._saved is not None:
                older = self._place_again(new, parked, self._saved)
            else:
                older = self._place_first(new, from_end, old_bytes)
        except OSError as error:
            new.close()
            self._fail(error)
            return
        if not (is_first or self._files or parked or self.trouble):
            self._report("appeared")
        if is_first:
            self._backlog = (new, old_bytes)
        self._take_up([*older, new])

    def _take_up(self, files: list[LogFile]) -> None:
        self._saved = None
        self._add(files)
        self._roster.forget_parked(self.path)
        self.is_missing = False
        self._recover()

    def _place_again(self, new: LogFile, parked: LogFile, saved: FilePosition) -> list[LogFile]:
        """Do what `_place_next` does where our newest file is closed for a while."""
        older = self._rotated_since(saved, new, parked)
        if not older:
            new.begin(saved.offset)
            if parked.is_continued_by(new):
                self._report("was replaced by a copy of itself")
                return []
        self._report("was rotated" if older else "was replaced by another file")
        known = self._roster.recall(new)
        if known is None or not new.resume(known):
            new.begin(0)
        return older

    def _rotated_since(
        self, saved: FilePosition, new: LogFile | None, parked: LogFile | None
    ) -> list[LogFile]:
        """Return the files to read before *new*; the one that was closed for a while knows it."""
        older = self._rotated.since(saved, new)
        for file in older:
            if parked is not None and file.identity == parked.identity:
                # Else a cut that came while it was closed and unread could not be noticed.
                file.first_seen = parked.first_seen
        return older

    def _place_first(self, new: LogFile, from_end: bool, old_bytes: int) -> list[LogFile]:
        """Go to where reading begins in *new*; return the files to read before it."""
        saved = self._saved
        places = [place for place in (saved, self._roster.recall(new)) if place is not None]
        places.sort(key=lambda place: place.offset, reverse=True)
        if any(new.resume(place) for place in places):
            return []
        older = self._rotated.since(saved, new) if saved is not None else []
        if older or not from_end:
            new.begin(0)
            return older
        new.begin_after_line(old_bytes)
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
            self._report("was replaced by a copy of itself")
            return []
        known = self._roster.recall(new)
        if known is None or not new.resume(known):
            new.begin(0)
        self._report("was rotated" if last.links else "was replaced by another file")
        missed = self._rotated.missed(last.modified_ns, last, new)
        self._rotated.count_compressed(last.modified_ns)
        if missed and not last.links:
            # It was rotated away altogether, so others may have been that we never saw.
            self._report_lost(may_be=True)
        return missed

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
            passed = file.skip(functools.partial(self._seeker.place, ahead=self._ahead))
        except OSError:
            return  # the next read reports why it cannot be read
        if passed:
            old = f"{passed / 1e6:.0f} MB"
            self._report(f"{old} of lines are older than findtime and not read")

    def _add_cut_unread(self) -> None:
        """Put in what ``copytruncate`` took out of a file before we read any of it.

        Nothing in the file itself tells; but it was written to since it was
        first seen, and so was the copy.
        """
        for file in tuple(self._files):
            if file.is_untouched and (stamp := file.stamp()) != file.first_seen:
                copies = self._rotated.copies(file.first_seen[0], file)
                file.first_seen = stamp
                for missed in copies:
                    self._roster.add(missed, self.path)
                    self._files.insert(self._files.index(file), missed)

    def _open_saved_late(self) -> None:
        saved, self._saved_late = self._saved_late, None
        if saved is None or self._late is not None:
            return
        try:
            late = self._rotated.same(saved)
        except OSError as error:
            self._saved_late = saved
            self._fail(error)
            return
        if late is not None:
            self._roster.add(late, self.path)
            self._late, self._late_at = late, self._now

    # A file's end

    def _cope_with_rewrite(self, file: LogFile) -> None:
        try:
            kept = file.kept_bytes()
            if kept:
                file.begin_after_line(kept)
                self._report(f"was truncated to {kept} bytes")
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
        self._report_lost()
        rest = f"; its rest is read from {before[0].path}" if before else ""
        self._report(f"was truncated and starts again{rest}")

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
                self._was_deleted = True

    def _finish(self, key: str, file: LogFile) -> None:
        """Close a file that nobody writes to, with its last line even if that never ended."""
        chunk = file.finish()
        if chunk is not None:
            self._pieces.append(Piece(key, chunk, file.position(chunk.end), self._is_live))
        self._roster.drop(file)

    def _place_only(self, key: str, file: LogFile) -> Piece:
        place = file.offset
        return Piece(key, Chunk(b"", place, place), file.position(place), self._is_live)

    # Reports

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
            case _ if error.errno in (errno.EMFILE, errno.ENFILE):
                self._fail_for_descriptors(what)
                return
            case _:
                cure = "it is tried again every few seconds"
        trouble = f"{self.path}: {what}; {cure}"
        if trouble != self.trouble:
            self.trouble = trouble
            self._emit(PartFailed(self.path, f"{what}; {cure}"))

    def _fail_for_descriptors(self, what: str) -> None:
        """Say so once for all paths: there may be thousands, and the cause is one."""
        cure = "raise the limit of open files: LimitNOFILE= in the unit file"
        self.trouble = f"{self.path}: {what}; {cure}"
        short = self._roster.without_descriptor
        if not short:
            self._emit(PartFailed(self.path, f"{what}; {cure}"))
        short.add(self.path)

    def _recover(self) -> None:
        if self.trouble:
            self.trouble = ""
            short = self._roster.without_descriptor
            if self.path in short:
                short.remove(self.path)
                if short:
                    return
            self._emit(PartRecovered(self.path))

    def _report_lost(self, *, may_be: bool = False) -> None:
        lost = self._rotated.drain_lost()
        if not lost and not may_be:
            return
        many = f"{lost} rotated files" if lost != 1 else "1 rotated file"
        which = many if lost else "rotated files"
        verb = "could not be read" if lost else "may have been deleted unread"
        cure = "have it rotated less often, and keep more rotated files uncompressed"
        lost = max(lost, 1)
        self._roster.lost_files += lost
        self._emit(LinesLost(self.path, lost, f"{which} {verb}; {cure}"))

    def _report(self, what: str) -> None:
        self._emit(SourceChanged(self.path, what))
