"""A quarter of a minute of what ``./dev bench soak`` does for an hour."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import soak
from bench.soakworld import LIMITS, World

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make namespaces"),
]

ROOT = Path(__file__).parents[2]
FAULTS = 13


def test_bans_are_exact_after_each_fault_and_at_the_end() -> None:
    words = ["--minutes", "0.1", "--rate", "300", "--seed", str(random.randrange(1000))]
    done = subprocess.run(
        [sys.executable, "-m", "bench", "soak", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert said.count(": right after ") >= FAULTS, said
    assert said.endswith("all right\n")


def test_a_ban_too_few_or_too_many_is_named() -> None:
    assert soak.named({"192.0.2.1", "192.0.2.2"}, {"192.0.2.1", "192.0.2.2"}) == ""
    assert soak.named({"192.0.2.1"}, {"192.0.2.1", "192.0.2.2"}) == "lacks 1, such as 192.0.2.2"
    assert soak.named({"192.0.2.9"}, set()) == "holds beyond it 1, such as 192.0.2.9"


def test_memory_that_grows_shows_as_a_slope() -> None:
    samples = [soak.Sample(1, at, 100 + at / 360, 500, 0) for at in (0.0, 1800.0, 3600.0)]
    assert soak.slope(samples) == pytest.approx(10)
    assert soak.slope(samples[:1]) == 0


def test_bans_that_grow_where_memory_is_judged_are_named() -> None:
    steady = [soak.Sample(1, float(at), 100, 1_000 + at % 3, 0) for at in range(100)]
    growing = [soak.Sample(1, float(at), 100, 1_000 + at, 0) for at in range(100)]
    assert soak.unsteady(steady) == ""
    assert "from 1,004 to 1,094" in soak.unsteady(growing)


def test_what_is_due_is_what_was_written(tmp_path: Path) -> None:
    world = World(tmp_path, rate=2000, span=60, short_span=60, seed=3)
    world.start()
    end = time.monotonic() + 30
    while world.lines < 3000 and time.monotonic() < end:
        time.sleep(0.02)
    world.stop()
    last = world.fail(), world.fail_short(), world.guess()
    world.close()
    lines = world.auth.path.read_text().splitlines() + world.app.path.read_text().splitlines()
    assert len(lines) == world.lines
    assert {last[0]} < world.due()
    assert last[1] in world.bans("short", early=0, late=0)[0]
    assert last[2] in world.bans("act", early=0, late=0)[0]
    assert world.state()[0] == len(world.due()) + len(world.ever("short")) + len(world.ever("act"))
    for who in [*world.due()][:50]:
        begin = who.split("/")[0].removesuffix("::")
        assert (
            sum(f"Failed password for root from {begin}" in line for line in lines)
            >= LIMITS["auth"]
        )
    assert world.failures()["auth"] == sum("Failed password" in line for line in lines)
