"""Lines as one file yields them, and the key that its position is kept under."""

from typing import NamedTuple

from banish.detect.framing import Chunk
from banish.model.record import Batch, FilePosition
from banish.sources.logfile import LogFile

LATE_MARK = " (rotated)"
"""Ends the key under which the position in the file before is kept."""


class Piece(NamedTuple):
    """Lines of one file, and the place after them; none, where only the place is given."""

    key: str
    chunk: Chunk
    after: FilePosition
    live: bool

    def batch(self, lines: int) -> Batch:
        """Return it, which is so many *lines*, as a source hands it out."""
        return Batch(
            source=self.key,
            path=self.after.path,
            block=self.chunk.block,
            after=self.after,
            live=self.live,
            start=self.chunk.start,
            cut=self.chunk.cut,
            lines=lines,
        )


def piece_of(key: str, file: LogFile, chunk: Chunk, *, live: bool) -> Piece:
    """Return *chunk*, which *file* has just handed out."""
    return Piece(key, chunk, file.position(chunk.end), live)


def place_only(key: str, file: LogFile, *, live: bool) -> Piece:
    """Return no lines, and the place up to which *file* was handed out."""
    place = file.offset
    return Piece(key, Chunk(b"", place, place), file.position(place), live)


def last_piece(key: str, file: LogFile, *, live: bool) -> list[Piece]:
    """Return the last line of a file that nobody writes to, if it never ended; else none."""
    chunk = file.finish()
    return [] if chunk is None else [piece_of(key, file, chunk, live=live)]
