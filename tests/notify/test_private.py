"""Whom a report names."""

import pytest

from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban, Cause
from banish.model.instant import Instant
from banish.notify.private import attacker

SIX = parse_subject("2001:db8:0:1::/64")
HOST = parse_subject("2001:db8:0:1::9")


def ban(subject: Subject, seen: Subject | None = None, cause: Cause = "failures") -> Ban:
    return Ban("j", subject, Instant(0), None, cause=cause, seen=seen)


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (ban(HOST), HOST),
        (ban(SIX, HOST), HOST),
        (ban(SIX), None),
        (ban(SIX, cause="network"), None),
        (ban(HOST, cause="operator"), None),
    ],
)
def test_of_a_banned_network_the_address_that_failed_is_named(
    found: Ban, named: Subject | None
) -> None:
    assert attacker(found) == named
