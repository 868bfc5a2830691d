"""The ledger: every ban that was started, and whether it still holds.

A ban is named by jail, subject and beginning, so writing a decision twice
leaves what writing it once leaves. Ends by ``stopped`` are not written: the
firewall unbanned because the server stopped, and the ban goes on with the next
start. Ends by ``foreign`` are of bans that nobody decided.
"""

# ruff: noqa: S608  (statements are built from constants of this file, never from values)

import contextlib
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from banish.model.address import Subject, parse_address
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import PastBan
from banish.store.bulk import execute
from banish.store.columns import BlobReader, Column, from_column, to_blob, to_column, to_subject

EVIDENCE_BANS = 10_000
"""Bans whose evidence and tags are read back at start, the newest; `history` reads those of any."""

PAST_ROWS = 200_000
"""Ended bans that are looked at for `past`, the newest."""

PURGE_ROWS = 5_000
"""Rows changed by one transaction of `purge`: some 50 ms, so that no commit waits long."""

_COLUMNS = (
    "id, jail, subject, kind, since, until, failures, count, cause, rule, address,"
    " ended_at, end_reason"
)
_NAMED = "subject = ? AND kind = ? AND jail = ?"
_SAME = "bans.subject = new.column1 AND bans.kind = new.column2 AND bans.jail = new.column3"

# Each for many rows, see `banish.store.bulk`.
_END_OTHERS = (
    "UPDATE bans SET ended_at = new.column5, end_reason = 'expired'"
    f" FROM (VALUES {{rows}}) AS new WHERE {_SAME}"
    " AND bans.ended_at IS NULL AND bans.since <> new.column4"
)
_START = (
    "INSERT INTO bans (subject, kind, jail, since, until, failures, count, cause, rule, address)"
    " VALUES {rows} ON CONFLICT (subject, kind, jail, since) DO UPDATE SET"
    " until = excluded.until, failures = excluded.failures, count = excluded.count,"
    " cause = excluded.cause, rule = excluded.rule, address = excluded.address,"
    " ended_at = NULL, end_reason = NULL"
)
_EVIDENCE = (
    "INSERT INTO evidence (ban, lines, tags) SELECT bans.id, new.column5, new.column6"
    f" FROM (VALUES {{rows}}) AS new CROSS JOIN bans WHERE {_SAME} AND bans.since = new.column4"
    " ON CONFLICT (ban) DO UPDATE SET"
    " lines = CASE excluded.lines WHEN X'5B5D' THEN lines ELSE excluded.lines END,"  # X'5B5D': []
    " tags = coalesce(excluded.tags, tags)"
)
_OPEN = (
    "SELECT bans.subject, bans.kind, bans.jail FROM (VALUES {rows}) AS new CROSS JOIN bans"
    f" WHERE {_SAME} AND bans.ended_at IS NULL"
)
_END = (
    "UPDATE bans SET ended_at = new.column4, end_reason = new.column5"
    f" FROM (VALUES {{rows}}) AS new WHERE {_SAME} AND bans.ended_at IS NULL"
)
# For one.
_END_UNKNOWN = (
    "INSERT INTO bans (subject, kind, jail, since, until, failures, count, cause, rule, address,"
    " ended_at, end_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)

_lines = BlobReader(tuple[Evidence, ...])
_tags = BlobReader(tuple[tuple[str, str], ...])


def write(
    connection: sqlite3.Connection, at: Instant, decisions: Sequence[Decision], lines: int
) -> None:
    """Write *decisions*, taken at *at*, each with its newest *lines* lines of evidence."""
    for bans, ends in _runs(decisions):
        _start(connection, at, bans, lines)
        _end(connection, at, ends, lines)


def _runs(decisions: Sequence[Decision]) -> Iterator[tuple[list[Ban], list[EndBan]]]:
    """Yield *decisions* in order, as many starts and then ends as are of different bans.

    Left out are ends that are not written.
    """
    bans: list[Ban] = []
    ends: list[EndBan] = []
    names: set[tuple[Subject, str]] = set()
    for decision in decisions:
        if isinstance(decision, EndBan) and decision.reason in ("stopped", "foreign"):
            continue
        name = (decision.ban.subject, decision.ban.jail)
        if name in names:
            yield bans, ends
            bans, ends, names = [], [], set()
        names.add(name)
        if isinstance(decision, EndBan):
            ends.append(decision)
        else:
            bans.append(decision.ban)
    yield bans, ends


def in_force(connection: sqlite3.Connection, now: Instant) -> list[Ban]:
    """Return the bans in force at *now*; the newest `EVIDENCE_BANS` have evidence and tags."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM bans WHERE ended_at IS NULL AND (until IS NULL OR until > ?)"
        " ORDER BY id",
        (now,),
    )
    newest: deque[tuple[int, int]] = deque(maxlen=EVIDENCE_BANS)
    found: list[Ban] = []
    for number, ban in _read(rows):
        newest.append((number, len(found)))
        found.append(ban)
    places = dict(newest)
    if newest:
        evidence = connection.execute(
            "SELECT ban, lines, tags FROM evidence WHERE ban >= ?", newest[0][:1]
        )
        for number, lines, tags in evidence:
            place = places.get(number)
            if place is not None:
                found[place] = _with_evidence(found[place], lines, tags)
    return found


def past(connection: sqlite3.Connection, now: Instant) -> dict[str, dict[Subject, PastBan]]:
    """Return by jail the last ban of each subject whose bans are over at *now*.

    The operator's unban wipes out what was before it. Subjects that are banned
    may be among them; looks at the `PAST_ROWS` bans only that ended last.
    """
    found: dict[tuple[str, Subject], tuple[PastBan, str | None]] = {}
    for condition, order, values in (
        ("ended_at IS NOT NULL", "ended_at", (PAST_ROWS,)),
        ("ended_at IS NULL AND until <= ?", "until", (now, PAST_ROWS)),
    ):
        for jail, subject, kind, count_, since, until, reason in connection.execute(
            "SELECT jail, subject, kind, count, since, until, end_reason FROM bans"
            f" WHERE {condition} ORDER BY {order} DESC LIMIT ?",
            values,
        ):
            name = (from_column(jail), to_subject(subject, kind))
            if name not in found or found[name][0].since < since:
                found[name] = (PastBan(count_, since, until, reason == "folded"), reason)
    by_jail: dict[str, dict[Subject, PastBan]] = {}
    for (name_of_jail, who), (last, reason) in found.items():
        if reason != "operator":
            by_jail.setdefault(name_of_jail, {})[who] = last
    return by_jail


def history(connection: sqlite3.Connection, limit: int, subject: Subject | None) -> list[Ban]:
    """Return the newest *limit* bans, newest first, with evidence."""
    where, values = "", ()
    if subject is not None:
        where, values = "WHERE subject = ? AND kind = ?", _name(subject, "")[:2]
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM bans {where} ORDER BY since DESC, id DESC LIMIT ?",
        (*values, limit),
    )
    found = []
    for number, ban in _read(rows):
        blobs = connection.execute(
            "SELECT lines, tags FROM evidence WHERE ban = ?", (number,)
        ).fetchone()
        found.append(_with_evidence(ban, *blobs) if blobs is not None else ban)
    return found


def mark_expired(connection: sqlite3.Connection, now: Instant) -> int:
    """End bans that ran out while nobody looked; return how many, `PURGE_ROWS` at most."""
    return connection.execute(
        "UPDATE bans SET ended_at = until, end_reason = 'expired' WHERE id IN"
        " (SELECT id FROM bans WHERE ended_at IS NULL AND until <= ? LIMIT ?)",
        (now, PURGE_ROWS),
    ).rowcount


def purge(connection: sqlite3.Connection, now: Instant, age: Seconds) -> int:
    """Forget ended bans; return how many, `PURGE_ROWS` at most.

    A row goes once *age* has passed since its end, and since three times its
    length, so that ``bantime.increment`` knows who comes back (as Fail2Ban's
    ``bips`` table, server/database.py of 1.1.1).
    """
    before = now - age
    return connection.execute(
        "DELETE FROM bans WHERE id IN (SELECT id FROM bans WHERE ended_at < ?"
        " AND (end_reason = 'operator' OR until IS NULL OR until + 2 * (until - since) < ?)"
        " LIMIT ?)",
        (before, before, PURGE_ROWS),
    ).rowcount


def _start(connection: sqlite3.Connection, at: Instant, bans: Sequence[Ban], lines: int) -> None:
    execute(
        connection, _END_OTHERS, [(*_name(ban.subject, ban.jail), ban.since, at) for ban in bans]
    )
    execute(connection, _START, [_row(ban) for ban in bans])
    _write_evidence(connection, bans, lines)


def _end(connection: sqlite3.Connection, at: Instant, ends: Sequence[EndBan], lines: int) -> None:
    named = {_name(end.ban.subject, end.ban.jail): end for end in ends}
    known = execute(connection, _OPEN, [*named])
    execute(connection, _END, [(*name, at, named[name].reason) for name in known])
    for name in known:
        named.pop(name, None)
    for end in named.values():
        if connection.execute(_END_UNKNOWN, (*_row(end.ban), at, end.reason)).rowcount > 0:
            _write_evidence(connection, [end.ban], lines)


def _write_evidence(connection: sqlite3.Connection, bans: Sequence[Ban], lines: int) -> None:
    rows = []
    for ban in bans:
        kept = ban.evidence[-lines:] if lines > 0 else ()
        if kept or ban.tags:
            tags = to_blob(ban.tags) if ban.tags else None
            rows.append((*_name(ban.subject, ban.jail), ban.since, to_blob(kept), tags))
    execute(connection, _EVIDENCE, rows)


def _name(subject: Subject, jail: str) -> tuple[Any, ...]:
    return (to_column(subject.text), subject.kind.value, to_column(jail))


def _row(ban: Ban) -> tuple[Any, ...]:
    subject, kind, jail = _name(ban.subject, ban.jail)
    times = (ban.since, ban.until)
    address = None if ban.address is None else to_column(ban.address.text)
    return (subject, kind, jail, *times, ban.failures, ban.count, ban.cause, ban.rule, address)


def _read(rows: sqlite3.Cursor) -> Iterator[tuple[int, Ban]]:
    # SQLite makes a text anew for each row; a million bans share those that say the same.
    jails: dict[Column, str] = {}
    words: dict[str, Any] = {}
    for row in rows:
        number, jail, subject, kind, since, until = row[:6]
        failures, count_, cause, rule, address, ended, why = row[6:]
        name = jails.get(jail)
        if name is None:
            name = jails[jail] = from_column(jail)
        try:
            given = None if address is None else parse_address(from_column(address))
            subject_ = to_subject(subject, kind)
        except (LookupError, TypeError, ValueError):  # written by no version of ours
            continue
        yield (
            number,
            Ban(
                name,
                subject_,
                since,
                until,
                failures,
                count_,
                words.setdefault(cause, cause),
                (),
                rule,
                ended,
                why or "",
                (),
                given,
            ),
        )


def _with_evidence(ban: Ban, lines: bytes, tags: bytes | None) -> Ban:
    """Return *ban* with what stood beside it; what no version of ours wrote is left out."""
    with contextlib.suppress(ValueError):
        ban = msgspec.structs.replace(ban, evidence=_lines.read(lines))
    if tags is not None:
        with contextlib.suppress(ValueError):
            ban = msgspec.structs.replace(ban, tags=_tags.read(tags))
    return ban
