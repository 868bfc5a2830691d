"""Whom nobody can ban by hand."""

import pytest

from banish.errors import RequestError
from banish.model.address import name_subject
from banish.model.instant import Instant, Seconds
from tests.policy.script import (
    ATTACKER,
    INSIDE,
    NETWORK,
    policy_of,
)


def test_an_exempt_subject_cannot_be_banned_by_hand() -> None:
    policy = policy_of(ignore=["198.51.100.9"])
    for subject in (INSIDE, NETWORK):
        with pytest.raises(RequestError, match="must not be banned: ignoreip") as raised:
            policy.ban(subject, Instant(0), None)
        assert raised.value.where == "jail sshd"
        assert "ignoreip" in raised.value.cure


def test_a_name_cannot_be_banned() -> None:
    with pytest.raises(RequestError, match="is a name"):
        policy_of().ban(name_subject("host.example"), Instant(0), None)


def test_a_ban_for_no_time_is_refused() -> None:
    with pytest.raises(RequestError, match="0 seconds"):
        policy_of().ban(ATTACKER, Instant(0), Seconds(0))
