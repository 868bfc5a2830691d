"""A log that was there and is gone is reported, with what became of it."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest

from banish.cli.health import of_source
from banish.model.instant import Instant, Seconds
from banish.model.record import Position
from banish.model.settings import LogPath
from banish.model.status import Absent, SourceHealth
from banish.sources import files as following
from banish.sources.files import FileSource
from banish.sources.openfiles import OpenFiles
from banish.sources.presence import GRACE, Fate, Presence, gone_trouble, reason
from tests.sources.contract import PATIENCE, played, reading, saved, take_batches


def nothing(_: str) -> bool:
    return False


def moved(_: str) -> Fate:
    return Fate("was moved")


def test_a_name_that_is_gone_for_less_than_the_pause_is_not_reported() -> None:
    presence = Presence(["/a"])
    presence.set_paths({"/a": ["/a"]})
    presence.look(Seconds(10.0), {"/a"}.__contains__, nothing)
    presence.look(Seconds(11.0), nothing, nothing)
    assert not presence.is_whole
    assert presence.absent(Seconds(11.0 + GRACE / 2), moved) == ()
    (absent,) = presence.absent(Seconds(11.0 + GRACE), moved)
    assert absent == Absent("/a", "the log /a was moved", was_there=True)
    presence.look(Seconds(20.0), {"/a"}.__contains__, nothing)
    assert presence.is_whole
    assert presence.absent(Seconds(30.0), moved) == ()


def test_a_glob_is_there_as_long_as_it_names_one_log() -> None:
    presence = Presence(["/*.log"])
    presence.set_paths({"/*.log": ["/a.log", "/b.log"]})
    presence.look(Seconds(0.0), {"/b.log"}.__contains__, nothing)
    assert presence.absent(Seconds(9.0), moved) == ()
    presence.set_paths({"/*.log": []})
    presence.look(Seconds(9.0), nothing, nothing)
    (absent,) = presence.absent(Seconds(19.0), moved)
    assert absent.what == "no file matches /*.log any more: the log /b.log was moved"


def test_all_that_are_gone_are_counted_and_those_that_never_were_are_not() -> None:
    never = Absent("/c", "no file matches /c")
    gone = [Absent(f"/{at}", f"the log /{at} was deleted", was_there=True) for at in range(3)]
    assert gone_trouble([never]) == ""
    assert gone_trouble([never, *gone]).startswith("the log /0 was deleted (and 2 more)\n")
    assert reason([never, *gone]).startswith("the log /0 was deleted (and 2 more); restart")
    assert reason([never, never]).startswith("no file matches /c, /c; correct logpath")


class Gone:
    """Two logs that are read; one of them, or both, will go away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "a.log"
        self.log.write_bytes(b"one\n")

    def source(self, *patterns: str, open_files: OpenFiles | None = None) -> FileSource:
        return FileSource(
            str(self.log),
            [LogPath(str(self.folder / pattern)) for pattern in patterns],
            emit=lambda _: None,
            clock=lambda: Instant(0.0),
            open_files=open_files,
        )


@pytest.fixture
def gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gone:
    monkeypatch.setattr(following, "GRACE", Seconds(0.0))
    return Gone(tmp_path)


@contextlib.asynccontextmanager
async def followed(
    source: FileSource, lines: int, after: Mapping[str, Position] | None = None
) -> AsyncIterator[list[bytes]]:
    """Read *source* beside the test, which goes on once *lines* were read; yield what is read."""
    found: list[bytes] = []

    async def read() -> None:
        async with reading(source, after) as batches:
            async for batch in batches:
                found.extend(batch.block.splitlines())

    task = asyncio.create_task(read())
    await until(lambda: len(found) >= lines)
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(is_so: Callable[[], bool], seconds: float = PATIENCE) -> None:
    async with asyncio.timeout(seconds):
        while not is_so():  # noqa: ASYNC110 - health is asked for, nobody is told of it
            await asyncio.sleep(0.01)


async def seen(source: FileSource, is_so: Callable[[SourceHealth], bool]) -> SourceHealth:
    """Read *source* until its health is as it should be, within a second or two."""
    await until(lambda: is_so(source.health()), 2.0)
    return source.health()


def needs_admin(health: SourceHealth) -> bool:
    return of_source(health) is not None


