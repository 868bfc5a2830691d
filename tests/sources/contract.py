"""What every source must do; each source's test file runs this suite on it.

A suite is a class with a `Rig`: how to make the source, and how to write to
its log. Times and offsets of the log do not matter here, only lines.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from banish.model.record import LINE_LIMIT_BYTES, Batch, Position
from banish.ports import Source

PATIENCE = 20.0
"""Seconds until a test that waits for an event gives up."""

T = TypeVar("T")


def within(work: Awaitable[T]) -> Awaitable[T]:
    return asyncio.wait_for(work, PATIENCE)


def reading(
    source: Source, after: Mapping[str, Position] | None = None
) -> AbstractAsyncContextManager[AsyncGenerator[Batch, None]]:
    """Read *source*; its iterator is closed at the end of the ``async with``."""
    return aclosing(source.batches(after or {}))


async def take_batches(batches: AsyncGenerator[Batch, None], lines: int) -> list[Batch]:
    """Take batches until they hold *lines* lines, no more and no less."""
    taken: list[Batch] = []
    count = 0
    while count < lines:
        taken.append(await within(anext(batches)))
        count += taken[-1].block.count(b"\n")
    assert count == lines, lines_of(taken)
    return taken


async def take(batches: AsyncGenerator[Batch, None], lines: int) -> list[bytes]:
    """Take *lines* lines; more in the same batch is a failure."""
    return lines_of(await take_batches(batches, lines))


def lines_of(batches: Sequence[Batch]) -> list[bytes]:
    lines: list[bytes] = []
    for batch in batches:
        assert not batch.block or batch.block.endswith(b"\n")
        lines.extend(batch.block.split(b"\n")[:-1])
    return lines


def saved(batches: Sequence[Batch]) -> dict[str, Position]:
    """Return what a consumer that finished these batches would have saved."""
    return {batch.source: batch.after for batch in batches}


def played(work: Callable[[], Any]) -> None:
    asyncio.run(work())


def instances() -> int:
    """Return how many inotify instances the process has."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        try:
            found += str(each.readlink()) == "anon_inode:inotify"
        except OSError:
            continue
    return found


class Rig(ABC):
    """One log, and sources that read it."""

    @abstractmethod
    def source(self) -> Source:
        """Return a new source that reads the log."""

    @abstractmethod
    def write(self, *messages: str) -> None:
        """Append one line for each message."""

    @abstractmethod
    def line(self, message: str) -> bytes:
        """Return the line, without its end, that `write` of *message* makes."""

    def lines(self, *messages: str) -> list[bytes]:
        return [self.line(message) for message in messages]


class SourceContract:
    """Run by subclasses that define the fixture ``rig``."""

    def test_lines_come_out_in_the_order_they_were_written(self, rig: Rig) -> None:
        async def work() -> None:
            rig.write("one", "two")
            async with reading(rig.source()) as batches:
                assert await take(batches, 2) == rig.lines("one", "two")
                rig.write("three")
                assert await take(batches, 1) == rig.lines("three")
                rig.write("four", "five")
                assert await take(batches, 2) == rig.lines("four", "five")

        played(work)

    def test_lines_are_live_only_once_the_end_was_reached(self, rig: Rig) -> None:
        async def work() -> None:
            rig.write("old")
            async with reading(rig.source()) as batches:
                (old,) = await take_batches(batches, 1)
                assert not old.live
                # The next step of the iterator meets the end and waits there.
                following = asyncio.ensure_future(anext(batches))
                for _ in range(10):
                    await asyncio.sleep(0)
                rig.write("new")
                assert (await within(following)).live

        played(work)

    def test_nothing_is_doubled_or_left_out_wherever_reading_stops(self, rig: Rig) -> None:
        async def work() -> None:
            known: dict[str, Position] = {}
            seen: list[bytes] = []
            for run in range(4):
                rig.write(f"{run}a", f"{run}b")
                async with reading(rig.source(), known) as batches:
                    taken = await take_batches(batches, 2)
                    rig.write(f"{run}c")
                    taken += await take_batches(batches, 1)
                    # This one is read, but whoever read it died before it was done with it.
                    rig.write(f"{run}d")
                    await within(anext(batches))
                seen += lines_of(taken)
                known |= saved(taken)
                async with reading(rig.source(), known) as batches:
                    again = await take_batches(batches, 1)
                seen += lines_of(again)
                known |= saved(again)
            expected = [f"{run}{letter}" for run in range(4) for letter in "abcd"]
            assert seen == rig.lines(*expected)

        played(work)

    def test_a_line_over_the_limit_comes_alone_and_cut(self, rig: Rig) -> None:
        async def work() -> None:
            rig.write("before", "x" * (LINE_LIMIT_BYTES + 10), "after")
            source = rig.source()
            async with reading(source) as batches:
                taken = await take_batches(batches, 3)
            assert [len(batch.block.splitlines()) for batch in taken] == [1, 1, 1]
            assert [batch.cut for batch in taken] == [0, 1, 0]
            assert len(taken[1].block) == LINE_LIMIT_BYTES + 1
            assert source.health().cut_lines == 1

        played(work)

    def test_health_counts_what_was_read(self, rig: Rig) -> None:
        async def work() -> None:
            rig.write("one", "two", "three")
            source = rig.source()
            async with reading(source) as batches:
                taken = await take_batches(batches, 3)
            health = source.health()
            assert health.name == source.name
            assert health.lines == 3
            assert health.bytes == sum(len(batch.block) for batch in taken)
            assert health.last_line_at is not None

        played(work)

    def test_a_reader_that_waits_can_be_cancelled_and_another_begin(self, rig: Rig) -> None:
        async def work() -> None:
            async with reading(rig.source()) as batches:
                waiting = asyncio.ensure_future(anext(batches))
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            rig.write("one")
            async with reading(rig.source()) as batches:
                assert await take(batches, 1) == rig.lines("one")

        played(work)
