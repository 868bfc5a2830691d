"""What a source yields: blocks of whole lines, and where they stood.

A *position* is where we are in a source, a *fingerprint* is which file it is.
Bytes stay bytes until a line is interesting, so a batch is one block.
"""

import msgspec

from banish.model.instant import Instant

LINE_LIMIT_BYTES = 65_536
"""Longest line that is looked at. The rest of a longer line is dropped and counted.

Syslog messages end at 8 KiB in practice (RFC 5424, 6.1 asks receivers for 2 KiB);
web servers stop at some 8 to 32 KiB of request line.
"""


class Fingerprint(msgspec.Struct, frozen=True):
    """Which file it is, whatever its name: survives a rename, not a rewrite."""

    device: int
    inode: int
    head_bytes: int
    """How many of the file's first bytes `head` covers."""
    head: str
    """Hexadecimal BLAKE2b-128 of those bytes."""


class FilePosition(msgspec.Struct, frozen=True, tag="file"):
    """The byte just after the last whole line that was read."""

    path: str
    fingerprint: Fingerprint
    offset: int
    ahead: float = 0.0
    """How many seconds the times in the file were ahead of the clock while it was read live, in
    whole quarters of an hour: it is written in another time zone. Below zero: behind."""
    at: Instant = Instant(0)
    """When it was reached; of several positions in one file the newest counts."""


class JournalPosition(msgspec.Struct, frozen=True, tag="journal"):
    """The entry that was read last (sd_journal_get_cursor(3))."""

    cursor: str
    at: Instant
    """The entry's time, for when the cursor is gone from the journal."""


Position = FilePosition | JournalPosition


class Batch(msgspec.Struct, frozen=True):
    r"""A block of whole lines from one place, in the order they were written.

    ``block`` is what stands in the log, unchanged, each line ended by ``\n``
    (``\r\n`` stays). A line longer than `LINE_LIMIT_BYTES` comes alone in its
    batch, cut to the limit. A block may be empty: then the batch only tells a
    position that is to be saved.
    """

    source: str
    """The name of the source: positions are kept by it."""
    path: str
    """The file the lines stand in, or ``journal``; for evidence and messages."""
    block: bytes
    after: Position
    """Where to go on once everything that this batch caused is done."""
    live: bool = True
    """Whether the source had caught up before: False while old lines are read."""
    start: int = 0
    """Offset in the file of the block's first byte; 0 for a journal."""
    times: tuple[Instant, ...] | None = None
    """One trusted time a line, where the source has it (journal); else None."""
    cut: int = 0
    """How many lines of this batch were longer than the limit."""
    lines: int | None = None
    r"""How many ``\n`` the block has, where the source has counted them."""