def test_a_log_that_was_moved_away_needs_the_admin_and_is_read_on(gone: Gone) -> None:
    async def work() -> None:
        source = gone.source("a.log")
        async with followed(source, 1) as lines:
            assert not needs_admin(source.health())
            gone.log.rename(gone.folder / "old")
            trouble = of_source(await seen(source, needs_admin))
            assert trouble is not None
            assert trouble.what == (
                f"was moved to {gone.folder}/old, and is read on there until a new one appears"
            )
            with (gone.folder / "old").open("ab") as old:
                old.write(b"two\n")
            await until(lambda: lines == [b"one", b"two"])
            gone.log.write_bytes(b"three\n")
            await until(lambda: lines == [b"one", b"two", b"three"])
            assert not needs_admin(source.health())

    played(work)


def test_a_log_that_was_deleted_needs_the_admin_though_its_file_is_open(gone: Gone) -> None:
    async def work() -> None:
        source = gone.source("a.log")
        async with followed(source, 1):
            gone.log.unlink()
            health = await seen(source, needs_admin)
            assert health.state == "reading"
            assert health.trouble.startswith(f"the log {gone.log} was deleted, and its old file")

    played(work)


@pytest.mark.parametrize("way", ["folder deleted", "folder moved", "folder above moved"])
def test_a_log_whose_folder_is_gone_needs_the_admin(gone: Gone, way: str) -> None:
    async def work() -> None:
        folder = gone.folder / "above" / "below"
        folder.mkdir(parents=True)
        (folder / "a.log").write_bytes(b"one\n")
        source = gone.source("above/below/a.log")
        async with followed(source, 1):
            match way:
                case "folder deleted":
                    shutil.rmtree(folder)
                case "folder moved":
                    folder.rename(folder.with_name("other"))
                case _:
                    folder.parent.rename(gone.folder / "other")
            # Of a folder above no event tells.
            await until(lambda: needs_admin(source.health()), 5.0)

    played(work)


@pytest.mark.parametrize("way", ["link deleted", "file moved"])
def test_a_link_that_leads_nowhere_any_more_needs_the_admin(gone: Gone, way: str) -> None:
    async def work() -> None:
        link = gone.folder / "link.log"
        link.symlink_to(gone.log)
        source = gone.source("link.log")
        async with followed(source, 1):
            if way == "link deleted":
                link.unlink()
            else:
                gone.log.rename(gone.folder / "old")
            await seen(source, needs_admin)

    played(work)


def test_one_log_of_several_that_is_gone_needs_the_admin(gone: Gone) -> None:
    async def work() -> None:
        (gone.folder / "b.log").write_bytes(b"one\n")
        source = gone.source("a.log", "b.log", "never.log")
        async with followed(source, 2):
            assert not needs_admin(source.health())
            gone.log.unlink()
            health = await seen(source, needs_admin)
            assert [(each.pattern, each.was_there) for each in health.absent] == [
                (str(gone.log), True),
                (str(gone.folder / "never.log"), False),
            ]

    played(work)


def test_one_log_of_a_glob_that_is_gone_is_ordinary_until_it_was_the_last(gone: Gone) -> None:
    async def work() -> None:
        (gone.folder / "b.log").write_bytes(b"one\n")
        source = gone.source("*.log")
        async with followed(source, 2):
            gone.log.unlink()
            await seen(source, lambda health: "to appear again" in health.detail)
            assert not needs_admin(source.health())
            (gone.folder / "b.log").rename(gone.folder / "old")
            health = await seen(source, needs_admin)
            assert health.trouble.startswith(f"no file matches {gone.folder}/*.log any more: ")

    played(work)


def test_a_log_that_was_rotated_while_we_were_down_and_never_begun_again_is_reported(
    gone: Gone,
) -> None:
    async def work() -> None:
        async with reading(gone.source("a.log")) as batches:
            place = saved(await take_batches(batches, 1))
        os.rename(gone.log, gone.folder / "a.log.1")
        source = gone.source("a.log")
        async with followed(source, 0, place):
            health = await seen(source, needs_admin)
            assert "a.log.1, and is read on there" in health.trouble

    played(work)


def test_a_closed_log_that_was_deleted_is_waited_for_with_the_reason(gone: Gone) -> None:
    async def work() -> None:
        few = OpenFiles(limit=8)
        others = [f"{number:02}.log" for number in range(20)]
        for name in others:
            (gone.folder / name).write_bytes(b"one\n")
        source, beside = (gone.source(*each, open_files=few) for each in (["a.log"], others))
        async with followed(source, 1), followed(beside, len(others)):
            await until(lambda: few.count <= 8)
            gone.log.unlink()
            health = await seen(source, lambda health: health.state == "waiting")
            assert health.detail.startswith(f"the log {gone.log} was moved or deleted, and no new")

    played(work)
