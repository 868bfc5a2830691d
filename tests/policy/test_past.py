from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import Subject, SubjectKind
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import PastBan
from banish.policy.past import PastBans
from tests.policy.script import ATTACKER, BYSTANDER


def past(count: int = 1, since: float = 0, until: float | None = 10) -> PastBan:
    return PastBan(count, Instant(since), None if until is None else Instant(until))


def test_the_last_ban_counts_for_three_times_its_length_and_what_is_remembered() -> None:
    bans = PastBans(Seconds(100))
    bans.put(ATTACKER, past(count=4))
    assert bans.count(ATTACKER, Instant(129)) == 4
    assert bans.count(ATTACKER, Instant(130)) == 0
    assert bans.all() == {}


def test_a_ban_without_end_is_never_forgotten() -> None:
    bans = PastBans(Seconds(0))
    bans.put(ATTACKER, past(until=None))
    assert bans.count(ATTACKER, Instant(9e9)) == 1


def test_who_is_forgotten_was_never_banned() -> None:
    bans = PastBans(Seconds(100))
    bans.put(ATTACKER, past())
    bans.forget(ATTACKER)
    bans.forget(BYSTANDER)
    assert bans.count(ATTACKER, Instant(1)) == 0


def test_past_capacity_the_longest_untouched_is_forgotten() -> None:
    bans = PastBans(Seconds(100), capacity=1)
    bans.put(ATTACKER, past())
    bans.put(BYSTANDER, past())
    assert list(bans.all()) == [BYSTANDER]


def test_many_past_capacity_go_at_once_and_never_the_newest() -> None:
    bans = PastBans(Seconds(100), capacity=200)
    subjects = [Subject(str(number), SubjectKind.NAME) for number in range(201)]
    for subject in subjects[:200]:
        bans.put(subject, past())
    bans.put(subjects[0], past(count=2))
    assert len(bans.all()) == 200
    bans.put(subjects[200], past())
    assert list(bans.all()) == [*subjects[3:200], subjects[0], subjects[200]]


def test_who_never_comes_back_is_forgotten_as_time_passes() -> None:
    bans = PastBans(Seconds(100))
    bans.put(BYSTANDER, past(until=None))
    bans.put(ATTACKER, past())
    assert bans.purge(Instant(129)) == 0
    assert bans.purge(Instant(130)) == 1
    assert list(bans.all()) == [BYSTANDER]


def test_past_bans_are_looked_at_once_a_second_however_often_that_is_asked() -> None:
    bans = PastBans(Seconds(0))
    assert bans.purge(Instant(100)) == 0
    bans.put(ATTACKER, past())
    assert bans.purge(Instant(100.9)) == 0
    assert bans.purge(Instant(101)) == 1


def test_past_bans_are_looked_at_after_the_clock_was_set_back() -> None:
    bans = PastBans(Seconds(0))
    bans.purge(Instant(9_000))
    bans.put(ATTACKER, past())
    assert bans.purge(Instant(100)) == 1


@given(st.integers(1, 40), st.integers(1, 12), st.sets(st.integers(0, 39)))
def test_looking_at_some_at_a_time_forgets_exactly_those_that_count_no_more(
    bans_count: int, least: int, endless: set[int]
) -> None:
    bans = PastBans(Seconds(0))
    for number in range(bans_count):
        until = None if number in endless else 10
        bans.put(Subject(f"192.0.2.{number}", SubjectKind.IPV4), past(until=until))
    looks = -(-bans_count // least)
    gone = [bans.purge(Instant(100 + look), least) for look in range(looks)]
    assert all(count <= least for count in gone)
    assert sum(gone) == bans_count - len(bans.all())
    assert {ban.until for ban in bans.all().values()} <= {None}


def test_two_hundred_thousand_past_bans_are_forgotten_within_ten_minutes() -> None:
    bans = PastBans(Seconds(0))
    for number in range(200_000):
        bans.put(Subject(str(number), SubjectKind.NAME), past())
    for second in range(601):
        bans.purge(Instant(100 + second))
    assert bans.all() == {}
