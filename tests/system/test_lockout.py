"""Whoever is logged in is not locked out, by a real sshd, server and firewall."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from banish.lab.world import Lab
from tests.system.guard import guarded, sshd_jail, wait_until

pytestmark = pytest.mark.system


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


def test_an_address_with_a_live_login_is_spared_and_banned_once_it_is_gone(lab: Lab) -> None:
    jail = sshd_jail(lab.log_path, **{"guard.time": "2s"})
    address = lab.attacker.ipv4
    spared = f"Ignore {address} by guard (ssh login of alice)"
    with guarded(lab, jail) as guard:
        with session(lab):
            for _ in range(4):
                lab.attacker.fail_login("root")
            wait_until(lambda: guard.said().count(spared) >= 4, f"spared\n{guard.said()}")
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


def test_who_only_tries_to_log_in_is_not_spared(lab: Lab) -> None:
    """While a password is asked for, sshd names the account in its title already."""
    with guarded(lab, sshd_jail(lab.log_path, maxretry=2)) as guard:
        for _ in range(2):
            lab.attacker.fail_login("alice")
        guard.wait_for_ban(lab.attacker.ipv4)
        assert "guard" not in guard.said()


def test_without_a_guard_a_live_login_spares_nobody(lab: Lab) -> None:
    with guarded(lab, sshd_jail(lab.log_path, guard="none")) as guard, session(lab):
        for _ in range(3):
            lab.attacker.fail_login("root")
        guard.wait_for_ban(lab.attacker.ipv4)
