"""Reads what the database remembers, as it is at one point in time."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.snapshot import JailMemory, Memory
from banish.store import actionbans, ledger, progress


@contextmanager
def transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    """Do all that is done within it, or none of it; *kind* as in ``BEGIN``."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _in_force(connection: sqlite3.Connection, now: Instant) -> dict[str, list[Ban]]:
    in_force: dict[str, list[Ban]] = {}
    for ban in ledger.in_force(connection, now):
        in_force.setdefault(ban.jail, []).append(ban)
    return in_force


def load_bans(connection: sqlite3.Connection, now: Instant) -> Memory:
    """Return what is remembered, but for windows and past bans."""
    with transaction(connection, "DEFERRED"):
        in_force = _in_force(connection, now)
        totals = progress.totals(connection)
        positions = progress.positions(connection)
        by_actions = actionbans.read(connection)
    jails = {
        jail: JailMemory(tuple(in_force.get(jail, ())), {}, *totals.get(jail, (0, 0)))
        for jail in sorted({*in_force, *totals})
    }
    return Memory(jails, positions, by_actions)


def load_all(connection: sqlite3.Connection, now: Instant) -> Memory:
    """Return what is remembered."""
    with transaction(connection, "DEFERRED"):
        in_force = _in_force(connection, now)
        tallies = progress.tallies(connection)
        totals = progress.totals(connection)
        past = ledger.past(connection, now)
        positions = progress.positions(connection)
        by_actions = actionbans.read(connection)
    jails: dict[str, JailMemory] = {}
    for jail in sorted({*in_force, *tallies, *totals, *past}):
        bans = tuple(in_force.get(jail, ()))
        over = past.get(jail, {})
        if over:
            for ban in bans:
                over.pop(ban.subject, None)
        jails[jail] = JailMemory(bans, tallies.get(jail, {}), *totals.get(jail, (0, 0)), over)
    return Memory(jails, positions, by_actions)
