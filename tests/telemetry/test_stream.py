"""What subscribers get: in order, bounded, and numbered."""

import asyncio

import pytest

from banish.errors import RequestError
from banish.model.address import parse_subject
from banish.model.instant import Instant
from banish.telemetry import stream as module
from banish.telemetry.emitter import Emitter
from banish.telemetry.events import (
    BanStarted,
    FailureFound,
    JailStarted,
    WarningGiven,
)
from banish.telemetry.stream import EventStream

NOW = Instant(1_790_000_000)
ATTACKER = parse_subject("192.0.2.1")
BAN = BanStarted("sshd", ATTACKER)
FAILURE = FailureFound("sshd", ATTACKER, NOW)


class Desk:
    def __init__(self) -> None:
        self.emit = Emitter(clock=lambda: NOW)
        self.stream = EventStream(self.emit, clock=lambda: NOW)


def test_a_subscriber_gets_what_happens_in_order_with_numbers_and_fields() -> None:
    async def part() -> None:
        desk = Desk()
        desk.emit(JailStarted("sshd"))
        mine = desk.stream.subscribe(None, ())
        desk.emit(FAILURE)
        desk.emit(BAN)
        batch = await mine.next(1)
        assert [(each.id, each.kind, each.level) for each in batch.events] == [
            (2, "FailureFound", "INFO"), (3, "BanStarted", "NOTICE"),
        ]  # fmt: skip
        assert batch.events[1].text == "[sshd] Ban 192.0.2.1"
        assert batch.events[1].fields["subject"] == "192.0.2.1"
        assert batch.events[1].at == NOW
        assert (await mine.next(0.01)).events == ()

    asyncio.run(part())


def test_whoever_comes_back_gets_what_they_missed_but_no_single_failures() -> None:
    async def part() -> None:
        desk = Desk()
        for event in (JailStarted("a"), JailStarted("b"), FAILURE, BAN):
            desk.emit(event)
        back = desk.stream.subscribe(1, ())
        assert [each.id for each in (await back.next(1)).events] == [2, 3]

    asyncio.run(part())


def test_only_the_kinds_that_are_wanted_come() -> None:
    async def part() -> None:
        desk = Desk()
        mine = desk.stream.subscribe(None, ("BanStarted",))
        desk.emit(FAILURE)
        desk.emit(WarningGiven("part", "what"))
        desk.emit(BAN)
        assert [each.kind for each in (await mine.next(1)).events] == ["BanStarted"]
        with pytest.raises(RequestError, match="BanStartled"):
            desk.stream.subscribe(None, ("BanStartled",))

    asyncio.run(part())


def test_a_slow_subscriber_loses_the_oldest_and_learns_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "WAITING_LIMIT", 3)

    async def part() -> None:
        desk = Desk()
        mine = desk.stream.subscribe(None, ())
        for _ in range(5):
            desk.emit(BAN)
        batch = await mine.next(1)
        assert ([each.id for each in batch.events], batch.dropped) == ([3, 4, 5], 2)
        desk.emit(BAN)
        assert (await mine.next(1)).dropped == 0

    asyncio.run(part())


def test_failures_are_not_made_into_events_while_nobody_listens() -> None:
    desk = Desk()
    before = desk.emit._listeners
    first, second = desk.stream.subscribe(None, ()), desk.stream.subscribe(None, ())
    assert desk.emit._listeners != before
    first.close()
    first.close()
    assert desk.emit._listeners != before
    second.close()
    assert desk.emit._listeners == before
