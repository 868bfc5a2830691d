import asyncio
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from banish.errors import StoreError
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.model.snapshot import Memory, PastBan
from banish.store.legacy import read_bans
from banish.store.sqlite_store import SqliteStore
from tests.store.contract import ATTACKER, NEIGHBOUR, NETWORK

Row = tuple[object, ...]


def fail2ban_database(path: Path, rows: Sequence[Row], version: int = 4) -> Path:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE fail2banDb (version INTEGER)")
    connection.execute("INSERT INTO fail2banDb VALUES (?)", (version,))
    connection.execute(
        "CREATE TABLE bips (ip TEXT, jail TEXT, timeofban INTEGER, bantime INTEGER,"
        " bancount INTEGER, data JSON)"
    )
    connection.executemany("INSERT INTO bips VALUES (?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


DATA = json.dumps({"matches": ["one line", ["before ", "12:00:00", " after"], 7], "failures": 5})
ROWS: list[Row] = [
    ("192.0.2.1", "sshd", 1000, 600, 2, DATA),
    ("2001:DB8::7", "sshd", 1100, -1, 1, "{}"),
    ("198.51.100.0/24", "web", 900, 60, 3, None),
]
ATTACKERS = Ban(
    "sshd",
    ATTACKER,
    Instant(1000),
    Instant(1600),
    failures=5,
    count=2,
    evidence=(Evidence("one line"), Evidence("before 12:00:00 after")),
)


def test_bans_come_with_time_count_and_lines(tmp_path: Path) -> None:
    path = fail2ban_database(tmp_path / "f2b", ROWS)
    before = path.read_bytes()
    assert read_bans(str(path)) == [
        Ban("web", NETWORK, Instant(900), Instant(960), count=3),
        ATTACKERS,
        Ban("sshd", NEIGHBOUR, Instant(1100), None),
    ]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "row",
    [
        (None, "sshd", 1, 1, 1, "{}"),
        ("192.0.2.1", "", 1, 1, 1, "{}"),
        ("192.0.2.1", "sshd", "soon", 1, 1, "{}"),
        (b"\xff", "sshd", 1, 1, 1, "{}"),
        ("0.0.0.0/0", "sshd", 1, 1, 1, "{}"),
        ("::/0", "sshd", 1, 1, 1, "{}"),
        ("192.0.2.1", "sshd", 1, float("inf"), 1, "{}"),
    ],
)
def test_a_row_that_makes_no_sense_is_passed_over(tmp_path: Path, row: Row) -> None:
    assert len(read_bans(str(fail2ban_database(tmp_path / "f2b", [row, ROWS[0]])))) == 1


@pytest.mark.parametrize("data", ["", "[", "[]", '{"matches": 5}', '{"failures": "x"}', "[" * 9999])
def test_data_that_makes_no_sense_costs_only_itself(tmp_path: Path, data: str) -> None:
    path = fail2ban_database(tmp_path / "f2b", [("root", "sshd", 1, 2, 0, data)])
    assert read_bans(str(path)) == [Ban("sshd", parse_subject("root"), Instant(1), Instant(3))]


def test_another_version_is_refused_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="another version") as raised:
        read_bans(str(fail2ban_database(tmp_path / "f2b", [], version=2)))
    assert "Fail2Ban 0.11" in raised.value.cure


@pytest.mark.parametrize("content", [b"", b"no database"])
def test_what_is_no_fail2ban_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f2b").write_bytes(content)
    with pytest.raises(StoreError, match="is no Fail2Ban database"):
        read_bans(str(tmp_path / "f2b"))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="f2b"):
        read_bans(str(tmp_path / "f2b"))


def test_an_empty_store_takes_the_bans_over_once(tmp_path: Path) -> None:
    theirs = fail2ban_database(tmp_path / "f2b", ROWS)

    async def script() -> Memory:
        store = await SqliteStore.open(tmp_path / "banish", print)
        assert await store.import_bans(theirs, Instant(1200)) == 2
        assert await store.import_bans(theirs, Instant(1200)) == 0
        memory = await store.load(Instant(1200))
        await store.close()
        return memory

    memory = asyncio.run(script())
    assert memory.jails["sshd"].bans == (ATTACKERS, Ban("sshd", NEIGHBOUR, Instant(1100), None))
    assert memory.jails["web"].bans == ()
    assert memory.jails["web"].past == {NETWORK: PastBan(3, Instant(900), Instant(960))}
