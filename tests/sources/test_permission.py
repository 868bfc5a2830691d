"""A log that our user may not read, with a user that really may not: a child gives root up."""

import asyncio
import multiprocessing
import os
import tempfile
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from banish.model.instant import Instant
from banish.model.settings import LogPath
from banish.sources.files import FileSource
from tests.sources.contract import lines_of, reading, within

NOBODY = 65_534


def read_as_nobody(log: Path, pipe: Connection) -> None:
    os.setuid(NOBODY)
    refused = asyncio.Event()

    async def work() -> None:
        source = FileSource(
            "app",
            [LogPath(str(log))],
            emit=lambda _: refused.set(),
            clock=lambda: Instant(0.0),
        )
        async with reading(source) as batches:
            following = asyncio.ensure_future(anext(batches))
            await within(refused.wait())
            pipe.send(source.health().detail)
            pipe.send(lines_of([await within(following)]))

    asyncio.run(work())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_log_is_read_as_soon_as_we_may_read_it() -> None:
    # Not under pytest's own folder, which only its user may enter.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        log = Path(folder) / "app.log"
        log.write_bytes(b"one\n")
        log.chmod(0o600)
        here, there = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(
            target=read_as_nobody, args=(log, there)
        )
        child.start()
        try:
            assert here.poll(20)
            assert "Permission denied" in here.recv()
            log.chmod(0o644)
            assert here.poll(20)
            assert here.recv() == [b"one"]
        finally:
            child.terminate()
            child.join()
