"""Statements for many rows at once.

A statement for each row costs more of Python than of SQLite, and releases Python's
lock each time: while another thread computes it then waits 5 ms for it to come back
(``sys.getswitchinterval``), so that a thousand bans would take seconds to be written.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

ROWS_AT_ONCE = (256, 128, 64, 32, 16, 8, 4, 2, 1)
"""How many rows a statement has: of each text SQLite's compiled form is kept, so these are few."""

Row = tuple[Any, ...]


def execute(connection: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> list[Row]:
    """Run *statement* for *rows*, all of one width; return what it returns, in any order.

    In it ``{rows}`` stands for the rows of a ``VALUES``. It runs once for up to 256 of
    them, so that none may depend on what it does for another.

    Raises:
        sqlite3.Error: As it is; some rows may be done, so a transaction must be open.

    """
    returned: list[Row] = []
    for part in _parts(rows):
        each = f"({', '.join('?' * len(part[0]))})"
        text = statement.replace("{rows}", ", ".join([each] * len(part)))
        returned += connection.execute(text, [*chain.from_iterable(part)])
    return returned


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    at = 0
    for size in ROWS_AT_ONCE:
        while len(rows) - at >= size:
            yield rows[at : at + size]
            at += size
