"""Counts what a source has read, for its health."""

import msgspec

from banish.model.instant import Instant
from banish.ports import Clock


class ReadSoFar(msgspec.Struct):
    """What was read since the start."""

    clock: Clock
    lines: int = 0
    bytes: int = 0
    cut_lines: int = 0
    """Lines longer than the limit."""
    last_line_at: Instant | None = None
    """When the newest line was read, by our clock."""

    def add(self, lines: int, count_bytes: int, cut: int) -> None:
        """Count *lines* that have just been read, and how many of them were cut."""
        self.lines += lines
        self.bytes += count_bytes
        self.cut_lines += cut
        self.last_line_at = self.clock()
