"""Who is banned again is banned for long, by a jail that counts bans and reads no log."""

import time

import pytest

from banish.lab.world import Lab
from tests.system.guard import Guard, sshd_jail, wait_until

pytestmark = pytest.mark.system

AGAIN = "[again]\nenabled = true\nbackend = ledger\nmaxretry = 2\nfindtime = 1d\nbantime = 1w\n"


def test_a_second_ban_after_a_crash_brings_the_long_one(lab: Lab) -> None:
    guard = Guard(lab, sshd_jail(lab.log_path, maxretry=1, bantime="2s") + AGAIN)
    guard.start()
    attacker = "198.51.100.66"

    def fail() -> None:
        with lab.log_path.open("a") as log:
            log.write(failed_login(attacker))
        guard.wait_for_ban(attacker)

    fail()
    wait_until(lambda: attacker not in guard.in_kernel(), "the short ban is over")
    guard.kill()
    guard.start()
    fail()
    wait_until(lambda: banned_by(guard, "again") == [attacker], "the long ban")
    wait_until(lambda: banned_by(guard, "sshd") == [], "the second short ban is over")
    assert attacker in guard.in_kernel()
    guard.kill()
    guard.start()
    assert banned_by(guard, "again") == [attacker]
    assert attacker in guard.in_kernel()
    assert guard.stop() == 0


def banned_by(guard: Guard, name: str) -> list[str]:
    (jail,) = [jail for jail in guard.ask("status")["jails"] if jail["name"] == name]
    return [one if isinstance(one, str) else one["text"] for one in jail["banned"]]


def failed_login(address: str) -> str:
    stamp = time.strftime("%b %e %H:%M:%S")
    return f"{stamp} gate sshd[1000]: Failed password for root from {address} port 40022 ssh2\n"
