"""Says what becomes of one log: what changed about it, what was lost, what keeps it unread."""

import errno

from banish.sources.logfile import LogFile
from banish.sources.presence import Fate
from banish.sources.roster import Roster
from banish.telemetry.events import Emit, LinesLost, PartFailed, PartRecovered, SourceChanged


class LogReports:
    """What is reported of one path, each trouble once."""

    def __init__(self, path: str, roster: Roster, emit: Emit) -> None:
        self.trouble = ""
        """Why the log cannot be read; empty while it can."""
        self._path = path
        self._roster = roster
        self._emit = emit

    def changed(self, what: str) -> None:
        """Report what became of the log."""
        self._emit(SourceChanged(self._path, what))

    def failed(self, error: OSError) -> None:
        """Report why the log cannot be read."""
        what = error.strerror or str(error)
        match error:
            case PermissionError():
                cure = f"let the server's user read it; see: namei -l {self._path}"
            case _ if error.errno in (errno.EMFILE, errno.ENFILE):
                self._failed_for_descriptors(what)
                return
            case _:
                cure = "it is tried again every few seconds"
        trouble = f"{self._path}: {what}; {cure}"
        if trouble != self.trouble:
            self.trouble = trouble
            self._emit(PartFailed(self._path, f"{what}; {cure}"))

    def _failed_for_descriptors(self, what: str) -> None:
        """Say so once for all paths: there may be thousands, and the cause is one."""
        cure = "raise the limit of open files: LimitNOFILE= in the unit file"
        self.trouble = f"{self._path}: {what}; {cure}"
        short = self._roster.without_descriptor
        if not short:
            self._emit(PartFailed(self._path, f"{what}; {cure}"))
        short.add(self._path)

    def recovered(self) -> None:
        """Report that the log can be read, if it could not."""
        if self.trouble:
            self.trouble = ""
            short = self._roster.without_descriptor
            if self._path in short:
                short.remove(self._path)
                if short:
                    return
            self._emit(PartRecovered(self._path))

    def lost(self, files: int, *, may_be: bool = False) -> None:
        """Report how many rotated files went by unread; with *may_be*, that some may have."""
        if not files and not may_be:
            return
        many = f"{files} rotated files" if files != 1 else "1 rotated file"
        which = many if files else "rotated files"
        verb = "could not be read" if files else "may have been deleted unread"
        cure = "have it rotated less often, and keep more rotated files uncompressed"
        files = max(files, 1)
        self._roster.lost_files += files
        self._emit(LinesLost(self._path, files, f"{which} {verb}; {cure}"))


def fate_of(newest: LogFile | None, *, was_deleted: bool) -> Fate:
    """Return what became of a log that is no longer at its path, by the file still open of it."""
    if newest is None:
        what = "was deleted" if was_deleted else "was moved or deleted"
        return Fate(f"{what}, and no new one has appeared")
    if not newest.links:
        what = "was deleted, and its old file is read until it is quiet for a minute"
        return Fate(what, is_read_on=True)
    place = newest.name_now
    away = f"was moved to {place}" if place else "was moved away"
    return Fate(f"{away}, and is read on there until a new one appears", is_read_on=True)
