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
"""

import os
from collections import deque

from banish.model.instant import Seconds
from banish.model.record import FilePosition
from banish.sources.beginning import Beginnings, FileAtStart
from banish.sources.filequeue import FileQueue
from banish.sources.late import LINGER_SPAN, LateFile
from banish.sources.logfile import LogFile, RewrittenError
from banish.sources.piece import Piece, last_piece, piece_of, place_only
from banish.sources.presence import Fate
from banish.sources.reports import LogReports, fate_of
from banish.sources.roster import Roster
from banish.sources.rotated import RotatedFiles
from banish.sources.seek import Seeker
from banish.telemetry.events import Emit


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
        self.is_missing = False
        """Whether nothing is at the path."""
        self.is_present = False
        """Whether something was at the path at the last look."""
        self._was_deleted = False
        self.is_idle = True
        """Whether the last `read` found nothing more to do."""
        self._roster = roster
        self._rotated = RotatedFiles(path, roster)
        self._reports = LogReports(path, roster, emit)
        self._beginnings = Beginnings(
            roster,
            self._rotated,
            self._reports,
            seeker=seeker,
            ahead=0.0 if saved is None else saved.ahead,
        )
        self._saved = saved
        self._files = FileQueue(path, roster)
        self._late = LateFile(path, roster, saved_late)
        self._read_at = Seconds(0.0)
        self._now = Seconds(0.0)
        self._pieces: deque[Piece] = deque()
        self._parked: LogFile | None = None

    @property
    def trouble(self) -> str:
        """Why the log cannot be read; empty while it can."""
        return self._reports.trouble

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
        return self.is_missing and not (self.is_open or self._late.is_open or self._pieces)

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
            self._reports.failed(error)
        else:
            self.is_present = True
            identity = (status.st_dev, status.st_ino)
            if self._files and self._files[-1].identity == identity:
                self.is_missing = False
                self._reports.recovered()
            elif (
                self._parked is not None
                and self._parked.identity == identity
                and self._parked.read_stamp == (status.st_mtime_ns, status.st_size)
            ):
                self._reports.recovered()
            else:
                self._open(from_end=from_end, is_first=is_first, found=found)
        try:
            self._late.open_saved(self._rotated, now)
        except OSError as error:
            self._reports.failed(error)
        self._expire()
        self._reports.lost(self._rotated.drain_lost())
        self.is_idle = False

    def read(self) -> Piece | None:
        """Return the next lines, or None; `is_idle` then tells whether to wait for a sign."""
        self.is_idle = False
        while not self._pieces and self._files:
            try:
                self._add_cut_unread()
            except OSError as error:
                self._reports.failed(error)
                self.is_idle = True
                return None
            file = self._files[0]
            until = self._files.backlog_end(file)
            # Asked before the read: what the writer put into the old file came before.
            is_followed = self._files.is_followed(file)
            try:
                chunk = file.read(live=self._files.is_live, until=until)
            except RewrittenError:
                self._cope_with_rewrite(file)
                return None
            except OSError as error:
                self._lose(file, error)
                break
            if chunk is not None:
                self._read_at = self._now
                return piece_of(self.path, file, chunk, live=self._files.is_live)
            if not file.is_at_end:
                return None
            if not is_followed:
                self._files.is_live = True
                break
            if self._late.is_open and not file.is_copy:
                # There is room for one: what is left of the one before comes first.
                piece = self._read_late()
                if piece is not None or not self.is_idle:
                    return piece
                self.is_idle = False
            self._leave(file)
        return self._pieces.popleft() if self._pieces else self._read_late()

    def fate(self) -> Fate:
        """Return what became of the log that was at the path."""
        newest = self._files[-1] if self._files else None
        return fate_of(newest, was_deleted=self._was_deleted)

    def close(self) -> None:
        """Let go of all files."""
        self._files.close()
        self._late.close()

    def park(self, *, pressed: bool = False) -> bool:
        """Close the file for a while, where it is read to its end; tell whether that was done.

        *pressed*: of a log that was rotated, close the file before, too, which is open for lines
        that may come late.
        """
        if pressed and self._late.is_open and self._late.is_read and self.is_idle:
            self._pieces += self._late.finish(live=self._files.is_live)
            return True
        if len(self._files) != 1 or self._late.is_open or self._pieces or not self.is_idle:
            return False
        file = self._files[0]
        if file.read_stamp is None or self.is_missing or self.trouble:
            return False
        self._parked = file
        self._saved = file.position()
        self._files.remove(file)
        self._roster.park(file, self.path)
        return True

    def _take_parked(self) -> LogFile | None:
        parked, self._parked = self._parked, None
        if parked is not None:
            self._roster.unpark(parked.identity)
        return parked

    def _miss(self) -> None:
        self.is_present = False
        if not self.is_missing:
            self.is_missing = True
            self._reports.recovered()
            self._read_at = self._now
            if self._files:
                self._reports.changed(
                    "was moved or deleted; its old file is read on until a new one begins"
                )
        if self._saved is not None and not self._files:
            try:
                older = self._beginnings.since(self._saved, None, self._take_parked())
            except OSError as error:
                self._reports.failed(error)
            else:
                self._begin(older)

    def _open(self, *, from_end: bool, is_first: bool, found: FileAtStart | None) -> None:
        try:
            new = LogFile(self.path)
        except OSError as error:
            self._reports.failed(error)
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
        old_bytes = new.size if found is None else found.old_bytes(new)
        try:
            if self._files:
                older = self._place_next(new)
            elif parked is not None and self._saved is not None:
                older = self._beginnings.after_parked(parked, self._saved, new)
            else:
                older = self._place_first(new, from_end, old_bytes)
        except OSError as error:
            new.close()
            self._reports.failed(error)
            return
        if not (is_first or self._files or parked or self.trouble):
            self._reports.changed("appeared")
        if is_first:
            self._files.begin_backlog(new, old_bytes)
        self._take_up([*older, new])

    def _take_up(self, files: list[LogFile]) -> None:
        self._begin(files)
        self.is_missing = False
        self._reports.recovered()

    def _place_first(self, new: LogFile, from_end: bool, old_bytes: int) -> list[LogFile]:
        older = self._beginnings.first(new, self._saved, from_end=from_end, old_bytes=old_bytes)
        if older is None:
            self._files.is_live = True
            self._pieces.append(place_only(self.path, new, live=True))
            return []
        return older

    def _place_next(self, new: LogFile) -> list[LogFile]:
        missed = self._beginnings.after(self._files[-1], new)
        if missed is None:
            self._files.drop(self._files[-1])
            return []
        return missed

    def _begin(self, files: list[LogFile]) -> None:
        self._saved = None
        for file in files:
            if not self._files.is_live:
                self._beginnings.skip_old(file)
            self._files.append(file)
        self._roster.forget_parked(self.path)

    def _add_cut_unread(self) -> None:
        for file in tuple(self._files):
            self._files.put_before(file, self._beginnings.cut_unread(file))

    def _cope_with_rewrite(self, file: LogFile) -> None:
        try:
            before = self._beginnings.after_cut(file)
        except OSError as error:
            self._lose(file, error)
        else:
            self._files.put_before(file, before)

    def _leave(self, file: LogFile) -> None:
        """Turn to the next file; *file* is read on the side for a while."""
        if file.is_copy:
            self._finish(file)
            return
        self._files.remove(file)
        self._pieces += self._late.follow(file, self._now, live=self._files.is_live)

    def _read_late(self) -> Piece | None:
        piece = self._late.read(self._now, live=self._files.is_live)
        if piece is None and self._late.is_read:
            self.is_idle = True
        return piece

    def _expire(self) -> None:
        if self._late.is_open and self._late.is_quiet(self._now):
            self._pieces += self._late.finish(live=self._files.is_live)
        if self.is_missing and len(self._files) == 1 and self._now - self._read_at >= LINGER_SPAN:
            file = self._files[0]
            if file.is_at_end and not file.links:
                self._saved = file.position()
                self._finish(file)
                self._was_deleted = True

    def _finish(self, file: LogFile) -> None:
        """Close a file that nobody writes to, with its last line even if that never ended."""
        self._pieces += last_piece(self.path, file, live=self._files.is_live)
        self._files.drop(file)

    def _lose(self, file: LogFile, error: OSError) -> None:
        if len(self._files) == 1:
            self._saved = file.position()
        self._files.drop(file)
        self._reports.failed(error)
