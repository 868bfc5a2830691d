"""Reads one open file on, whatever becomes of its name.

Nothing here waits and nothing knows of other files: `banish.sources.tail` does
the rotation. Before each read the last bytes read before are compared with
what stands there now, in the same ``pread``: so a log that was cut and has
grown past our place again between two looks is noticed too.
"""

import os
import stat
from collections import deque
from collections.abc import Callable

from banish.detect.framing import Chunk, LineFramer
from banish.model.record import FilePosition
from banish.sources.fingerprint import HEAD_LIMIT_BYTES, continues, fingerprint_of

BLOCK_BYTES = 1024 * 1024
"""Most that is read in one go: large enough that the cost of a read vanishes,
small enough that others have their turn after some milliseconds."""

BACKLOG_BYTES = 512 * 1024
"""The same for what was written before we came: nobody waits for it, and others have
their turn sooner."""

GUARD_BYTES = 64
"""How many bytes before our place are compared; log lines carry a time, so they differ."""

Identity = tuple[int, int]
"""Device and inode: names a file for as long as it is open."""


class RewrittenError(OSError):
    """What stood before our place is gone: the file was cut or written anew."""


class LogFile:
    """One inode, open for reading.

    Args:
        path: The name under which it was opened.
        shown: The name to tell people, the one the operator configured.
        is_copy: Nobody writes to it: it was left by ``copytruncate``.

    Raises:
        OSError: It cannot be opened, or is no regular file.

    """

    def __init__(self, path: str, *, shown: str = "", is_copy: bool = False) -> None:
        self.path = path
        self.shown = shown or path
        self.is_copy = is_copy
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        self.descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        self._status = os.fstat(self.descriptor)
        if not stat.S_ISREG(self._status.st_mode):
            kind = "a directory" if stat.S_ISDIR(self._status.st_mode) else "no regular file"
            self.close()
            raise OSError(0, f"is {kind}")
        self.identity: Identity = (self._status.st_dev, self._status.st_ino)
        self.first_seen = _stamp(self._status)
        """Time of the last write and size when it was opened, see `stamp`."""
        self._ready: deque[Chunk] = deque()
        self._framer = LineFramer()
        self._head = b""
        self._guard = b""
        self._seen: tuple[int, int] | None = None

    def begin(self, offset: int) -> None:
        """Go to *offset*, the first byte of a line.

        Raises:
            OSError: The file cannot be read.

        """
        self._framer = LineFramer(offset)
        self._ready.clear()
        self._head = os.pread(self.descriptor, min(offset, HEAD_LIMIT_BYTES), 0)
        guarded = min(offset, GUARD_BYTES)
        self._guard = os.pread(self.descriptor, guarded, offset - guarded)
        self._seen = None

    def resume(self, position: FilePosition) -> bool:
        """Go to *position* and return True, or to the beginning where it is not in this file.

        What is remembered of the file is read first and compared afterwards: if
        the file were cut in between, what is remembered would be of the lines that
        came after, and the copy of those before could not be recognised by it.

        Raises:
            OSError: The file cannot be read.

        """
        self.begin(position.offset)
        if continues(self.descriptor, position):
            return True
        self.begin(0)
        return False

    def skip(self, find: Callable[[int, int], int]) -> int:
        """Go on to where *find* says; return how many bytes that skips.

        *find* gets the descriptor and our place and returns the first byte of a
        line. If the file is truncated meanwhile, nothing is skipped.

        Raises:
            OSError: The file cannot be read.

        """
        start, head, guard = self.offset, self._head, self._guard
        beginning = os.pread(self.descriptor, HEAD_LIMIT_BYTES, 0)
        place = find(self.descriptor, start)
        if place <= start:
            return 0
        self.begin(place)
        is_same = os.pread(self.descriptor, len(beginning), 0) == beginning
        if is_same and beginning.startswith(head) and place <= self.size:
            return place - start
        self._framer, self._head, self._guard = LineFramer(start), head, guard
        return 0

    def begin_after_line(self, offset: int) -> None:
        """Go to just after the last whole line that ends by *offset*.

        Raises:
            OSError: The file cannot be read.

        """
        searched = min(offset, BLOCK_BYTES)
        ending = os.pread(self.descriptor, searched, offset - searched)
        newline = ending.rfind(b"\n")
        self.begin(offset - searched + newline + 1 if newline >= 0 else offset)

    @property
    def read_stamp(self) -> tuple[int, int] | None:
        """The `stamp` at which the last `read` came to the end; None where it did not."""
        return None if self._ready else self._seen

    @property
    def size(self) -> int:
        """How many bytes it has now."""
        return os.fstat(self.descriptor).st_size

    @property
    def links(self) -> int:
        """How many names it has now; 0 once it is deleted."""
        return os.fstat(self.descriptor).st_nlink

    @property
    def name_now(self) -> str:
        """The name it has now, whoever renamed it; empty where that is not known."""
        try:
            return os.readlink(f"/proc/self/fd/{self.descriptor}")  # noqa: PTH115 - a name, no path
        except OSError:
            return ""

    @property
    def modified_ns(self) -> int:
        """When it was written to last."""
        return os.fstat(self.descriptor).st_mtime_ns

    def stamp(self) -> tuple[int, int]:
        """Return the time of the last write and the size: they change when lines come or go."""
        return _stamp(os.fstat(self.descriptor))

    @property
    def is_untouched(self) -> bool:
        """Whether nothing of it was read yet, and nothing skipped."""
        return self._framer.end == 0

    @property
    def offset(self) -> int:
        """Just after the last line that was handed out."""
        return self._ready[0].start if self._ready else self._framer.start

    @property
    def lag_bytes(self) -> int:
        """What is written but was not handed out yet."""
        return max(0, self.size - self.offset)

    def position(self, offset: int | None = None) -> FilePosition:
        """Return where to go on after *offset*, by default after what was handed out."""
        fingerprint = fingerprint_of(self._status, self._head)
        return FilePosition(self.shown, fingerprint, self.offset if offset is None else offset)

    @property
    def read_to(self) -> int:
        """Up to where it was read, lines without their end included, and handed out."""
        return self._ready[0].start if self._ready else self._framer.end

    def read(self, *, live: bool = True, until: int | None = None) -> Chunk | None:
        """Return the next whole lines; None where at most `BLOCK_BYTES` held none.

        *live*: they have just been written. Nothing from *until* on is read.
        `is_at_end` then tells whether there is more to read just now.

        Raises:
            RewrittenError: What was read before no longer stands there.
            OSError: The file cannot be read.

        """
        if self._ready:
            return self._ready.popleft()
        status = os.fstat(self.descriptor)
        seen = _stamp(status)
        if seen == self._seen:
            return None
        self._seen = None
        place = self._framer.end
        guarded = len(self._guard)
        most = BLOCK_BYTES if live else min(BLOCK_BYTES, BACKLOG_BYTES)
        wanted = min(status.st_size - place, most)
        if until is not None:
            wanted = min(wanted, max(until - place, 0))
        if wanted < 0:
            raise RewrittenError(0, "is shorter than what was read of it")
        data = os.pread(self.descriptor, guarded + wanted, place - guarded)
        if data[:guarded] != self._guard:
            raise RewrittenError(0, "was written anew")
        if len(data) > guarded:
            self._take(data, guarded, place)
        if self._framer.end >= status.st_size:
            self._seen = seen
        return self._ready.popleft() if self._ready else None

    @property
    def is_at_end(self) -> bool:
        """Whether the last `read` came to the end of the file."""
        return self._seen is not None and not self._ready

    def _take(self, data: bytes, guarded: int, place: int) -> None:
        if len(self._head) < HEAD_LIMIT_BYTES:
            room = HEAD_LIMIT_BYTES - len(self._head)
            self._head += data[guarded : guarded + room]
        self._guard = data[-GUARD_BYTES:]
        if not self._framer.pending_bytes and not data[guarded]:
            data = self._skip_hole(data[guarded:], place + len(data) - guarded)
            guarded = 0
        if data:
            self._ready.extend(self._framer.feed(data, guarded))

    def _skip_hole(self, fresh: bytes, end: int) -> bytes:
        """Step over NULs at the beginning of a line.

        A writer without O_APPEND goes on at its old place after the file was
        cut, which leaves a hole, as long as the old log, before its next line.
        """
        lines = fresh.lstrip(b"\0")
        begin = end - len(lines)
        if not lines:
            try:
                begin = os.lseek(self.descriptor, begin, os.SEEK_DATA)
            except OSError:
                # ENXIO: the hole reaches to the end, or there is no hole but written NULs.
                begin = end
            if begin > end:
                self._guard = bytes(GUARD_BYTES)
        self._framer = LineFramer(begin)
        return lines

    def finish(self) -> Chunk | None:
        """Give out an incomplete last line as if it had ended, for nobody writes on."""
        return self._framer.flush()

    def is_continued_by(self, other: "LogFile") -> bool:
        """Tell whether *other* holds all that was read here: it is this file's copy.

        Raises:
            OSError: *other* cannot be read.

        """
        place = self._framer.end
        if other.identity == self.identity or not continues(other.descriptor, self.position(place)):
            return False
        return os.pread(other.descriptor, len(self._guard), place - len(self._guard)) == self._guard

    def begins_with(self, other: "LogFile") -> bool:
        """Tell whether *other* has nothing, or nothing but what this file begins with.

        Raises:
            OSError: One of them cannot be read.

        """
        size = other.size
        if size > self.size:
            return False
        compared = min(size, HEAD_LIMIT_BYTES)
        mine = os.pread(self.descriptor, compared, 0)
        return mine == os.pread(other.descriptor, compared, 0)

    def kept_bytes(self) -> int:
        """Return how many of the first bytes are still those that were read.

        The file's whole size if it was only cut back; 0 if other lines stand there,
        or if it was cut before we could remember how it began.

        Raises:
            OSError: The file cannot be read.

        """
        size = self.size
        known = self._head[:size]
        if len(self._head) < min(self._framer.end, HEAD_LIMIT_BYTES):
            return 0
        if size > self._framer.end or os.pread(self.descriptor, len(known), 0) != known:
            return 0
        return size

    def reopen(self, other: "LogFile") -> None:
        """Read on by the descriptor of *other*, the same file, which is of no use after that."""
        assert other.identity == self.identity
        self.close()
        self.descriptor, other.descriptor = other.descriptor, -1

    def close(self) -> None:
        """Let go of the file; once is enough, twice does no harm."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_mtime_ns, status.st_size
