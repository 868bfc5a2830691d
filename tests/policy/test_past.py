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
