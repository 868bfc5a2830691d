"""Tells which file it is, whatever its name: across renames, copies and restarts.

An inode number alone does not do: ext4 and tmpfs give a deleted file's number
to the next one, so the first bytes count too. Logs only grow at their end, so
a file's beginning stays what it was. They count alone where a log was copied
away and then cut (logrotate's ``copytruncate``): the copy has another inode.

Fail2Ban compares the hash of the first line (server/filter.py, FileContainer,
1.1.1), which a fixed header line makes equal for every rotation.
"""

import errno
import hashlib
import os
import re
import stat
from typing import NamedTuple

from banish.model.record import FilePosition, Fingerprint
from banish.sources.listing import names_beginning_with

HEAD_LIMIT_BYTES = 1024
"""How much of a file's beginning is compared: some ten lines, one block read."""

_ROTATED_MARK = r"[.-](?:old|\d[\d._:T-]*)"
"""What logrotate and its kin add: ``.1``, ``-20261122``, ``.2026-11-22``, ``.old``."""

_MARK = re.compile(_ROTATED_MARK)

_MARK_BEGINS = re.compile(r"[.-](?=old|\d)")

_ROTATED_ENDING = re.compile(rf"{_ROTATED_MARK}(?P<extension>\.[A-Za-z]\w*)?")

COMPRESSED_SUFFIXES = frozenset({".gz", ".xz", ".bz2", ".zst", ".lz4", ".lzma", ".Z", ".zip"})


def digest(head: bytes) -> str:
    """Return the hash of a file's first bytes as `Fingerprint.head` holds it."""
    return hashlib.blake2b(head, digest_size=16).hexdigest()


def fingerprint_of(status: os.stat_result, head: bytes) -> Fingerprint:
    """Return the fingerprint of the file with this *status* that begins with *head*."""
    return Fingerprint(status.st_dev, status.st_ino, len(head), digest(head))


def is_same_inode(descriptor: int, fingerprint: Fingerprint) -> bool:
    """Tell whether the open file has *fingerprint*'s inode number.

    The device is not compared: NFS, btrfs and device mapper number it anew at
    each boot. The head stands in for it, see `begins_as`.
    """
    return os.fstat(descriptor).st_ino == fingerprint.inode


def begins_as(descriptor: int, fingerprint: Fingerprint) -> bool:
    """Tell whether the open file's first bytes are those of *fingerprint*.

    Raises:
        OSError: The file cannot be read.

    """
    if not 0 <= fingerprint.head_bytes <= HEAD_LIMIT_BYTES:
        return False
    head = os.pread(descriptor, fingerprint.head_bytes, 0)
    return len(head) == fingerprint.head_bytes and digest(head) == fingerprint.head


def continues(descriptor: int, position: FilePosition) -> bool:
    """Tell whether the open file holds what was read up to *position*, perhaps as a copy.

    A position at the very beginning, which has no head to compare, needs the
    same inode.

    Raises:
        OSError: The file cannot be read.

    """
    if os.fstat(descriptor).st_size < position.offset:
        return False
    if position.fingerprint.head_bytes == 0 and not is_same_inode(descriptor, position.fingerprint):
        return False
    return begins_as(descriptor, position.fingerprint)


def is_compressed(path: str) -> bool:
    """Tell by its name whether the file is compressed, so that it cannot be followed."""
    return os.path.splitext(path)[1] in COMPRESSED_SUFFIXES  # noqa: PTH122 - asked for thousands


def names_before_rotation(path: str) -> list[str]:
    """Return the paths that may have been rotated to *path*: ``auth.log`` for ``auth.log.1``."""
    folder, slash, name = path.rpartition("/")
    names = [
        name[: mark.start()] + (found["extension"] or "")
        for mark in _MARK_BEGINS.finditer(name, 1)
        if (found := _ROTATED_ENDING.fullmatch(name, mark.start()))
    ]
    return [f"{folder}{slash}{each}" for each in names]


class Sibling(NamedTuple):
    """A file that was rotated from another, as a folder listed it."""

    modified_ns: int
    inode: int
    path: str


def rotated_siblings(path: str, *, compressed: bool = False) -> list[Sibling]:
    """Return the files beside *path* whose names say that they were rotated from it.

    With *compressed* those that were compressed after it, otherwise the others.

    Newest first, by the time of their last write. A symbolic link is looked at
    where it points, since that is where the log was rotated. While somebody
    renames files, the list may leave one out or hold it twice.

    Raises:
        OSError: The process has too many files open to list the folder.

    """
    folder, log = _place(path)
    stem, suffix = os.path.splitext(log)  # noqa: PTH122 - asked for thousands
    try:
        names = [
            f"{folder}/{name}"
            for name in names_beginning_with(stem, folder)
            if _is_rotated(name, log, stem, suffix, compressed)
        ]
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise
        # The folder went away or is closed to us: then there is nothing to be found.
        return []
    found = [
        Sibling(status.st_mtime_ns, status.st_ino, name)
        for name in names
        if (status := _status(name)) is not None
    ]
    return sorted(found, reverse=True)


def _place(path: str) -> tuple[str, str]:
    """Return the folder and the name of the file itself, which *path* may be a link to."""
    try:
        os.readlink(path)  # noqa: PTH115 - a third of the time of Path.readlink
    except OSError:
        folder, _, name = path.rpartition("/")
    else:
        folder, _, name = os.path.realpath(path).rpartition("/")
    return folder or "/", name


def _is_rotated(name: str, log: str, stem: str, suffix: str, compressed: bool) -> bool:
    """Tell whether *name* says that it was rotated from *log*, which is *stem* and *suffix*."""
    if compressed:
        name, ending = os.path.splitext(name)  # noqa: PTH122 - a folder may hold thousands
        if ending not in COMPRESSED_SUFFIXES:
            return False
    if name.startswith(log) and _MARK.fullmatch(name, len(log)):
        return True
    # logrotate's `extension .log` puts the mark before the extension: auth.1.log.
    if not (name.startswith(stem) and name.endswith(suffix)):
        return False
    return _MARK.fullmatch(name, len(stem), len(name) - len(suffix)) is not None


def _status(path: str) -> os.stat_result | None:
    """Return the status of a regular file, or None."""
    try:
        status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
    except OSError:
        # Renamed or deleted since it was listed.
        return None
    return status if stat.S_ISREG(status.st_mode) else None
