"""Which bans count as failures for a jail that counts bans."""

import pytest

from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.policy.repeated import LEDGER, failure_of, failure_of_ban

BAN = Ban("sshd", parse_subject("192.0.2.7"), Instant(1000), Instant(1600))


def test_a_ban_of_another_jail_is_a_failure_of_its_time_and_says_so() -> None:
    failure = failure_of(StartBan(BAN), "recidive")
    assert failure is not None
    assert (failure.jail, failure.subject, failure.at) == ("recidive", BAN.subject, BAN.since)
    assert failure.evidence == (Evidence("[sshd] Ban 192.0.2.7", LEDGER, at=Instant(1000)),)


@pytest.mark.parametrize(
    "decision", [StartBan(BAN, restored=True), EndBan(BAN, "expired"), ProlongBan(BAN)]
)
def test_what_begins_no_ban_is_none(decision: Decision) -> None:
    assert failure_of(decision, "recidive") is None


def test_the_jails_own_bans_are_none() -> None:
    assert failure_of(StartBan(BAN), "sshd") is None


def test_a_network_counts_and_an_identifier_does_not() -> None:
    network = Ban("sshd", parse_subject("192.0.2.0/24"), Instant(1), None)
    assert failure_of_ban(network, "recidive") is not None
    name = Ban("sshd", parse_subject("some user"), Instant(1), None)
    assert failure_of_ban(name, "recidive") is None
