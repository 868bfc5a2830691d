"""A writer is killed again and again: what is left is whole commits, in order."""

import asyncio
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from banish.model.address import parse_subject
from banish.model.instant import Instant
from banish.model.record import JournalPosition
from banish.model.snapshot import JailMemory, Memory
from banish.store.sqlite_store import SqliteStore

pytestmark = pytest.mark.slow

ROUNDS = 12

WRITER = """
import asyncio, sys
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, StartBan
from banish.model.failure import Evidence
from banish.model.record import JournalPosition
from banish.model.snapshot import Commit, JailChanges, Tally
from banish.store.sqlite_store import SqliteStore

def ban(n):
    lines = (Evidence("x" * 1000),)
    return Ban("sshd", parse_subject(f"2001:db8::{n:x}"), float(n), None, evidence=lines)

def commit(n):
    decisions = (StartBan(ban(n)), *([EndBan(ban(n - 1), "expired")] if n > 1 else []))
    tally = {parse_subject("192.0.2.1"): Tally((float(n),))}
    position = {"log": JournalPosition(str(n), float(n))}
    return Commit(float(n), decisions, (JailChanges("sshd", tally, n, n),), position)

async def main():
    store = await SqliteStore.open(sys.argv[1], print)
    memory = await store.load(0.0)
    n = memory.jails["sshd"].bans_total if memory.jails else 0
    while True:
        size = 1 + n % 3
        await store.commit([commit(n + k) for k in range(1, size + 1)])
        n += size
        print(n, flush=True)

asyncio.run(main())
"""


def kill_after(path: Path, lines: int) -> int:
    """Let the writer write *lines* times, kill it, and return what it had said was written."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    said = b""
    for _ in range(lines):
        said = writer.stdout.readline()
        assert said, "the writer died by itself"
    writer.kill()
    rest = writer.communicate()[0].splitlines()
    return int((rest or [said])[-1])


def reopen(path: Path) -> tuple[Memory, int]:
    async def main() -> tuple[Memory, int]:
        told: list[object] = []
        store = await SqliteStore.open(path, told.append)
        memory = await store.load(Instant(0))
        history = await store.history(limit=10**6)
        await store.close()
        assert told == []
        return memory, len(history)

    return asyncio.run(main())


def test_a_killed_writer_leaves_whole_commits_and_all_it_was_told_are_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "banish.sqlite3"
    draw = random.Random(7)
    for _ in range(ROUNDS):
        said = kill_after(path, draw.randint(1, 60))
        memory, bans = reopen(path)
        position = memory.positions["log"]
        assert isinstance(position, JournalPosition)
        newest = int(position.cursor)
        assert newest >= said
        assert bans == newest
        jail = memory.jails["sshd"]
        assert isinstance(jail, JailMemory)
        assert [ban.subject.text for ban in jail.bans] == [f"2001:db8::{newest:x}"]
        assert jail.tallies[parse_subject("192.0.2.1")].times == (Instant(newest),)
        assert (jail.failures_total, jail.bans_total) == (newest, newest)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
