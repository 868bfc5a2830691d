"""When bans end: a heap of times, with lazy deletion.

A ban that is taken away or prolonged leaves its old entry in the heap, to be
dropped when it comes up. Once such dead entries outnumber the living, the heap
is built anew, so it never holds more than twice what is in force.
"""

import heapq

from banish.model.address import Subject
from banish.model.instant import Instant

_SMALL = 64
"""Below this many entries rebuilding is not worth a thought."""


class Expiry:
    """The end of each ban that has one."""

    def __init__(self) -> None:
        self._heap: list[tuple[Instant, int, Subject]] = []
        self._entries: dict[Subject, int] = {}
        self._serial = 0

    def __len__(self) -> int:
        return len(self._entries)

    def set(self, subject: Subject, until: Instant) -> None:
        """Let *subject* be due at *until*, in place of an earlier time."""
        self._serial += 1
        self._entries[subject] = self._serial
        heapq.heappush(self._heap, (until, self._serial, subject))
        self._tidy()

    def cancel(self, subject: Subject) -> None:
        """Let *subject* never be due; nothing happens where it is not known."""
        if self._entries.pop(subject, None) is not None:
            self._tidy()

    def due(self) -> Instant | None:
        """Return the earliest time at which `pop_due` has something to give."""
        while self._heap and self._is_dead(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: Instant) -> list[Subject]:
        """Take out and return every subject due at *now* or before, earliest first."""
        found: list[Subject] = []
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if not self._is_dead(entry):
                del self._entries[entry[2]]
                found.append(entry[2])
        return found

    def _is_dead(self, entry: tuple[Instant, int, Subject]) -> bool:
        return self._entries.get(entry[2]) != entry[1]

    def _tidy(self) -> None:
        if len(self._heap) > _SMALL and len(self._heap) > 2 * len(self._entries):
            self._heap = [entry for entry in self._heap if not self._is_dead(entry)]
            heapq.heapify(self._heap)
