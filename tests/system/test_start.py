"""What is not the firewall does not keep a server from protecting."""

import os
import time
from pathlib import Path

import pytest

from tests.system.box import IS_ROOT, Box, boxed

pytestmark = pytest.mark.skipif(not IS_ROOT, reason="needs root to make namespaces")

ATTACKER = "192.0.2.1"

# What is wrong, the shell commands that make it so, further lines of banish.conf, and what
# standard error and log say of it.
ILLS = {
    "the run folder is read-only": (
        "mount --bind {run} {run}; mount -o remount,bind,ro {run}",
        "",
        "control socket: {run}/banish.sock: the control socket cannot be made: Read-only",
    ),
    "there is a lock, and the run folder is read-only": (
        "touch {run}/banish.sock.lock; mount --bind {run} {run}; mount -o remount,bind,ro {run}",
        "",
        "control socket: {run}/banish.sock: the control socket cannot be made: Read-only",
    ),
    "no inodes are left for socket and pid file": (
        "mount -t tmpfs -o nr_inodes=1 none {run}",
        "",
        "the control socket cannot be made: No space left",
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
    import sys

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
