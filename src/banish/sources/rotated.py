"""Finds what was rotated away from a path: where we left off, and what we never saw.

Only names in the log's own folder are looked at (``auth.log.1``,
``auth.log-20261122``, ``auth.1.log``), never compressed ones; their order is
that of their last writes. Files that are open already are left out: somebody
reads them.
"""

import errno
from collections.abc import Callable

from banish.model.record import FilePosition
from banish.sources.fingerprint import Sibling, continues, is_same_inode, rotated_siblings
from banish.sources.logfile import LogFile
from banish.sources.roster import Roster

MISSED_LIMIT = 256
"""How many rotations that nobody saw happen are made up for; each costs an open file until
it is read."""

LISTED_LIMIT = MISSED_LIMIT + 64
"""How many rotated files are opened to see what they are."""

LISTING_LIMIT = 50
"""How often a folder is listed anew because files in it are being renamed."""


class RotatedFiles:
    """The rotated files of one path. What is returned is open, at its place, in nobody's roster."""

    def __init__(self, path: str, roster: Roster) -> None:
        self._path = path
        self._roster = roster
        self._lost: set[tuple[int, int]] = set()
        self._lost_files = 0

    def drain_lost(self) -> int:
        """Return how many files that were to be read cannot be, since the last call."""
        lost, self._lost_files = self._lost_files, 0
        return lost

    def count_compressed(self, since_ns: int) -> None:
        """Count as lost what was rotated since *since_ns* and compressed before it was read.

        One of them is the file that we hold, and have read.
        """
        # Compressors keep the time of the last write, some in whole seconds.
        least = since_ns // 1_000_000_000 * 1_000_000_000
        fresh = {
            (each.modified_ns, each.inode)
            for each in rotated_siblings(self._path, compressed=True)
            if each.modified_ns >= least
        }
        self._lost_files += max(0, len(fresh - self._lost) - 1)
        self._lost = fresh

    def since(self, position: FilePosition, new: LogFile | None) -> list[LogFile]:
        """Return the file that *position* is in and those begun since, oldest first.

        The file itself is preferred to a copy of it. *new* is what the path
        leads to now.
        """
        found = self.same(position)
        if found is None:
            found = self._first(lambda file: continues(file.descriptor, position))
            if found is None:
                return []
            found.is_copy = True
            found.begin(position.offset)
        return [found, *self.missed(found.modified_ns, found, new)]

    def same(self, position: FilePosition) -> LogFile | None:
        """Return the very file that *position* is in, or None."""
        found = self._first(
            lambda file: (
                is_same_inode(file.descriptor, position.fingerprint)
                and continues(file.descriptor, position)
            )
        )
        if found is not None:
            found.begin(position.offset)
        return found

    def copy_and_since(self, cut: LogFile) -> list[LogFile]:
        """Return the copy that ``copytruncate`` left of what *cut* held, and those begun since."""
        copy = self._first(cut.is_continued_by)
        if copy is None:
            return []
        copy.is_copy = True
        copy.begin(cut.offset)
        return [copy, *self.copies(copy.modified_ns, copy, cut)]

    def copies(self, since_ns: int, *around: LogFile) -> list[LogFile]:
        """Return what `missed` does, but only what was taken out of the last of *around*.

        Cutting it came after the copying, so the copies are older; what is
        newer was rotated away after it.
        """
        until_ns = around[-1].modified_ns
        copies: list[LogFile] = []
        for file in self.missed(since_ns, *around):
            if file.modified_ns <= until_ns:
                copies.append(file)
            else:
                file.close()
        return copies

    def missed(self, since_ns: int, *around: LogFile | None) -> list[LogFile]:
        """Return files written to since *since_ns* that are none of *around*, oldest first.

        The last of *around* is what the path leads to now. A copy of it that is
        still being made is left out: the same lines are read from the original
        or, if that is cut before, found once it is.
        """
        known = {file.identity for file in around if file is not None}
        new = around[-1]

        def is_missed(file: LogFile) -> bool:
            return (
                file.modified_ns >= since_ns
                and file.identity not in known
                and not (new is not None and new.begins_with(file))
            )

        missed = self._all(is_missed, since_ns)
        for file in missed:
            place = self._roster.recall(file)
            file.begin(place.offset if place else 0)
        return missed[::-1]

    def _first(self, is_wanted: Callable[[LogFile], bool]) -> LogFile | None:
        """Return the newest that is wanted."""
        wanted = self._all(is_wanted)
        for file in wanted[1:]:
            file.close()
        return wanted[0] if wanted else None

    def _all(self, is_wanted: Callable[[LogFile], bool], since_ns: int = 0) -> list[LogFile]:
        """Return those that are wanted, newest first; the others are closed.

        What is wanted and was written to since *since_ns*, but is one too many or cannot be
        read, is counted as lost.
        """
        wanted: list[LogFile] = []
        for file in self._open(since_ns):
            try:
                keep = is_wanted(file)
            except OSError:
                self._lost_files += bool(since_ns)
                keep = False
            if keep and len(wanted) < MISSED_LIMIT:
                wanted.append(file)
            else:
                self._lost_files += keep and bool(since_ns)
                file.close()
        return wanted

    def _listed(self, since_ns: int) -> list[Sibling]:
        return [each for each in rotated_siblings(self._path) if each.modified_ns >= since_ns]

    def _open(self, since_ns: int) -> list[LogFile]:
        """Open the rotated files that nobody reads yet, newest first.

        Whoever rotates may be in the midst of it: then the list and what its
        names lead to disagree, and it is made anew.
        """
        listed = self._listed(since_ns)
        for _ in range(LISTING_LIMIT):
            opened = self._open_listed(listed[:LISTED_LIMIT], since_ns)
            again = self._listed(since_ns)
            # Their times may change meanwhile: a rotated file may still be written to.
            is_same = {each[1:] for each in listed} == {each[1:] for each in again}
            if is_same and opened is not None:
                if since_ns and len(listed) > LISTED_LIMIT:
                    known = {file.identity[1] for file in self._roster.files}
                    rest = [each for each in listed[LISTED_LIMIT:] if each.inode not in known]
                    self._lost_files += len(rest)
                return opened
            for file in opened or ():
                file.close()
            listed = again
        self._lost_files += len(listed) if since_ns else 0
        return []

    def _open_listed(self, listed: list[Sibling], since_ns: int) -> list[LogFile] | None:
        """Open what is listed; None if a name leads elsewhere by now.

        Raises:
            OSError: The process has too many files open.

        """
        opened: list[LogFile] = []
        refused = 0
        for sibling in listed:
            try:
                file = LogFile(sibling.path, shown=self._path)
            except PermissionError:
                refused += 1
                continue
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    for file in opened:
                        file.close()
                    raise
                break
            if file.identity[1] != sibling.inode:
                file.close()
                break
            if self._roster.is_open(file.identity):
                file.close()
            else:
                opened.append(file)
        else:
            self._lost_files += refused if since_ns else 0
            return opened
        for file in opened:
            file.close()
        return None
