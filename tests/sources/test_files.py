"""Log files on a real file system: rotation in all its ways, globs, restarts."""

import asyncio
import errno
import os
import shutil
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from banish.model.instant import Instant
from banish.model.record import LINE_LIMIT_BYTES, Batch, FilePosition, Position
from banish.model.settings import LogPath
from banish.sources import watch as watching
from banish.sources.files import FileSource
from banish.sources.piece import LATE_MARK
from banish.telemetry.events import (
    Event,
    PartFailed,
    PartRecovered,
    SourceChanged,
    WarningGiven,
)
from tests.sources.contract import (
    Rig,
    SourceContract,
    lines_of,
    played,
    reading,
    saved,
    take,
    take_batches,
    within,
)


def wall() -> Instant:
    return Instant(time.time())


class FileRig(Rig):
    def __init__(self, folder: Path, *, polls: bool = False) -> None:
        self.folder = folder
        self.log = folder / "app.log"
        self.log.touch()
        self.told: list[Event] = []
        self._tells = asyncio.Event()
        self.polls = polls

    def source(self, *patterns: str | LogPath) -> FileSource:
        paths = [
            LogPath(str(self.folder / entry)) if isinstance(entry, str) else entry
            for entry in patterns or ("app.log",)
        ]
        return FileSource("app", paths, emit=self.tell, clock=wall, polls=self.polls)

    def write(self, *messages: str, to: str = "app.log") -> None:
        append(self.folder / to, *messages)

    def line(self, message: str) -> bytes:
        return message.encode()

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self._tells.set()

    async def hears(self, words: str) -> Event:
        """Wait until something was told that has these *words* in it."""
        while True:
            for event in self.told:
                if words in event.text():
                    return event
            self._tells.clear()
            await within(self._tells.wait())

    def changes(self) -> list[str]:
        return [each.what for each in self.told if isinstance(each, SourceChanged)]


def append(path: Path, *messages: str) -> None:
    with path.open("ab", buffering=0) as file:
        file.write("".join(f"{message}\n" for message in messages).encode())


@pytest.fixture
def rig(tmp_path: Path) -> FileRig:
    return FileRig(tmp_path)


