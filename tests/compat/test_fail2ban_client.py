"""Debian's own client and ours, asked the same: every byte that scripts read is the same."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from banish.cli import main
from tests.compat.both_servers import write_tree

COMMANDS = """
ping
ping 100
echo a b
version
server-status
status
status web
status web short
status nosuch
set web banip 192.0.2.9 192.0.2.10
banned
banned 192.0.2.9 192.0.2.1
status web
get web banip
get web banip ,
get web banip --with-time
get web banned
get web banned 192.0.2.9
get loglevel
get logtarget
get syslogsocket
get dbfile
get dbmaxmatches
get dbpurgeage
get thread
set loglevel INFO
get web logpath
get web logencoding
get web journalmatch
get web ignoreself
get web ignoreip
get quiet ignorecommand
get web failregex
get web ignoreregex
get web prefregex
get web datepattern
get web logtimezone
get web usedns
get web maxlines
get web findtime
get quiet bantime
get mail bantime.increment
get web actions
get web actionproperties quiet
get web actionmethods quiet
get web action quiet actionban
get web action quiet nosuch
set web findtime 5m
set web ignoreself false
set web addignoreip 10.0.0.1
set web maxlines 1
set web idle off
set web nosuch 1
set web unbanip 192.0.2.200
set web unbanip --report-absent 192.0.2.200
get nonsense
nonsense
add web polling
flushlogs
sleep 0
reload
reload web
""".strip().splitlines()

LOGGED = re.compile(r"(?m)^\d{4}-\d\d-\d\d [\d:,]+ fail2ban +\[\d+\]: ")
DEBIANS_OWN = re.compile(r"(?m)^.*'allowipv6' not defined.*\n")
"""What Debian's client says of its own fail2ban.conf."""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tree(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="module")
def server(tree: Path) -> Iterator[Path]:
    """Run our server on *tree*; give the socket that the tree names."""
    root = tree.parent
    own = "".join(
        f"{name} = {root}/{file}\n"
        for name, file in {
            "socket": "banish.sock", "pidfile": "banish.pid", "dbfile": "banish.sqlite3",
        }.items()
    )  # fmt: skip
    (tree / "banish.conf").write_text(f"[Definition]\n{own}")
    with (root / "out").open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "banish", "-c", str(tree), "run"], stdout=out, stderr=out
        )
    try:
        until = time.monotonic() + 30
        log = root / "fail2ban.log"
        while not log.exists() or "ready:" not in log.read_text():
            assert process.poll() is None, (root / "out").read_text()
            assert time.monotonic() < until, (root / "out").read_text()
            time.sleep(0.05)
        yield root / "fail2ban.sock"
    finally:
        process.terminate()
        process.wait(20)


def theirs(package: Path, tree: Path, command: Sequence[str]) -> tuple[int, str, str]:
    client = package / "usr/bin/fail2ban-client"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(client), "-c", str(tree), *command],
        env={**os.environ, "PYTHONPATH": str(package / "usr/lib/python3/dist-packages")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    said = DEBIANS_OWN.sub("", done.stderr)
    return done.returncode, done.stdout, LOGGED.sub("LOGGED ", said)


def ours(
    tree: Path, command: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    code = main(["fail2ban-client", "-c", str(tree), *command])
    said = capsys.readouterr()
    return code, said.out, LOGGED.sub("LOGGED ", said.err)


def test_both_clients_print_the_same_for_every_command(
    stock_package: Path, tree: Path, server: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert server.is_socket()
    differences = []
    for line in COMMANDS:
        command = line.split()
        mine = ours(tree, command, capsys)
        other = theirs(stock_package, tree, command)
        if line.startswith(("set web banip", "add ")):  # the second time nobody is new
            mine, other = (mine[0], "", ""), (other[0], "", "")
        if mine != other:
            differences.append((line, mine, other))
    assert differences == []


def test_the_pid_file_that_the_tree_names_is_there(tree: Path, server: Path) -> None:
    pid = int((tree.parent / "fail2ban.pid").read_text())
    assert pid == int((tree.parent / "banish.pid").read_text())
    # Panels look for a process of this name.
    assert Path(f"/proc/{pid}/comm").read_text() == "fail2ban-server\n"
    assert server.is_socket()


def test_without_a_server_every_command_fails_and_says_where_it_looked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(tmp_path / "none.sock")
    assert main(["fail2ban-client", "-s", path, "ping"]) == 255
    said = capsys.readouterr()
    assert said.out == ""
    assert f"Failed to access socket path: {path}. Is fail2ban running?" in said.err


def test_all_jails_and_their_figures_have_a_text(
    tree: Path, server: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Debian's 1.0.2 has no text for these."""
    assert server.is_socket()
    assert main(["fail2ban-client", "-c", str(tree), "status", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == ["Status", "|- Number of jail:\t3", "|- Jail list:\tmail, quiet, web"]
    assert "   `- Jail: web" in lines
    assert "   |  |  |- Currently failed:\t0" in lines
    assert main(["fail2ban-client", "-c", str(tree), "stats"]) == 0
    rows = [line.split(" ║ ") for line in capsys.readouterr().out.splitlines()]
    assert rows[1][0].strip() == "Jail"
    assert [row[0].strip() for row in rows[4:-1]] == ["mail", "quiet", "web"]


def test_a_server_is_started_and_stopped_in_the_background(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = write_tree(tmp_path)
    own = f"[Definition]\nsocket = {tmp_path}/b.sock\npidfile = {tmp_path}/b.pid\n"
    (tree / "banish.conf").write_text(f"{own}dbfile = {tmp_path}/b.sqlite3\n")
    try:
        assert main(["fail2ban-client", "-c", str(tree), "start"]) == 0
        assert capsys.readouterr().out == "Server ready\n"
        assert main(["fail2ban-server", "-c", str(tree), "start"]) == 255
        assert "Server already running" in capsys.readouterr().err
        assert main(["fail2ban-client", "-c", str(tree), "restart"]) == 0
        assert capsys.readouterr().out == "Shutdown successful\nServer ready\n"
    finally:
        assert main(["fail2ban-client", "-c", str(tree), "stop"]) == 0
    until = time.monotonic() + 20
    with contextlib.suppress(FileNotFoundError):
        while (tmp_path / "fail2ban.sock").stat():
            assert time.monotonic() < until
            time.sleep(0.05)
