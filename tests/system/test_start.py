"""What is not the firewall does not keep a server from protecting."""

import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.decision import StartBan
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.model.snapshot import Commit, JailChanges, Tally
from banish.store.sqlite_store import SqliteStore
from tests.system.box import IS_ROOT, JAIL, Box, boxed

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root to make namespaces")

ATTACKER = "192.0.2.1"

AN_HOUR_AGO = time.strftime("%Y-%m-%d %H:%M:%S ", time.localtime(time.time() - 3600))

# What is wrong, the shell commands that make it so, further lines of banish.conf, and what
# standard error and log say of it.
ILLS = {
    "the run folder is read-only": (
        "mount --bind {run} {run}; mount -o remount,bind,ro {run}",
        "",
        "control socket: {run}/banish.sock: the control socket cannot be created: Read-only",
    ),
    "there is a lock, and the run folder is read-only": (
        "touch {run}/banish.sock.lock; mount --bind {run} {run}; mount -o remount,bind,ro {run}",
        "",
        "control socket: {run}/banish.sock: the control socket cannot be created: Read-only",
    ),
    "no inodes are left for socket and pid file": (
        "mount -t tmpfs -o nr_inodes=1 none {run}",
        "",
        "the control socket cannot be created: No space left",
    ),
    "no inodes are left anywhere": (
        "mount -t tmpfs -o nr_inodes=1 none {run}; mount -t tmpfs -o nr_inodes=1 none {state}",
        "",
        "database: {state}/banish.sqlite3 cannot be opened: No space left",
    ),
    "no room is left anywhere": (
        (
            "for d in {run} {state}; do mount -t tmpfs -o size=8k none $d; "
            "head -c 8192 /dev/zero >$d/full; done"
        ),
        "",
        "database",
    ),
    "the socket's name is too long": (
        "true",
        f"socket = {{run}}/{'x' * 120}",
        "control socket: {run}/" + "x" * 120,
    ),
    "the socket's folder is a file": (
        "touch {run}/f",
        "socket = {run}/f/s",
        "f is not a directory",
    ),
    "the socket's folder is everybody's": ("chmod 777 {run}", "", "everybody may write in"),
    "a file is where the socket should be": (
        "echo precious >{run}/banish.sock",
        "",
        "this is not a socket, and will not be overwritten",
    ),
    "the pid file is a folder": ("mkdir {run}/banish.pid", "", "the pid file cannot be written"),
    "the log's folder is missing": (
        "true",
        "logtarget = {run}/no/such/folder/log",
        "log: cannot be written: logtarget: {run}/no/such/folder/log: No such file",
    ),
    "the log is on a read-only disk": (
        "mount --bind {state} {state}; mount -o remount,bind,ro {state}",
        "logtarget = {state}/log",
        "log: cannot be written: logtarget: {state}/log: Read-only",
    ),
    "the log target is none": (
        "true",
        "logtarget = STDERR[colour=red]",
        'log: cannot be written: logtarget: "STDERR[colour=red]" is not a log target',
    ),
    "no syslog runs": (
        "true",
        "logtarget = SYSLOG\nsyslogsocket = {run}/nobody",
        "log: cannot be written: logtarget: no syslog listens",
    ),
    "the database is on a read-only disk": (
        "mount --bind {state} {state}; mount -o remount,bind,ro {state}",
        "",
        "database: {state}/banish.sqlite3 cannot be opened: Read-only",
    ),
    "the database is a folder": ("mkdir {state}/banish.sqlite3", "", "database: {state}/banish"),
    "the database is another program's": (
        (
            '{python} -c \'import sqlite3; sqlite3.connect("{state}/banish.sqlite3").execute('
            '"create table t (a)")\''
        ),
        "",
        "is a database of another program",
    ),
    "the cache of patterns is a file": ("touch {state}/patterns", "", ""),
    "standard output is closed": ("true", "logtarget = STDOUT", "log: cannot be written: "),
}


