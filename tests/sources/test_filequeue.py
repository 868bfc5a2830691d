"""The order in which the files of one path are read."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from banish.sources.filequeue import FileQueue
from banish.sources.logfile import LogFile
from banish.sources.roster import Roster
from banish.sources.watch import Watch

Make = Callable[[str, bytes], LogFile]


@pytest.fixture
def roster() -> Roster:
    return Roster(Watch("app", lambda _: None, polls=True))


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[LogFile] = []

    def one(name: str, text: bytes) -> LogFile:
        (tmp_path / name).write_bytes(text)
        file = LogFile(str(tmp_path / name))
        file.begin(0)
        made.append(file)
        return file

    yield one
    for file in made:
        file.close()


def test_what_was_missed_is_read_just_before_the_file_it_was_missed_in(
    roster: Roster, make: Make
) -> None:
    queue = FileQueue("app.log", roster)
    old, new, one, two = (make(name, b"x\n") for name in ("old", "new", "one", "two"))
    queue.append(old)
    queue.append(new)
    queue.put_before(new, [one, two])
    assert list(queue) == [old, one, two, new]
    assert queue[-1] is new
    assert all(roster.is_open(file.identity) for file in queue)
    queue.close()
    assert len(queue) == 0


def test_a_file_that_is_removed_stays_open_and_one_that_is_dropped_does_not(
    roster: Roster, make: Make
) -> None:
    queue = FileQueue("app.log", roster)
    kept, dropped = make("kept", b""), make("dropped", b"")
    queue.append(kept)
    queue.append(dropped)
    queue.remove(kept)
    queue.drop(dropped)
    assert len(queue) == 0
    assert roster.is_open(kept.identity)
    assert not roster.is_open(dropped.identity)


def test_a_file_is_followed_once_the_next_has_been_begun(roster: Roster, make: Make) -> None:
    queue = FileQueue("app.log", roster)
    old, new = make("old", b"x\n"), make("new", b"")
    queue.append(old)
    assert not queue.is_followed(old)
    queue.append(new)
    assert not queue.is_followed(old)
    with open(new.path, "ab") as writer:
        writer.write(b"y\n")
    assert queue.is_followed(old)


def test_nobody_writes_on_to_a_copy(roster: Roster, make: Make) -> None:
    queue = FileQueue("app.log", roster)
    copy, new = make("copy", b"x\n"), make("new", b"")
    copy.is_copy = True
    queue.append(copy)
    queue.append(new)
    assert queue.is_followed(copy)


def test_what_comes_after_the_backlog_is_live(roster: Roster, make: Make) -> None:
    queue = FileQueue("app.log", roster)
    older, newest = make("older", b"a\n"), make("newest", b"b\nc\n")
    queue.begin_backlog(newest, 2)
    assert queue.backlog_end(older) is None
    assert queue.backlog_end(newest) == 2
    assert newest.read(until=2) is not None
    assert not queue.is_live
    assert queue.backlog_end(newest) is None
    assert queue.is_live
