"""Lines that reach a rotated file late."""

from pathlib import Path

import pytest

from banish.model.instant import Seconds
from banish.model.record import FilePosition
from banish.sources.late import LINGER_SPAN, LateFile
from banish.sources.logfile import LogFile
from banish.sources.piece import LATE_MARK
from banish.sources.roster import Roster
from banish.sources.rotated import RotatedFiles
from banish.sources.watch import Watch

NOW = Seconds(100)


class Stage:
    """A rotated file that was read to its end."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "app.log")
        self.roster = Roster(Watch("app", lambda _: None, polls=True))
        self.rotated = folder / "app.log.1"

    def file(self, text: bytes) -> LogFile:
        self.rotated.write_bytes(text)
        file = LogFile(str(self.rotated))
        self.roster.add(file, self.path)
        while file.read() is not None:
            pass
        return file

    def late(self, saved: FilePosition | None = None) -> LateFile:
        return LateFile(self.path, self.roster, saved)

    def write(self, text: bytes) -> None:
        with self.rotated.open("ab") as writer:
            writer.write(text)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_without_a_file_there_is_nothing_to_read(stage: Stage) -> None:
    late = stage.late()
    assert (late.is_open, late.is_read) == (False, True)
    assert late.read(NOW, live=True) is None
    assert late.finish(live=True) == []


def test_a_file_that_is_left_gives_its_place_and_then_its_late_lines(stage: Stage) -> None:
    late = stage.late()
    (place,) = late.follow(stage.file(b"one\n"), NOW, live=True)
    assert (place.key, place.chunk.block, place.after.offset) == (stage.path + LATE_MARK, b"", 4)
    stage.write(b"late\n")
    piece = late.read(NOW, live=True)
    assert piece is not None
    assert (piece.chunk.block, piece.after.offset) == (b"late\n", 9)
    assert late.read(NOW, live=True) is None
    assert late.is_read
    late.close()
    assert not late.is_open


def test_the_next_file_takes_the_place_of_the_one_before_after_its_last_line(stage: Stage) -> None:
    late = stage.late()
    late.follow(stage.file(b"one\ntw"), NOW, live=True)
    stage.rotated.unlink()
    last, place = late.follow(stage.file(b"three\n"), NOW, live=True)
    assert (last.chunk.block, place.after.offset) == (b"tw\n", 6)
    late.close()


def test_a_file_is_quiet_a_while_after_its_last_line(stage: Stage) -> None:
    late = stage.late()
    late.follow(stage.file(b"one\n"), NOW, live=True)
    stage.write(b"late\n")
    assert late.read(Seconds(NOW + LINGER_SPAN - 1), live=True) is not None
    assert not late.is_quiet(Seconds(NOW + LINGER_SPAN))
    assert late.is_quiet(Seconds(NOW + 2 * LINGER_SPAN))
    late.close()


def test_a_file_that_is_cut_after_its_end_is_let_go_of(stage: Stage) -> None:
    late = stage.late()
    late.follow(stage.file(b"one\n"), NOW, live=True)
    stage.rotated.write_bytes(b"")
    assert late.read(NOW, live=True) is None
    assert not late.is_open


def test_a_restart_goes_on_where_the_file_was_left(stage: Stage) -> None:
    file = stage.file(b"one\n")
    saved = file.position()
    stage.roster.drop(file)
    stage.write(b"late\n")
    late = stage.late(saved)
    late.open_saved(RotatedFiles(stage.path, stage.roster), NOW)
    piece = late.read(NOW, live=False)
    assert piece is not None
    assert piece.chunk.block == b"late\n"
    late.close()