@pytest.mark.parametrize("ill", ILLS)
def test_a_server_bans_though(ill: str, tmp_path: Path) -> None:
    before, conf, said = ILLS[ill]
    with boxed(tmp_path) as box:
        places = {"{run}": box.run_folder, "{state}": box.state, "{python}": sys.executable}
        for word, place in places.items():
            before, conf, said = (text.replace(word, str(place)) for text in (before, conf, said))
        box_conf = box.config / "banish.local"
        box_conf.write_text(f"[Definition]\n{conf}\n")
        box.start(before, ">&-" if "STDOUT" in conf else "")
        if said:
            box.wait_for(said)
        box.wait_until(lambda: reads(box), "the log is read")
        box.fail(ATTACKER)
        box.wait_for_ban(ATTACKER)
        status = box.status()
        if status and said:
            assert not status["well"]
        assert box.stop() == 0


def reads(box: Box) -> bool:
    """Whether the server has the log open."""
    assert box.process is not None
    folder = Path(f"/proc/{box.process.pid}/fd")
    for name in os.listdir(folder):
        try:
            if os.readlink(folder / name) == str(box.log):
                return True
        except OSError:
            continue
    return False


def test_what_could_not_be_made_is_made_as_soon_as_it_can_be(tmp_path: Path) -> None:
    with boxed(tmp_path) as box:
        run = box.run_folder
        (box.config / "banish.local").write_text(f"[Definition]\nlogtarget = {run}/banish.log\n")
        box.start(f"mount --bind {run} {run}; mount -o remount,bind,ro {run}")
        box.wait_for("control socket:")
        box.wait_until(lambda: reads(box), "the log is read")
        assert not box.status()
        box.inside("mount", "-o", "remount,bind,rw", str(run))
        box.wait_until((run / "banish.sock").exists, "the socket")
        box.wait_until((run / "banish.pid").exists, "the pid file")
        box.wait_until(lambda: "pid file: works again" in box.said_in_log(), "the log")
        box.wait_until(lambda: box.status().get("well"), "all is well")
        assert box.stop() == 0
        assert not (run / "banish.sock").exists()
        assert not (run / "banish.pid").exists()


def test_a_removed_run_folder_is_made_again_and_the_server_is_never_said_to_be_absent(
    tmp_path: Path,
) -> None:
    with boxed(tmp_path) as box:
        box.start()
        box.wait_until(box.status, "it answers")
        assert box.process is not None
        pid = box.process.pid
        (box.run_folder / "banish.sock").unlink()
        asked = box.ask("status")
        if asked.returncode not in (0, 1):  # it may have been made again already
            assert f"banish is running (pid {pid})" in asked.stderr
            assert "socket is missing" in asked.stderr
        rival = box.ask("run")
        assert rival.returncode == 2
        assert "another banish" in rival.stderr
        assert str(pid) in rival.stderr
        box.wait_until(box.status, "it answers again")
        for path in box.run_folder.iterdir():
            path.unlink()
        box.run_folder.rmdir()
        began = time.monotonic()
        box.wait_until(box.status, "it answers once more")
        assert time.monotonic() - began < 10
        box.wait_until((box.run_folder / "banish.pid").exists, "the pid file")
        assert box.stop() == 0


