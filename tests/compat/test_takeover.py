"""Bans out of a database that Fail2Ban's own code wrote, into ours and into the kernel."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from banish.config.load import builtin_tree, load
from banish.daemon.build import store_opener
from banish.lab.world import Lab
from banish.model.address import parse_subject
from banish.model.instant import Instant
from banish.model.snapshot import Memory, PastBan
from banish.store.legacy import read_bans
from banish.telemetry.events import BansImported, Event, WarningGiven
from tests.system.guard import Guard, wait_until

_WRITE = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from fail2ban.server.database import Fail2BanDb
from fail2ban.server.ticket import BanTicket
path, bans = json.load(sys.stdin)

class Jail:
    def __init__(self, name):
        self.name = name
        self.actions = self

    def getBanTime(self):
        return 600

database = Fail2BanDb(path)
for ban in bans:
    jail = Jail(ban["jail"])
    database.addJail(jail)
    ticket = BanTicket(ban["ip"], ban["at"], ban["lines"])
    ticket.setAttempt(ban["failures"])
    ticket.setBanTime(ban["lasts"])
    ticket.setBanCount(ban["count"])
    database.addBan(jail, ticket)
"""

NOW = int(time.time())
EVIL = "gate sshd[1]: Failed password for \N{SNOWMAN} $(id) from 192.0.2.1 port 40022 ssh2"


def ban(jail: str, ip: str, at: int, lasts: int, count: int = 1) -> dict[str, object]:
    lines = [[f"{EVIL} ", "12:00:00", " end"], EVIL]
    return {
        "jail": jail, "ip": ip, "at": at, "lasts": lasts, "count": count, "failures": 5,
        "lines": lines,
    }  # fmt: skip


BANS = [
    ban("sshd", "192.0.2.1", NOW - 100, 86_400, count=3),
    ban("sshd", "2001:db8::bad", NOW - 50, -1),
    ban("sshd", "198.51.100.0/24", NOW - 40, 3_600),
    ban("sshd", "192.0.2.9", NOW - 5_000, 600, count=2),
    ban("gone", "192.0.2.77", NOW - 10, 600),
]


