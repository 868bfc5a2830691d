"""The open files of one path in the order in which they are read, the newest last.

What was written before the server started is its backlog; what comes after that is live.
"""

from collections import deque
from collections.abc import Iterable, Iterator

from banish.sources.logfile import LogFile
from banish.sources.roster import Roster


class FileQueue:
    """The files that are read one after the other; each of them is in the roster."""

    def __init__(self, path: str, roster: Roster) -> None:
        self.is_live = False
        """Whether what is read now was written after we came."""
        self._path = path
        self._roster = roster
        self._files: deque[LogFile] = deque()
        self._backlog: tuple[LogFile, int] | None = None
        """The newest file that was there at the start and its size then: what follows is live."""

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[LogFile]:
        return iter(self._files)

    def __getitem__(self, index: int) -> LogFile:
        return self._files[index]

    def append(self, file: LogFile) -> None:
        """Read *file* after all others."""
        self._roster.add(file, self._path)
        self._files.append(file)

    def put_before(self, file: LogFile, others: Iterable[LogFile]) -> None:
        """Read *others* just before *file*, in their order."""
        for other in others:
            self._roster.add(other, self._path)
            self._files.insert(self._files.index(file), other)

    def remove(self, file: LogFile) -> None:
        """Read *file* no more; it stays open and in the roster."""
        self._files.remove(file)

    def drop(self, file: LogFile) -> None:
        """Close *file* and read it no more."""
        self._files.remove(file)
        self._roster.drop(file)

    def close(self) -> None:
        """Close all."""
        for file in self._files:
            self._roster.drop(file)
        self._files.clear()

    def is_followed(self, file: LogFile) -> bool:
        """Whether nothing more of *file*, the first, comes before what follows it."""
        return len(self._files) > 1 and (file.is_copy or self._files[1].size > 0)

    def begin_backlog(self, newest: LogFile, old_bytes: int) -> None:
        """Take what there is, up to *old_bytes* of the *newest* file, for the backlog."""
        self._backlog = (newest, old_bytes)

    def backlog_end(self, file: LogFile) -> int | None:
        """Return up to where *file* was there before we were, while that is being read."""
        if self.is_live or self._backlog is None or file is not self._backlog[0]:
            return None
        if file.read_to < self._backlog[1]:
            return self._backlog[1]
        self.is_live, self._backlog = True, None
        return None
