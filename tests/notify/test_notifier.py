"""How notifiers and the daemon's worker get along: turns, time limits, the end."""

import asyncio
from collections.abc import Sequence

import pytest

from banish.addon.declare import ActionContext
from banish.daemon.worker import ORDERS_LIMIT
from banish.errors import ActionError
from banish.model.decision import ProlongBan, StartBan
from banish.model.instant import Seconds
from banish.notify.jailevent import JailEvent
from banish.notify.notifier import LaterError, Notifier, NotifierOptions
from banish.telemetry.events import Event, NotificationsDropped, PartFailed
from tests.notify.stage import NOW, KnownFacts, Running, ban, play, settings


class Channel:
    """Keeps what it is given, fails as told, and hangs while `gate` is shut."""

    def __init__(self) -> None:
        self.sent: list[tuple[JailEvent, ...]] = []
        self.errors: list[ActionError] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.news = asyncio.Event()
        self.is_closed = False
        self.was_last: list[bool] = []

    async def send(self, events: Sequence[JailEvent], *, is_last: bool) -> None:
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(tuple(events))
        self.was_last.append(is_last)
        self.news.set()

    async def close(self) -> None:
        self.is_closed = True


class Told:
    """One notifier and all that it says of itself."""

    def __init__(self, channel: Channel, *, whole: bool = True, **telling: object) -> None:
        self.happened: list[Event] = []
        self.action = Notifier(
            ActionContext(
                "sshd",
                settings("webhook", url="http://127.0.0.1:1"),
                KnownFacts(),
                self.happened.append,
                lambda: NOW,
                {},
            ),
            channel,
            NotifierOptions(**telling),  # type: ignore[arg-type]
            whole=whole,
        )

    @property
    def unreported(self) -> int:
        return sum(each.count for each in self.happened if isinstance(each, NotificationsDropped))


def test_what_comes_together_is_one_message_and_a_flood_has_its_turns() -> None:
    async def part() -> None:
        channel = Channel()
        told = Told(channel, digest=Seconds(0.001))
        running = Running(told.action)
        running.acting.act([StartBan(ban(f"198.18.{n // 250}.{n % 250}")) for n in range(2_500)])
        running.start()
        while sum(map(len, channel.sent)) < 2_500:
            channel.news.clear()
            await channel.news.wait()
        await running.finish()
        assert len(channel.sent[0]) == ORDERS_LIMIT
        assert len(channel.sent) == 3
        assert channel.is_closed
        assert told.unreported == 0

    play(part)


def test_only_what_is_asked_for_is_told() -> None:
    async def part() -> None:
        channel = Channel()
        told = Told(channel, on=("prolong",))
        running = Running(told.action)
        running.acting.act([StartBan(ban()), ProlongBan(ban())])
        await running.finish()
        assert [[each.kind for each in events] for events in channel.sent] == [["prolong"]]
        assert await told.action.flush()
        await told.action.reban(ban())
        await told.action.check()
        assert told.action.due is None

    play(part)


def test_a_channel_that_hangs_is_left_and_the_message_tried_again() -> None:
    async def part() -> None:
        channel = Channel()
        channel.gate.clear()
        told = Told(channel, timeout=Seconds(0.05))
        await told.action.ban(ban())
        with pytest.raises(ActionError, match=r"longer than 0\.05 s"):
            await told.action.tick()
        channel.gate.set()
        await told.action.tick()
        assert len(channel.sent) == 1
        await told.action.tick()
        assert len(channel.sent) == 1

    play(part)


def test_the_other_side_may_say_when() -> None:
    async def part() -> None:
        channel = Channel()
        channel.errors = [LaterError("busy", wait=Seconds(77))]
        told = Told(channel)
        await told.action.ban(ban())
        with pytest.raises(ActionError, match="busy"):
            await told.action.tick()
        assert told.action.due is not None
        assert 76 < told.action.due - asyncio.get_running_loop().time() <= 77

    play(part)


def test_what_cannot_be_told_at_the_end_is_counted() -> None:
    async def part() -> None:
        channel = Channel()
        channel.errors = [ActionError("away")]
        told = Told(channel, digest=Seconds(0))
        for number in (1, 2, 3):
            await told.action.ban(ban(f"192.0.2.{number}"))
        with pytest.raises(ActionError, match="away"):
            await told.action.stop()
        assert told.unreported == 3
        assert channel.is_closed

    play(part)


def test_a_stop_that_has_no_time_left_counts_what_it_leaves() -> None:
    async def part() -> None:
        channel = Channel()
        channel.gate.clear()
        told = Told(channel)
        running = Running(told.action)
        await told.action.ban(ban())
        (worker,) = running.workers
        await worker.stop(Seconds(0.05))
        assert told.unreported == 1
        assert channel.is_closed
        assert not any(isinstance(each, PartFailed) for each in running.told)

    play(part)


def test_the_start_is_told_once() -> None:
    async def part() -> None:
        channel = Channel()
        told = Told(channel, on=("start", "stop"))
        await told.action.start()
        await told.action.start()
        await told.action.stop()
        assert [[each.kind for each in events] for events in channel.sent] == [["start", "stop"]]
        assert channel.was_last == [True]

    play(part)
