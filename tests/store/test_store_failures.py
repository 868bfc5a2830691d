"""What goes wrong with files, on real files: nothing is lost and everything is said."""

import asyncio
import os
import re
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from banish.errors import StoreError
from banish.model.actionban import ActionBan
from banish.model.address import parse_subject
from banish.model.decision import EndBan, StartBan
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.record import JournalPosition
from banish.model.snapshot import Commit, Memory, Tally
from banish.store import actionbans, database, ledger
from banish.store.columns import to_blob
from banish.store.connection import translate
from banish.store.migrations import STEPS, migrate
from banish.store.salvage import copy_file, move_aside
from banish.store.sqlite_store import SqliteStore
from banish.telemetry.events import Event
from tests.store.contract import ATTACKER, DAY, NEIGHBOUR, ban_of, commit

NOW = Instant(1_700_000_000)
ASIDE = "corrupt-20231114-221320"


class Rig:
    """A place for a database, and what the store told about it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[Event] = []

    @asynccontextmanager
    async def store(self) -> AsyncIterator[SqliteStore]:
        store = await SqliteStore.open(
            self.path, self.told.append, busy=Seconds(0.05), clock=lambda: NOW
        )
        try:
            yield store
        finally:
            await store.close()

    def play(self, script: Callable[[SqliteStore], Awaitable[None]]) -> None:
        async def main() -> None:
            async with self.store() as store:
                await script(store)

        asyncio.run(asyncio.wait_for(main(), 60))

    def write(self, *commits: Commit) -> None:
        self.play(lambda store: store.commit(commits))

    def load(self) -> Memory:
        found: list[Memory] = []

        async def script(store: SqliteStore) -> None:
            found.append(await store.load(Instant(1001)))

        self.play(script)
        return found[0]

    def refuses(self) -> StoreError:
        with pytest.raises(StoreError) as raised:
            self.load()
        return raised.value

    @property
    def warnings(self) -> list[str]:
        return [event.text() for event in self.told]


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "state" / "banish.sqlite3")


FIRST = commit(StartBan(ban_of()), tallies={NEIGHBOUR: Tally((Instant(1),))})


def is_remembered(memory: Memory) -> bool:
    return memory.jails["sshd"].bans == (ban_of(),) and NEIGHBOUR in memory.jails["sshd"].tallies


def test_what_was_written_is_there_after_reopening(rig: Rig) -> None:
    rig.write(FIRST)
    assert is_remembered(rig.load())
    assert rig.told == []


def test_directory_and_file_are_made_for_the_owner_alone(rig: Rig) -> None:
    old = os.umask(0)
    try:
        rig.write(FIRST)
    finally:
        os.umask(old)
    assert stat.S_IMODE(rig.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(rig.path.stat().st_mode) == 0o600


def test_it_remembers_nothing_between_two_stores_in_memory() -> None:
    for path in (":memory:", "None", "none"):
        rig = Rig(Path(path))
        rig.write(FIRST)
        assert rig.load() == Memory()
        assert not rig.path.exists()


def test_evidence_is_bounded(rig: Rig) -> None:
    lines = tuple(Evidence(f"line {number}") for number in range(30))
    rig.write(commit(StartBan(ban_of(evidence=lines))))
    assert rig.load().jails["sshd"].bans == (ban_of(evidence=lines[-10:]),)


def test_no_evidence_is_kept_where_none_is_wanted(tmp_path: Path) -> None:
    async def script() -> None:
        store = await SqliteStore.open(tmp_path / "a", print, evidence_limit=0)
        await store.commit([FIRST])
        assert await store.history(limit=1) == [ban_of(evidence=())]
        await store.close()

    asyncio.run(script())


def test_only_the_newest_bans_come_back_with_evidence(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "EVIDENCE_BANS", 1)
    rig.write(commit(StartBan(ban_of()), StartBan(ban_of(NEIGHBOUR))))
    assert rig.load().jails["sshd"].bans == (ban_of(evidence=()), ban_of(NEIGHBOUR))


# What cannot be opened


def test_a_file_in_the_way_of_the_directory_is_named(rig: Rig) -> None:
    rig.path.parent.write_text("")
    error = rig.refuses()
    assert str(rig.path) in error.what
    assert "dbfile" in error.cure


def test_a_directory_in_the_way_of_the_file_is_named(rig: Rig) -> None:
    rig.path.mkdir(parents=True)
    assert "Is a directory" in rig.refuses().what


def test_a_fifo_in_the_way_of_the_file_does_not_hang(rig: Rig) -> None:
    rig.path.parent.mkdir()
    os.mkfifo(rig.path)
    assert "is no file" in rig.refuses().what


def test_a_database_of_another_program_is_left_alone(rig: Rig) -> None:
    rig.path.parent.mkdir()
    other = sqlite3.connect(rig.path)
    other.execute("CREATE TABLE theirs (a)")
    other.close()
    before = rig.path.read_bytes()
    error = rig.refuses()
    assert "another program" in error.what
    assert not error.retry
    other = sqlite3.connect(rig.path)
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]
    other.close()
    assert len(rig.path.read_bytes()) == len(before)


def test_a_newer_file_is_refused_with_a_cure_and_left_alone(rig: Rig) -> None:
    rig.write(FIRST)
    edit(rig.path, f"PRAGMA user_version = {len(STEPS) + 1}")
    error = rig.refuses()
    assert "newer banish" in error.what
    assert "install that version" in error.cure
    assert not error.retry
    edit(rig.path, f"PRAGMA user_version = {len(STEPS)}")
    assert is_remembered(rig.load())


def test_a_file_locked_by_another_program_is_opened_later(rig: Rig) -> None:
    rig.write(FIRST)
    with locked(rig.path, "EXCLUSIVE"):
        error = rig.refuses()
        assert "locked by another program" in error.what
        assert error.retry
    assert is_remembered(rig.load())


def test_a_step_that_fails_leaves_the_file_as_it_was(rig: Rig) -> None:
    rig.write(FIRST)
    before = dump(rig.path)
    connection = sqlite3.connect(rig.path, isolation_level=None)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, str(rig.path), (*STEPS, "CREATE TABLE more (a); DROP TABLE nothing"))
    connection.close()
    assert dump(rig.path) == before
    assert is_remembered(rig.load())


def test_a_new_step_is_taken_once(rig: Rig) -> None:
    rig.write(FIRST)
    connection = sqlite3.connect(rig.path, isolation_level=None)
    for _ in range(2):
        migrate(connection, str(rig.path), (*STEPS, "CREATE TABLE more (a)"))
    assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS) + 1,)
    connection.close()


# What fails later


def test_a_commit_on_a_locked_file_is_written_when_told_again(rig: Rig) -> None:
    async def script(store: SqliteStore) -> None:
        with locked(rig.path, "NORMAL"), pytest.raises(StoreError, match="locked"):
            await store.commit([FIRST])
        assert (await store.load(Instant(1001))) == Memory()
        await store.commit([FIRST])
        assert is_remembered(await store.load(Instant(1001)))

    rig.play(script)


def test_a_full_disk_loses_nothing(rig: Rig, small_disk: Path) -> None:
    rig.path = small_disk / "banish.sqlite3"
    ballast = small_disk / "ballast"
    big = commit(
        *[
            StartBan(ban_of(since=number, evidence=(Evidence("x" * 2000),)))
            for number in range(500)
        ],
        positions={"a": JournalPosition("after", Instant(2))},
    )

    async def script(store: SqliteStore) -> None:
        await store.commit([FIRST, commit(positions={"a": JournalPosition("1", Instant(1))})])
        free = os.statvfs(small_disk)
        ballast.write_bytes(b"x" * (free.f_bavail * free.f_bsize - 100_000))
        for _ in range(2):
            with pytest.raises(StoreError, match="no room left") as raised:
                await store.commit([big])
            assert "free disk space" in raised.value.cure
            assert raised.value.retry
        memory = await store.load(Instant(1001))
        assert is_remembered(memory)
        assert memory.positions == {"a": JournalPosition("1", Instant(1))}
        ballast.unlink()
        await store.commit([big])
        assert len(await store.history(limit=1000)) == 501
        assert (await store.load(Instant(1001))).positions == big.positions

    rig.play(script)
    assert rig.told == []


def test_a_disk_full_from_the_beginning_is_said(rig: Rig, small_disk: Path) -> None:
    free = os.statvfs(small_disk)
    (small_disk / "ballast").write_bytes(b"x" * (free.f_bavail * free.f_bsize))
    rig.path = small_disk / "banish.sqlite3"
    assert "free disk space" in rig.refuses().cure
    (small_disk / "ballast").unlink()
    assert rig.load() == Memory()


def test_a_read_only_file_system_is_said(rig: Rig, small_disk: Path) -> None:
    rig.path = small_disk / "banish.sqlite3"
    rig.write(FIRST)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    error = rig.refuses()
    assert "Read-only file system" in error.what
    assert "dbfile" in error.cure
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    assert is_remembered(rig.load())


def test_a_directory_without_the_right_to_write_is_said(rig: Rig) -> None:
    rig.path.parent.mkdir()
    rig.path.parent.chmod(0o555)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "root:", str(rig.path.parent)], check=True)
        os.seteuid(65534)
    try:
        with pytest.raises(StoreError, match="Permission denied") as raised:
            rig.load()
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
    assert "right to write" in raised.value.cure


# Damage


@pytest.mark.parametrize(
    "content", [b"no database", b"\0" * 8192, b"SQLite format 3\0" + b"x" * 90]
)
def test_a_file_that_is_no_database_is_moved_aside(rig: Rig, content: bytes) -> None:
    rig.path.parent.mkdir()
    rig.path.write_bytes(content)
    assert rig.load() == Memory()
    aside = Path(f"{rig.path}.{ASIDE}")
    assert aside.read_bytes()[: len(content)] == content
    assert len(rig.warnings) == 1
    assert f"was damaged (file is not a database); it was moved to {aside}" in rig.warnings[0]
    assert rig.load() == Memory()
    assert len(rig.warnings) == 1


def test_a_second_damaged_file_of_the_same_second_has_a_name_of_its_own(rig: Rig) -> None:
    rig.path.parent.mkdir()
    for _ in range(2):
        rig.path.write_bytes(b"no database")
        rig.load()
    names = sorted(path.name for path in rig.path.parent.glob("*corrupt*"))
    assert names == [f"banish.sqlite3.{ASIDE}", f"banish.sqlite3.{ASIDE}-2"]


def test_a_write_ahead_log_goes_with_its_damaged_file(tmp_path: Path) -> None:
    for name in ("a", "a-wal"):
        (tmp_path / name).write_text(name)
    aside = move_aside(str(tmp_path / "a"), NOW)
    assert aside == str(tmp_path / f"a.{ASIDE}")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.{ASIDE}", f"a.{ASIDE}-wal"]
    assert Path(f"{aside}-wal").read_text() == "a-wal"


def test_a_damaged_file_that_cannot_be_moved_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be moved aside") as raised:
        move_aside(str(tmp_path / "a"), NOW)
    assert "by hand" in raised.value.cure


def damage(path: Path, table: str) -> None:
    """Overwrite the first page of *table* in the file."""
    connection = sqlite3.connect(path)
    page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
    number, size = page.fetchone()[0], connection.execute("PRAGMA page_size").fetchone()[0]
    connection.close()
    with path.open("r+b") as file:
        file.seek((number - 1) * size)
        file.write(b"\xa5" * size)


@pytest.mark.parametrize("checked", [0, 1 << 30])
def test_bans_are_saved_out_of_a_file_with_damaged_windows(
    rig: Rig, checked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "CHECKED_BYTES", checked)
    rig.write(FIRST, commit(positions={"a": JournalPosition("1", Instant(1))}))
    damage(rig.path, "tallies")
    memory = rig.load()
    assert memory.jails["sshd"].bans == (ban_of(),)
    assert memory.positions == {}
    assert len(rig.warnings) == 1
    assert "1 bans were recovered" in rig.warnings[0]
    assert Path(f"{rig.path}.{ASIDE}").exists()


def test_windows_are_saved_out_of_a_file_with_damaged_bans(rig: Rig) -> None:
    rig.write(FIRST)
    damage(rig.path, "bans")
    memory = rig.load()
    assert NEIGHBOUR in memory.jails["sshd"].tallies
    assert memory.jails["sshd"].bans == ()
    assert "0 bans were recovered" in rig.warnings[0]


def test_a_commit_on_a_file_that_goes_bad_is_written_to_the_new_one(rig: Rig) -> None:
    async def script(store: SqliteStore) -> None:
        await store.commit([FIRST])
        edit(rig.path, "PRAGMA wal_checkpoint(TRUNCATE)")
        damage(rig.path, "positions")
        edit(rig.path, "UPDATE totals SET bans = 1")  # the store's page cache is stale now
        await store.commit([commit(positions={"a": JournalPosition("1", Instant(1))})])
        memory = await store.load(Instant(1001))
        assert is_remembered(memory)
        assert memory.positions == {"a": JournalPosition("1", Instant(1))}

    rig.play(script)
    assert len(rig.warnings) == 1


def test_one_row_that_cannot_be_read_costs_only_itself(rig: Rig) -> None:
    rig.write(FIRST, commit(positions={"a": JournalPosition("1", Instant(1))}))
    edit(rig.path, "UPDATE tallies SET tally = '{'")
    edit(rig.path, "UPDATE positions SET position = '{}'")
    edit(rig.path, "UPDATE evidence SET lines = x'ff'")
    memory = rig.load()
    assert memory.jails["sshd"].bans == (ban_of(evidence=()),)
    assert memory.jails["sshd"].tallies == {}
    assert memory.positions == {}


# Files that vanish


def test_a_file_deleted_under_us_is_written_anew_with_all_it_held(rig: Rig) -> None:
    async def script(store: SqliteStore) -> None:
        await store.commit([FIRST])
        shutil.rmtree(rig.path.parent)
        await store.commit([commit(StartBan(ban_of(NEIGHBOUR)))])
        assert set((await store.load(Instant(1001))).jails["sshd"].bans) == {
            ban_of(),
            ban_of(NEIGHBOUR),
        }

    rig.play(script)
    assert len(rig.load().jails["sshd"].bans) == 2
    assert rig.warnings == [
        f"store: {rig.path} was deleted by another program; it was created again"
    ]
    assert [path.name for path in rig.path.parent.iterdir()] == [rig.path.name]


def test_a_file_replaced_under_us_is_used_and_the_old_one_kept(rig: Rig, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    rig.write(FIRST)
    shutil.copy(rig.path, backup)

    async def script(store: SqliteStore) -> None:
        await store.commit([commit(StartBan(ban_of(NEIGHBOUR)))])
        backup.rename(rig.path)
        assert is_remembered(await store.load(Instant(1001)))

    rig.play(script)
    rescued = f"{rig.path}.rescued-20231114-221320"
    assert (
        f"was replaced by another program; its earlier contents are in {rescued}" in rig.warnings[0]
    )
    assert is_remembered(rig.load())
    assert len(Rig(Path(rescued)).load().jails["sshd"].bans) == 2


# The thread


def test_calls_run_in_the_order_they_were_made(rig: Rig) -> None:
    async def script(store: SqliteStore) -> None:
        writes = [
            asyncio.create_task(
                store.commit([commit(positions={"a": JournalPosition(str(n), Instant(n))})])
            )
            for n in range(50)
        ]
        await asyncio.gather(*writes)
        memory = await store.load(Instant(0))
        assert memory.positions == {"a": JournalPosition("49", Instant(49))}

    rig.play(script)


def test_a_commit_whose_caller_is_cancelled_is_written_all_the_same(rig: Rig) -> None:
    async def script(store: SqliteStore) -> None:
        task = asyncio.create_task(store.commit([FIRST]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert is_remembered(await store.load(Instant(1001)))

    rig.play(script)


def test_purge_gives_room_back(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "PURGE_ROWS", 100)
    lines = (Evidence("x" * 2000),)
    bans = [ban_of(since=at, until=at + 1, evidence=lines) for at in range(1000)]

    async def script(store: SqliteStore) -> None:
        await store.commit([commit(*map(StartBan, bans))])
        edit(rig.path, "PRAGMA wal_checkpoint(TRUNCATE)")
        before = rig.path.stat().st_size
        assert await store.purge(Instant(9 * DAY), DAY) == 1000
        edit(rig.path, "PRAGMA wal_checkpoint(TRUNCATE)")
        assert rig.path.stat().st_size < before / 10

    rig.play(script)


def test_the_file_does_not_grow_for_ever(rig: Rig) -> None:
    """A hundred days of as many bans each: from the second on, the file keeps its size."""
    lines = (Evidence("x" * 500),)

    async def script(store: SqliteStore) -> None:
        sizes = []
        for day in range(100):
            begin = day * DAY
            bans = [
                ban_of(parse_subject(f"192.0.2.{n}"), begin + n, begin + n + 600, evidence=lines)
                for n in range(200)
            ]
            window = {NEIGHBOUR: Tally((Instant(begin),))}
            await store.commit([commit(*map(StartBan, bans), at=begin, tallies=window)])
            ends = [EndBan(ban, "expired") for ban in bans]
            await store.commit([commit(*ends, at=begin + 3600)])
            await store.purge(Instant(begin + DAY), Seconds(DAY / 2))
            edit(rig.path, "PRAGMA wal_checkpoint(TRUNCATE)")
            sizes.append(rig.path.stat().st_size)
        assert max(sizes[2:]) <= sizes[1] * 1.2

    rig.play(script)


def test_a_file_of_an_older_version_is_brought_up_to_date(rig: Rig) -> None:
    write_old(rig.path)
    assert is_remembered(rig.load())
    tagged = msgspec.structs.replace(
        ban_of(since=1001), tags=(("user", "root"),), address=NEIGHBOUR
    )
    rig.write(commit(StartBan(tagged)))
    assert rig.load().jails["sshd"].bans == (tagged,)
    assert rig.told == []


def test_bans_are_saved_out_of_a_damaged_file_of_an_older_version(rig: Rig) -> None:
    write_old(rig.path)
    target = sqlite3.connect(":memory:", isolation_level=None)
    migrate(target, ":memory:")
    bans, is_whole = copy_file(str(rig.path), target)
    assert (bans, is_whole) == (1, True)
    assert list(ledger.in_force(target, Instant(1001))) == [ban_of()]
    target.close()


def write_old(path: Path) -> None:
    """Write a file as the first version of the tables had it, with one ban in it."""
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path, isolation_level=None)
    migrate(connection, str(path), STEPS[:1])
    ban = ban_of()
    row = (ban.jail, ban.subject.text, "ipv4", ban.since, ban.until, ban.failures, 1, ban.cause, 2)
    columns = "jail, subject, kind, since, until, failures, count, cause, rule"
    connection.execute(f"INSERT INTO bans ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("INSERT INTO evidence VALUES (1, ?)", (to_blob(ban.evidence),))
    tally = to_blob(Tally((Instant(1),)))
    values = ("sshd", NEIGHBOUR.text, "ipv6", 1.0, tally)
    connection.execute("INSERT INTO tallies VALUES (?, ?, ?, ?, ?)", values)
    connection.close()


def test_windows_of_jails_long_gone_are_purged(rig: Rig) -> None:
    async def script(store: SqliteStore) -> None:
        await store.commit([FIRST])
        assert await store.purge(Instant(367 * DAY), DAY) == 2  # the ban, and the window
        assert (await store.load(Instant(0))).jails["sshd"].tallies == {}

    rig.play(script)


def edit(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(statement).fetchall()
    connection.close()


def dump(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = list(connection.iterdump())
    connection.close()
    return found


class locked:  # noqa: N801  (reads as a sentence)
    """Hold the file's lock from another process while inside."""

    def __init__(self, path: Path, mode: str) -> None:
        self.path = path
        self.mode = mode

    def __enter__(self) -> None:
        self.program = subprocess.Popen(
            [shutil.which("python3") or "python3", "-c", _LOCK, str(self.path), self.mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.program.stdout is not None
        assert self.program.stdout.readline() == b"locked\n"

    def __exit__(self, *_: object) -> None:
        self.program.communicate(b"", timeout=30)


_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(f"PRAGMA locking_mode = {sys.argv[2]}")
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
connection.close()
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Make a file system of eight megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)], check=False
    )
    if made.returncode != 0:
        pytest.skip("mounting needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize(
    ("code", "said", "cure"),
    [
        (sqlite3.SQLITE_READONLY_DIRECTORY, "cannot be written", "right to write"),
        (sqlite3.SQLITE_CANTOPEN, "cannot be written", "right to write"),
        (sqlite3.SQLITE_IOERR_READ, "reading or writing", "dmesg"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "locked by another program", "fuser"),
        (sqlite3.SQLITE_SCHEMA, "/db: odd", ""),
    ],
)
def test_each_kind_of_trouble_has_its_cure(code: int, said: str, cure: str) -> None:
    error = sqlite3.OperationalError("odd")
    error.sqlite_errorcode = code
    trouble = translate(error, "/db")
    assert said in trouble.what
    assert cure in trouble.cure
    assert trouble.retry


def test_the_cures_name_the_file_once(rig: Rig) -> None:
    rig.path.parent.write_text("")
    assert len(re.findall(re.escape(str(rig.path)), str(rig.refuses()))) == 1
    assert ATTACKER.is_address


def test_what_actions_did_is_saved_out_of_a_damaged_file(rig: Rig) -> None:
    done = ActionBan("own", ban_of(evidence=()))

    async def script(store: SqliteStore) -> None:
        await store.write_actions([done])

    rig.play(script)
    target = sqlite3.connect(":memory:", isolation_level=None)
    migrate(target, ":memory:")
    assert copy_file(str(rig.path), target) == (0, True)
    assert actionbans.read(target) == (done,)
    target.execute("UPDATE action_bans SET ban = X'7B'")
    assert actionbans.read(target) == ()  # what no version of ours wrote
    target.close()
