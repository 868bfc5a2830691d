import pytest

from banish.model.instant import Instant, Seconds
from banish.model.snapshot import JailMemory, Tally
from banish.policy.steps import ClockSteps
from tests.policy.script import (
    ATTACKER,
    BYSTANDER,
    SIX,
    ended,
    judge,
    policy_of,
    remembered,
    settings,
    started,
)  # fmt: skip
from tests.policy.test_widening import ban, host
from tests.policy.test_widening import jail as network_jail

HOUR = Seconds(3_600)


def test_a_clock_that_is_set_is_noticed_and_one_that_drifts_is_not() -> None:
    steps = ClockSteps()
    assert not steps.look(Instant(1_000), Seconds(10))
    assert not steps.look(Instant(1_001.4), Seconds(11))
    assert not steps.look(Instant(1_002.8), Seconds(12))
    assert steps.look(Instant(4_603.8), Seconds(13)) == pytest.approx(3_600)
    assert steps.look(Instant(1_004.8), Seconds(14)) == pytest.approx(-3_600)
    assert not steps.look(Instant(9_004.8), Seconds(8_014))  # the host slept


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_ban_lasts_as_long_as_it_was_given_whatever_becomes_of_the_clock(by: float) -> None:
    policy = policy_of(settings(maxretry=1))
    assert started(judge(policy, ATTACKER, 10_000)) == (ATTACKER, 10_000, 10_060)
    (moved,) = policy.shift(Seconds(by))
    assert (moved.ban.until, moved.ban.since) == (Instant(10_060 + by), Instant(10_000))
    assert moved.same_span
    assert policy.due == Instant(10_060 + by)
    assert policy.tick(Instant(10_059 + by)) == []
    assert ended(policy.tick(Instant(10_060 + by))) == [(ATTACKER, "expired")]


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_failures_keep_their_age(by: float) -> None:
    policy = policy_of()
    judge(policy, ATTACKER, 10_000, 10_001)
    judge(policy, BYSTANDER, 10_001)
    policy.shift(Seconds(by))
    assert started(judge(policy, ATTACKER, 10_029 + by)) == (ATTACKER, 10_029 + by, 10_089 + by)
    judge(policy, BYSTANDER, 10_032 + by)
    assert policy.failing(Instant(10_032 + by)) == 1


def test_members_of_a_network_keep_their_age() -> None:
    policy = policy_of(network_jail(after=2))
    ban(policy, 10_000, host(1))
    policy.shift(Seconds(-HOUR))
    assert ban(policy, 10_500 - HOUR, host(2)) == [
        "ban 198.51.100.2",
        "ban 198.51.100.0/24",
        "folded 198.51.100.1",
        "folded 198.51.100.2",
    ]


def test_bans_of_before_this_boot_are_those_of_the_wall_clock() -> None:
    policy = policy_of()
    memory = JailMemory(
        (
            remembered(ATTACKER, 50, 5_000),
            remembered(BYSTANDER, 200, 5_000),
            remembered(SIX, 200, None),
        )
    )
    policy.restore(memory, Instant(300), Instant(100))
    assert [(each.ban.subject, each.ban.until) for each in policy.shift(HOUR)] == [
        (BYSTANDER, Instant(8_600))
    ]
    assert policy.bans[ATTACKER].until == Instant(5_000)


def test_a_ban_from_the_future_lasts_no_longer_than_it_was_given() -> None:
    policy = policy_of()
    policy.restore(JailMemory((remembered(ATTACKER, 9_000, 9_060),)), Instant(1_000))
    assert policy.bans[ATTACKER].until == Instant(1_060)


def test_a_failure_from_the_future_counts_as_now_after_a_restart() -> None:
    policy = policy_of()
    tally = Tally((Instant(90), Instant(9_000)))
    policy.restore(JailMemory(tallies={ATTACKER: tally}), Instant(100))
    assert started(judge(policy, ATTACKER, 119)) == (ATTACKER, 119, 179)
