"""Rewrites a file that belongs to others, too, without ever showing half of it.

The new text is written beside the file, brought to the disk, and put into its
place by rename(2); mode, owner and extended attributes stay. A symbolic link stays
one: what it points to is replaced. Where nothing may be put beside the file, or it
is a mount point (a bind mount, as in containers and under systemd's
``ReadWritePaths=``) or has several names, it is written in place.

Somebody else may write at the same time. What is there is looked at again right
before the rename, and what was there once more right after it; if it has changed,
the edit is done anew on the newer text.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from banish.errors import EnforceError

LIMIT_BYTES = 64 * 1024 * 1024
"""A longer file is not touched: some 2,000,000 bans, or not what it should be."""

TRIES = 10
"""How often an edit begins anew because somebody else is writing."""

NEW_MODE = 0o644
"""The mode of a file that was not there: those who are to read it are not root."""

_IN_PLACE = frozenset((errno.EBUSY, errno.EROFS, errno.EACCES, errno.EPERM, errno.EXDEV))

Edit = Callable[[bytes], bytes]


class Stamp(NamedTuple):
    """Tells one state of a file from another."""

    inode: int
    size: int
    changed: int
    """When, in nanoseconds (st_ctime_ns: no program can set it)."""


class TextFile:
    """One file, edited as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> Stamp | None:
        """Return in which state the file is, None if it is not there."""
        try:
            return _stamp(self.path.stat())
        except OSError:
            return None

    def read(self) -> bytes:
        """Return the text; of a file that is not there, nothing.

        Raises:
            EnforceError: It cannot be read.

        """
        try:
            return self._read()[0]
        except OSError as error:
            raise self._failed("read", error) from error

    def edit(self, edit: Edit) -> None:
        """Replace the text by what *edit* makes of it, unless that is the same.

        *edit* may be called several times.

        Raises:
            EnforceError: It cannot be written.

        """
        try:
            for _ in range(TRIES):
                if self._edit(edit):
                    return
        except OSError as error:
            raise self._failed("write", error) from error
        raise EnforceError(f"{self.path}: another program keeps writing to it")

    def _failed(self, verb: str, error: OSError) -> EnforceError:
        reason = error.strerror or str(error)
        is_barred = error.errno in _IN_PLACE
        cure = f"let the server write it (systemd: ReadWritePaths={self.path})" if is_barred else ""
        return EnforceError(f"cannot {verb} {self.path}: {reason}", cure=cure)

    def _read(self) -> tuple[bytes, os.stat_result | None]:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return b"", None
        try:
            # The state first: whoever writes while we read has changed it then.
            status = os.fstat(descriptor)
            return self._content(descriptor), status
        finally:
            os.close(descriptor)

    def _content(self, descriptor: int) -> bytes:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise EnforceError(f"{self.path} is no file", retry=False)
        if status.st_size > LIMIT_BYTES:
            raise EnforceError(
                f"{self.path} is longer than {LIMIT_BYTES} bytes and is not changed", retry=False
            )
        parts = []
        position = 0
        while position <= LIMIT_BYTES:
            part = os.pread(descriptor, 1 << 20, position)
            if not part:
                break
            parts.append(part)
            position += len(part)
        return b"".join(parts)

    def _edit(self, edit: Edit) -> bool:
        """Try the edit once; tell whether it holds."""
        before, status = self._read()
        after = edit(before)
        if after == before:
            return True
        target = Path(os.path.realpath(self.path))
        if status is not None and status.st_nlink > 1:
            return self._write_in_place(target, after, status)
        try:
            return self._swap(target, after, status, edit)
        except OSError as error:
            if error.errno not in _IN_PLACE or status is None:
                raise
            return self._write_in_place(target, after, status)

    def _swap(self, target: Path, text: bytes, status: os.stat_result | None, edit: Edit) -> bool:
        beside = target.with_name(f".{target.name}.banish-{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(beside, flags, 0o600)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
                file.write(text)
                file.flush()
                _dress(descriptor, target, status)
                os.fsync(descriptor)
            return self._rename(beside, target, status, edit)
        finally:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()

    def _rename(
        self, beside: Path, target: Path, status: os.stat_result | None, edit: Edit
    ) -> bool:
        expected = _stamp(status) if status is not None else None
        if expected is None:
            # A name is given only where there is none: link(2) fails if there is.
            try:
                os.link(beside, target)
            except FileExistsError:
                return False
            _sync(target.parent)
            return True
        try:
            old = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return False
        try:
            if self.stamp() != expected or _stamp(os.fstat(old)) != expected:
                return False
            beside.rename(target)
            _sync(target.parent)
            # The rename itself changes the old file's ctime, never its text.
            late = os.fstat(old)
            if (late.st_size, late.st_mtime_ns) == (expected.size, status.st_mtime_ns):  # type: ignore[union-attr]
                return True
            late_text = self._content(old)
        finally:
            os.close(old)
        self.edit(lambda _: edit(late_text))
        return True

    def _write_in_place(self, target: Path, text: bytes, status: os.stat_result) -> bool:
        descriptor = os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
            if _stamp(os.fstat(descriptor)) != _stamp(status):
                return False
            file.write(text)
            file.truncate()
            file.flush()
            os.fsync(descriptor)
        return True


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_ino, status.st_size, status.st_ctime_ns)


def _dress(descriptor: int, target: Path, status: os.stat_result | None) -> None:
    """Give the new file the owner, mode and attributes of the old one.

    Raises:
        OSError: It may not have its owner; then it is written in place.

    """
    if status is None:
        os.fchmod(descriptor, NEW_MODE)
        return
    if (os.geteuid(), os.getegid()) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    with contextlib.suppress(OSError):  # a file system without them
        for name in os.listxattr(target):
            with contextlib.suppress(OSError):  # those that the kernel keeps to itself
                os.setxattr(descriptor, name, os.getxattr(target, name))


def _sync(folder: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