def written(package: Path, path: Path, bans: Sequence[Mapping[str, object]]) -> Path:
    """Have Fail2Ban write *bans* into a database at *path*."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _WRITE],
        input=json.dumps([str(path), bans]),
        env={"PYTHONPATH": str(package / "usr/lib/python3/dist-packages"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "ImportError" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"Fail2Ban does not run here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-1_000:]
    return path


@pytest.fixture
def database(stock_package: Path, tmp_path: Path) -> Path:
    return written(stock_package, tmp_path / "fail2ban.sqlite3", BANS)


def tree_for(package_tree: Path, folder: Path, database: Path, log: Path) -> Path:
    """Return a copy of the stock tree with one jail and the database at *database*."""
    shutil.copytree(package_tree, folder, dirs_exist_ok=True)
    for leftover in (folder / "jail.d").glob("*"):
        leftover.unlink()
    (folder / "fail2ban.local").write_text(
        f"[Definition]\ndbfile = {database}\nlogtarget = STDOUT\n"
    )
    (folder / "jail.local").write_text(
        f"[sshd]\nenabled = true\nbackend = auto\nsystemd_if_nologs = false\nlogpath = {log}\n"
        "ignoreself = false\n"
    )
    return folder


def test_what_fail2ban_wrote_is_read_whole(database: Path) -> None:
    found = {found.subject.text: found for found in read_bans(str(database))}
    assert set(found) == {str(ban["ip"]) for ban in BANS}
    first = found["192.0.2.1"]
    assert (first.jail, first.since) == ("sshd", Instant(NOW - 100))
    assert first.until == Instant(NOW - 100 + 86_400)
    assert (first.count, first.failures) == (3, 5)
    assert [line.text for line in first.evidence] == [f"{EVIL} 12:00:00 end", EVIL]
    assert found["2001:db8::bad"].until is None


def opened(tree: Path, state: Path, told: list[Event]) -> Memory:
    """Open the store as a server with *tree* does, and return what it remembers."""
    settings = load(tree, builtin=builtin_tree())
    server = msgspec.structs.replace(settings.server, dbfile=str(state))
    settings = msgspec.structs.replace(settings, server=server)

    async def run() -> Memory:
        store = await store_opener(settings, emit=told.append, clock=lambda: Instant(NOW))()
        memory = await store.load(Instant(NOW))
        await store.close()
        return memory

    return asyncio.run(run())


def test_the_first_start_takes_over_while_fail2ban_still_writes(
    stock_tree: Path, tmp_path: Path, database: Path
) -> None:
    tree = tree_for(stock_tree, tmp_path / "tree", database, tmp_path / "log")
    told: list[Event] = []
    theirs = sqlite3.connect(database, isolation_level=None)
    theirs.execute("BEGIN IMMEDIATE")
    theirs.execute("UPDATE bips SET bantime = 1")
    before = database.read_bytes(), database.stat().st_mtime_ns
    memory = opened(tree, tmp_path / "state", told)
    assert (database.read_bytes(), database.stat().st_mtime_ns) == before
    theirs.execute("ROLLBACK")
    theirs.close()
    assert {ban.subject.text for ban in memory.jails["sshd"].bans} == {
        "192.0.2.1", "2001:db8::bad", "198.51.100.0/24",
    }  # fmt: skip
    past = PastBan(2, Instant(NOW - 5_000), Instant(NOW - 4_400))
    assert memory.jails["sshd"].past == {parse_subject("192.0.2.9"): past}
    assert [h for h in told if isinstance(h, BansImported)] == [BansImported(4, str(database))]
    assert told[-1].text() == f"4 bans taken over from {database}"


def test_only_the_first_start_takes_over(stock_tree: Path, tmp_path: Path, database: Path) -> None:
    tree = tree_for(stock_tree, tmp_path / "tree", database, tmp_path / "log")
    told: list[Event] = []
    opened(tree, tmp_path / "state", told)
    assert len(opened(tree, tmp_path / "state", told).jails["sshd"].bans) == 3
    assert len(told) == 1


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100])
def test_a_database_that_cannot_be_read_is_a_warning(
    stock_tree: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "f2b").write_bytes(content)
    tree = tree_for(stock_tree, tmp_path / "tree", tmp_path / "f2b", tmp_path / "log")
    told: list[Event] = []
    assert opened(tree, tmp_path / "state", told).jails == {}
    (warning,) = told
    assert isinstance(warning, WarningGiven)
    assert "no bans are taken over from" in warning.what


def test_no_database_is_no_news(stock_tree: Path, tmp_path: Path) -> None:
    tree = tree_for(stock_tree, tmp_path / "tree", tmp_path / "none", tmp_path / "log")
    told: list[Event] = []
    opened(tree, tmp_path / "state", told)
    assert not told


@pytest.fixture
def lab() -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root to make network namespaces")
    with Lab.open() as world:
        yield world


@pytest.mark.system
def test_bans_of_fail2ban_are_in_the_kernel_after_the_change(
    lab: Lab, stock_package: Path, stock_tree: Path
) -> None:
    database = written(stock_package, lab.directory / "fail2ban.sqlite3", BANS)
    lab.log_path.touch()
    guard = Guard(lab, "")
    tree_for(stock_tree, guard.config, database, lab.log_path)
    wanted = {"192.0.2.1", "2001:db8::bad", "198.51.100.0/24"}
    guard.start()
    try:
        assert guard.in_kernel() == wanted, guard.said()
        assert f"4 bans taken over from {database}" in guard.said()
        assert guard.banned() == wanted
        why: Any = guard.ask("why", "192.0.2.1")
        assert EVIL in json.dumps(why, ensure_ascii=False)
        assert guard.lab.server.run(guard.argv("unban", "192.0.2.1")).returncode == 0
        guard.kill()
        guard.start()
        wait_until(lambda: guard.in_kernel() == wanted - {"192.0.2.1"}, "the pardon lasts")
        assert guard.stop() == 0
    finally:
        if guard.process is not None and guard.process.poll() is None:
            guard.kill()
