"""Thousands of files, few descriptors, one inotify instance: nothing is left unread untold."""

import asyncio
import errno
import os
import resource
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from banish.cli.health import of_source
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch
from banish.model.settings import LogPath
from banish.sources import listing, lognames
from banish.sources import rotated as rotation
from banish.sources import watch as watching
from banish.sources.files import FileSource
from banish.sources.globs import Expansion, expand
from banish.sources.inotify import Inotify, Listener
from banish.sources.openfiles import OpenFiles
from banish.sources.roster import Roster
from banish.sources.tail import Tail
from banish.sources.watch import Watch
from banish.telemetry.events import (
    Event,
    LinesLost,
    PartFailed,
    SourceChanged,
    WarningGiven,
)
from tests.sources.contract import instances, played, reading, within

pytestmark = pytest.mark.slow


def make_files(folder: Path, count: int) -> list[Path]:
    files = [folder / f"{number:04}.log" for number in range(count)]
    for file in files:
        file.write_bytes(b"first of %s\n" % file.name.encode())
    return files


def make_source(
    folder: Path,
    told: list[Event] | None = None,
    *,
    pattern: str = "*.log",
    open_files: OpenFiles | None = None,
    inotify: Inotify | None = None,
) -> FileSource:
    return FileSource(
        pattern,
        [LogPath(str(folder / pattern))],
        emit=(lambda _: None) if told is None else told.append,
        clock=lambda: Instant(0.0),
        open_files=open_files,
        inotify=inotify,
    )


async def lines(batches: AsyncGenerator[Batch, None], count: int) -> list[bytes]:
    """Return the next *count* lines in alphabetical order; more at once is a failure."""
    found: list[bytes] = []
    while len(found) < count:
        found += (await within(anext(batches))).block.splitlines()
    return sorted(found)


# Few descriptors


def test_more_files_than_may_be_open_are_all_read_and_read_on(tmp_path: Path) -> None:
    files = make_files(tmp_path, 300)
    open_files = OpenFiles(16)

    async def work() -> None:
        source = make_source(tmp_path, open_files=open_files)
        async with reading(source) as batches:
            assert len(await lines(batches, 300)) == 300
            for turn in range(2):
                for file in files:
                    with file.open("ab") as writer:
                        writer.write(b"%d in %s\n" % (turn, file.name.encode()))
                wanted = sorted(b"%d in %s" % (turn, file.name.encode()) for file in files)
                assert await lines(batches, 300) == wanted
                assert open_files.count <= 16
            assert len(source.health().paths) == 300
            assert source.health().state == "reading"

    played(work)
    assert open_files.count == 0


def rotate(file: Path, way: str) -> None:
    if way == "rename":
        file.rename(f"{file}.1")
    elif way == "copytruncate":
        Path(f"{file}.1").write_bytes(file.read_bytes())
        os.truncate(file, 0)
    else:
        Path(f"{file}.new").write_bytes(file.read_bytes())
        Path(f"{file}.new").rename(file)


@pytest.mark.parametrize("way", ["rename", "copytruncate", "replace"])
def test_a_file_that_was_closed_is_followed_through_its_rotation(tmp_path: Path, way: str) -> None:
    (file, *others) = make_files(tmp_path, 40)

    async def work() -> None:
        async with reading(make_source(tmp_path, open_files=OpenFiles(8))) as batches:
            await lines(batches, 40)
            for other in others:
                with other.open("ab") as writer:
                    writer.write(b"again\n")
            await lines(batches, 39)
            with file.open("ab") as writer:
                writer.write(b"before\n")
            rotate(file, way)
            with file.open("ab") as writer:
                writer.write(b"tomorrow\n")
            assert await lines(batches, 2) == [b"before", b"tomorrow"]

    played(work)


def test_all_files_rotated_at_once_are_read_though_few_may_be_open(tmp_path: Path) -> None:
    files = make_files(tmp_path, 100)
    open_files = OpenFiles(8, 24)

    async def work() -> None:
        async with reading(make_source(tmp_path, open_files=open_files)) as batches:
            await lines(batches, 100)
            for file in files:
                file.rename(f"{file}.1")
                file.write_bytes(b"next of %s\n" % file.name.encode())
            wanted = [b"next of %s" % file.name.encode() for file in files]
            assert await lines(batches, 100) == wanted
            assert open_files.count <= 24 + 1

    played(work)


