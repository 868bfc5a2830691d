"""One path through any sequence of writing, rotating, reading and dying: every line exactly once.

No event loop, no waiting: a tail is looked at and read when the test says so.
The times of last writes are set by the test, one second apart, since a file
system's own may be the same for several steps.
"""

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.model.instant import Seconds
from banish.model.record import FilePosition
from banish.sources import logfile
from banish.sources.late import LINGER_SPAN
from banish.sources.logfile import LogFile, RewrittenError
from banish.sources.piece import LATE_MARK
from banish.sources.roster import Roster
from banish.sources.tail import Tail
from banish.sources.watch import Watch

_PREAD = os.pread


class World:
    """A log, whoever writes and rotates it, and a reader that commits what it has read."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "app.log"
        self.written = 0
        self.seen: list[int] = []
        self.known: dict[str, FilePosition] = {}
        self.now = Seconds(0.0)
        self._time = 1_000_000_000
        self._writer = self.log.open("ab", buffering=0)
        self._tail: Tail | None = None
        self._reads_until_cut = 0
        self._lines_after_cut = 0
        self.step("write")
        self.step("read")

    def step(self, name: str) -> None:
        getattr(self, f"_{name}")()

    @property
    def tail(self) -> Tail:
        if self._tail is None:
            roster = Roster(Watch("app", lambda _: None, polls=True), self.known.values())
            self._tail = Tail(
                str(self.log),
                roster=roster,
                emit=lambda _: None,
                saved=self.known.get(str(self.log)),
                saved_late=self.known.get(str(self.log) + LATE_MARK),
            )
        return self._tail

    def _touch(self, *paths: Path) -> None:
        self._time += 1
        for path in paths:
            os.utime(path, (self._time, self._time))

    def _write(self) -> None:
        self._writer.write(b"line number %06d\n" % self.written)
        self.written += 1
        self._time += 1
        os.utime(self._writer.fileno(), (self._time, self._time))

    def _write_many(self) -> None:
        for _ in range(80):
            self._write()

    def _shift(self) -> None:
        for number in range(12, 0, -1):
            old = Path(f"{self.log}.{number}")
            if old.exists():
                old.rename(f"{self.log}.{number + 1}")

    def _rename(self) -> None:
        self._shift()
        self.log.rename(f"{self.log}.1")
        self._write()
        self._writer.close()
        self._writer = self.log.open("ab", buffering=0)
        self._touch(self.log)

    def _copytruncate(self) -> None:
        self._shift()
        copy = Path(f"{self.log}.1")
        shutil.copyfile(self.log, copy)
        self._touch(copy)
        os.truncate(self.log, 0)
        self._touch(self.log)

    def cut_before_read(self, number: int, lines: int = 0) -> None:
        """Have the log copied and cut just before that `pread` of the reader, the next being 1.

        So many *lines* are written at once after it.
        """
        self._reads_until_cut = number
        self._lines_after_cut = lines

    def pread(self, descriptor: int, size: int, place: int) -> bytes:
        """Stand in for `os.pread`."""
        self._reads_until_cut -= 1
        if not self._reads_until_cut:
            self._copytruncate()
            for _ in range(self._lines_after_cut):
                self._write()
        return _PREAD(descriptor, size, place)

    def _look(self) -> None:
        self.now = Seconds(self.now + 1)
        self.tail.look(self.now)

    def _read(self) -> None:
        self._look()
        while not self.tail.is_idle:
            self._read_one()

    def _read_one(self) -> None:
        piece = self.tail.read()
        if piece is not None:
            self.seen.extend(int(line[-6:]) for line in piece.chunk.block.splitlines())
            self.known[piece.key] = piece.after

    def _die(self) -> None:
        if self._tail is not None:
            # What is read now is not committed.
            self.tail.look(self.now)
            self.tail.read()
            self.tail.close()
            self._tail = None

    def _park(self) -> None:
        self.tail.park()

    def _wait(self) -> None:
        self.now = Seconds(self.now + LINGER_SPAN)
        self._look()

    def close(self) -> None:
        self.tail.close()
        self._writer.close()


STEPS = [
    "write",
    "write_many",
    "rename",
    "copytruncate",
    "look",
    "read",
    "read_one",
    "die",
    "wait",
    "park",
]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let even short logs need several reads."""
    monkeypatch.setattr(logfile, "BLOCK_BYTES", 700)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(STEPS), max_size=25).filter(
        lambda steps: sum(step in ("rename", "copytruncate") for step in steps) <= 10
    )
)
def test_every_line_comes_out_exactly_once_whatever_happens(steps: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for step in steps:
            world.step(step)
        for _ in range(3):
            world.step("read")
        world.close()
    assert Counter(world.seen) == Counter(range(world.written))


@pytest.mark.parametrize(
    "steps",
    [
        # Found by the test above: the cut came while the file was closed, and before its rename.
        ("copytruncate", "read", "write", "park", "copytruncate", "rename"),
        ("copytruncate", "read", "write", "copytruncate", "park", "rename"),
        ("copytruncate", "read", "write", "copytruncate", "rename", "park"),
    ],
)
def test_a_file_that_is_cut_while_it_is_closed_loses_nothing(
    tmp_path: Path, steps: tuple[str, ...]
) -> None:
    world = World(tmp_path)
    for step in (*steps, "read", "read"):
        world.step(step)
    world.close()
    assert sorted(world.seen) == list(range(world.written))


@pytest.mark.parametrize("lines", [0, 1, 20, 90])
@pytest.mark.parametrize("number", range(1, 9))
def test_a_cut_at_any_moment_of_a_restart_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, lines: int
) -> None:
    world = World(tmp_path)
    for step in ("write_many", "read_one", "write_many", "write_many", "die"):
        world.step(step)
    assert 0 < len(world.seen) < world.written
    monkeypatch.setattr(os, "pread", world.pread)
    world.cut_before_read(number, lines)
    for _ in range(3):
        world.step("read")
    world.close()
    assert world.log.with_name("app.log.1").exists()
    assert world.seen == list(range(world.written))


