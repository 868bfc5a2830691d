"""Opens the file, and says in the operator's words why it cannot.

WAL with ``synchronous = NORMAL``: a commit survives the death of the process,
however sudden. A power cut may take back the last commits, but always whole and
in order: then positions are older too, the lines are read again and come to the
same decisions (https://www.sqlite.org/pragma.html#pragma_synchronous). Waiting
for the disk at each commit would buy nothing but slowness. Where the file
system has no WAL (some network mounts), every commit is waited for.
"""

import errno
import os
import sqlite3
import stat
from pathlib import Path

from banish.errors import StoreError
from banish.model.instant import Seconds

MEMORY = ":memory:"

_WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""What the write-ahead log is cut back to after a large commit."""

_ROOM = "free disk space there; what could not be written is kept in memory and written then"
_RIGHTS = "give the server's user the right to write there, or name another file in dbfile"


def connect(path: str, busy: Seconds) -> sqlite3.Connection:
    """Open *path*, made with its directory if missing (modes 0600 and 0700).

    Waits for another process's lock for up to *busy*. Transactions are the
    caller's: the connection starts none by itself.

    Raises:
        StoreError: The file or its directory cannot be made or opened.
        sqlite3.Error: The file is locked, damaged, or no database.

    """
    if path != MEMORY:
        _make(Path(path))
    connection = sqlite3.connect(path, timeout=busy, isolation_level=None)
    try:
        # Must come before the first table and before WAL: afterwards only VACUUM changes it.
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
        connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def is_damaged(error: sqlite3.Error) -> bool:
    """Whether *error* says that the file's content is broken."""
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def damage(what: str) -> sqlite3.DatabaseError:
    """Return the error that SQLite raises for a file whose content is broken."""
    error = sqlite3.DatabaseError(what)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def translate(error: sqlite3.Error, path: str) -> StoreError:
    """Return *error* with what it means for *path*, and the cure."""
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return StoreError(f"no room left for {path}", cure=_ROOM)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreError(
                f"{path} is locked by another program",
                cure=f"end that program (fuser {path} names it)",
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
            return StoreError(f"{path} cannot be written: {error}", cure=_RIGHTS)
        case sqlite3.SQLITE_IOERR:
            return StoreError(
                f"reading or writing {path} failed: {error}",
                cure="look for disk errors in the kernel's log (dmesg)",
            )
        case _:
            return StoreError(f"{path}: {error}")


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        try:
            is_file = stat.S_ISREG(os.fstat(number).st_mode)
        finally:
            os.close(number)
    except OSError as error:
        cure = _ROOM if error.errno in (errno.ENOSPC, errno.EDQUOT) else _RIGHTS
        raise StoreError(f"{path} cannot be opened: {error.strerror}", cure=cure) from error
    if not is_file:
        raise StoreError(f"{path} is no file", cure="name another file in dbfile", retry=False)


def _code(error: sqlite3.Error) -> int:
    """Return the primary result code; extended codes carry more in their upper bytes."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF
