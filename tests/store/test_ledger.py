"""Many decisions written together leave what they leave written one by one."""

import sqlite3
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit
from banish.store import ledger, progress
from banish.store.bulk import ROWS_AT_ONCE, execute
from banish.store.database import Database

NOW = Instant(5_000)

HALF_A_PAIR = "user\udcff"
"""As a byte that is no UTF-8 is read from a log: such a subject stands as a BLOB."""


def ban(subject: str, since: float, jail: str, lines: int) -> Ban:
    at = Instant(since)
    evidence = tuple(Evidence(f"line {n}", "/var/log/auth.log", n, at) for n in range(lines))
    tags = (("user", "root"),) if lines > 1 else ()
    until = Instant(since + 600)
    return Ban(jail, parse_subject(subject), at, until, 3, 1, "failures", evidence, 1, tags=tags)


bans = st.builds(
    ban,
    st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::/64", HALF_A_PAIR]),
    st.sampled_from([1.5, 2.25, 3.125]),
    st.sampled_from(["sshd", "nginx"]),
    st.integers(0, 3),
)
decisions = st.lists(
    st.one_of(
        st.builds(StartBan, bans),
        st.builds(ProlongBan, bans),
        st.builds(EndBan, bans, st.sampled_from(["expired", "operator", "stopped", "foreign"])),
    ),
    max_size=12,
)


def left_by(commits: Sequence[Sequence[Decision]]) -> list[Ban]:
    database = Database(":memory:", 2, Seconds(1), lambda: NOW)
    for each in commits:
        database.commit([Commit(NOW, tuple(each))])
    found = database.history(5_000, None)
    database.close()
    return sorted(found, key=lambda each: (each.since, each.jail, each.subject.text))


@given(decisions)
def test_decisions_of_one_commit_are_written_as_one_by_one(every: list[Decision]) -> None:
    assert left_by([every]) == left_by([[each] for each in every])


def test_each_of_very_many_bans_is_written() -> None:
    many = sum(ROWS_AT_ONCE) + 2 * ROWS_AT_ONCE[0]
    starts = [StartBan(ban(f"10.0.{n >> 8}.{n & 255}", 1.5, "sshd", 2)) for n in range(many)]
    ends = [EndBan(start.ban, "expired") for start in starts[::2]]
    found = {each.subject: each for each in left_by([starts, ends])}
    assert len(found) == many
    assert sum(each.ended_at is not None for each in found.values()) == len(ends)
    assert all(len(each.evidence) == 2 and each.tags for each in found.values())


@pytest.mark.parametrize(
    ("statement", "table", "width"),
    [
        (ledger._END_OTHERS, "bans", 5),
        (ledger._EVIDENCE, "bans", 6),
        (ledger._OPEN, "bans", 3),
        (ledger._END, "bans", 5),
        (progress._FORGET, "tallies", 3),
    ],
)
def test_rows_are_found_by_their_names_however_many_there_are(
    statement: str, table: str, width: int
) -> None:
    database = Database(":memory:", 2, Seconds(1), lambda: NOW)
    database.open()
    connection = database._connection
    assert isinstance(connection, sqlite3.Connection)
    plan = execute(connection, f"EXPLAIN QUERY PLAN {statement}", [(None,) * width] * 2)
    steps = [step[3] for step in plan]
    assert [step for step in steps if step.startswith(f"SEARCH {table} USING")]
    assert not [step for step in steps if step.startswith(f"SCAN {table}")]
    database.close()
