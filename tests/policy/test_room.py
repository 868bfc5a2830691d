"""The memory that the windows of all jails share."""

from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import Subject, parse_subject
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Tally
from banish.policy.room import Room
from banish.policy.window import Window, _size

KEPT = 1_000


def subject(number: int) -> Subject:
    return parse_subject(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")


def window(room: Room | None, limit: int = 3) -> Window:
    return Window(limit, Seconds(600), room=room)


def lines(count: int, characters: int) -> tuple[Evidence, ...]:
    return tuple(Evidence("x" * characters, "/log", n, Instant(n)) for n in range(count))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "take", "put", "purge"]),
            st.integers(0, 1),
            st.integers(0, 5),
            st.integers(1, 3),
            st.integers(0, 3),
        ),
        max_size=60,
    ),
    st.integers(1, 4_000),
)
def test_the_memory_is_never_above_its_limit_and_always_what_the_windows_hold(
    steps: list[tuple[str, int, int, int, int]], limit: int
) -> None:
    room = Room(limit)
    windows = window(room), window(room)
    for at, (what, which, who, attempts, count) in enumerate(steps):
        each, evidence = windows[which], lines(count, 40)
        match what:
            case "add":
                each.add(subject(who), Instant(at), attempts, evidence)
            case "take":
                each.pop(subject(who))
            case "put":
                each.put(subject(who), Tally((Instant(at),) * attempts, evidence))
            case _:
                each.purge(Instant(at + 598), 10)
        sizes = [sum(_size(*item) for item in one._kept.items()) for one in windows]
        assert sizes == [one.size_bytes for one in windows]
        assert room.used_bytes == sum(sizes)
        assert room.used_bytes <= limit


def test_the_jail_that_an_attacker_fills_pays_and_the_others_keep_their_counts() -> None:
    room = Room(100_000)
    quiet, filled = window(room), window(room)
    for number in range(KEPT // 10):
        quiet.add(subject(number), Instant(0))
    for number in range(20 * KEPT):
        filled.add(subject(number), Instant(number), evidence=lines(1, 100))
    assert len(quiet) == KEPT // 10
    assert quiet.evicted == 0
    assert filled.evicted == 20 * KEPT - len(filled)
    assert subject(20 * KEPT - 1) in filled
    assert subject(0) not in filled


def test_what_alone_is_larger_than_all_the_room_is_not_kept() -> None:
    room = Room(100)
    one = window(room)
    assert one.add(subject(1), Instant(0)) == 1
    assert len(one) == 0
    assert one.pop(subject(1)) == Tally(())
    room.resize(200)  # by whom nothing can be forgotten
    assert room.used_bytes == 200
