"""The tables, and how an older file gets them.

``PRAGMA user_version`` counts the steps that a file has taken. All missing
steps run in one transaction with the new version, so a file is never half
migrated. A step that was released is never edited; a change is a new step.

``bans`` is the ledger: one row for each ban ever started, in force while
``ended_at`` is NULL. Evidence and captured tags stand beside it, so that reading a million bans
back need not skip their log lines. ``action_bans`` says what actions did and have not
undone. Windows, positions and totals are the
state of the newest commit, nothing more.
"""

import sqlite3

from banish.errors import StoreError

APPLICATION = 0x62616E69
"""``PRAGMA application_id`` of our files: "bani"."""

_FIRST = """
CREATE TABLE bans (
    id INTEGER PRIMARY KEY,
    jail TEXT NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    since REAL NOT NULL,
    until REAL,
    failures INTEGER NOT NULL,
    count INTEGER NOT NULL,
    cause TEXT NOT NULL,
    rule INTEGER NOT NULL,
    ended_at REAL,
    end_reason TEXT,
    UNIQUE (subject, kind, jail, since)
);
CREATE INDEX bans_in_force ON bans (until) WHERE ended_at IS NULL;
CREATE INDEX bans_ended ON bans (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX bans_since ON bans (since);
CREATE TABLE evidence (
    ban INTEGER PRIMARY KEY REFERENCES bans (id) ON DELETE CASCADE,
    lines BLOB NOT NULL
);
CREATE TABLE tallies (
    jail TEXT NOT NULL,
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    newest REAL NOT NULL,
    tally BLOB NOT NULL,
    PRIMARY KEY (subject, kind, jail)
) WITHOUT ROWID;
CREATE TABLE positions (
    source TEXT PRIMARY KEY,
    position BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE totals (
    jail TEXT PRIMARY KEY,
    failures INTEGER NOT NULL,
    bans INTEGER NOT NULL
) WITHOUT ROWID
"""

_CAPTURES = """
ALTER TABLE bans ADD COLUMN address TEXT;
ALTER TABLE evidence ADD COLUMN tags BLOB
"""

_ACTION_BANS = """
CREATE TABLE action_bans (
    subject TEXT NOT NULL,
    kind TEXT NOT NULL,
    jail TEXT NOT NULL,
    action TEXT NOT NULL,
    ban BLOB NOT NULL,
    PRIMARY KEY (subject, kind, jail, action)
) WITHOUT ROWID
"""

STEPS: tuple[str, ...] = (_FIRST, _CAPTURES, _ACTION_BANS)
"""Each step's statements, separated by semicolons; no statement holds one itself."""


def migrate(connection: sqlite3.Connection, path: str, steps: tuple[str, ...] = STEPS) -> None:
    """Bring the file behind *connection* to the newest version.

    Raises:
        StoreError: The file is newer than this program, or is somebody else's.
        sqlite3.Error: Nothing was changed.

    """
    version = _pragma(connection, "user_version")
    if _pragma(connection, "application_id") != APPLICATION:
        if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None:
            raise StoreError(
                f"{path} is a database of another program",
                cure="name another file in dbfile",
                retry=False,
            )
        version = 0
    if version > len(steps):
        raise StoreError(
            f"{path} was written by a newer banish (version {version} of the tables;"
            f" this one knows {len(steps)})",
            cure="install that version again, or name another file in dbfile",
            retry=False,
        )
    if version == len(steps):
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        for step in steps[version:]:
            for statement in step.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(steps)}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    found = connection.execute(f"PRAGMA {name}").fetchone()
    return int(found[0])