def test_a_database_that_another_program_locks_holds_up_no_ban(tmp_path: Path) -> None:
    with boxed(tmp_path) as box:
        box.start()
        box.wait_until(lambda: box.status().get("well"), "all is well")
        other = sqlite3.connect(box.state / "banish.sqlite3", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        for number in range(1, 4):  # the second one comes while the first waits to be written
            box.fail(f"192.0.2.{number}")
            began = time.monotonic()
            box.wait_for_ban(f"192.0.2.{number}")
            assert time.monotonic() - began < 4
        box.wait_for("is locked by another program")
        assert not box.status()["well"]
        other.execute("ROLLBACK")
        other.close()
        box.wait_for("database: works again")
        assert box.stop() == 0


def test_a_database_that_another_program_locks_from_the_start_holds_up_no_ban(
    tmp_path: Path,
) -> None:
    with boxed(tmp_path) as box:
        crowd(box.state / "banish.sqlite3", 10, 10)
        other = sqlite3.connect(box.state / "banish.sqlite3", isolation_level=None)
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        box.start()
        box.wait_for("is locked by another program")
        for number in range(1, 8):
            box.fail(f"192.0.2.{number}")
            began = time.monotonic()
            box.wait_for_ban(f"192.0.2.{number}")
            assert time.monotonic() - began < 4
        other.execute("ROLLBACK")
        other.close()
        box.wait_for("database: works again")
        box.wait_for_ban(str(subject_of((1 << 24) + 9)))
        assert box.stop() == 0


@contextlib.contextmanager
def hanging(path: Path) -> Iterator[Callable[[], object]]:
    """Have whoever opens *path* hang in the kernel (a lease, fcntl(2)); yield what ends it.

    The kernel itself ends it after 45 s (``/proc/sys/fs/lease-break-time``).
    """
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)
    number = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.fcntl(number, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield lambda: fcntl.fcntl(number, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    finally:
        os.close(number)
        signal.signal(signal.SIGIO, before)


IMPATIENT = (
    "-c 'from banish.daemon import recorder; import sys; from banish.cli import main; "
    "recorder.OPEN_LIMIT = recorder.HANG_LIMIT = 1; sys.exit(main())'"
)
"""A server that takes a disk that has not answered for a second for one that hangs."""


def test_a_database_on_a_disk_that_hangs_holds_up_neither_the_start_nor_bans_nor_the_end(
    tmp_path: Path,
) -> None:
    with boxed(tmp_path) as box, told_systemd(tmp_path) as systemd:
        database = box.state / "banish.sqlite3"
        crowd(database, 10, 10)
        before = str(subject_of((1 << 24) + 9))
        with hanging(database.with_name("banish.sqlite3-wal")) as answer:
            box.start(f"export NOTIFY_SOCKET={tmp_path}/notify", main=IMPATIENT)
            box.wait_until(lambda: systemd.heard("READY=1"), "it is ready")
            box.fail(ATTACKER)
            box.wait_for_ban(ATTACKER)
            assert not box.in_kernel(before)
            status = box.status()
            assert not status["well"]
            assert "has not answered" in status["troubles"][0]["what"]
            answer()
            box.wait_for("database: works again")
        box.wait_for_ban(before)
        box.wait_until(lambda: box.status().get("well"), "all is well")
        assert box.stop() == 0
        (kept,) = (box.state / "patterns").iterdir()
        files = (database.with_name("banish.sqlite3-wal"), box.state / "firewall", kept)
        with contextlib.ExitStack() as all_of_it:
            for path in files:
                all_of_it.enter_context(hanging(path))
            box.start(main=IMPATIENT)
            box.wait_for(" ready: ")
            box.fail("192.0.2.2")
            box.wait_for_ban("192.0.2.2")
            began = time.monotonic()
            assert box.stop() == 0
            assert time.monotonic() - began < 5
        box.start()
        box.wait_for_ban(before)
        assert box.stop() == 0


def test_one_broken_jail_does_not_keep_the_others_from_banning(tmp_path: Path) -> None:
    with boxed(tmp_path) as box:
        broken = box.jails.replace("[app]", "[broken]").replace("filter = app", "filter = none")
        (box.config / "jail.local").write_text(broken)
        box.start()
        box.wait_until(lambda: reads(box), "the log is read")
        box.fail(ATTACKER)
        box.wait_for_ban(ATTACKER)
        assert not box.status()["well"]
        assert "broken" in box.ask("status").stdout


def test_lines_written_the_moment_after_ready_are_live_in_every_one_of_many_logs(
    tmp_path: Path,
) -> None:
    jails = 60
    with boxed(tmp_path) as box:
        dated = (
            "[Definition]\nfailregex = ^\\s*fail <HOST>$\ndatepattern = ^%%Y-%%m-%%d %%H:%%M:%%S\n"
        )
        (box.config / "filter.d" / "dated.conf").write_text(dated)
        logs = [tmp_path / f"{number}.log" for number in range(jails)]
        text = ""
        for number, log in enumerate(logs):
            # A clock of another zone: such a line counts if it is live, and is too old else.
            log.write_text(f"{AN_HOUR_AGO}fail 198.51.100.1\n" * 3)
            text += JAIL.format(name=f"j{number}", log=log, backend="auto")
        (box.config / "jail.local").write_text(text.replace("filter = app", "filter = dated"))
        box.start()
        box.wait_for(" ready: ")
        for number, log in enumerate(logs):
            with log.open("a") as writer:
                writer.write(f"{AN_HOUR_AGO}fail 192.0.2.{number}\n" * 3)
        for number in range(jails):
            box.wait_for_ban(f"192.0.2.{number}")
        assert not box.in_kernel("198.51.100.1")
        assert box.stop() == 0


def crowd(path: Path, windows: int, bans: int) -> None:
    """Write a database as it is after an attack."""
    now = Instant(time.time())

    async def write() -> None:
        store = await SqliteStore.open(path, print)
        for begin in range(0, windows, 10_000):
            tallies = {
                subject_of(number): Tally((now,), (Evidence("x" * 90, "/log", number, now),))
                for number in range(begin, min(begin + 10_000, windows))
            }
            await store.commit([Commit(now, (), (JailChanges("app", tallies, windows, bans),))])
        for begin in range(0, bans, 10_000):
            starts = tuple(
                StartBan(Ban("app", subject_of(number + (1 << 24)), now, Instant(now + 3600)))
                for number in range(begin, min(begin + 10_000, bans))
            )
            await store.commit([Commit(now, starts)])
        await store.close()

    asyncio.run(write())


def subject_of(number: int) -> Subject:
    return parse_subject(str(ip_address(0x0B000000 + number)))


def test_after_an_attack_bans_come_first_then_ready_and_failures_of_before_count(
    tmp_path: Path,
) -> None:
    with boxed(tmp_path) as box, told_systemd(tmp_path) as systemd:
        crowd(box.state / "banish.sqlite3", 60_000, 2_000)
        box.fail(str(subject_of(7)), 2)  # and one of before makes three
        box.start(f"export NOTIFY_SOCKET={tmp_path}/notify")
        box.wait_until(lambda: systemd.heard("READY=1"), "it is ready")
        assert box.in_kernel(str(subject_of((1 << 24) + 1_999)))
        starting = box.ask("status")
        if "All is well" not in starting.stdout:
            assert "Starting: restoring failures from before the restart" in starting.stdout
            assert starting.returncode == 1
        box.wait_for_ban(str(subject_of(7)))
        box.wait_until(lambda: systemd.heard("STATUS=Watching"), "the start is over")
        status = box.status()
        assert (status["well"], status["starting"]) == (True, "")
        assert status["jails"][0]["failing"] == 59_999
        assert box.stop() == 0


@pytest.mark.parametrize("delay", [0.0, 0.2, 0.6])
def test_a_start_is_ended_at_any_moment_of_it(tmp_path: Path, delay: float) -> None:
    with boxed(tmp_path) as box:
        crowd(box.state / "banish.sqlite3", 60_000, 5_000)
        box.start()
        box.wait_until((box.run_folder / "banish.pid").exists, "it listens for signals")
        time.sleep(delay)
        began = time.monotonic()
        assert box.stop() == 0
        assert time.monotonic() - began < 5  # below a second where nothing else runs
        box.start()
        box.wait_for(" ready: 1 jail, 5000 bans restored")
        box.wait_until(lambda: box.status().get("well"), "all is well")
        assert box.status()["jails"][0]["failing"] == 60_000
        assert box.stop() == 0


class Systemd:
    """What a server tells systemd."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.told: list[str] = []

    def heard(self, what: str) -> bool:
        """Whether *what* was told so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.told += self._channel.recv(4_096).decode().splitlines()
        return what in self.told


@contextlib.contextmanager
def told_systemd(folder: Path) -> Iterator[Systemd]:
    """Listen as systemd does, at ``notify`` in *folder*."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(folder / "notify"))
        channel.setblocking(False)
        yield Systemd(channel)