def count_scans(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the patterns that are looked for from now on; it grows."""
    scans: list[str] = []

    def counted(pattern: str) -> Expansion:
        scans.append(pattern)
        return expand(pattern)

    monkeypatch.setattr(lognames, "expand", counted)
    return scans


@pytest.mark.parametrize("way", ["rename", "copytruncate"])
def test_a_thousand_logs_rotated_at_once_are_read_and_nobody_looks_for_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    count = 1_000
    files = make_files(tmp_path, count)
    scans = count_scans(monkeypatch)
    # No slow look in between: events alone are to tell.
    monkeypatch.setattr(watching, "SAFETY_SPAN", Seconds(600.0))

    async def work() -> None:
        async with reading(make_source(tmp_path, open_files=OpenFiles(100, 300))) as batches:
            await lines(batches, count)
            before = len(scans)
            for file in files:
                with file.open("ab") as log:
                    log.write(b"late %s\n" % file.name.encode())
                rotate(file, way)
                with file.open("ab") as log:
                    log.write(b"next %s\n" % file.name.encode())
            wanted = [b"%s %s" % (age, file.name.encode()) for age in AGES for file in files]
            assert await lines(batches, 2 * count) == wanted
            # Once is fair: so many events at once may fill the kernel's queue.
            assert len(scans) - before <= 1

    played(work)


AGES = (b"late", b"next")


def test_a_new_name_is_looked_for_only_where_a_pattern_may_mean_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans = count_scans(monkeypatch)
    monkeypatch.setattr(watching, "SAFETY_SPAN", Seconds(600.0))
    make_files(tmp_path, 3)

    async def work() -> None:
        async with reading(make_source(tmp_path)) as batches:
            await lines(batches, 3)
            before = len(scans)
            for name in ("other.txt", ".hidden.log", "0001.log.1", "0001.log.gz", "new.log.gz"):
                (tmp_path / name).write_bytes(b"nobody reads this\n")
            with (tmp_path / "0000.log").open("ab") as log:
                log.write(b"on\n")
            assert await lines(batches, 1) == [b"on"]
            assert len(scans) == before
            (tmp_path / "new.log").write_bytes(b"new\n")
            assert await lines(batches, 1) == [b"new"]
            assert len(scans) > before

    played(work)


def test_a_folder_that_is_at_rest_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_files(tmp_path, 5)
    listed = []
    original = os.listdir

    def count(folder: str) -> list[str]:
        listed.append(folder)
        return original(folder)

    monkeypatch.setattr(os, "listdir", count)
    folder = str(tmp_path)
    # It may have changed since, at what is the same time to its file system.
    assert listing.names_beginning_with("0003", folder) == ["0003.log"]
    assert listing.names_beginning_with("0003", folder) == ["0003.log"]
    assert len(listed) == 2
    os.utime(folder, (1_000_000_000, 1_000_000_000))
    for _ in range(3):
        assert listing.names_beginning_with("0003", folder) == ["0003.log"]
    assert len(listed) == 3
    (tmp_path / "0003.log.1").touch()
    assert listing.names_beginning_with("0003", folder) == ["0003.log", "0003.log.1"]


def test_when_descriptors_run_out_it_is_told_once_and_every_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SAFETY_SPAN", Seconds(0.02))
    make_files(tmp_path, 100)
    told: list[Event] = []
    open_files = OpenFiles()

    async def work() -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        probe = os.open(os.devnull, os.O_RDONLY)
        os.close(probe)
        async with reading(make_source(tmp_path, told, open_files=open_files)) as batches:
            resource.setrlimit(resource.RLIMIT_NOFILE, (probe + 40, hard))
            try:
                assert len(await lines(batches, 100)) == 100
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    played(work)
    (trouble,) = [each for each in told if isinstance(each, PartFailed)]
    assert "LimitNOFILE" in trouble.what
    assert not [each for each in told if isinstance(each, SourceChanged)]


# One inotify


def test_all_sources_share_one_inotify_instance(tmp_path: Path) -> None:
    before = instances()
    make_files(tmp_path, 30)

    async def work() -> None:
        inotify = Inotify()
        sources = [
            make_source(tmp_path, pattern=f"{number:04}.log", inotify=inotify)
            for number in range(30)
        ]
        async with AsyncExitStack() as stack:
            batches = [await stack.enter_async_context(reading(each)) for each in sources]
            for each in batches:
                await lines(each, 1)
            assert instances() == before + 1
            waiting = [asyncio.ensure_future(anext(each)) for each in batches]
            for number in (29, 0, 17):
                with (tmp_path / f"{number:04}.log").open("ab") as writer:
                    writer.write(b"on\n")
                assert (await within(waiting[number])).block == b"on\n"
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    played(work)
    assert instances() == before


def test_one_of_two_that_watch_a_file_may_leave_without_the_others_loss(tmp_path: Path) -> None:
    (file,) = make_files(tmp_path, 1)

    async def work() -> None:
        inotify = Inotify()
        one, two = (Watch(name, lambda _: None, inotify=inotify) for name in "ab")
        with file.open("rb") as opened:
            for watch in (one, two):
                watch.add_file(opened.fileno(), str(file), "owner")
            one.close()
            with file.open("ab") as writer:
                writer.write(b"on\n")
            changes = await within(two.wait(Seconds(20)))
        assert changes.owners == {"owner"}
        assert not changes.all
        two.close()

    played(work)


def test_when_watches_run_out_files_are_looked_at_and_the_cure_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "POLL_SPAN", Seconds(0.005))
    files = make_files(tmp_path, 20)
    told: list[Event] = []

    class Full(Inotify):
        """Has room for ten watches."""

        added = 0

        def add(self, path: str, mask: int, listener: Listener) -> int:
            self.added += 1
            if self.added > 10:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().add(path, mask, listener)

    async def work() -> None:
        async with reading(make_source(tmp_path, told, inotify=Full())) as batches:
            await lines(batches, 20)
            for file in files:
                with file.open("ab") as writer:
                    writer.write(b"on\n")
            assert len(await lines(batches, 20)) == 20

    played(work)
    (warning,) = [each for each in told if isinstance(each, WarningGiven)]
    assert "fs.inotify.max_user_watches" in warning.what


@pytest.mark.parametrize(("cost", "pause"), [(0.0, 2.0), (0.2, 10.0), (1000.0, 60.0)])
def test_a_look_that_takes_long_is_made_less_often(cost: float, pause: float) -> None:
    watch = Watch("app", lambda _: None)
    watch.look_took(Seconds(cost))
    assert watch._next_look(1_000.0) == 1_000.0 + pause
    watch.close()


# Limits


def test_files_that_are_too_many_are_trouble_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lognames, "PATHS_LIMIT", 5)
    make_files(tmp_path, 8)

    async def work() -> None:
        source = make_source(tmp_path)
        async with reading(source) as batches:
            await lines(batches, 5)
            assert source.health().unread_files == 3
            trouble = of_source(source.health())
            assert trouble is not None
            assert trouble.what == "3 files are not read"
            assert "logpath" in trouble.cure

    played(work)


class Storm:
    """A log that is rotated again and again while nobody reads it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "app.log"
        self.told: list[Event] = []
        self.roster = Roster(Watch("app", lambda _: None, polls=True))
        self.tail = Tail(str(self.log), roster=self.roster, emit=self.told.append)
        self._time = 1_000_000_000
        self._number = 0
        self.write()
        self.read()

    def write(self) -> None:
        with self.log.open("ab") as writer:
            writer.write(b"%06d\n" % self._number)
        self._number += 1
        self._stamp(self.log)

    def _stamp(self, path: Path) -> None:
        self._time += 1
        os.utime(path, (self._time, self._time))

    def rotate(self, way: str, keep: int) -> None:
        """Rotate so that *keep* rotated files are left."""
        ending = ".gz" if way == "gz" else ""
        for number in range(keep, 0, -1):
            old = Path(f"{self.log}.{number}{ending}")
            if old.exists():
                old.rename(f"{self.log}.{number + 1}{ending}")
        Path(f"{self.log}.{keep + 1}{ending}").unlink(missing_ok=True)
        if way == "copytruncate":
            Path(f"{self.log}.1").write_bytes(self.log.read_bytes())
            self._stamp(Path(f"{self.log}.1"))
            os.truncate(self.log, 0)
        elif way == "gz":
            # As gzip does: another file with the time of the first.
            packed = Path(f"{self.log}.1.gz")
            packed.write_bytes(b"\x1f\x8b" + self.log.read_bytes())
            os.utime(packed, (self._time, self._time))
            self.log.unlink()
        else:
            self.log.rename(f"{self.log}.1")

    def read(self) -> list[int]:
        self.tail.look(Seconds(0.0))
        found: list[int] = []
        while not self.tail.is_idle:
            piece = self.tail.read()
            if piece is not None:
                found += map(int, piece.chunk.block.split())
        return found

    def lost(self) -> int:
        return sum(each.files for each in self.told if isinstance(each, LinesLost))


@pytest.mark.parametrize("parked", [False, True])
@pytest.mark.parametrize("way", ["rename", "copytruncate"])
def test_a_hundred_rotations_between_two_reads_lose_nothing(
    tmp_path: Path, way: str, *, parked: bool
) -> None:
    storm = Storm(tmp_path)
    if parked:
        assert storm.tail.park()
    for _ in range(100):
        storm.write()
        storm.rotate(way, 200)
        storm.write()
    assert storm.read() == list(range(1, 201))
    assert not storm.lost()
    storm.tail.close()


def test_rotated_files_past_the_limit_are_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "MISSED_LIMIT", 16)
    monkeypatch.setattr(rotation, "LISTED_LIMIT", 20)
    storm = Storm(tmp_path)
    for _ in range(100):
        storm.rotate("rename", 200)
        storm.write()
    # The one that was open, 99 that were not, and the log itself; 16 of the 99 are read.
    assert storm.read() == [*range(84, 101)]
    assert storm.lost() == storm.roster.lost_files == 83
    assert storm.read() == []
    assert storm.lost() == 83
    storm.tail.close()


