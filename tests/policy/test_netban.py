"""Counting which members of a network were banned."""

from hypothesis import given, settings
from hypothesis import strategies as st

from banish.model.address import Subject, parse_subject
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Member
from banish.policy.netban import MemberCount

NETWORK = parse_subject("198.51.100.0/24")
OTHER = parse_subject("203.0.113.0/24")


def host(last: int) -> Subject:
    return parse_subject(f"198.51.100.{last}")


def counted(count: MemberCount, network: Subject = NETWORK) -> list[tuple[str, float]]:
    return [(member.subject.text, member.at) for member in count.members(network)]


def add(count: MemberCount, last: int, at: float, network: Subject = NETWORK) -> int:
    return count.add(network, host(last), Instant(at))


def test_members_count_once_however_often_they_are_banned() -> None:
    count = MemberCount(3, Seconds(100))
    assert [add(count, 1, at) for at in (10, 20, 30)] == [1, 1, 1]
    assert add(count, 2, 40) == 2
    assert add(count, 3, 50) == 3
    assert len(count) == 3


def test_members_from_before_the_span_do_not_count() -> None:
    count = MemberCount(3, Seconds(100))
    add(count, 1, 10)
    assert add(count, 2, 110) == 1
    assert add(count, 3, 111) == 2
    assert add(count, 4, 112) == 3


def test_an_older_ban_does_not_take_the_place_of_a_newer_one() -> None:
    count = MemberCount(3, Seconds(100))
    add(count, 1, 50)
    add(count, 1, 10)
    assert counted(count) == [("198.51.100.1", 50)]


def test_what_is_taken_is_forgotten() -> None:
    count = MemberCount(2, Seconds(100))
    add(count, 2, 20)
    add(count, 1, 10)
    assert [member.subject for member in count.pop(NETWORK)] == [host(1), host(2)]
    assert count.pop(NETWORK) == ()
    assert len(count) == 0
    assert add(count, 1, 10) == 1


def test_a_member_can_be_forgotten() -> None:
    count = MemberCount(3, Seconds(100))
    add(count, 1, 10)
    add(count, 2, 20)
    count.forget(NETWORK, host(1))
    count.forget(NETWORK, host(9))
    count.forget(OTHER, host(9))
    assert counted(count) == [("198.51.100.2", 20)]
    count.forget(NETWORK, host(2))
    assert count.all() == {}
    assert len(count) == 0


def test_only_networks_that_cannot_matter_any_more_are_purged() -> None:
    count = MemberCount(3, Seconds(100))
    for third in range(5):
        add(count, 1, third, parse_subject(f"10.0.{third}.0/24"))
    count.purge(Instant(102), 2)
    assert [network.text for network in count.all()] == [
        "10.0.2.0/24",
        "10.0.3.0/24",
        "10.0.4.0/24",
    ]
    count.purge(Instant(103), 10)
    assert [network.text for network in count.all()] == ["10.0.4.0/24"]


def test_networks_touched_longest_ago_make_room() -> None:
    count = MemberCount(2, Seconds(100), capacity=3)
    for third in (1, 2, 3, 1, 4):
        add(count, 1, 10, parse_subject(f"10.0.{third}.0/24"))
    assert [network.text for network in count.all()] == [
        "10.0.3.0/24",
        "10.0.1.0/24",
        "10.0.4.0/24",
    ]
    assert len(count) == 3


def test_changes_tell_what_was_counted_and_what_is_gone() -> None:
    count = MemberCount(3, Seconds(100))
    add(count, 1, 10)
    assert count.changes() == {NETWORK: (Member(host(1), Instant(10)),)}
    assert count.changes() == {}
    add(count, 2, 10)
    count.pop(NETWORK)
    assert count.changes() == {NETWORK: ()}
    assert count.changes() == {}


def test_what_came_and_went_unasked_is_not_told() -> None:
    count = MemberCount(3, Seconds(100))
    add(count, 1, 10)
    count.pop(NETWORK)
    assert count.changes() == {}


def test_what_was_put_back_is_no_change_until_it_goes() -> None:
    count = MemberCount(3, Seconds(100))
    count.put(NETWORK, (Member(host(1), Instant(10)), Member(host(2), Instant(20))))
    assert count.changes() == {}
    assert add(count, 3, 30) == 3
    count.pop(NETWORK)
    assert count.changes() == {NETWORK: ()}


EVENTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 60)), max_size=40)


@settings(max_examples=200)
@given(EVENTS, st.integers(1, 5), st.integers(1, 40))
def test_the_limit_is_reached_when_all_that_was_kept_would_say_so(
    events: list[tuple[int, int]], limit: int, span: int
) -> None:
    count = MemberCount(limit, Seconds(span))
    newest: dict[int, int] = {}
    for last, at in events:
        newest[last] = max(at, newest.get(last, at))
        horizon = max(newest.values()) - span
        truth = sum(time > horizon for time in newest.values())
        reached = add(count, last, at) >= limit
        assert reached == (truth >= limit)
        assert len(count) <= limit
        if reached:
            count.pop(NETWORK)
            newest.clear()


@settings(max_examples=100)
@given(EVENTS, st.randoms(use_true_random=False))
def test_the_order_within_a_batch_does_not_matter(
    events: list[tuple[int, int]], random: object
) -> None:
    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = MemberCount(10, Seconds(30)), MemberCount(10, Seconds(30))
    for count, order in ((one, events), (other, shuffled)):
        for last, at in order:
            add(count, last, at)
    assert counted(one) == counted(other)
