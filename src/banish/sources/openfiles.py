"""Keeps the number of open log files within bounds: quiet ones are closed and opened again.

A closed file is watched on by inotify and looked at like the others. Only what
is read to its end is closed, the longest untouched first. All sources of the
process share the bound, since they share its descriptors.
"""

from collections import OrderedDict
from typing import Protocol

OPEN_LIMIT = 1_024
"""Log files that stay open although they are quiet, at most."""

TRIES = 64
"""So many holders are asked at once to close a file; the others the next time."""

LEAST = 8
"""So many may be open whatever the limit of the process is."""


class Parkable(Protocol):
    """Somebody who holds a log file open."""

    def park(self, *, pressed: bool = False) -> bool:
        """Close the file for a while; tell whether that could be done.

        *pressed*: close, too, what is kept open for lines that may come late.
        """


class OpenFiles:
    """Counts the open log files of all sources.

    Args:
        limit: How many may be open before quiet ones are closed, at least `LEAST`.
        most: How many may be open at all, at least *limit*.

    """

    def __init__(self, limit: int = OPEN_LIMIT, most: int = 0) -> None:
        self.limit = max(LEAST, limit)
        self.most = max(self.limit, most)
        self.count = 0
        """How many are open now."""
        self._holders: OrderedDict[Parkable, None] = OrderedDict()

    @property
    def room(self) -> int:
        """How many more may be opened now."""
        return max(0, self.most - self.count)

    def use(self, holder: Parkable) -> None:
        """Count *holder* as the last that something happened to."""
        self._holders[holder] = None
        self._holders.move_to_end(holder)

    def forget(self, holder: Parkable) -> None:
        """Close nothing of *holder* any more."""
        self._holders.pop(holder, None)

    def tidy(self) -> None:
        """Close quiet files as long as more than `limit` are open."""
        self._close(self.limit, pressed=False)

    def make_room(self) -> None:
        """Have room for one more, if there is anything that may be closed."""
        self._close(self.most - 1, pressed=False)
        self._close(self.most - 1, pressed=True)

    def _close(self, wanted: int, *, pressed: bool) -> None:
        for _ in range(min(len(self._holders), TRIES)):
            if self.count <= wanted:
                return
            holder, _ = self._holders.popitem(last=False)
            if not holder.park(pressed=pressed) or pressed:
                self._holders[holder] = None

    def shrink(self) -> None:
        """Keep fewer open from now on: the process has run out of descriptors."""
        self.most = max(LEAST, min(self.most, self.count) * 3 // 4)
        self.limit = min(self.limit, self.most)
        while self.count > self.limit:
            before = self.count
            self.tidy()
            if self.count == before:
                break
