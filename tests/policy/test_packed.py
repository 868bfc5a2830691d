"""What is kept of one subject, and what is said of it at any moment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit, JailChanges, Tally, merged_changes
from banish.policy.packed import Changes, Packer, Part, Several, size_of
from banish.policy.window import Window
from tests.policy.script import ATTACKER, BYSTANDER

STEPS = st.lists(
    st.tuples(st.sampled_from([0, 1, 5, -3]), st.integers(1, 4), st.integers(0, 3), st.booleans()),
    max_size=60,
)
"""How much later than the one before a failure is, attempts, lines, and whether times move."""


def line(number: int) -> Evidence:
    return Evidence(f"line {number}", "auth.log", number, Instant(number))


@given(st.integers(1, 9), st.integers(1, 9), STEPS)
def test_what_was_kept_at_a_moment_says_the_same_whatever_comes_later(
    limit: int, line_limit: int, steps: list[tuple[int, int, int, bool]]
) -> None:
    packer, several = Packer(), Several([], [])
    times: list[float] = []
    lines: list[Evidence] = []
    at = 100.0
    said: list[tuple[Part, Tally]] = []
    for later, attempts, more, moves in steps:
        at += later
        count = several.insert(Instant(at), attempts, limit, Seconds(7))
        every = sorted([*times, *[at] * min(attempts, limit)])
        assert count == sum(time > every[-1] - 7 for time in every)
        times = every[-limit:]
        fresh = [line(len(lines) + number) for number in range(more)]
        several.append([packer.pack(each) for each in fresh[-line_limit:]], line_limit)
        lines += fresh
        if moves:
            several.shift(Seconds(2))
            times = [time + 2 for time in times]
            at += 2
        tally = Tally(tuple(map(Instant, times)), tuple(lines[-line_limit:]))
        said.append((several.part, tally))
        assert len(several.times) <= limit + limit // 4 + 4
        assert len(several.lines) <= line_limit + line_limit // 4
        again = Several(several.times, [])
        again.append(several.lines, len(several.lines))
        assert size_of(several) == size_of(again)
    assert [packer.tally(part) for part, _ in said] == [tally for _, tally in said]


def test_a_batch_costs_by_its_lines_and_not_by_those_of_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[int] = []
    unpack = Packer._unpack

    def count(packer: Packer, packed: bytes, start: int) -> Evidence:
        made.append(start)
        return unpack(packer, packed, start)

    monkeypatch.setattr(Packer, "_unpack", count)
    window = Window(500, Seconds(9_000), evidence_limit=500)
    commits: list[Commit] = []
    for batch in range(300):
        window.add(ATTACKER, Instant(batch), 1, (line(batch),))
        commits.append(Commit(Instant(batch), (), (JailChanges("sshd", window.changes()),)))
    assert made == []
    (changes,) = merged_changes(commits)
    assert len(made) == 300
    assert changes.tallies == {ATTACKER: window.tally(ATTACKER)}


def test_what_is_put_in_by_hand_is_said_as_it_is() -> None:
    changes = Changes(Packer())
    tally = Tally((Instant(1),), (line(1),))
    changes.put(ATTACKER, tally)
    changes.put(BYSTANDER, None)
    assert changes == {ATTACKER: tally, BYSTANDER: None}
    assert len(changes) == 2
