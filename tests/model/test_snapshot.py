"""Many steps come to what the last of them says of each thing."""

from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import Subject, SubjectKind
from banish.model.instant import Instant
from banish.model.record import JournalPosition
from banish.model.snapshot import Commit, JailChanges, Tally, last_positions, merged_changes

subjects = st.integers(1, 3).map(lambda n: Subject(f"192.0.2.{n}", SubjectKind.IPV4))
tallies = st.none() | st.integers(1, 9).map(lambda at: Tally((Instant(at),)))
changes = st.builds(
    JailChanges,
    st.sampled_from(["sshd", "web"]),
    st.dictionaries(subjects, tallies),
    st.integers(0, 9),
    st.integers(0, 9),
)
positions = st.integers(1, 9).map(lambda at: JournalPosition("c", Instant(at)))
commits = st.builds(
    Commit,
    st.just(Instant(0)),
    changes=st.lists(changes, max_size=3).map(tuple),
    positions=st.dictionaries(st.sampled_from(["a", "b"]), positions),
)


@given(st.lists(commits, max_size=6))
def test_merged_steps_leave_what_the_steps_leave_one_by_one(steps: list[Commit]) -> None:
    windows: dict[tuple[str, Subject], Tally | None] = {}
    totals: dict[str, tuple[int, int]] = {}
    places: dict[str, object] = {}
    for step in steps:
        for change in step.changes:
            windows |= {(change.jail, subject): tally for subject, tally in change.tallies.items()}
            totals[change.jail] = (change.failures_total, change.bans_total)
        places |= step.positions
    merged = merged_changes(steps)
    assert [change.jail for change in merged] == list(totals)
    assert {
        (change.jail, subject): tally
        for change in merged
        for subject, tally in change.tallies.items()
    } == windows
    assert {change.jail: (change.failures_total, change.bans_total) for change in merged} == totals
    assert last_positions(steps) == places
