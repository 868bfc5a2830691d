"""Reads what reaches a rotated file late, from a writer that still has it open.

Its position is reported once by an empty piece when reading turns to the next file,
and with every line that comes after that.
"""

from banish.model.instant import Seconds
from banish.model.record import FilePosition
from banish.sources.logfile import LogFile
from banish.sources.piece import LATE_MARK, Piece, last_piece, piece_of, place_only
from banish.sources.roster import Roster
from banish.sources.rotated import RotatedFiles

LINGER_SPAN = Seconds(60.0)
"""How long a rotated or deleted file is kept open after its last line. Long enough for
workers that finish their requests first; short enough to give a deleted file's room back."""


class LateFile:
    """The file before the newest of one path, while it is read on the side; or none."""

    def __init__(self, path: str, roster: Roster, saved: FilePosition | None) -> None:
        """Know no file; *saved* is where an earlier run left off in one."""
        self._path = path
        self._key = path + LATE_MARK
        self._roster = roster
        self._saved = saved
        self._file: LogFile | None = None
        self._at = Seconds(0.0)

    @property
    def is_open(self) -> bool:
        """Whether there is one."""
        return self._file is not None

    @property
    def is_read(self) -> bool:
        """Whether all of it was read, or there is none."""
        return self._file is None or self._file.is_at_end

    def open_saved(self, rotated: RotatedFiles, now: Seconds) -> None:
        """Look for the file that an earlier run left off in, once.

        Raises:
            OSError: It cannot be looked for; the next call tries again.

        """
        if self._saved is not None and self._file is None:
            file = rotated.same(self._saved)
            if file is not None:
                self._roster.add(file, self._path)
                self._file, self._at = file, now
        self._saved = None

    def follow(self, file: LogFile, now: Seconds, *, live: bool) -> list[Piece]:
        """Read *file*, which is open and read to its end, in place of the one before."""
        last = self.finish(live=live)
        self._file, self._at = file, now
        return [*last, place_only(self._key, file, live=live)]

    def read(self, now: Seconds, *, live: bool) -> Piece | None:
        """Return the next lines, or None; `is_read` then tells whether to wait for more."""
        file = self._file
        if file is None:
            return None
        try:
            chunk = file.read()
        except OSError:
            # Cut or gone bad after its end was read: nothing of it is owed any more.
            self.close()
            return None
        if chunk is None:
            return None
        self._at = now
        return piece_of(self._key, file, chunk, live=live)

    def is_quiet(self, now: Seconds) -> bool:
        """Whether no line has come for `LINGER_SPAN`."""
        return now - self._at >= LINGER_SPAN

    def finish(self, *, live: bool) -> list[Piece]:
        """Close it; return its last line, if that never ended."""
        if self._file is None:
            return []
        last = last_piece(self._key, self._file, live=live)
        self.close()
        return last

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._roster.drop(self._file)
            self._file = None
