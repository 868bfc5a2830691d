"""A busy writer, rotated again and again, read by a reader that dies again and again.

The writer numbers its lines; every number must come out exactly once.

``copytruncate`` loses what is written between the copy and the cut, whoever
reads: so here the writer takes a lock around each line and the rotation takes
it around copy and cut. A rename needs no lock. Nor is a file cut that the reader
has not yet seen anything of since the cut before: what both the size and the
first line of a file say has then been there and gone.
"""

import asyncio
import fcntl
import multiprocessing
import os
import shutil
import time
from collections import Counter
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path

import pytest

from banish.model.instant import Instant
from banish.model.record import Position
from banish.model.settings import LogPath
from banish.sources import watch as watching
from banish.sources.files import FileSource
from tests.sources.contract import reading, within

pytestmark = pytest.mark.slow

LINES = 30_000
ROTATIONS = 12
FIRST = 9_999_999


def write_numbers(log: Path, lock: Path, rotation: str, seen: "Synchronized[int]") -> None:
    """Write `LINES` numbered lines, rotating `ROTATIONS` times on the way."""
    step = LINES // ROTATIONS
    with lock.open("wb") as guard:
        writer = log.open("ab", buffering=0)
        for number in range(LINES):
            fcntl.flock(guard, fcntl.LOCK_EX)
            writer.write(b"%07d a line that is about as long as such lines are\n" % number)
            fcntl.flock(guard, fcntl.LOCK_UN)
            if number % step == step - 1:
                if rotation == "copytruncate":
                    end = time.monotonic() + 20
                    while seen.value < number - step + 10 and time.monotonic() < end:
                        time.sleep(0.001)
                shift(log)
                if rotation == "rename":
                    log.rename(f"{log}.1")
                    # As a daemon that has not been told yet: some more go to the old file.
                    writer.write(b"%07d late but in order\n" % (LINES + number))
                    writer.close()
                    writer = log.open("ab", buffering=0)
                else:
                    fcntl.flock(guard, fcntl.LOCK_EX)
                    shutil.copyfile(log, f"{log}.1")
                    os.truncate(log, 0)
                    fcntl.flock(guard, fcntl.LOCK_UN)
        writer.close()


def shift(log: Path) -> None:
    for number in range(ROTATIONS + 1, 0, -1):
        old = Path(f"{log}.{number}")
        if old.exists():
            old.rename(f"{log}.{number + 1}")


def expected(rotation: str) -> Counter[int]:
    numbers = Counter([FIRST, *range(LINES)])
    if rotation == "rename":
        step = LINES // ROTATIONS
        numbers.update(LINES + n for n in range(step - 1, LINES, step))
    return numbers


@pytest.mark.parametrize("polls", [False, True])
@pytest.mark.parametrize("restarts", [0, 40])
@pytest.mark.parametrize("rotation", ["rename", "copytruncate"])
def test_every_line_comes_out_exactly_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rotation: str, restarts: int, polls: bool
) -> None:
    monkeypatch.setattr(watching, "POLL_SPAN", 0.002)
    log = tmp_path / "app.log"
    # The first line is read before the writer begins: so there is a position to go on from.
    log.write_bytes(b"%07d the first line\n" % FIRST)
    wanted = expected(rotation)
    seen: Counter[int] = Counter()
    known: dict[str, Position] = {}

    async def read(lines: int) -> None:
        """Read at least so many lines, committing all batches but the last."""
        source = FileSource(
            "app",
            [LogPath(str(log))],
            emit=lambda _: None,
            clock=lambda: Instant(time.time()),
            polls=polls,
        )
        begun = seen.total()
        async with reading(source, dict(known)) as batches:
            while True:
                batch = await within(anext(batches))
                numbers = [int(line[:7]) for line in batch.block.splitlines()]
                is_last = seen.total() + len(numbers) >= wanted.total()
                if seen.total() - begun >= lines and lines > 1:
                    return
                seen.update(numbers)
                known[batch.source] = batch.after
                progress.value = seen.total()
                if is_last or lines == 1:
                    return

    async def work() -> None:
        await read(1)
        writer.start()
        for _ in range(restarts):
            if seen.total() < wanted.total():
                await read(LINES // (restarts * 2))
        if seen.total() < wanted.total():
            await read(2 * LINES)

    fork = multiprocessing.get_context("fork")
    progress = fork.Value("i", 0)
    writer = fork.Process(target=write_numbers, args=(log, tmp_path / "lock", rotation, progress))
    try:
        asyncio.run(work())
        assert seen == wanted
    finally:
        if writer.pid is not None:
            writer.terminate()
            writer.join()
