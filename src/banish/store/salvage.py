"""Saves what can be saved from a damaged file, and keeps the file itself.

A damaged database is moved aside, never deleted, and whatever rows of it can
still be read go into the new one: above all the bans in force.
"""

# ruff: noqa: S608  (statements are built from constants of this file, never from values)

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from banish.errors import StoreError
from banish.model.instant import Instant

COMPANIONS = ("-wal", "-shm", "-journal")

_TABLES = ("totals", "bans", "evidence", "action_bans", "tallies", "positions")
_NEWER_TABLES = frozenset({"action_bans"})
"""Tables that files of older versions lack."""


def name_aside(path: str, what: str, now: Instant) -> str:
    """Return a free name beside *path*: ``PATH.WHAT-TIME``, time in UTC."""
    time = datetime.fromtimestamp(int(now), UTC).strftime("%Y%m%d-%H%M%S")
    name, serial = f"{path}.{what}-{time}", 1
    while Path(name).exists():
        serial += 1
        name = f"{path}.{what}-{time}-{serial}"
    return name


def move_aside(path: str, now: Instant) -> str:
    """Rename the database at *path* to ``PATH.corrupt-TIME`` and return that name.

    Its write-ahead log goes with it, under the name that SQLite expects.

    Raises:
        StoreError: It cannot be renamed.

    """
    target = name_aside(path, "corrupt", now)
    try:
        for companion in COMPANIONS:
            if Path(path + companion).exists():
                Path(path + companion).rename(target + companion)
        Path(path).rename(target)
    except OSError as error:
        raise StoreError(
            f"{path} is damaged and cannot be moved aside: {error.strerror}",
            cure="move it away by hand; a new one is created by itself",
        ) from error
    return target


def copy_file(damaged: str, target: sqlite3.Connection) -> tuple[int, bool]:
    """Copy every row that can be read of the file *damaged* into the empty *target*.

    Return how many bans came through, and whether all of the file did. Positions
    are left behind unless all windows came through: the lines are then read
    again, rather than be missing from both.

    Raises:
        sqlite3.Error: *target* did not take them; nothing was copied.

    """
    try:
        source = sqlite3.connect(f"{Path(damaged).absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return 0, False
    try:
        return _copy(source, target)
    finally:
        source.close()


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> tuple[int, bool]:
    bans, is_whole = 0, True
    target.execute("BEGIN IMMEDIATE")
    try:
        for table in _TABLES:
            if table == "positions" and not is_whole:
                break
            copied, table_is_whole = _copy_table(source, target, table)
            is_whole = is_whole and table_is_whole
            if table == "bans":
                bans = copied
        target.execute("COMMIT")
    finally:
        if target.in_transaction:
            target.execute("ROLLBACK")
    return bans, is_whole


def _copy_table(
    source: sqlite3.Connection, target: sqlite3.Connection, table: str
) -> tuple[int, bool]:
    copied = 0
    known = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    try:
        there = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
        if not there and table in _NEWER_TABLES:
            return 0, True
        # An older version's file lacks the newest columns.
        columns = [column for column in known if column in there]
        names, marks = ", ".join(columns), ", ".join("?" * len(columns))
        rows = source.execute(f"SELECT {names} FROM {table}")
    except sqlite3.DatabaseError:
        return 0, False
    while True:
        try:
            row = rows.fetchone()
        except sqlite3.DatabaseError:
            return copied, False
        if row is None:
            return copied, True
        try:
            target.execute(f"INSERT OR IGNORE INTO {table} ({names}) VALUES ({marks})", row)
        except sqlite3.IntegrityError:  # a row that contradicts itself
            continue
        copied += 1
