"""Whoever is logged in is not locked out, by a real sshd, server and firewall."""

import configparser
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from banish.lab.world import Lab
from tests.system.guard import guarded, sshd_jail, wait_until

pytestmark = pytest.mark.system


UNIT = Path(__file__).parents[2] / "share" / "systemd" / "banish.service"


@pytest.fixture
def rights_of_the_unit(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have servers run with the rights of root that the systemd unit leaves, no others."""
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(UNIT)
    rights = unit["Service"]["CapabilityBoundingSet"].lower().replace("cap_", "").split()
    bounds = "--bounding-set=-all," + ",".join(f"+{right}" for right in rights)
    wrapped = Path(lab.directory, "python")
    real = sys.executable
    wrapped.write_text(f'#!/bin/sh\nexec setpriv {bounds} --no-new-privs "{real}" "$@"\n')
    wrapped.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapped))


@contextmanager
def session(lab: Lab) -> Iterator[None]:
    """Keep alice logged in from the attacker's address, which she shares."""
    options = (
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "NumberOfPasswordPrompts=1",
    )
    process = lab.attacker.popen(
        ["ssh", "-F", "none", "-T", *(f"-o{each}" for each in options), "-l", "alice", "--",
         lab.server.ipv4, "echo in; cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "SSH_ASKPASS": "/run/lab/askpass",
            "SSH_ASKPASS_REQUIRE": "force",
            "LAB_PASSWORD": "correct horse",
        },
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"in\n"
        yield
    finally:
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        process.stdout.close()


def test_an_address_with_a_live_login_is_exempt_and_banned_once_it_is_gone(lab: Lab) -> None:
    jail = sshd_jail(lab.log_path, **{"guard.time": "2s"})
    address = lab.attacker.ipv4
    exempt = f"Ignore {address} by guard (ssh login of alice)"
    with guarded(lab, jail) as guard:
        with session(lab):
            for _ in range(4):
                lab.attacker.fail_login("root")
            wait_until(lambda: guard.said().count(exempt) >= 4, f"exempt\n{guard.said()}")
            assert guard.banned() == set()
            by_hand = lab.server.run(guard.argv("ban", "sshd", address))
            assert by_hand.returncode == 2
            assert "ssh login of alice" in by_hand.stderr
        # Failures within the span after the login still do not count; those after it do.
        for _ in range(20):
            if address in guard.in_kernel():
                break
            lab.attacker.fail_login("root")
        guard.wait_for_ban(address)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
@pytest.mark.usefixtures("rights_of_the_unit")
def test_a_live_login_is_seen_with_the_rights_that_the_unit_leaves(lab: Lab) -> None:
    address = lab.attacker.ipv4
    exempt = f"Ignore {address} by guard (ssh login of alice)"
    with guarded(lab, sshd_jail(lab.log_path)) as guard, session(lab):
        for _ in range(3):
            lab.attacker.fail_login("root")
        wait_until(lambda: guard.said().count(exempt) >= 3, f"exempt\n{guard.said()}")
        assert guard.banned() == set()


def test_who_only_tries_to_log_in_is_not_exempt(lab: Lab) -> None:
    """While a password is asked for, sshd names the account in its title already."""
    with guarded(lab, sshd_jail(lab.log_path, maxretry=2)) as guard:
        for _ in range(2):
            lab.attacker.fail_login("alice")
        guard.wait_for_ban(lab.attacker.ipv4)
        assert "guard" not in guard.said()


def test_without_guard_a_live_login_exempts_nobody(lab: Lab) -> None:
    with guarded(lab, sshd_jail(lab.log_path, guard="none")) as guard, session(lab):
        for _ in range(3):
            lab.attacker.fail_login("root")
        guard.wait_for_ban(lab.attacker.ipv4)
