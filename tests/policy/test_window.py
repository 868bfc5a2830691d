import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Tally
from banish.policy import packed as module
from banish.policy.window import Window
from tests.policy.script import ATTACKER, BYSTANDER, SIX


def line(number: int) -> Evidence:
    return Evidence(f"line {number}", "auth.log", number, Instant(number))


def window(
    limit: int = 3, span: float = 10, capacity: int = 100, evidence_limit: int = 2
) -> Window:
    return Window(limit, Seconds(span), capacity, evidence_limit)


def tally_of(*times: float) -> Tally:
    return Tally(tuple(map(Instant, times)))


@given(
    st.integers(1, 5),
    st.floats(0.1, 20),
    st.lists(st.tuples(st.floats(0, 60), st.integers(1, 7)), max_size=30),
)
def test_it_agrees_with_keeping_every_time_and_sorting(
    limit: int, span: float, failures: list[tuple[float, int]]
) -> None:
    clever, every = window(limit, span), list[float]()
    for at, attempts in failures:
        count = clever.add(ATTACKER, Instant(at), attempts)
        every = sorted([*every, *[at] * attempts])
        newest = every[-limit:]
        is_reached = len(newest) == limit and newest[0] > newest[-1] - span
        assert (count >= limit) is is_reached
        if is_reached:
            assert clever.pop(ATTACKER) == tally_of(*newest)
            every = []
        else:
            assert count == sum(time > every[-1] - span for time in every)
            assert clever.tally(ATTACKER) == tally_of(*newest)


@given(st.lists(st.tuples(st.sampled_from([ATTACKER, BYSTANDER, SIX]), st.booleans())))
def test_changes_keep_a_copy_true(steps: list[tuple[object, bool]]) -> None:
    counted, copy = window(limit=2, capacity=2), dict[object, Tally]()
    for at, (subject, is_asked) in enumerate(steps):
        assert isinstance(subject, type(ATTACKER))
        if counted.add(subject, Instant(at)) >= 2:
            counted.pop(subject)
        counted.purge(Instant(at - 4), 10)
        if is_asked:
            for changed, tally in counted.changes().items():
                if tally is None:
                    del copy[changed]
                else:
                    copy[changed] = tally
            assert copy == counted.all()


def test_times_may_come_out_of_order() -> None:
    counted = window()
    assert [counted.add(ATTACKER, Instant(at)) for at in (20, 12, 5, 15)] == [1, 2, 2, 3]


def test_one_subject_says_nothing_of_another() -> None:
    counted = window()
    counted.add(ATTACKER, Instant(1), 2)
    assert counted.add(BYSTANDER, Instant(1)) == 1
    assert len(counted) == 2
    assert ATTACKER in counted
    assert SIX not in counted


