"""What goes into which message, and when: laws that hold whatever comes."""

from hypothesis import given
from hypothesis import strategies as st

from banish.model.instant import Instant, Seconds
from banish.notify.jailevent import JailEvent, stripped
from banish.notify.outbox import FIRST_WAIT, LONGEST_WAIT, Outbox
from tests.notify.stage import NOW, ban


def event(number: int = 1) -> JailEvent:
    return JailEvent("ban", "sshd", NOW, ban(f"192.0.2.{number % 250 + 1}", count=number + 1))


def outbox(
    pause: float = 300, most: int = 3, retry: float = 3600, *, whole: bool = False, limit: int = 20
) -> Outbox:
    return Outbox(pause=Seconds(pause), most=most, retry=Seconds(retry), whole=whole, limit=limit)


def test_the_first_goes_at_once_and_the_rest_waits() -> None:
    box = outbox(whole=True)
    assert box.due is None
    box.put(event(1))
    assert box.due == 0
    assert box.next_events() == (event(1),)
    box.sent(1_000)
    assert box.due is None
    for number in (2, 3):
        box.put(event(number))
    assert box.due == 1_300
    assert len(box.next_events()) == 2


def test_without_a_pause_each_event_is_a_message() -> None:
    box = outbox(pause=0, most=50, whole=True)
    for number in range(3):
        box.put(event(number))
    assert box.next_events() == (event(0),)
    box.sent(5)
    assert box.due == 5
    assert box.next_events() == (event(1),)


def test_what_failed_is_tried_again_as_it_was_at_growing_distances() -> None:
    box = outbox(whole=True)
    box.put(event(1))
    assert box.next_events() == (event(1),)
    now, pauses = 0.0, []
    while not box.lost:
        box.put(event(2))
        assert box.next_events() == (event(1),)
        box.failed(now)
        if box.lost:
            break
        assert box.due is not None
        pauses.append(box.due - now)
        now = box.due
    assert pauses[0] == FIRST_WAIT
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_WAIT
    assert now <= 3_600
    assert box.lost == 1


def test_the_other_side_may_say_when_and_a_mistake_is_given_up_at_once() -> None:
    box = outbox()
    box.put(event(1))
    box.next_events()
    box.failed(10, wait=Seconds(77))
    assert box.due == 87
    box.next_events()
    box.failed(87, retry=False)
    assert (len(box), box.lost) == (0, 1)


def test_a_stripped_event_keeps_all_but_the_lines() -> None:
    bare = stripped(event())
    assert (bare.of.evidence, bare.of.tags) == ((), ())
    assert bare.of.subject == event().of.subject
    start = JailEvent("start", "sshd", Instant(0))
    assert stripped(start) is start
    assert stripped(bare) is bare


@given(
    steps=st.lists(st.sampled_from(["put", "told", "failed", "never"]), max_size=60),
    most=st.integers(1, 5),
    whole=st.booleans(),
    pause=st.sampled_from([0.0, 10.0]),
)
def test_every_event_is_told_lost_or_waits_and_in_order(
    steps: list[str], most: int, whole: bool, pause: float
) -> None:
    box = outbox(pause, most, 20, whole=whole, limit=8)
    put, told, now = 0, [], 0.0
    for step in steps:
        now += 1
        if step == "put":
            box.put(event(put))
            put += 1
        elif box:
            message = box.next_events()
            assert 1 <= len(message) <= (8 if whole else most)
            if step == "told":
                told += [each.of.count for each in message]
                box.sent(now)
            else:
                box.failed(now, retry=step == "failed")
        assert len(box) <= 8
        assert (box.due is None) is (len(box) == 0)
    assert told == sorted(set(told))
    assert put == len(told) + box.lost + len(box)