def test_files_that_were_compressed_before_they_were_read_are_counted_as_lost(
    tmp_path: Path,
) -> None:
    storm = Storm(tmp_path)
    for _ in range(10):
        storm.rotate("gz", 200)
        storm.write()
    assert storm.read() == [10]
    assert storm.lost() == 9
    storm.rotate("gz", 200)
    storm.write()
    # This one was read before it was compressed.
    assert storm.read() == [11]
    assert storm.lost() == 9
    storm.tail.close()


def test_files_that_may_have_been_deleted_unread_are_told(tmp_path: Path) -> None:
    storm = Storm(tmp_path)
    for _ in range(10):
        storm.rotate("rename", 3)
        storm.write()
    assert storm.read() == [7, 8, 9, 10]
    (lost,) = [each for each in storm.told if isinstance(each, LinesLost)]
    assert "may have been deleted unread" in lost.text()
    storm.tail.close()


def test_an_ordinary_rotation_loses_nothing(tmp_path: Path) -> None:
    storm = Storm(tmp_path)
    for number in range(1, 9):
        storm.rotate("gz" if number % 2 else "rename", 3)
        storm.write()
        assert storm.read() == [number]
    assert not storm.lost()
    storm.tail.close()


def test_lost_files_are_trouble_in_the_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "MISSED_LIMIT", 2)
    log = tmp_path / "app.log"
    log.write_bytes(b"first\n")

    async def work() -> None:
        source = make_source(tmp_path, pattern="app.log")
        async with reading(source) as batches:
            await lines(batches, 1)
            assert of_source(source.health()) is None
            for number in range(10):
                log.rename(f"{log}.{number + 1}")
                log.write_bytes(b"%d\n" % number)
            await lines(batches, 3)
            trouble = of_source(source.health())
            assert trouble is not None
            assert trouble.what.startswith("7 or more rotated files")

    played(work)


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("rotated", [False, True])
def test_what_is_written_after_the_start_is_live_in_files_that_had_to_wait(
    tmp_path: Path, *, tail: bool, rotated: bool
) -> None:
    files = make_files(tmp_path, 60)

    async def work() -> None:
        source = FileSource(
            "app",
            [LogPath(str(tmp_path / "*.log"), tail=tail)],
            emit=lambda _: None,
            clock=lambda: Instant(0.0),
            open_files=OpenFiles(8),
        )
        batches = source.batches({})
        first = asyncio.ensure_future(anext(batches))
        # The server is ready once all have their places, and asks for lines only then.
        await within(source.placed())
        for file in files:
            if rotated:
                file.rename(f"{file}.1")
            with file.open("ab") as writer:
                writer.write(b"new\n")
        live: list[bool] = []
        batch = await within(first)
        while True:
            lives = [batch.live] * batch.block.count(b"new\n")
            assert batch.live or b"new" not in batch.block
            live += lives
            if len(live) == 60:
                break
            batch = await within(anext(batches))
        await batches.aclose()

    played(work)
