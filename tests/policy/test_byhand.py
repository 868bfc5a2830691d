"""Bans and pardons by hand."""

from banish.model.address import parse_subject
from banish.model.decision import (
    Counted,
)
from banish.model.instant import Instant
from banish.model.settings import Escalation
from tests.policy.script import (
    ATTACKER,
    BYSTANDER,
    INSIDE,
    NETWORK,
    SIX,
    at,
    bans,
    counts,
    ended,
    ends,
    fails,
    judge,
    play,
    policy_of,
    prolongs,
    settings,
    started,
    starts,
    tick,
    unbans,
)

GROWING_AT_TWO = settings(maxretry=2, escalation=Escalation(increment=True))

# By hand


def test_a_ban_by_hand_lasts_as_told() -> None:
    play(
        policy_of(),
        at(100, bans(ATTACKER), starts(ATTACKER, since=100, until=160, cause="operator")),
        at(100, bans(BYSTANDER, 5), starts(BYSTANDER, since=100, until=105, cause="operator")),
        at(100, bans(SIX, -1), starts(SIX, since=100, until=None, cause="operator")),
    )


def test_a_ban_by_hand_forgets_the_failures() -> None:
    play(
        policy_of(),
        at([100, 101], fails(ATTACKER)),
        at(102, bans(ATTACKER, 1), starts(ATTACKER)),
        at(103, tick, ends(ATTACKER)),
        at(104, fails(ATTACKER), counts(1)),
    )


def test_a_second_ban_by_hand_only_prolongs() -> None:
    policy = play(
        policy_of(),
        at(100, bans(ATTACKER, 60), starts(ATTACKER)),
        at(110, bans(ATTACKER, 50)),
        at(110, bans(ATTACKER, 60), prolongs(ATTACKER, since=100, until=170)),
        at(169, tick),
        at(120, bans(ATTACKER, -1), prolongs(ATTACKER, since=100, until=None)),
        at(121, bans(ATTACKER, 9)),
        at(9e9, tick),
    )
    assert policy.bans_total == 1


def test_banning_twice_by_hand_is_banning_once() -> None:
    policy = policy_of(settings(escalation=Escalation(increment=True)))
    play(policy, at(100, bans(ATTACKER), starts(ATTACKER)), at(100, bans(ATTACKER)))


def test_unban_ends_the_ban_of_one_or_of_all() -> None:
    policy = play(
        policy_of(),
        *(at(100, bans(subject), starts(subject)) for subject in (ATTACKER, BYSTANDER, SIX)),
        at(100, unbans(ATTACKER), ends(ATTACKER, "operator")),
        at(100, unbans(ATTACKER)),
        at(100, unbans(None, "stopped"), ends(BYSTANDER, "stopped"), ends(SIX, "stopped")),
    )
    assert policy.due is None


def test_unban_of_a_network_ends_all_that_is_inside() -> None:
    half = parse_subject("198.51.100.128/25")
    banned = (ATTACKER, INSIDE, half, NETWORK, SIX, parse_subject("root"))
    inside = [ends(subject, "fleet") for subject in (INSIDE, half, NETWORK)]
    play(
        policy_of(),
        *(at(100, bans(subject), starts(subject)) for subject in banned),
        at(100, unbans(NETWORK, "fleet"), *inside),
        at(100, unbans(parse_subject("198.51.100.0/30"))),
    )


def test_an_address_in_a_banned_network_has_no_ban_of_its_own_to_end() -> None:
    play(policy_of(), at(100, bans(NETWORK), starts(NETWORK)), at(100, unbans(INSIDE)))


def test_a_pardon_forgets_failures() -> None:
    play(
        policy_of(),
        at([100, 101], fails(ATTACKER)),
        at(101, unbans(ATTACKER)),
        at(102, fails(ATTACKER), counts(1)),
    )


def test_a_pardon_of_all_forgets_the_failures_and_the_bans_of_everybody() -> None:
    policy = policy_of(GROWING_AT_TWO)
    judge(policy, ATTACKER, 100, 101)
    policy.tick(Instant(161))
    judge(policy, ATTACKER, 170, 171)
    judge(policy, BYSTANDER, 171)
    policy.changes()
    assert ended(policy.unban(None, "operator")) == [(ATTACKER, "operator")]
    changes = policy.changes()
    assert changes is not None
    assert changes.tallies == {BYSTANDER: None}
    assert judge(policy, BYSTANDER, 172) == Counted(1)
    assert judge(policy, ATTACKER, 173) == Counted(1)
    assert started(judge(policy, ATTACKER, 174)) == (ATTACKER, 174, 234)
    assert policy.bans[ATTACKER].count == 1


def test_the_end_of_a_server_pardons_nobody() -> None:
    play(
        policy_of(),
        at([100, 101], fails(ATTACKER)),
        at(101, unbans(None, "stopped")),
        at(102, fails(ATTACKER), starts(ATTACKER)),
    )


def test_a_pardon_of_a_network_forgets_the_failures_inside_it() -> None:
    play(
        policy_of(),
        *(at([100, 101], fails(subject)) for subject in (INSIDE, ATTACKER)),
        at(101, unbans(NETWORK)),
        at(102, fails(INSIDE), counts(1)),
        at(102, fails(ATTACKER), starts(ATTACKER)),
    )