class TestWithInotify(SourceContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return FileRig(tmp_path)


class TestWithPolling(SourceContract):
    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
        monkeypatch.setattr(watching, "POLL_SPAN", 0.005)
        return FileRig(tmp_path, polls=True)


# Lines and blocks


def test_an_incomplete_line_is_held_until_its_end_is_written(rig: FileRig) -> None:
    async def work() -> None:
        rig.log.write_bytes(b"one\ntw")
        async with reading(rig.source()) as batches:
            assert await take(batches, 1) == [b"one"]
            with rig.log.open("ab") as file:
                file.write(b"o\n")
            (batch,) = await take_batches(batches, 1)
            assert (batch.block, batch.start) == (b"two\n", 4)

    played(work)


def test_carriage_returns_and_odd_bytes_stay(rig: FileRig) -> None:
    async def work() -> None:
        rig.log.write_bytes(b"one\r\n\xff\xfe\0\n\n")
        async with reading(rig.source()) as batches:
            (batch,) = await take_batches(batches, 3)
            assert batch.block == b"one\r\n\xff\xfe\0\n\n"
            assert batch.path == str(rig.log)

    played(work)


def test_a_large_log_comes_in_blocks_with_their_offsets(rig: FileRig) -> None:
    async def work() -> None:
        text = b"".join(b"%07d some text to fill the line\n" % n for n in range(60_000))
        rig.log.write_bytes(text)
        async with reading(rig.source()) as batches:
            taken = await take_batches(batches, 60_000)
        assert len(taken) > 2
        assert b"".join(batch.block for batch in taken) == text
        for batch in taken:
            assert text[batch.start : batch.start + len(batch.block)] == batch.block
            assert isinstance(batch.after, FilePosition)
            assert batch.after.offset == batch.start + len(batch.block)
        assert not any(batch.live for batch in taken)

    played(work)


def test_a_line_without_end_takes_no_memory_and_loses_nothing_after_it(rig: FileRig) -> None:
    async def work() -> None:
        rig.log.write_bytes(b"a" * (3 * 1024 * 1024))
        source = rig.source()
        async with reading(source) as batches:
            following = asyncio.ensure_future(anext(batches))
            # Some steps of the event loop, a block each, that find no line's end.
            for _ in range(20):
                await asyncio.sleep(0)
            assert source.health().lines == 0
            with rig.log.open("ab") as file:
                file.write(b"\nnext\n")
            long = await following
            assert (len(long.block), long.cut) == (LINE_LIMIT_BYTES + 1, 1)
            (after,) = await take_batches(batches, 1)
            assert (after.block, after.start) == (b"next\n", 3 * 1024 * 1024 + 1)

    played(work)


# Rotation while we read


def test_rename_rotation_reads_the_old_file_to_its_end_first(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one")
        async with reading(rig.source()) as batches:
            assert await take(batches, 1) == [b"one"]
            writer = rig.log.open("ab", buffering=0)
            rig.write("two")
            rig.log.rename(rig.folder / "app.log.1")
            # The writer does not know yet: it goes on with the file it has open.
            writer.write(b"three\n")
            assert await take(batches, 2) == [b"two", b"three"]
            rig.log.touch()
            writer.write(b"four\n")
            assert await take(batches, 1) == [b"four"]
            writer.write(b"five\n")
            rig.write("six")
            taken = [batch async for batch in until(batches, b"six")]
            assert lines_of(taken) == [b"five", b"six"]
            writer.write(b"late\n")
            (late,) = await take_batches(batches, 1)
            assert (late.block, late.source) == (b"late\n", str(rig.log) + LATE_MARK)
            rig.write("seven")
            (last,) = await take_batches(batches, 1)
            assert (last.block, last.source, last.live) == (b"seven\n", str(rig.log), True)
            writer.close()
        assert any("rotated" in what for what in rig.changes())

    played(work)


def test_copytruncate_reads_the_rest_from_the_copy(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one")
        async with reading(rig.source()) as batches:
            assert await take(batches, 1) == [b"one"]
            rig.write("two")
            shutil.copyfile(rig.log, rig.folder / "app.log.1")
            os.truncate(rig.log, 0)
            rig.write("three")
            assert await take(batches, 2) == [b"two", b"three"]
            rig.write("four")
            assert await take(batches, 1) == [b"four"]

    played(work)


def test_a_log_that_is_cut_and_grows_past_our_place_at_once_is_read_anew(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one", "two")
        async with reading(rig.source()) as batches:
            assert await take(batches, 2) == [b"one", b"two"]
            os.truncate(rig.log, 0)
            rig.write("uno", "dos", "tres", "cuatro")
            assert await take(batches, 4) == [b"uno", b"dos", b"tres", b"cuatro"]

    played(work)


def test_a_log_that_is_cut_back_is_not_read_again(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one", "two", "three")
        async with reading(rig.source()) as batches:
            assert await take(batches, 3) == [b"one", b"two", b"three"]
            following = asyncio.ensure_future(anext(batches))
            os.truncate(rig.log, 8)
            await rig.hears("was truncated to 8 bytes")
            rig.write("four")
            assert lines_of([await following]) == [b"four"]

    played(work)


def test_a_hole_left_by_a_writer_without_append_is_stepped_over(rig: FileRig) -> None:
    async def work() -> None:
        with rig.log.open("r+b", buffering=0) as writer:
            writer.write(b"x" * 9_000 + b"\n")
            async with reading(rig.source()) as batches:
                await take(batches, 1)
                os.truncate(rig.log, 0)
                writer.write(b"after the hole\n")
                (batch,) = await take_batches(batches, 1)
                assert (batch.block, batch.start) == (b"after the hole\n", 9_001)

    played(work)


def test_a_file_put_in_place_of_the_log_is_read_from_its_start(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one", "two")
        async with reading(rig.source()) as batches:
            assert await take(batches, 2) == [b"one", b"two"]
            rig.write("uno", "dos", to="new")
            (rig.folder / "new").rename(rig.log)
            assert await take(batches, 2) == [b"uno", b"dos"]

    played(work)


def test_a_copy_put_in_place_of_the_log_is_not_read_again(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one", "two")
        async with reading(rig.source()) as batches:
            assert await take(batches, 2) == [b"one", b"two"]
            shutil.copyfile(rig.log, rig.folder / "new")
            rig.write("three", to="new")
            (rig.folder / "new").rename(rig.log)
            assert await take(batches, 1) == [b"three"]

    played(work)


def test_a_deleted_log_is_read_again_once_it_comes_back(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one")
        source = rig.source()
        async with reading(source) as batches:
            assert await take(batches, 1) == [b"one"]
            rig.log.unlink()
            rig.write("two")
            assert (await take(batches, 1)) == [b"two"]

    played(work)


def test_rotations_that_follow_each_other_faster_than_we_look_lose_nothing(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one")
        async with reading(rig.source()) as batches:
            assert await take(batches, 1) == [b"one"]
            for number in range(2, 6):
                rig.write(f"{number} before")
                for old in range(9, 0, -1):
                    if (path := rig.folder / f"app.log.{old}").exists():
                        path.rename(rig.folder / f"app.log.{old + 1}")
                rig.log.rename(rig.folder / "app.log.1")
                rig.write(f"{number} after")
            expected = [f"{n} {word}" for n in range(2, 6) for word in ("before", "after")]
            assert await take(batches, 8) == rig.lines(*expected)

    played(work)


# Names: what appears, what is matched twice, links


def test_a_log_that_appears_later_is_read_from_its_start(rig: FileRig) -> None:
    async def work() -> None:
        source = rig.source("later.log")
        assert source.health().state == "waiting"
        async with reading(source) as batches:
            following = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0)
            health = source.health()
            assert health.state == "waiting"
            assert "no file matches" in health.detail
            assert "backend = systemd" in health.detail
            rig.write("one", to="later.log")
            assert lines_of([await within(following)]) == [b"one"]
            assert source.health().state == "reading"
            assert source.health().paths == (str(rig.folder / "later.log"),)

    played(work)


def test_a_folder_that_appears_later_is_looked_into(rig: FileRig) -> None:
    async def work() -> None:
        async with reading(rig.source("a/b/x.log", "v*/logs/*.log")) as batches:
            following = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0)
            (rig.folder / "a").mkdir()
            (rig.folder / "a/b").mkdir()
            rig.write("one", to="a/b/x.log")
            assert lines_of([await within(following)]) == [b"one"]
            (rig.folder / "vhost/logs").mkdir(parents=True)
            rig.write("two", to="vhost/logs/y.log")
            assert await take(batches, 1) == [b"two"]

    played(work)


def test_a_folder_that_is_replaced_is_followed_into_its_successor(rig: FileRig) -> None:
    async def work() -> None:
        (rig.folder / "logs").mkdir()
        rig.write("one", to="logs/x.log")
        async with reading(rig.source("logs/x.log")) as batches:
            assert await take(batches, 1) == [b"one"]
            (rig.folder / "logs").rename(rig.folder / "logs.old")
            rig.write("two", to="logs.old/x.log")
            assert await take(batches, 1) == [b"two"]
            (rig.folder / "logs").mkdir()
            rig.write("three", to="logs/x.log")
            assert await take(batches, 1) == [b"three"]

    played(work)


def test_a_glob_takes_up_new_files_without_a_restart(rig: FileRig) -> None:
    async def work() -> None:
        async with reading(rig.source("*.log")) as batches:
            rig.write("one")
            assert await take(batches, 1) == [b"one"]
            rig.write("two", to="other.log")
            (two,) = await take_batches(batches, 1)
            assert (two.block, two.source) == (b"two\n", str(rig.folder / "other.log"))
            rig.write("three")
            assert await take(batches, 1) == [b"three"]
        assert "appeared" in rig.changes()

    played(work)


def test_a_file_that_several_names_lead_to_is_read_once(rig: FileRig) -> None:
    async def work() -> None:
        (rig.folder / "soft.log").symlink_to(rig.log)
        (rig.folder / "hard.log").hardlink_to(rig.log)
        rig.write("one")
        async with reading(rig.source("app.log", "*.log", "a*.log")) as batches:
            assert await take(batches, 1) == [b"one"]
            rig.write("two")
            assert await take(batches, 1) == [b"two"]

    played(work)


def test_a_rotated_name_that_the_glob_matches_too_is_not_read_again(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one")
        (rig.folder / "app.log.2.gz").write_bytes(b"\x1f\x8b never text\n")
        async with reading(rig.source("app.log*")) as batches:
            assert await take(batches, 1) == [b"one"]
            rig.log.rename(rig.folder / "app.log.1")
            rig.write("two")
            assert [line async for line in lines_until(batches, b"two")] == [b"two"]
            rig.write("three")
            assert await take(batches, 1) == [b"three"]
        (warning,) = [each for each in rig.told if isinstance(each, WarningGiven)]
        assert "app.log.1" in warning.what

    played(work)


def test_a_dangling_link_is_waited_for_and_a_replaced_one_followed(rig: FileRig) -> None:
    async def work() -> None:
        target = rig.folder / "elsewhere"
        target.mkdir()
        link = rig.folder / "link.log"
        link.symlink_to(target / "first.log")
        async with reading(rig.source("link.log")) as batches:
            following = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0)
            rig.write("one", to="elsewhere/first.log")
            assert lines_of([await within(following)]) == [b"one"]
            rig.write("two", to="elsewhere/second.log")
            (rig.folder / "new").symlink_to(target / "second.log")
            (rig.folder / "new").rename(link)
            assert [line async for line in lines_until(batches, b"two")] == [b"two"]

    played(work)


# Trouble


def test_a_log_that_cannot_be_read_is_told_and_read_once_it_can_be(rig: FileRig) -> None:
    async def work() -> None:
        blocked = rig.folder / "x.log"
        blocked.mkdir()
        source = rig.source("x.log")
        async with reading(source) as batches:
            following = asyncio.ensure_future(anext(batches))
            await rig.hears("is a directory")
            assert source.health().state == "failing"
            blocked.rmdir()
            rig.write("one", to="x.log")
            assert lines_of([await within(following)]) == [b"one"]
            assert source.health().state == "reading"
        told = [type(each) for each in rig.told if not isinstance(each, SourceChanged)]
        assert told == [PartFailed, PartRecovered]

    played(work)


def test_without_permission_health_says_so_until_it_is_given(
    rig: FileRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may read everything, so the refusal of open(2) is acted.
    may_read = False
    really_open = os.open

    def guarded_open(path: str, flags: int, mode: int = 0o777) -> int:
        if path == str(rig.log) and not may_read:
            raise PermissionError(13, "Permission denied", path)
        return really_open(path, flags, mode)

    async def work() -> None:
        nonlocal may_read
        rig.write("one")
        source = rig.source()
        monkeypatch.setattr("banish.sources.logfile.os.open", guarded_open)
        async with reading(source) as batches:
            following = asyncio.ensure_future(anext(batches))
            await rig.hears("Permission denied")
            assert "namei -l" in source.health().detail
            may_read = True
            rig.log.chmod(0o644)
            assert lines_of([await within(following)]) == [b"one"]

    played(work)


def test_without_inotify_files_are_polled_and_the_cure_is_told(
    rig: FileRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    async def work() -> None:
        monkeypatch.setattr("banish.sources.inotify.INotify", refused)
        monkeypatch.setattr(watching, "POLL_SPAN", 0.005)
        async with reading(rig.source("*.log")) as batches:
            rig.write("one")
            assert await take(batches, 1) == [b"one"]
            rig.write("two")
            assert await take(batches, 1) == [b"two"]
        (warning,) = [each for each in rig.told if isinstance(each, WarningGiven)]
        assert "fs.inotify.max_user_instances" in warning.what

    played(work)


# Restarts


def test_a_log_begins_at_its_start_or_with_tail_at_its_end(rig: FileRig) -> None:
    async def work() -> None:
        rig.log.write_bytes(b"one\ntw")
        async with reading(rig.source(LogPath(str(rig.log), tail=True))) as batches:
            place = await within(anext(batches))
            assert (place.block, place.live) == (b"", True)
            with rig.log.open("ab") as file:
                file.write(b"o\n")
            assert await take(batches, 1) == [b"two"]
        # The place is known now, so what was written meanwhile is not left out.
        rig.write("three")
        known = saved([place])
        async with reading(rig.source(LogPath(str(rig.log), tail=True)), known) as batches:
            assert await take(batches, 2) == [b"two", b"three"]

    played(work)


async def read_some(rig: FileRig, *messages: str) -> dict[str, Position]:
    """Write *messages*, read them, and return what was saved when we went down."""
    rig.write(*messages)
    async with reading(rig.source()) as batches:
        return saved(await take_batches(batches, len(messages)))


def test_a_rename_while_we_were_down_is_made_up_for(rig: FileRig) -> None:
    async def work() -> None:
        known = await read_some(rig, "one")
        rig.write("two")
        rig.log.rename(rig.folder / "app.log.1")
        rig.write("three")
        rig.log.rename(rig.folder / "app.log.1.new")
        (rig.folder / "app.log.1").rename(rig.folder / "app.log.2")
        (rig.folder / "app.log.1.new").rename(rig.folder / "app.log.1")
        rig.write("four")
        (rig.folder / "app.log.3").write_bytes(b"older\n")
        os.utime(rig.folder / "app.log.3", (1, 1))
        async with reading(rig.source(), known) as batches:
            assert await take(batches, 3) == [b"two", b"three", b"four"]

    played(work)


def test_a_rename_whose_successor_is_not_begun_yet_is_made_up_for(rig: FileRig) -> None:
    async def work() -> None:
        known = await read_some(rig, "one")
        rig.write("two")
        rig.log.rename(rig.folder / "app.log-20261122")
        async with reading(rig.source(), known) as batches:
            assert await take(batches, 1) == [b"two"]
            rig.write("three", to="app.log-20261122")
            assert await take(batches, 1) == [b"three"]
            rig.write("four")
            assert [line async for line in lines_until(batches, b"four")] == [b"four"]

    played(work)


def test_a_copytruncate_while_we_were_down_is_made_up_for(rig: FileRig) -> None:
    async def work() -> None:
        known = await read_some(rig, "one")
        rig.write("two")
        shutil.copyfile(rig.log, rig.folder / "app.1.log")
        os.truncate(rig.log, 0)
        rig.write("three", "four")
        async with reading(rig.source(), known) as batches:
            assert await take(batches, 3) == [b"two", b"three", b"four"]

    played(work)


def test_another_file_in_the_logs_place_is_read_from_its_start(rig: FileRig) -> None:
    async def work() -> None:
        known = await read_some(rig, "one", "two")
        rig.log.unlink()
        rig.write("uno", "dos", "tres")
        async with reading(rig.source(), known) as batches:
            assert await take(batches, 3) == [b"uno", b"dos", b"tres"]

    played(work)


def test_an_inode_number_used_again_is_not_taken_for_the_same_file(rig: FileRig) -> None:
    async def work() -> None:
        known = await read_some(rig, "one")
        # The same inode with other contents is what a reused number looks like.
        rig.log.write_bytes(b"another beginning\nmore\n")
        async with reading(rig.source(), known) as batches:
            assert await take(batches, 2) == [b"another beginning", b"more"]

    played(work)


def test_late_lines_in_the_rotated_file_are_found_after_a_restart(rig: FileRig) -> None:
    async def work() -> None:
        rig.write("one")
        async with reading(rig.source()) as batches:
            taken = await take_batches(batches, 1)
            rig.log.rename(rig.folder / "app.log.1")
            rig.write("two")
            taken += [batch async for batch in until(batches, b"two")]
        rig.write("late", to="app.log.1")
        rig.write("three")
        async with reading(rig.source(), saved(taken)) as batches:
            assert sorted(await take(batches, 2)) == [b"late", b"three"]

    played(work)


async def until(batches: AsyncGenerator[Batch, None], ending: bytes) -> AsyncGenerator[Batch, None]:
    """Yield batches until one ends with the line *ending*."""
    while True:
        batch = await within(anext(batches))
        yield batch
        if batch.block.endswith(ending + b"\n"):
            return


async def lines_until(
    batches: AsyncGenerator[Batch, None], ending: bytes
) -> AsyncGenerator[bytes, None]:
    async for batch in until(batches, ending):
        for line in lines_of([batch]):
            yield line


def test_lines_written_once_a_log_has_its_place_are_live_though_older_ones_wait(
    tmp_path: Path,
) -> None:
    log = tmp_path / "app.log"
    log.write_bytes(b"old 1\nold 2\npart")

    async def play() -> None:
        source = FileSource(
            "app", [LogPath(str(log), tail=False)], emit=lambda _: None, clock=lambda: Instant(0)
        )
        batches = source.batches({})
        first = asyncio.ensure_future(anext(batches))
        await source.placed()
        with log.open("ab") as writer:
            writer.write(b" of a line\nnew\n")
        found = [await first]
        while b"new" not in found[-1].block:
            found.append(await anext(batches))
        await batches.aclose()
        seen = [(line, batch.live) for batch in found for line in batch.block.splitlines()]
        assert seen == [
            (b"old 1", False),
            (b"old 2", False),
            (b"part of a line", True),
            (b"new", True),
        ]

    asyncio.run(asyncio.wait_for(play(), 20))
