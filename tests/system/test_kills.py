"""A few of the kills that ``./dev bench kills`` makes hundreds of."""

import os
import random
from pathlib import Path

import pytest

from banish.testing.netns import NetworkNamespace
from bench import actionkills, kills

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
]

KILLS = 8
ACTION_KILLS = 4


def test_kernel_ledger_and_counters_are_right_after_each_kill(tmp_path: Path) -> None:
    with NetworkNamespace() as namespace, namespace.inside():
        count = kills.trial(tmp_path, KILLS, seed=7)
    assert count.kills == KILLS
    assert 0 < count.in_start < KILLS
    assert count.unfinished > 0
    assert count.bans > 100


def test_what_is_due_is_worked_out_from_the_lines_alone(tmp_path: Path) -> None:
    world = kills.World(tmp_path / "auth.log", random.Random(1))
    world.write(60)
    lines = world.log.read_text().splitlines()
    assert len(lines) == world.lines == 60
    assert world.failures()["slow"] >= world.failures()["quick"] > 0
    assert {jail for jail, _ in world.bans()} <= set(kills.JAILS)
    for jail, subject in world.bans():
        begin = subject.split("/")[0].rstrip(":").removesuffix(":0:0")
        shown = sum(f" from {begin}" in line for line in lines)
        assert shown >= kills.JAILS[jail]


def test_every_action_keeps_out_exactly_who_is_banned_after_each_kill(tmp_path: Path) -> None:
    """68 of 265 bans that ran out while the server was down stayed for ever."""
    with NetworkNamespace() as namespace, namespace.inside():
        count = actionkills.trial(tmp_path, ACTION_KILLS, seed=1)
    assert count.kills >= ACTION_KILLS
    assert count.left > 0
