"""A database that hangs, wherever it does, holds up neither the start nor the end."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import pytest

from banish.daemon import recorder
from banish.daemon.recorder import Recorder
from banish.errors import StoreError
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import StartBan
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit, JailChanges, JailMemory, Memory, Slice
from banish.ports import Store
from banish.telemetry.events import Event, PartFailed, PartRecovered
from banish.testing.memory_store import MemoryStore
from tests.daemon.stage import ATTACKER, NOW

BAN = Ban("j", parse_subject(ATTACKER), NOW, Instant(NOW + 60))


class Disk(MemoryStore):
    """A store whose calls in `hung` hang until `answers` is set."""

    def __init__(self, *hung: str) -> None:
        super().__init__()
        self.hung = set(hung)
        self.answers = asyncio.Event()

    async def open(self) -> Store:
        """Open it, as a server does."""
        await self.wait("open")
        return self

    async def wait(self, call: str) -> None:
        """Hang if *call* does."""
        if call in self.hung:
            await self.answers.wait()

    async def load_bans(self, now: Instant) -> Memory:
        await self.wait("load_bans")
        return await super().load_bans(now)

    async def windows(self, now: Instant) -> AsyncGenerator[Slice]:
        yield Slice({"j": JailMemory()}, 1, 2)
        await self.wait("windows")

    async def history(self, *, limit: int, subject: object = None) -> Sequence[Ban]:
        await self.wait("history")
        return (BAN,)[:limit]

    async def commit(self, commits: Sequence[Commit]) -> None:
        await self.wait("commit")
        await super().commit(commits)

    async def close(self) -> None:
        await self.wait("close")
        await super().close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPEN_LIMIT", "READ_LIMIT", "SLICE_LIMIT", "CLOSE_LIMIT", "HANG_LIMIT"):
        monkeypatch.setattr(recorder, name, Seconds(0.01))


class Recorded:
    """A recording on a disk, and what it told."""

    def __init__(self, *hung: str) -> None:
        self.disk = Disk(*hung)
        self.told: list[Event] = []
        self.memories: list[Memory] = []

        async def take(memory: Memory) -> None:
            self.memories.append(memory)

        self.recording = Recorder(
            self.disk.open, emit=self.told.append, clock=lambda: NOW, on_memory=take
        )

    async def look_until_open(self) -> None:
        """Do what the task that owns it does, until the database is open."""
        while self.recording.store is None:
            if self.recording.is_due:
                await self.recording.write()
            await asyncio.sleep(0)


START = Commit(NOW, (StartBan(BAN),), (JailChanges("j", failures_total=3, bans_total=1),))


@pytest.mark.parametrize("where", ["open", "load_bans"])
def test_a_start_goes_on_without_what_hangs_and_takes_it_up_once_it_answers(where: str) -> None:
    async def play() -> None:
        on = Recorded(where)
        await MemoryStore.commit(on.disk, [START])
        assert await on.recording.begin() == Memory()
        assert "has not answered" in on.recording.trouble
        on.recording.add([Commit(NOW, (StartBan(BAN),))])
        await on.recording.write()
        assert [type(told) for told in on.told] == [PartFailed]
        assert on.memories == []
        on.disk.answers.set()
        await on.look_until_open()
        assert [ban for memory in on.memories for ban in memory.jails["j"].bans] == [BAN]
        await on.recording.close()
        assert on.recording.trouble == ""
        assert [type(told) for told in on.told] == [PartFailed, PartRecovered]
        assert len(on.disk.commits) == 2
        assert on.disk.is_closed

    asyncio.run(play())


def test_what_was_opened_late_is_well_though_there_is_nothing_to_write() -> None:
    async def play() -> None:
        on = Recorded("open")
        await on.recording.begin()
        assert on.recording.due_in > 0
        on.disk.answers.set()
        await on.look_until_open()
        assert on.recording.trouble == ""

    asyncio.run(play())


def test_bans_that_are_there_are_returned_at_once() -> None:
    async def play() -> None:
        on = Recorded()
        await MemoryStore.commit(on.disk, [START])
        assert (await on.recording.begin()).jails["j"].bans == (BAN,)
        assert on.told == []

    asyncio.run(play())


def test_a_database_that_cannot_be_read_is_trouble_and_tried_again() -> None:
    async def play() -> None:
        on = Recorded()
        on.disk.trouble = StoreError("no room")
        assert await on.recording.begin() == Memory()
        assert on.recording.trouble == "no room"
        assert on.recording.store is None

    asyncio.run(play())


def test_failures_of_before_that_do_not_come_are_an_error_and_those_that_came_are_good() -> None:
    async def play() -> None:
        on = Recorded("windows", "history")
        await on.recording.begin()
        rows = 0
        with pytest.raises(StoreError, match="has not answered"):  # noqa: PT012 - those before the error are counted
            async for part in on.recording.windows():
                rows += part.rows
        assert rows == 1
        with pytest.raises(StoreError, match="has not answered"):
            await on.recording.history(limit=1)
        on.disk.answers.set()
        assert [part.rows async for part in on.recording.windows()] == [1]
        assert await on.recording.history(limit=1) == (BAN,)

    asyncio.run(play())


def test_without_a_database_there_is_no_past() -> None:
    async def play() -> None:
        on = Recorded()
        assert [part async for part in on.recording.windows()] == []
        assert await on.recording.history(limit=1) == ()

    asyncio.run(play())


@pytest.mark.parametrize("hung", [("commit",), ("close",), ("open",), ("commit", "close")])
def test_the_end_waits_for_nothing_that_hangs(hung: tuple[str, ...]) -> None:
    async def play() -> None:
        on = Recorded(*hung)
        await on.recording.begin()
        on.recording.add([START])
        await on.recording.write()
        await on.recording.close()

    asyncio.run(asyncio.wait_for(play(), 30))


def test_a_start_that_is_cancelled_while_the_database_hangs_ends() -> None:
    async def play() -> None:
        on = Recorded("load_bans", "close")
        starting = asyncio.ensure_future(on.recording.begin())
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(asyncio.wait_for(play(), 30))
