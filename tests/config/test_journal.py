import pytest

from banish.config.journal import to_journal
from banish.config.problem import FaultError, Problems
from banish.config.text import single
from banish.model.settings import JournalPlace, Place


def read(backend: str) -> tuple[JournalPlace, list[str]]:
    problems = Problems()
    found = to_journal(single(backend, Place("jail.local", 3)), problems)
    assert all(problem.severity == "warning" and problem.cure for problem in problems.all())
    return found, [f"{problem.what} | {problem.cure}" for problem in problems.all()]


@pytest.mark.parametrize(
    ("backend", "place"),
    [
        ("systemd", JournalPlace()),
        ("auto", JournalPlace()),
        ("systemd[journalflags=1]", JournalPlace(flags=1)),
        ('systemd[journalpath="/run/log/journal", rotated=on]', JournalPlace("/run/log/journal")),
        ("systemd[journalpath=]", JournalPlace()),
        ("SYSTEMD[journalfiles='/srv/one.journal']", JournalPlace("/srv/one.journal")),
    ],
)
def test_what_can_be_had_is_taken(backend: str, place: JournalPlace) -> None:
    assert read(backend) == (place, [])


@pytest.mark.parametrize(
    ("backend", "cure"),
    [
        ("systemd[namespace=mail]", "journalpath=/var/log/journal/MACHINE.mail"),
        ("systemd[journalfiles='/a/*.journal']", "journalpath=/the/folder"),
        ("systemd[journalfiles='/a /b']", "journalpath=/the/folder"),
        ("systemd[journalflags=5]", "4 (the system's)"),
        ("systemd[journalflags=all]", "write one of"),
        ("systemd[journalpaht=/x]", 'did you mean "journalpath"?'),
        ("systemd[zzz=/x]", "it has: journalpath"),
        ("systemd[journalpath=log]", "write the whole path"),
    ],
)
def test_what_cannot_be_had_is_told_with_its_cure(backend: str, cure: str) -> None:
    found, (told,) = read(backend)
    assert found == JournalPlace()
    assert cure in told


def test_what_is_not_written_as_arguments_are_is_refused() -> None:
    with pytest.raises(FaultError):
        read("systemd[journalpath")
