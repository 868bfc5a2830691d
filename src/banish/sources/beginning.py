"""Finds where to begin in a file that has come to a path, and which files to read before it.

The saved file is looked for at its path and, by inode and beginning or by
beginning alone, among the names it may have been rotated to. What is returned is
open, at its place, in nobody's roster.
"""

import functools
from typing import NamedTuple

from banish.model.record import FilePosition
from banish.sources.logfile import Identity, LogFile
from banish.sources.reports import LogReports
from banish.sources.roster import Roster
from banish.sources.rotated import RotatedFiles
from banish.sources.seek import Seeker


class FileAtStart(NamedTuple):
    """A file as it was when the server started."""

    identity: Identity
    size: int

    def old_bytes(self, new: LogFile) -> int:
        """Return how much of *new* was there then: what came since is live, in whichever file."""
        return min(self.size, new.size) if self.identity == new.identity else 0


class Beginnings:
    """Where to begin in the files of one path.

    Args:
        roster: Knows how far files were read.
        rotated: The rotated files of the path.
        reports: Hears what became of the log.
        seeker: Finds the lines that are not too old; None: every line is read.
        ahead: By how much the times of its lines are ahead, as an earlier run saved it.

    """

    def __init__(
        self,
        roster: Roster,
        rotated: RotatedFiles,
        reports: LogReports,
        *,
        seeker: Seeker | None,
        ahead: float,
    ) -> None:
        self._roster = roster
        self._rotated = rotated
        self._reports = reports
        self._seeker = seeker
        self._ahead = ahead

    def first(
        self, new: LogFile, saved: FilePosition | None, *, from_end: bool, old_bytes: int
    ) -> list[LogFile] | None:
        """Go to where reading begins in *new*; return the files to read before it.

        None: there was nothing to go on from, so that it begins after *old_bytes*.
        """
        places = [place for place in (saved, self._roster.recall(new)) if place is not None]
        places.sort(key=lambda place: place.offset, reverse=True)
        if any(new.resume(place) for place in places):
            return []
        older = self._rotated.since(saved, new) if saved is not None else []
        if older or not from_end:
            new.begin(0)
            return older
        new.begin_after_line(old_bytes)
        return None

    def after(self, last: LogFile, new: LogFile) -> list[LogFile] | None:
        """Go to where reading begins in *new*, which has taken the place of the open *last*.

        Return the files to read between the two; None: *new* is a copy of *last*, and goes on
        where that was.
        """
        # First there, then compared, for the reason that `LogFile.resume` gives.
        new.begin(last.offset)
        if last.is_continued_by(new):
            self._reports.changed("was replaced by a copy of itself")
            return None
        self._recall(new)
        self._reports.changed("was rotated" if last.links else "was replaced by another file")
        missed = self._rotated.missed(last.modified_ns, last, new)
        self._rotated.count_compressed(last.modified_ns)
        if missed and not last.links:
            # It was rotated away altogether, so others may have been that we never saw.
            self._reports.lost(self._rotated.drain_lost(), may_be=True)
        return missed

    def after_parked(self, parked: LogFile, saved: FilePosition, new: LogFile) -> list[LogFile]:
        """Do what `after` does where the newest file is closed for a while."""
        older = self.since(saved, new, parked)
        if not older:
            new.begin(saved.offset)
            if parked.is_continued_by(new):
                self._reports.changed("was replaced by a copy of itself")
                return []
        self._reports.changed("was rotated" if older else "was replaced by another file")
        self._recall(new)
        return older

    def since(
        self, saved: FilePosition, new: LogFile | None, parked: LogFile | None
    ) -> list[LogFile]:
        """Return the file that *saved* is in, perhaps *parked* till now, and those begun since."""
        older = self._rotated.since(saved, new)
        for file in older:
            if parked is not None and file.identity == parked.identity:
                # Else a cut that came while it was closed and unread could not be noticed.
                file.first_seen = parked.first_seen
        return older

    def cut_unread(self, file: LogFile) -> list[LogFile]:
        """Return what ``copytruncate`` took out of *file* before we read any of it.

        Nothing in the file itself tells; but it was written to since it was
        first seen, and so was the copy.
        """
        if not file.is_untouched or (stamp := file.stamp()) == file.first_seen:
            return []
        copies = self._rotated.copies(file.first_seen[0], file)
        file.first_seen = stamp
        return copies

    def after_cut(self, file: LogFile) -> list[LogFile]:
        """Go to where reading goes on in *file*, which was cut; return the files to read before.

        Raises:
            OSError: *file* cannot be read.

        """
        kept = file.kept_bytes()
        if kept:
            file.begin_after_line(kept)
            self._reports.changed(f"was truncated to {kept} bytes")
            return []
        file.first_seen = file.stamp()
        before = self._rotated.copy_and_since(file)
        file.begin(0)
        self._reports.lost(self._rotated.drain_lost())
        rest = f"; its rest is read from {before[0].path}" if before else ""
        self._reports.changed(f"was truncated and starts again{rest}")
        return before

    def skip_old(self, file: LogFile) -> None:
        """Go on to the lines that are young enough to count."""
        if self._seeker is None:
            return
        try:
            passed = file.skip(functools.partial(self._seeker.place, ahead=self._ahead))
        except OSError:
            return  # the next read reports why it cannot be read
        if passed:
            old = f"{passed / 1e6:.0f} MB"
            self._reports.changed(f"{old} of lines are older than findtime and not read")

    def _recall(self, new: LogFile) -> None:
        known = self._roster.recall(new)
        if known is None or not new.resume(known):
            new.begin(0)
