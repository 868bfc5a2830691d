"""Hands what happens to whoever subscribes: bounded, in order, and never waited for.

A subscriber that does not keep up loses the oldest events, and learns how many. The newest
events but for single failures are kept, so that a subscriber who comes back misses none of
them. Without subscribers a failure costs nothing here.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from banish.errors import RequestError
from banish.model.instant import Instant
from banish.model.streamed import EventBatch, StreamedEvent
from banish.telemetry.emitter import Emitter
from banish.telemetry.events import NOTICE, Event, FailureFound, FailuresFound
from banish.telemetry.fields import fields_of, text_of

KEPT = 1_000
"""Events that are kept for those who come later."""

WAITING_LIMIT = 10_000
"""Events that wait for one subscriber, some 5 MB; of more the oldest are dropped."""

BATCH_LIMIT = 200
"""Most events of one batch."""


_Numbered = tuple[int, Instant, Event]
"""An event with its number, and when it happened."""


def _kinds_but_failures() -> list[type[Event]]:
    """Return every kind of event that is rare: `FailuresFound` holds up to thousands."""
    found, rest = list[type[Event]](), [Event]
    while rest:
        kind = rest.pop()
        rest += kind.__subclasses__()
        if not kind.__subclasses__() and kind not in (FailureFound, FailuresFound):
            found.append(kind)
    return found


class EventStream:
    """What happens in one server, for subscribers."""

    def __init__(self, emit: Emitter, *, clock: Callable[[], Instant]) -> None:
        self._emit = emit
        self._clock = clock
        self._newest = 0
        self._kept: deque[_Numbered] = deque(maxlen=KEPT)
        self._subscriptions: list[EventQueue] = []
        emit.listen(self._hear, *_kinds_but_failures())

    def _hear(self, event: Event) -> None:
        self._newest += 1
        numbered = (self._newest, self._clock(), event)
        if not isinstance(event, FailureFound):
            self._kept.append(numbered)
        for subscription in self._subscriptions:
            subscription.put(numbered)

    def subscribe(self, since: int | None, kinds: Sequence[str]) -> "EventQueue":
        """Return what happens from now on, or after the event *since*; of *kinds*, if any.

        Raises:
            RequestError: There is no such kind.

        """
        kinds_of_events: list[type[Event]] = [*_kinds_but_failures(), FailureFound]
        known = {kind.__name__ for kind in kinds_of_events}
        for kind in kinds:
            if kind not in known:
                cure = f"kinds: {', '.join(sorted(known))}"
                raise RequestError(f"there is no kind of event {kind!r}", cure=cure)
        subscription = EventQueue(frozenset(kinds), self._forget)
        if since is not None:
            for numbered in self._kept:
                if numbered[0] > since:
                    subscription.put(numbered)
        if not self._subscriptions:
            self._emit.listen(self._hear, FailureFound)
        self._subscriptions.append(subscription)
        return subscription

    def _forget(self, subscription: "EventQueue") -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)
            if not self._subscriptions:
                self._emit.unlisten(self._hear, FailureFound)


class EventQueue:
    """Events on their way to one subscriber."""

    def __init__(self, kinds: frozenset[str], on_close: "Callable[[EventQueue], None]") -> None:
        self._kinds = kinds
        self._on_close = on_close
        self._waiting: deque[_Numbered] = deque()
        self._dropped = 0
        self._has_news = asyncio.Event()

    def put(self, numbered: _Numbered) -> None:
        """Take an event, if it is wanted."""
        if self._kinds and type(numbered[2]).__name__ not in self._kinds:
            return
        if len(self._waiting) >= WAITING_LIMIT:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(numbered)
        self._has_news.set()

    async def next(self, patience: float) -> EventBatch:
        """Return the events that wait, at most `BATCH_LIMIT`; none after *patience* seconds."""
        if not self._waiting:
            self._has_news.clear()
            try:
                async with asyncio.timeout(patience):
                    await self._has_news.wait()
            except TimeoutError:
                return EventBatch()
        count = min(len(self._waiting), BATCH_LIMIT)
        events = tuple(streamed_event(*self._waiting.popleft()) for _ in range(count))
        dropped, self._dropped = self._dropped, 0
        return EventBatch(events, dropped)

    def close(self) -> None:
        """Want no more."""
        self._on_close(self)


def streamed_event(number: int, at: Instant, event: Event) -> StreamedEvent:
    """Return *event* as subscribers get it."""
    return StreamedEvent(
        id=number,
        at=at,
        kind=type(event).__name__,
        level="NOTICE" if event.level == NOTICE else logging.getLevelName(event.level),
        text=text_of(event),
        fields=fields_of(event),
    )
