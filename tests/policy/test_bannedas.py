"""Whom a jail holds is remembered, and forgotten as soon as that may be otherwise."""

import pytest

from banish.model.address import parse_subject
from banish.model.decision import AlreadyBanned
from banish.model.instant import Instant
from banish.policy import bannedas
from banish.policy.jail import JailPolicy
from tests.policy.script import ATTACKER, failed, policy_of

OTHER = parse_subject("192.0.2.250")
NETWORK = parse_subject("192.0.2.0/24")


@pytest.fixture
def policy() -> JailPolicy:
    it = policy_of()
    it.ban(ATTACKER, Instant(0), None)
    assert it.judge(failed(ATTACKER, 1), Instant(1)) == AlreadyBanned(ATTACKER)
    it.banned_as()[ATTACKER] = ATTACKER
    return it


def test_who_is_held_stays_known_while_others_are_banned(policy: JailPolicy) -> None:
    policy.ban(OTHER, Instant(1), None)
    assert policy.banned_as() == {ATTACKER: ATTACKER}


def test_nobody_is_known_to_be_held_after_a_ban_has_ended(policy: JailPolicy) -> None:
    policy.ban(OTHER, Instant(1), None)
    policy.unban(OTHER, "operator")
    assert not policy.banned_as()
    policy.banned_as()[ATTACKER] = ATTACKER
    assert policy.tick(Instant(61))
    assert not policy.banned_as()


def test_nobody_is_known_to_be_held_after_networks_have_changed(policy: JailPolicy) -> None:
    policy.ban(NETWORK, Instant(1), None)
    assert not policy.banned_as()
    policy.banned_as()[ATTACKER] = NETWORK
    policy.ban(OTHER, Instant(1), None)
    assert not policy.banned_as()


def test_nobody_is_known_to_be_held_after_the_ignore_list_has_changed(policy: JailPolicy) -> None:
    policy.exempt.set_own([ATTACKER])
    assert not policy.banned_as()
    policy.banned_as()[OTHER] = OTHER
    policy.exempt.set_temporary({OTHER: "guard (logged in)"})
    assert not policy.banned_as()


def test_those_known_to_be_held_have_a_bound(
    policy: JailPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bannedas, "LIMIT", 1)
    assert not policy.banned_as()
