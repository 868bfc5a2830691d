"""A jail over its ban budget holds back, says so, and bans again by itself."""

import asyncio

import msgspec
import pytest

from banish.errors import RequestError
from banish.model.address import parse_subject
from banish.model.instant import Instant, Seconds
from banish.model.settings import BudgetSettings
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.telemetry.events import (
    BanBudgetExceeded,
    BanBudgetReturned,
    BanHeldBack,
    BanStarted,
    FailureFound,
)
from tests.daemon.stage import NOW, Stage, fails

CROWD = [f"198.51.100.{n}" for n in range(1, 9)]


def stage_with(most: int) -> Stage:
    stage = Stage()
    budget = BudgetSettings(most, Seconds(60), Seconds(300))
    stage.settings = msgspec.structs.replace(stage.settings, budget=budget, bantime=Seconds(9_000))
    stage.policy = stage.jails.policies["j"] = JailPolicy(stage.settings, ExemptList())
    return stage


def test_a_log_that_names_everybody_bans_no_more_than_the_budget_and_is_told_of_once() -> None:
    async def story() -> None:
        stage = stage_with(2)
        await stage.open()
        stage.source.write(fails(*CROWD * 3))
        await stage.until(lambda: stage.heard(FailureFound) == 24)
        await stage.until(lambda: stage.heard(BanStarted) == 2)
        assert stage.banned() == set(CROWD[:2])
        (exceeded,) = (each for each in stage.told if isinstance(each, BanBudgetExceeded))
        assert exceeded == BanBudgetExceeded("j", 2, Seconds(60), Instant(NOW + 300))
        assert "banish bans --jail j" in exceeded.text()
        assert stage.heard(BanHeldBack) == 6

        stage.now = Instant(NOW + 300)
        assert stage.jails.tick(stage.now) is None
        (returned,) = (each for each in stage.told if isinstance(each, BanBudgetReturned))
        assert returned.held == 6
        stage.source.write(fails(CROWD[2]))
        await stage.until(lambda: stage.heard(BanStarted) == 3)
        assert stage.banned() == set(CROWD[:3])
        await stage.close()

    asyncio.run(story())


def test_a_ban_by_hand_goes_through_while_others_are_held_back() -> None:
    async def story() -> None:
        stage = stage_with(1)
        await stage.open()
        stage.source.write(fails(*CROWD[:2] * 3))
        await stage.until(lambda: stage.heard(BanHeldBack) == 1)
        commit = stage.jails.ban("j", [parse_subject(CROWD[5])], stage.now, None)
        await stage.enforcing.carry_out(commit)
        assert stage.banned() == {CROWD[0], CROWD[5]}
        await stage.close()

    asyncio.run(story())


def test_a_restart_begins_with_a_whole_budget_and_keeps_bans_and_counts() -> None:
    async def story() -> None:
        stage = stage_with(1)
        await stage.open()
        log = fails(*CROWD[:2] * 3)
        stage.source.write(log)
        await stage.until(lambda: stage.heard(BanHeldBack) == 1)
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        await stage.close()

        later = Stage(stage.store, log)
        later.settings = stage.settings
        later.policy = later.jails.policies["j"] = JailPolicy(stage.settings, ExemptList())
        await later.open()
        assert later.banned() == {CROWD[0]}
        later.source.write(fails(CROWD[1]))
        await later.until(lambda: later.banned() == set(CROWD[:2]))
        await later.close()

    asyncio.run(story())


def test_the_operator_lets_a_jail_start_bans_again_and_hears_if_there_is_nothing_to_do() -> None:
    async def story() -> None:
        stage = stage_with(1)
        await stage.open()
        with pytest.raises(RequestError, match="holds no bans back"):
            stage.jails.resume("j", stage.now)
        stage.source.write(fails(*CROWD[:2] * 3))
        await stage.until(lambda: stage.heard(BanHeldBack) == 1)
        stage.jails.resume("j", stage.now)
        assert stage.told[-1] == BanBudgetReturned("j", 1)
        stage.source.write(fails(CROWD[1]))
        await stage.until(lambda: stage.banned() == set(CROWD[:2]))
        with pytest.raises(RequestError, match="does not exist"):
            stage.jails.resume("k", stage.now)
        await stage.close()

    asyncio.run(story())
