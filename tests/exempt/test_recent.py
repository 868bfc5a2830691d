"""Whose logins exempt an address, and for how long."""

from hypothesis import given
from hypothesis import strategies as st

from banish.exempt.logins import Login
from banish.exempt.recent import ADDRESSES_OF_ACCOUNT, LOGINS_LIMIT, RecentLogins
from banish.model.address import parse_subject
from banish.model.instant import Instant, Seconds
from tests.policy.script import ATTACKER

REASON = "guard (ssh login of alice)"


def login(number: int, account: str = "alice") -> Login:
    return Login(parse_subject(f"198.51.{number // 250}.{number % 250 + 1}"), account)


def test_a_login_exempts_its_address_until_the_span_after_it_is_over() -> None:
    recent = RecentLogins(Seconds(60))
    recent.see([Login(ATTACKER, "alice")], Instant(100))
    recent.see([], Instant(160))
    assert recent.exempt() == {ATTACKER: REASON}
    recent.see([], Instant(161))
    assert recent.exempt() == {}


def test_without_a_span_only_live_logins_count() -> None:
    recent = RecentLogins(Seconds(0))
    recent.see([Login(ATTACKER, "alice")], Instant(100))
    assert recent.exempt() == {ATTACKER: REASON}
    recent.see([], Instant(101))
    assert recent.exempt() == {}


@given(st.lists(st.integers(0, 30), max_size=40))
def test_no_account_exempts_more_than_a_few_addresses_the_newest(numbers: list[int]) -> None:
    recent = RecentLogins(Seconds(1_000))
    for at, number in enumerate(numbers):
        recent.see([login(number)], Instant(at))
    newest = list(dict.fromkeys(reversed(numbers)))[:ADDRESSES_OF_ACCOUNT]
    assert set(recent.exempt()) == {login(number).subject for number in newest}


def test_no_host_exempts_more_than_a_bounded_number() -> None:
    recent = RecentLogins(Seconds(1_000))
    logins = [login(number, f"user{number}") for number in range(LOGINS_LIMIT + 5)]
    recent.see(logins, Instant(1))
    assert set(recent.exempt()) == {each.subject for each in logins[5:]}
