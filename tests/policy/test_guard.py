"""Whose logins spare an address, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.errors import RequestError
from banish.model.address import parse_subject
from banish.model.decision import Counted, Spared, StartBan
from banish.model.instant import Instant, Seconds
from banish.policy.guard import ADDRESSES_OF_ACCOUNT, LOGINS_LIMIT, Login, RecentLogins
from banish.policy.ignore import IgnoreList
from tests.policy.script import ATTACKER, BYSTANDER, NETWORK, judge, policy_of

REASON = "guard (ssh login of alice)"


def login(number: int, account: str = "alice") -> Login:
    return Login(parse_subject(f"198.51.{number // 250}.{number % 250 + 1}"), account)


def test_a_login_spares_its_address_until_the_span_after_it_is_over() -> None:
    recent = RecentLogins(Seconds(60))
    recent.see([Login(ATTACKER, "alice")], Instant(100))
    recent.see([], Instant(160))
    assert recent.spared() == {ATTACKER: REASON}
    recent.see([], Instant(161))
    assert recent.spared() == {}


def test_without_a_span_only_live_logins_count() -> None:
    recent = RecentLogins(Seconds(0))
    recent.see([Login(ATTACKER, "alice")], Instant(100))
    assert recent.spared() == {ATTACKER: REASON}
    recent.see([], Instant(101))
    assert recent.spared() == {}


@given(st.lists(st.integers(0, 30), max_size=40))
def test_no_account_spares_more_than_a_few_addresses_the_newest(numbers: list[int]) -> None:
    recent = RecentLogins(Seconds(1_000))
    for at, number in enumerate(numbers):
        recent.see([login(number)], Instant(at))
    newest = list(dict.fromkeys(reversed(numbers)))[:ADDRESSES_OF_ACCOUNT]
    assert set(recent.spared()) == {login(number).subject for number in newest}


def test_no_host_spares_more_than_a_bounded_number() -> None:
    recent = RecentLogins(Seconds(1_000))
    logins = [login(number, f"user{number}") for number in range(LOGINS_LIMIT + 5)]
    recent.see(logins, Instant(1))
    assert set(recent.spared()) == {each.subject for each in logins[5:]}


def test_a_guarded_address_is_not_banned_anew_and_others_are() -> None:
    policy = policy_of()
    policy.ignored.set_guarded({ATTACKER: REASON})
    assert judge(policy, ATTACKER, 1, 2, 3, 4) == Spared(REASON)
    assert isinstance(judge(policy, BYSTANDER, 1, 2, 3), StartBan)
    policy.ignored.set_guarded({})
    assert judge(policy, ATTACKER, 5) == Counted(1)


def test_a_login_lifts_no_ban_that_is_in_force() -> None:
    policy = policy_of()
    judge(policy, ATTACKER, 1, 2, 3)
    policy.ignored.set_guarded({ATTACKER: REASON})
    assert policy.review(Instant(4)) == []
    assert ATTACKER in policy.bans


def test_an_operator_is_kept_from_banning_a_login_and_told_which() -> None:
    policy = policy_of()
    policy.ignored.set_guarded({ATTACKER: REASON})
    with pytest.raises(RequestError, match="ssh login of alice") as raised:
        policy.ban(ATTACKER, Instant(1), None)
    assert "guard = none" in str(raised.value)


def test_who_is_guarded_is_forgotten_when_that_changes_and_when_there_are_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("banish.policy.ignore.VERDICTS", 2)
    ignored = IgnoreList()
    subjects = [parse_subject(f"192.0.2.{n}") for n in range(1, 5)]
    ignored.set_guarded({subjects[3]: REASON})
    for _ in range(2):
        assert [ignored.guards(subject) for subject in subjects] == [None, None, None, REASON]
    ignored.set_guarded({subjects[0]: REASON})
    for _ in range(2):
        assert ignored.guards(subjects[0]) == REASON
        assert ignored.guards(subjects[3]) is None
    assert len(ignored._guard_verdicts) <= 2


def test_a_network_that_holds_a_guarded_address_is_guarded_and_a_text_is_not() -> None:
    ignored = IgnoreList()
    assert ignored.guards(NETWORK) is None
    ignored.set_guarded({parse_subject("198.51.100.9"): REASON})
    ignored.set_guarded({parse_subject("198.51.100.9"): REASON})
    assert ignored.guards(NETWORK) == REASON
    assert ignored.guards(parse_subject("root")) is None
    assert ignored.exempts(NETWORK) is None