def test_one_text_of_several_kinds_is_several_subjects() -> None:
    counted = window()
    written = ["192.0.2.0", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32", "ipv4", "id\0x", ""]
    every = [parse_subject(text) for text in written]
    every += [Subject(text, SubjectKind.NAME) for text in ("ipv4", "id", "2001:db8::1", "x")]
    for at, subject in enumerate(every):
        assert counted.add(subject, Instant(at)) == 1
    assert list(counted.all()) == every
    assert list(counted.changes()) == every


def test_what_was_taken_is_forgotten() -> None:
    counted = window()
    counted.add(ATTACKER, Instant(1), 2, [line(1)])
    assert counted.pop(ATTACKER) == Tally((Instant(1), Instant(1)), (line(1),))
    assert counted.pop(ATTACKER) == Tally(())
    assert counted.add(ATTACKER, Instant(2)) == 1


def test_the_newest_lines_are_kept() -> None:
    kept = {}
    for most in range(4):
        counted = window(limit=9, evidence_limit=most)
        for number in range(1, 4):
            counted.add(ATTACKER, Instant(number), 1, [line(number)])
        tally = counted.tally(ATTACKER)
        assert tally is not None
        kept[most] = tally.evidence
    lines = (line(1), line(2), line(3))
    assert kept == {0: (), 1: lines[2:], 2: lines[1:], 3: lines}


def test_lines_of_many_logs_keep_their_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATHS", 2)
    counted = window(limit=9, evidence_limit=9)
    lines = [Evidence("x", f"/log/{n}\udcff", n, Instant(1)) for n in (1, 2, 3, 1, 3)]
    counted.add(ATTACKER, Instant(1), 1, lines)
    kept = counted.pop(ATTACKER).evidence
    assert [line.path for line in kept] == [f"/log/{n}?" for n in (1, 2, 3, 1, 3)]


def test_a_single_failure_has_the_line_it_came_with_and_its_own_time() -> None:
    counted = window()
    counted.add(ATTACKER, Instant(7.25), 1, [line(3)])
    assert counted.tally(ATTACKER) == Tally((Instant(7.25),), (line(3),))
    counted.add(ATTACKER, Instant(8), 1, [line(4), line(5), line(6)])
    assert counted.tally(ATTACKER) == Tally((Instant(7.25), Instant(8)), (line(5), line(6)))


def test_half_a_surrogate_pair_in_a_line_is_no_trouble() -> None:
    counted = window()
    counted.add(ATTACKER, Instant(1), 1, [Evidence("a\udc80b", "\udcff", 1, Instant(1))])
    assert counted.pop(ATTACKER).evidence == (Evidence("a?b", "?", 1, Instant(1)),)


def test_subjects_past_capacity_push_out_those_counted_longest_ago() -> None:
    counted = window(capacity=2)
    for subject in (ATTACKER, BYSTANDER, ATTACKER, SIX):
        counted.add(subject, Instant(1))
    assert list(counted.all()) == [ATTACKER, SIX]
    assert counted.evicted == 1
    counted.put(BYSTANDER, tally_of(1))
    assert list(counted.all()) == [SIX, BYSTANDER]
    assert counted.evicted == 2


def test_a_full_window_makes_room_for_many_at_once() -> None:
    counted = window(capacity=1000)
    for number in range(1001):
        counted.add(parse_subject(f"user{number}"), Instant(1))
    assert len(counted) == 991
    assert counted.evicted == 10


def test_purge_forgets_what_left_the_window_and_no_more_than_told() -> None:
    counted = window()
    for at, subject in enumerate((ATTACKER, BYSTANDER, SIX)):
        counted.add(subject, Instant(at), 1 + at)
    assert counted.failing(Instant(10)) == 2
    assert counted.purge(Instant(9), 5) == 0
    assert counted.purge(Instant(12), 1) == 1
    assert counted.purge(Instant(11), 5) == 1
    assert list(counted.all()) == [SIX]


def test_who_came_and_went_unasked_is_not_mentioned() -> None:
    counted = window()
    counted.add(ATTACKER, Instant(1))
    counted.pop(ATTACKER)
    assert counted.changes() == {}


def test_who_was_told_of_is_told_forgotten_however_often_it_came_back() -> None:
    counted = window()
    counted.add(ATTACKER, Instant(1))
    assert counted.changes() == {ATTACKER: tally_of(1)}
    for _ in range(2):
        counted.pop(ATTACKER)
        counted.add(ATTACKER, Instant(2))
    counted.pop(ATTACKER)
    assert counted.changes() == {ATTACKER: None}
    assert counted.changes() == {}


def test_a_remembered_tally_goes_on_counting() -> None:
    counted = window()
    counted.put(ATTACKER, Tally((Instant(9), Instant(2), Instant(8), Instant(1)), (line(1),)))
    assert counted.tally(ATTACKER) == Tally((Instant(2), Instant(8), Instant(9)), (line(1),))
    assert counted.changes() == {}
    assert counted.add(ATTACKER, Instant(10)) == 4
    counted.put(BYSTANDER, Tally(()))
    assert BYSTANDER not in counted
    counted.put(SIX, tally_of(5))
    assert counted.tally(SIX) == tally_of(5)


def test_a_remembered_tally_in_place_of_one_untold_is_told_forgotten() -> None:
    counted = window()
    counted.add(ATTACKER, Instant(1))
    counted.put(ATTACKER, tally_of(2))
    counted.pop(ATTACKER)
    assert counted.changes() == {ATTACKER: None}


def test_of_a_remembered_tally_no_more_lines_are_kept_than_of_one_counted_here() -> None:
    tally = Tally((Instant(1),), (line(1), line(2), line(3)))
    for limit, kept in ((0, ()), (1, tally.evidence[2:]), (2, tally.evidence[1:])):
        counted = window(evidence_limit=limit)
        counted.put(ATTACKER, tally)
        assert counted.tally(ATTACKER) == Tally(tally.times, kept)
