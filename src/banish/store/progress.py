"""How far we are: windows, positions and totals, always of the same commit."""

import sqlite3
from collections.abc import Sequence

from banish.model.address import Subject
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.record import Position
from banish.model.snapshot import Commit, JailChanges, Tally, last_positions, merged_changes
from banish.store.bulk import execute
from banish.store.columns import BlobReader, from_column, to_blob, to_column, to_subject

FORGOTTEN_AFTER = Seconds(366 * 86_400)
"""A window this old is of a jail that is gone; no findtime is a year."""

EVERY = 2**31 - 1
"""More rows than any table has."""

# By the subjects alone first, which the table is sorted by: else all of it would be read.
_FORGET = (
    "WITH gone (subject, kind, jail) AS (VALUES {rows}) DELETE FROM tallies"
    " WHERE subject IN (SELECT subject FROM gone)"
    " AND (subject, kind, jail) IN (SELECT subject, kind, jail FROM gone)"
)

_tally = BlobReader(Tally)
_position = BlobReader(Position)


def write(connection: sqlite3.Connection, commits: Sequence[Commit]) -> None:
    """Write the windows, totals and positions that *commits* lead to, one after the other."""
    for changes in merged_changes(commits):
        _write_changes(connection, changes)
    execute(
        connection,
        "INSERT OR REPLACE INTO positions (source, position) VALUES {rows}",
        [
            (to_column(source), to_blob(position))
            for source, position in last_positions(commits).items()
        ],
    )


class Windows:
    """All windows, read a slice at a time, oldest first."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Prepare; nothing is read before the first `take`."""
        self._connection = connection
        self._rows: sqlite3.Cursor | None = None
        self._paths: dict[str, str] = {}

    def count(self) -> int:
        """Return how many windows there are."""
        return int(self._connection.execute("SELECT count(*) FROM tallies").fetchone()[0])

    def next_slice(self, most: int) -> tuple[dict[str, dict[Subject, Tally]], int]:
        """Return the next *most* windows by jail, and how many rows were read: 0 at the end."""
        if self._rows is None:
            self._rows = self._connection.execute(
                "SELECT jail, subject, kind, tally FROM tallies ORDER BY newest"
            )
        rows = self._rows.fetchmany(most)
        found: dict[str, dict[Subject, Tally]] = {}
        for jail, subject, kind, blob in rows:
            try:
                tally: Tally = _tally.read(blob)
                who = to_subject(subject, kind)
            except (LookupError, TypeError, ValueError):  # written by no version of ours
                continue
            tally = _with_shared_paths(tally, self._paths)
            found.setdefault(from_column(jail), {})[who] = tally
        return found, len(rows)


def tallies(connection: sqlite3.Connection) -> dict[str, dict[Subject, Tally]]:
    """Return all windows by jail."""
    found, _ = Windows(connection).next_slice(EVERY)
    return found


def positions(connection: sqlite3.Connection) -> dict[str, Position]:
    """Return all positions by source; the log of one that cannot be read is read anew."""
    found: dict[str, Position] = {}
    for source, blob in connection.execute("SELECT source, position FROM positions"):
        try:
            found[from_column(source)] = _position.read(blob)
        except ValueError:
            continue
    return found


def totals(connection: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Return failures and bans ever counted, by jail."""
    rows = connection.execute("SELECT jail, failures, bans FROM totals")
    return {from_column(jail): (failures, bans) for jail, failures, bans in rows}


def purge(connection: sqlite3.Connection, now: Instant) -> int:
    """Forget windows of jails that are long gone; return how many."""
    before = now - FORGOTTEN_AFTER
    return connection.execute("DELETE FROM tallies WHERE newest < ?", (before,)).rowcount


def _write_changes(connection: sqlite3.Connection, changes: JailChanges) -> None:
    jail = to_column(changes.jail)
    kept, gone = [], []
    for subject, tally in changes.tallies.items():
        name = (to_column(subject.text), subject.kind.value, jail)
        newest = _newest(tally)
        if newest is None:
            gone.append(name)
        else:
            kept.append((*name, newest, to_blob(tally)))
    execute(
        connection,
        "INSERT OR REPLACE INTO tallies (subject, kind, jail, newest, tally) VALUES {rows}",
        kept,
    )
    execute(connection, _FORGET, gone)
    connection.execute(
        "INSERT OR REPLACE INTO totals (jail, failures, bans) VALUES (?, ?, ?)",
        (jail, changes.failures_total, changes.bans_total),
    )


def _with_shared_paths(tally: Tally, paths: dict[str, str]) -> Tally:
    """Return *tally* with equal paths one object, known by *paths*: some 80 bytes a line less."""
    lines = tuple(
        Evidence(line.text, paths.setdefault(line.path, line.path), line.offset, line.at)
        for line in tally.evidence
    )
    return Tally(tally.times, lines, tally.members)


def _newest(tally: Tally | None) -> Instant | None:
    """Return the newest time in *tally*; None where there is nothing to keep."""
    if tally is None:
        return None
    return max((*tally.times[-1:], *(member.at for member in tally.members)), default=None)
