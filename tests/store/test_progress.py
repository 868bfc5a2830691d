from collections.abc import Mapping

from banish.model.address import Subject, parse_subject
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit, JailChanges, Tally
from banish.policy.window import Window
from banish.store.database import Database

NOW = Instant(5_000)


def read_back(*changes: Mapping[Subject, Tally | None]) -> dict[Subject, Tally]:
    """Write *changes*, one commit each, and return the windows that are read back."""
    database = Database(":memory:", 5, Seconds(1), lambda: NOW)
    for change in changes:
        database.commit([Commit(NOW, changes=(JailChanges("sshd", change),))])
    found = dict(database.load(NOW).jails["sshd"].tallies)
    database.close()
    return found


def test_a_window_of_many_subjects_counts_on_after_a_restart() -> None:
    counted, steps = Window(3, Seconds(9_000)), []
    subjects = [parse_subject(f"2001:db8::{n:x}" if n % 2 else f"192.0.2.{n}") for n in range(200)]
    for turn, subject in enumerate([*subjects, *subjects[::3]]):
        line = Evidence(f"line {turn}", "auth.log", turn, Instant(turn))
        counted.add(subject, Instant(turn), 1, [line])
        if turn % 50 == 0:
            steps.append(counted.changes())
    counted.pop(subjects[0])
    steps.append(counted.changes())
    restored = Window(3, Seconds(9_000))
    for subject, tally in read_back(*steps).items():
        restored.put(subject, tally)
    assert restored.all() == counted.all()
    assert len(restored) == 199
    assert [restored.add(subjects[n], NOW) for n in (1, 3, 0)] == [2, 3, 1]


def test_lines_of_one_log_share_its_path_in_memory() -> None:
    changes: dict[Subject, Tally | None] = {
        parse_subject(f"192.0.2.{n}"): Tally((NOW,), (Evidence("x", "/var/log/auth.log", n, NOW),))
        for n in (1, 2)
    }
    one, two = read_back(changes).values()
    assert one.evidence[0].path is two.evidence[0].path
