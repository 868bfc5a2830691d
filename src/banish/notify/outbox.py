"""Decides what goes into which message, and when it is sent; has no clock of its own.

The first event after a silence is sent at once. What comes within *pause* after
a message is gathered and goes into the next one, so that a thousand bans in a
minute are two mails. A message that cannot be sent stays first in line and is
tried again, at growing distances, for *retry*; then it is given up and counted.
"""

from collections import deque

from banish.model.instant import Seconds
from banish.notify.jailevent import JailEvent, stripped

EVENTS_LIMIT = 10_000
"""Events that wait; some 1 kB each without their lines."""

FIRST_WAIT = Seconds(5)
LONGEST_WAIT = Seconds(300)


class Outbox:
    """Events of one action that are still to be sent. Times are the caller's, in seconds."""

    def __init__(
        self,
        *,
        pause: Seconds,
        most: int,
        retry: Seconds,
        whole: bool = False,
        limit: int = EVENTS_LIMIT,
    ) -> None:
        """Gather for *pause* and put at most *most* events into one message.

        With *whole* a message takes all that waits, and *most* is how many of them
        keep their lines. With no pause each event is a message of its own.
        """
        self._pause = pause
        self._most = most
        self._retry = retry
        self._takes = limit if whole else most
        if not pause:
            self._takes = 1
        self._limit = limit
        self._events: deque[JailEvent] = deque()
        self._quiet_until = 0.0
        self._trying_since: float | None = None
        self._wait = FIRST_WAIT
        self._trying = 0
        self.lost = 0
        """Events that were dropped: no room, or given up."""

    def __len__(self) -> int:
        return len(self._events)

    @property
    def due(self) -> float | None:
        """When the next message is to be sent; None if there is none."""
        return self._quiet_until if self._events else None

    def put(self, event: JailEvent) -> None:
        """Take an event; one that finds no room is counted as lost."""
        if len(self._events) >= self._limit:
            self.lost += 1
            return
        self._events.append(event if len(self._events) < self._most else stripped(event))

    def next_events(self) -> tuple[JailEvent, ...]:
        """Return the events of the next message, oldest first; they stay queued until `sent`."""
        # What was tried is tried again as it was: the other side may know it by now.
        self._trying = self._trying or min(self._takes, len(self._events))
        return tuple(self._events[n] for n in range(self._trying))

    def sent(self, now: float) -> None:
        """Take note that the message that `take` gave was sent."""
        self._drop()
        self._quiet_until = now + self._pause

    def failed(self, now: float, *, retry: bool = True, wait: Seconds | None = None) -> None:
        """Take note that it was not: try it again, in *wait* if that is known, or give it up."""
        since = now if self._trying_since is None else self._trying_since
        pause = self._wait if wait is None else wait
        if not retry or now + pause - since > self._retry:
            self.lost += self._trying
            self._drop()
            self._quiet_until = now + max(self._pause, FIRST_WAIT)
            return
        self._trying_since = since
        self._wait = Seconds(min(self._wait * 2, LONGEST_WAIT))
        self._quiet_until = now + pause

    def _drop(self) -> None:
        for _ in range(self._trying):
            self._events.popleft()
        self._trying = 0
        self._trying_since = None
        self._wait = FIRST_WAIT
