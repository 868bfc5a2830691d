"""Whoever must never be banned is not, on a real server with a real firewall."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.lab.world import Lab
from tests.system.guard import guarded, wait_until

pytestmark = pytest.mark.system

FRIEND, ATTACKER = "203.0.113.70", "203.0.113.66"

JAIL = r"""
[DEFAULT]
systemd_if_nologs = false
[sshd]
enabled = false
[app]
enabled = true
filter =
backend = auto
logpath = {log}
failregex = ^\s*failed <F-USER>.*</F-USER> from <ADDR>$
maxretry = 2
bantime = 10m
{more}
"""


@pytest.fixture
def world() -> Iterator[Lab]:
    if os.geteuid() != 0:
        pytest.skip("needs root to make network namespaces")
    with Lab.open() as lab:
        lab.log_path.touch()
        yield lab


def fail(lab: Lab, address: str, user: str = "root", times: int = 2) -> None:
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with lab.log_path.open("a") as log:
        log.write(f"{stamp} failed {user} from {address}\n" * times)


def test_ignorecommand_decides_and_no_user_name_reaches_its_shell(world: Lab) -> None:
    owned = world.directory / "owned"
    asked = world.directory / "asked"
    more = f'ignorecommand = printf \'%%s \' "<F-USER>" >>{asked}; [ "<ip>" = {FRIEND} ]'
    with guarded(world, JAIL.format(log=world.log_path, more=more)) as guard:
        fail(world, FRIEND)
        for evil in (
            f"$(touch {owned})",
            f"`touch {owned}`",
            f'"; touch {owned}; "',
            f"'; touch {owned} #",
        ):
            fail(world, ATTACKER, evil, times=1)
        guard.wait_for_ban(ATTACKER)
        assert guard.in_kernel() == {ATTACKER}
        assert f"Ignore {FRIEND} by ignorecommand" in guard.said()
    assert f"$(touch {owned})" in asked.read_text()
    assert not owned.exists()


def test_who_is_put_on_a_list_in_a_file_is_let_in_again(world: Lab) -> None:
    names: Path = world.directory / "friends"
    names.write_text("# nobody yet\n")
    jail = JAIL.format(log=world.log_path, more=f"ignoreip = file:{names}")
    with guarded(world, jail) as guard:
        fail(world, FRIEND)
        fail(world, ATTACKER)
        guard.wait_for_ban(FRIEND)
        guard.wait_for_ban(ATTACKER)
        names.write_text(f"{FRIEND} ; the office\n")
        wait_until(lambda: guard.in_kernel() == {ATTACKER}, "the friend is let in")
        names.unlink()
        fail(world, FRIEND)
        wait_until(lambda: "keeps what it held" in guard.said(), "the loss is told")
        wait_until(lambda: guard.said().count(f"Ignore {FRIEND}") >= 2, "the friend is exempt")
        assert guard.in_kernel() == {ATTACKER}


def test_whoever_is_exempt_by_name_is_not_banned_for_a_resolver_that_is_down(world: Lab) -> None:
    jail = JAIL.format(log=world.log_path, more="ignoreip = friend.invalid localhost")
    fail(world, "127.0.0.9")
    fail(world, ATTACKER)
    began = time.monotonic()
    with guarded(world, jail) as guard:
        guard.wait_for_ban(ATTACKER)
        assert time.monotonic() - began < 15
        assert "127.0.0.9" not in guard.banned()
        wait_until(lambda: "ignoreip friend.invalid: exempts nobody" in guard.said(), "told")


def test_a_dead_resolver_delays_neither_start_nor_stop(tmp_path: Path) -> None:
    """Every packet is swallowed, so each question to the resolver hangs for 10 s and more."""
    if os.geteuid() != 0:
        pytest.skip("needs root to make network namespaces")
    log, tree = tmp_path / "log", tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "resolv.conf").write_text("nameserver 203.0.113.53\n")
    jail = JAIL.format(log=log, more="ignoreip = friend.example.org office.example.org")
    (tree / "jail.local").write_text(jail)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    log.write_text(f"{stamp} failed root from {ATTACKER}\n" * 2)
    script = (
        f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && ip link set lo up"
        " && ip link add void type veth peer name end && ip addr add 203.0.113.1/24 dev void"
        " && ip link set void up && ip link set end up"
        " && ip neigh add 203.0.113.53 lladdr 02:00:00:00:00:53 dev void && exec"
        f" {sys.executable} -m banish -c {tree} --state {tmp_path}/state run --dry-run"
    )
    with (tmp_path / "out").open("wb") as out:
        server = subprocess.Popen(
            ["unshare", "--net", "--mount", "/bin/sh", "-c", script], stdout=out, stderr=out
        )

    def said() -> str:
        return (tmp_path / "out").read_text()

    try:
        began = time.monotonic()
        wait_until(lambda: "ready: 1 jail" in said(), "the server is up")
        assert time.monotonic() - began < 5, said()
        wait_until(lambda: f"Ban {ATTACKER}" in said(), "the log is read")
        assert time.monotonic() - began < 12, said()
        assert said().count("exempts nobody new: no answer within 5 s") == 2
        server.terminate()
        assert server.wait(5) == 0
        assert "Exiting banish" in said()
    finally:
        server.kill()
        server.wait()
