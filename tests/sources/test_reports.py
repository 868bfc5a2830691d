"""What is reported of one log."""

import errno
from pathlib import Path

import pytest

from banish.sources.logfile import LogFile
from banish.sources.reports import LogReports, fate_of
from banish.sources.roster import Roster
from banish.sources.watch import Watch
from banish.telemetry.events import Event, LinesLost, PartFailed, PartRecovered


class Stage:
    def __init__(self) -> None:
        self.events: list[Event] = []
        self.roster = Roster(Watch("app", lambda _: None, polls=True))

    def reports(self, path: str = "/var/log/a") -> LogReports:
        return LogReports(path, self.roster, self.events.append)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_a_trouble_is_reported_once_with_its_cure_and_its_end_once(stage: Stage) -> None:
    reports = stage.reports()
    for _ in range(2):
        reports.failed(PermissionError(errno.EACCES, "Permission denied"))
    assert "namei -l /var/log/a" in reports.trouble
    for _ in range(2):
        reports.recovered()
    assert reports.trouble == ""
    assert [type(event) for event in stage.events] == [PartFailed, PartRecovered]


def test_another_trouble_is_reported_too(stage: Stage) -> None:
    reports = stage.reports()
    reports.failed(PermissionError(errno.EACCES, "Permission denied"))
    reports.failed(OSError(errno.EIO, "Input/output error"))
    assert "tried again" in reports.trouble
    assert len(stage.events) == 2


def test_too_few_descriptors_are_reported_once_for_all_logs(stage: Stage) -> None:
    one, two = stage.reports("/var/log/a"), stage.reports("/var/log/b")
    for reports in (one, two):
        reports.failed(OSError(errno.EMFILE, "Too many open files"))
        assert "LimitNOFILE" in reports.trouble
    one.recovered()
    assert [type(event) for event in stage.events] == [PartFailed]
    two.recovered()
    assert [type(event) for event in stage.events] == [PartFailed, PartRecovered]


@pytest.mark.parametrize(
    ("files", "may_be", "counted", "says"),
    [
        (1, False, 1, "1 rotated file could not be read"),
        (3, False, 3, "3 rotated files could not be read"),
        (0, True, 1, "rotated files may have been deleted unread"),
    ],
)
def test_files_that_went_by_unread_are_counted(
    stage: Stage, files: int, may_be: bool, counted: int, says: str
) -> None:
    stage.reports().lost(files, may_be=may_be)
    (event,) = stage.events
    assert isinstance(event, LinesLost)
    assert event.files == stage.roster.lost_files == counted
    assert says in event.what


def test_nothing_is_reported_where_nothing_was_lost(stage: Stage) -> None:
    stage.reports().lost(0)
    assert stage.events == []
    assert stage.roster.lost_files == 0


def test_the_fate_of_a_log_says_whether_it_is_read_on(tmp_path: Path) -> None:
    assert fate_of(None, was_deleted=True).what.startswith("was deleted")
    assert fate_of(None, was_deleted=False).what.startswith("was moved or deleted")
    log = tmp_path / "a"
    log.write_bytes(b"x\n")
    file = LogFile(str(log))
    log.rename(tmp_path / "b")
    moved = fate_of(file, was_deleted=False)
    assert (moved.is_read_on, str(tmp_path / "b") in moved.what) == (True, True)
    (tmp_path / "b").unlink()
    deleted = fate_of(file, was_deleted=False)
    assert (deleted.is_read_on, "deleted" in deleted.what) == (True, True)
    file.close()
