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
from banish.sources.roster import Roster
from banish.sources.tail import LATE_MARK, LINGER_SPAN, Tail
from banish.sources.watch import Watch


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
    log, rotated = tmp_path / "app.log", tmp_path / "app.log.1"
    log.write_bytes(b"one\n")
    tail = follow(log)
    assert drain(tail, 0) == b"one\n"
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
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    tail = follow(log)
    assert drain(tail, 0) == b"one\n"
    with log.open("r+b") as writer:
        writer.truncate(0)
        writer.seek(1 << 34)
        writer.write(b"two\n")
    assert drain(tail, 1) == b"two\n"
    tail.close()


def test_written_nuls_without_a_line_are_passed_over(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    tail = follow(log)
    assert drain(tail, 0) == b"one\n"
    with log.open("ab") as writer:
        writer.write(bytes(5000) + b"two\n")
    assert drain(tail, 1) == b"two\n"
    tail.close()


def test_a_replaced_log_whose_rest_was_unread_is_read_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"one\n")
    tail = follow(log)
    assert drain(tail, 0) == b"one\n"
    with log.open("ab") as writer:
        writer.write(b"two\n")
    (tmp_path / "new").write_bytes(b"other\n")
    (tmp_path / "new").rename(log)
    assert drain(tail, 1) == b"two\nother\n"
    tail.close()
