"""Reads logs that are complete: from their beginning to their end, once.

For trying filters and replaying the past: no event loop, no rotation, no
waiting. What ends in ``.gz`` or begins as gzip does is unpacked on the way.
"""

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from banish.detect.framing import Chunk, LineFramer
from banish.errors import SourceError
from banish.model.record import Batch, FilePosition, Fingerprint

BLOCK_BYTES = 512 * 1024

_GZIP_MAGIC = b"\x1f\x8b"


def read_log(log: str | Path | BinaryIO, *, name: str = "") -> Iterator[Batch]:
    r"""Yield the lines of *log*, a path or an open binary stream, to its end.

    A last line without ``\n`` counts as a line and gets one. Offsets count
    unpacked bytes. A stream is not closed.

    Args:
        log: Where the lines are. ``-`` is no special path: hand in the stream.
        name: What batches call the log; by default its path, or ``-``.

    Raises:
        SourceError: The log cannot be opened, read or unpacked.

    """
    shown = name or (str(log) if isinstance(log, str | Path) else "-")
    try:
        if isinstance(log, str | Path):
            with Path(log).open("rb", buffering=BLOCK_BYTES) as stream:
                yield from _read(stream, shown)
        else:
            yield from _read(log, shown)
    except FileNotFoundError as error:
        raise SourceError(f"{shown}: no such file", retry=False) from error
    except (OSError, EOFError, zlib.error) as error:
        what = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{shown}: {what}", retry=False) from error


def _read(log: BinaryIO, shown: str) -> Iterator[Batch]:
    if isinstance(log, io.BufferedReader):
        # Not wrapped again: the outer of two would wait for a whole block of a pipe.
        yield from _read_lines(log, shown)
        return
    stream = io.BufferedReader(cast("io.RawIOBase", log), BLOCK_BYTES)
    try:
        yield from _read_lines(stream, shown)
    finally:
        # Leaves the caller's stream open.
        stream.detach()


def _read_lines(stream: "io.BufferedReader[Any]", shown: str) -> Iterator[Batch]:
    is_packed = stream.peek(2).startswith(_GZIP_MAGIC)
    unpacked = gzip.GzipFile(fileobj=stream) if is_packed else stream
    framer = LineFramer()
    while block := unpacked.read1(BLOCK_BYTES):
        for chunk in framer.feed(block):
            yield _batch(shown, chunk)
    if (rest := framer.flush()) is not None:
        yield _batch(shown, rest)


def _batch(shown: str, chunk: Chunk) -> Batch:
    after = FilePosition(shown, Fingerprint(0, 0, 0, ""), chunk.end)
    return Batch(
        source=shown,
        path=shown,
        block=chunk.block,
        after=after,
        live=False,
        start=chunk.start,
        cut=chunk.cut,
    )
