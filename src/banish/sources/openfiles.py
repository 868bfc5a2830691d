"""Keeps the number of open log files within bounds: quiet ones are closed and opened again.

A closed file is watched on by inotify and looked at like the others. Only what
is read to its end is closed, the longest untouched first. All sources of the
process share the bound, since they share its descriptors.
"""

from collections import OrderedDict
from typing import Protocol

OPEN_LIMIT = 1_024
"""Log files that stay open although they are quiet, at most."""

LEAST = 8
"""So many may be open whatever the limit of the process is."""


class Parkable(Protocol):
    """Somebody who holds a log file open."""

    def park(self) -> bool:
        """Close the file for a while; tell whether that could be done."""


class OpenFiles:
    """Counts the open log files of all sources.

    Args:
        limit: How many may be open before quiet ones are closed, at least `LEAST`.

    """

    def __init__(self, limit: int = OPEN_LIMIT) -> None:
        self.limit = max(LEAST, limit)
        self.count = 0
        """How many are open now."""
        self._holders: OrderedDict[Parkable, None] = OrderedDict()

    @property
    def room(self) -> int:
        """How many more may be opened now."""
        return max(0, self.limit - self.count)

    def use(self, holder: Parkable) -> None:
        """Count *holder* as the last that something happened to."""
        self._holders[holder] = None
        self._holders.move_to_end(holder)

    def forget(self, holder: Parkable) -> None:
        """Close nothing of *holder* any more."""
        self._holders.pop(holder, None)

    def make_room(self, wanted: int = 0) -> None:
        """Close quiet files until *wanted* more may be opened, or nothing quiet is open."""
        for _ in range(len(self._holders)):
            if self.count + wanted <= self.limit:
                return
            holder, _ = self._holders.popitem(last=False)
            if not holder.park():
                self._holders[holder] = None

    def shrink(self) -> None:
        """Keep fewer open from now on: the process has run out of descriptors."""
        self.limit = max(LEAST, min(self.limit, self.count) * 3 // 4)
        self.make_room()
