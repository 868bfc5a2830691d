"""Bans in force, and what is found of them by an address or a network."""

from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.policy.inforce import BansInForce

SUBJECTS = [
    parse_subject(text)
    for text in (
        "198.51.0.0/16", "198.51.100.0/24", "198.51.100.0/30", "198.51.100.1", "203.0.113.1",
        "2001:db8::/32", "2001:db8::/64", "2001:db8::1", "root",
    )
]  # fmt: skip


def ban_of(subject: Subject) -> Ban:
    return Ban("j", subject, Instant(0), Instant(60))


def covers(one: Subject, other: Subject) -> bool:
    """Whether *one* is *other* or is around it, the long way."""
    if one == other:
        return True
    if not (one.is_network and other.is_enforceable and one.family == other.family):
        return False
    around, inside = one.network(), other.network()
    return inside[0] in around and inside[-1] in around


@given(st.lists(st.tuples(st.sampled_from(SUBJECTS), st.booleans()), max_size=20))
def test_it_finds_what_looking_at_each_ban_would_find(steps: list[tuple[Subject, bool]]) -> None:
    bans = BansInForce(Seconds(60))
    truth: set[Subject] = set()
    for subject, starts in steps:
        if starts:
            bans.hold(ban_of(subject))
            truth.add(subject)
        elif subject in truth:
            assert bans.end(subject, "expired").ban == ban_of(subject)
            truth.discard(subject)
        for each in SUBJECTS:
            holding = {other for other in truth if covers(other, each)}
            assert {ban.subject for ban in bans.holding(each)} == holding
            holder = bans.holder(each)
            assert holder in holding if holding else holder is None
            assert (each in bans) == (each in truth)
            if each.is_network:
                inside = {other for other in truth if covers(each, other)}
                assert set(bans.inside(each)) == inside
    assert set(bans) == truth


def test_own_bans_come_first_then_the_smallest_network() -> None:
    bans = BansInForce(Seconds(60))
    for subject in SUBJECTS:
        bans.hold(ban_of(subject))
    found = [ban.subject.text for ban in bans.holding(parse_subject("198.51.100.1"))]
    assert found == ["198.51.100.1", "198.51.100.0/30", "198.51.100.0/24", "198.51.0.0/16"]
