"""Killed at any moment, the server loses no ban and counts nothing twice."""

import random
import time

import pytest

from banish.lab.world import Lab
from tests.system.guard import Guard, sshd_jail, wait_until

pytestmark = pytest.mark.system

ATTACKERS = 200
KILLS = 12


@pytest.mark.parametrize("seed", [1, 2])
def test_a_server_killed_in_bursts_ends_with_exactly_the_bans_due(lab: Lab, seed: int) -> None:
    dice = random.Random(seed)
    addresses = [f"198.51.100.{n % 250 + 1}" if n < 250 else "" for n in range(ATTACKERS)]
    tries = [address for address in addresses for _ in range(3)]
    dice.shuffle(tries)
    stamp = time.strftime("%b %e %H:%M:%S")
    lines = [
        f"{stamp} gate sshd[{1000 + n}]: Failed password for root from {address} port 40022 ssh2\n"
        for n, address in enumerate(tries)
    ]
    cuts = sorted(dice.sample(range(1, len(lines)), KILLS))
    guard = Guard(lab, sshd_jail(lab.log_path, maxretry=3))
    guard.start()
    begin = 0
    for cut in cuts:
        with lab.log_path.open("a") as log:
            log.write("".join(lines[begin:cut]))
        begin = cut
        # Anywhere between "nothing read yet" and "all done and written".
        time.sleep(dice.uniform(0, 0.03))
        guard.kill()
        guard.start()
    with lab.log_path.open("a") as log:
        log.write("".join(lines[begin:]))
    wait_until(lambda: guard.in_kernel() == set(addresses), "the kernel holds every attacker")
    assert guard.banned() == set(addresses)
    assert guard.failures() == len(lines)
    guard.kill()
    guard.start()
    assert guard.in_kernel() == set(addresses)
    assert guard.failures() == len(lines)
    assert guard.stop() == 0
