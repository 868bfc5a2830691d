import asyncio
from pathlib import Path

import pytest

from banish.model.instant import Seconds
from banish.model.settings import LogPath
from banish.sources import watch as module
from banish.sources.files import FileSource
from banish.sources.watch import PathChanges, Watch

SOON = Seconds(0.001)


def looks(count: int, *, polls: bool = False) -> list[PathChanges]:
    """Return what *count* waits give that no event ends."""

    async def wait() -> list[PathChanges]:
        watch = Watch("auth.log", lambda _: None, polls=polls)
        try:
            return [await watch.wait(SOON) for _ in range(count)]
        finally:
            watch.close()

    return asyncio.run(wait())


def test_each_look_is_at_all_files_and_every_fifth_at_names() -> None:
    found = looks(10)
    assert all(each.all for each in found)
    assert [at for at, each in enumerate(found, 1) if each.names] == [5, 10]


def test_without_inotify_each_look_is_at_names() -> None:
    assert all(each.names and each.all for each in looks(3, polls=True))


def test_a_file_that_no_event_tells_of_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "auth.log"
    log.write_bytes(b"one\n")
    monkeypatch.setattr(module, "SAFETY_SPAN", SOON)
    # As on a file system that takes watches and never tells of anything.
    monkeypatch.setattr(Watch, "add_file", lambda *_: None)
    monkeypatch.setattr(Watch, "set_folders", lambda *_: False)

    async def read() -> list[bytes]:
        source = FileSource("s", [LogPath(str(log))], emit=lambda _: None, clock=lambda: 0.0)  # type: ignore[arg-type, return-value]
        batches = source.batches({})
        first = await anext(batches)
        with log.open("ab") as file:
            file.write(b"two\n")
        second = await anext(batches)
        log.rename(tmp_path / "auth.log.1")
        log.write_bytes(b"three\n")
        while not (third := await anext(batches)).block:
            pass  # only a position: the old file is left
        await batches.aclose()
        return [first.block, second.block, third.block]

    assert asyncio.run(asyncio.wait_for(read(), 10)) == [b"one\n", b"two\n", b"three\n"]