@pytest.mark.parametrize("lines", [0, 1, 20, 90])
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_log_that_is_cut_while_its_old_lines_are_passed_over_is_read_from_its_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, lines: int
) -> None:
    world = World(tmp_path)
    world.step("write_many")
    file = LogFile(str(world.log))
    file.begin(19 * 2)
    monkeypatch.setattr(os, "pread", world.pread)
    world.cut_before_read(number, lines)
    assert file.skip(lambda _, place: place + 19 * 30) == 0
    assert file.offset == 19 * 2
    with pytest.raises(RewrittenError):
        file.read()
    copy = LogFile(f"{world.log}.1")
    assert file.is_continued_by(copy)
    for each in (file, copy):
        each.close()
    world.close()


def test_old_lines_are_passed_over_where_nothing_happens_meanwhile(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntwo\n")
    file = LogFile(str(log))
    assert file.skip(lambda _, place: place) == 0
    assert file.skip(lambda _, place: place + 4) == 4
    chunk = file.read()
    assert chunk is not None
    assert chunk.block == b"two\n"
    file.close()


@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_is_written_after_a_cut_is_read_though_the_log_was_to_be_begun_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    world = World(tmp_path)
    world.step("write_many")
    tail = follow(world.log)
    monkeypatch.setattr(os, "pread", world.pread)
    world.cut_before_read(number, 3)
    tail.look(Seconds(0), from_end=True)
    assert drain(tail, 1).splitlines()[-3:] == [b"line number %06d" % n for n in (81, 82, 83)]
    tail.close()
    world.close()


def follow(log: Path) -> Tail:
    roster = Roster(Watch("app", lambda _: None, polls=True))
    return Tail(str(log), roster=roster, emit=lambda _: None)


def drain(tail: Tail, now: float) -> bytes:
    tail.look(Seconds(now))
    text = b""
    while not tail.is_idle:
        piece = tail.read()
        text += piece.chunk.block if piece is not None else b""
    return text


def begun(folder: Path) -> tuple[Path, Tail]:
    """Return a log of one line, and a tail that has read it."""
    log = folder / "app.log"
    log.write_bytes(b"one\n")
    tail = follow(log)
    assert drain(tail, 0) == b"one\n"
    return log, tail


def test_a_deleted_log_gives_its_room_back_after_a_while(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\ntw")
    tail = follow(log)
    assert drain(tail, 0) == b"one\n"
    log.unlink()
    assert drain(tail, 1) == b""
    assert tail.is_open
    # What never got its end will not get it any more.
    assert drain(tail, 1 + LINGER_SPAN) == b"tw\n"
    assert not tail.is_open
    assert tail.is_over
    log.write_bytes(b"new\n")
    assert drain(tail, 2 + LINGER_SPAN) == b"new\n"
    tail.close()


def test_a_rotated_log_is_let_go_of_after_a_while(tmp_path: Path) -> None:
    rotated = tmp_path / "app.log.1"
    log, tail = begun(tmp_path)
    log.rename(rotated)
    log.write_bytes(b"two\n")
    assert drain(tail, 1) == b"two\n"
    with rotated.open("ab") as writer:
        writer.write(b"late\n")
    assert drain(tail, 2) == b"late\n"
    assert drain(tail, 2 + LINGER_SPAN) == b""
    with rotated.open("ab") as writer:
        writer.write(b"too late\n")
    assert drain(tail, 3 + LINGER_SPAN) == b""
    tail.close()


def test_a_hole_of_many_blocks_is_stepped_over_at_once(tmp_path: Path) -> None:
    log, tail = begun(tmp_path)
    with log.open("r+b") as writer:
        writer.truncate(0)
        writer.seek(1 << 34)
        writer.write(b"two\n")
    assert drain(tail, 1) == b"two\n"
    tail.close()


def test_written_nuls_without_a_line_are_passed_over(tmp_path: Path) -> None:
    log, tail = begun(tmp_path)
    with log.open("ab") as writer:
        writer.write(bytes(5000) + b"two\n")
    assert drain(tail, 1) == b"two\n"
    tail.close()


def test_a_replaced_log_whose_rest_was_unread_is_read_to_its_end(tmp_path: Path) -> None:
    log, tail = begun(tmp_path)
    with log.open("ab") as writer:
        writer.write(b"two\n")
    (tmp_path / "new").write_bytes(b"other\n")
    (tmp_path / "new").rename(log)
    assert drain(tail, 1) == b"two\nother\n"
    tail.close()


def test_a_backlog_is_read_in_smaller_blocks_than_what_comes_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logfile, "BLOCK_BYTES", 64)
    monkeypatch.setattr(logfile, "BACKLOG_BYTES", 32)
    log = tmp_path / "auth.log"
    log.write_bytes(b"a line of a log\n" * 100)
    file = LogFile(str(log))
    chunks = [file.read(live=live) for live in (False, True)]
    file.close()
    assert [chunk and len(chunk.block) for chunk in chunks] == [32, 64]
