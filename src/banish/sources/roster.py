"""Knows which files are open and how far each known file was read.

One roster serves all paths of a source. It is why a file that two patterns or
two links lead to is read once, and why a rotated file that a glob matches too
goes on where it was left under its old name.
"""

from collections import OrderedDict
from collections.abc import Iterable

from banish.model.record import FilePosition
from banish.sources.fingerprint import continues
from banish.sources.logfile import Identity, LogFile
from banish.sources.openfiles import OpenFiles
from banish.sources.watch import Watch

KEPT_POSITIONS = 4096
"""How many files that are no longer open are remembered; each costs some 300 bytes."""


class Roster:
    """The open files of one source, and the places where others were left.

    Args:
        watch: Learns which files to watch.
        saved: Where files were left by an earlier run.
        open_files: Counts the open files of the process; None: of this source alone.

    """

    def __init__(
        self,
        watch: Watch,
        saved: Iterable[FilePosition] = (),
        open_files: OpenFiles | None = None,
    ) -> None:
        self._watch = watch
        self._open_files = open_files or OpenFiles()
        self._open: dict[Identity, LogFile] = {}
        self._parked: dict[Identity, str] = {}
        self.without_descriptor: set[str] = set()
        """Paths that could not be opened since the process has too many files open."""
        self.lost_files = 0
        """Rotated files that went by unread."""
        self._left: OrderedDict[int, list[FilePosition]] = OrderedDict()
        for position in saved:
            self._leave(position)

    @property
    def files(self) -> Iterable[LogFile]:
        """Every open file."""
        return self._open.values()

    def is_open(self, identity: Identity) -> bool:
        """Tell whether a file is being read already, under whatever name."""
        return identity in self._open or identity in self._parked

    def add(self, file: LogFile, owner: str) -> None:
        """Take an open file in: from now on its changes wake *owner*."""
        self._open[file.identity] = file
        self._open_files.count += 1
        self._watch.add_file(file.descriptor, file.path, owner)

    def drop(self, file: LogFile) -> None:
        """Close a file and remember how far it was read."""
        if self._open.pop(file.identity, None) is not None:
            self._open_files.count -= 1
            self._watch.drop_file(file.descriptor)
            self._leave(file.position())
        file.close()

    def park(self, file: LogFile, owner: str) -> None:
        """Close a file that is read on later; its changes still wake *owner*."""
        del self._open[file.identity]
        self._open_files.count -= 1
        self._parked[file.identity] = owner
        self._watch.park_file(file.descriptor)
        file.close()

    def unpark(self, identity: Identity) -> None:
        """Let the parked file be opened again; `forget_parked` is to follow."""
        self._parked.pop(identity, None)

    def forget_parked(self, owner: str) -> None:
        """Watch *owner*'s parked file no more, unless it is open again."""
        self._watch.unpark(owner)

    def recall(self, file: LogFile) -> FilePosition | None:
        """Return the furthest known place in *file*, if it was read before.

        Raises:
            OSError: The file cannot be read.

        """
        known = [
            position
            for position in self._left.get(file.identity[1], ())
            if continues(file.descriptor, position)
        ]
        return max(known, key=lambda position: position.offset, default=None)

    def _leave(self, position: FilePosition) -> None:
        inode = position.fingerprint.inode
        places = self._left.setdefault(inode, [])
        places.append(position)
        # The number may have been used for several files in turn: keep the newest few.
        del places[:-4]
        self._left.move_to_end(inode)
        if len(self._left) > KEPT_POSITIONS:
            self._left.popitem(last=False)
