"""Who serves a control socket: a lock beside it, which dies with its process.

The lock (flock(2)) is on a file of its own, so that it outlives the socket: a
server whose socket was removed is still found, by the pid in the file. Who
only asks takes a shared lock for a moment; a server that starts tries again
for longer than that.
"""

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path

ATTEMPTS = 5
ATTEMPT_PAUSE_SECONDS = 0.05
"""Between attempts to lock; who only asks holds the lock for some microseconds."""

_READ_ONLY = (errno.EROFS, errno.EACCES)
_PID_LIMIT_BYTES = 32


def lock_path(socket: Path) -> Path:
    """Return the lock of the server at *socket*."""
    return socket.parent / f"{socket.name}.lock"


class Lock:
    """The lock of one server: locked by `claim`, until `release` or the end of the process."""

    def __init__(self, socket: Path) -> None:
        self.path = lock_path(socket)
        self._file: int | None = None

    def claim(self) -> bool:
        """Lock the file that is at our path now, made if missing; tell whether nobody else has.

        A file that was removed or replaced since the last call is locked anew.
        A file that cannot be written is locked as it is: a lock needs no writing.

        Raises:
            OSError: There is no file and it cannot be made.

        """
        if self._file is not None and self._is_in_place(self._file):
            return True
        file = self._open()
        for attempt in range(ATTEMPTS):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt < ATTEMPTS - 1:
                    time.sleep(ATTEMPT_PAUSE_SECONDS)
            except OSError:
                os.close(file)
                raise
        else:
            os.close(file)
            return False
        self.release()
        self._file = file
        with contextlib.suppress(OSError):  # read-only, or the disk is full: the lock counts
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        return True

    def release(self) -> None:
        """Let others lock the file; it stays where it is."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self.path, flags, 0o600)
        except OSError as error:
            if error.errno not in _READ_ONLY:
                raise
            try:
                return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                raise error from None

    def _is_in_place(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), self.path.lstat())
        except OSError:
            return False


def holder(socket: Path) -> int | None:
    """Return the pid of the server whose socket is *socket*; None where none runs.

    0: one runs, and its pid is not known. Where the lock may not be read,
    nothing is known, and None comes back.
    """
    try:
        file = os.open(lock_path(socket), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(file, _PID_LIMIT_BYTES, 0).strip()
        return int(text) if text.isdigit() else 0
    except OSError:
        return None
    finally:
        os.close(file)
    return None
