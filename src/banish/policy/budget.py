"""Bounds how many bans a jail starts in a span of time, and holds the rest back.

A filter that misreads its log, or a log that somebody can write to, may name
everybody as an attacker. The budget turns that from an outage into an alarm:
once a jail would start more bans than it may, it starts none for a pause, and
that is reported. Each pause that follows soon after the last is twice as long.

A pause is never shorter than the span, so in any span, wherever it begins, no
more bans start than the budget allows. Only a release by hand can exceed it,
since the operator says so. Costs one float for each ban of the last span.
"""

from collections import deque
from typing import Literal

import msgspec

from banish.model.address import Subject
from banish.model.instant import Instant, Seconds
from banish.model.settings import BudgetSettings

LONGEST_PAUSE = Seconds(86_400)
"""Pauses grow up to this, or up to the first pause if that is longer: a day leaves time to look,
and a jail that nobody looks at is not off for good."""

HELD_LIMIT = 100_000
"""Subjects remembered as held back; past it they are forgotten, and may be reported again."""


class BudgetNews(msgspec.Struct, frozen=True):
    """Something that happened to a budget."""

    what: Literal["exceeded", "returned"]
    until: Instant
    """When the budget is back if nobody releases it, or came back."""
    held: int = 0
    """How many subjects were held back meanwhile."""


class BanBudget:
    """The budget of one jail. Time may stand still; if it goes back, it counts as standing."""

    def __init__(self, settings: BudgetSettings) -> None:
        self._most = settings.most
        self._span = settings.span
        self._pause = Seconds(max(settings.pause, settings.span))
        self._starts: deque[Instant] = deque(maxlen=self._most)
        """When the newest bans started, by our time; oldest first."""
        self._clock = Instant(float("-inf"))
        """The newest time seen, by our time."""
        self._skew = 0.0
        """What our time is ahead of the caller's, since his went back."""
        self._until: Instant | None = None
        self._next_pause = self._pause
        self._grows_until = self._clock
        """Exceeded before this, the pause is the longer one."""
        self._held: dict[Subject, None] = {}
        self.held_total = 0
        """How many bans were held back, ever: one for each subject and pause."""
        self._news: list[BudgetNews] = []

    def settle(self, settings: BudgetSettings) -> None:
        """Go by *settings* from now on; what was spent counts, and what is held back stays so."""
        self._most = settings.most
        self._span = settings.span
        self._pause = Seconds(max(settings.pause, settings.span))
        self._next_pause = max(self._pause, self._next_pause)
        self._starts = deque(self._starts, maxlen=self._most)
        if not self.is_on and self._until is not None:
            self._return()

    @property
    def is_on(self) -> bool:
        """Whether there is a budget at all."""
        return self._most > 0

    @property
    def until(self) -> Instant | None:
        """Until when bans are held back, by the caller's time; None: they are not."""
        return None if self._until is None else Instant(self._until - self._skew)

    @property
    def held(self) -> int:
        """How many subjects were held back since the budget was exceeded."""
        return len(self._held)

    def has_room(self, now: Instant) -> bool:
        """Whether a ban may start now. The first "no" begins a pause, in which none may."""
        if not self.is_on:
            return True
        self.tick(now)
        if self._until is not None:
            return False
        if not self._is_full():
            return True
        pause = self._next_pause if self._clock < self._grows_until else self._pause
        self._until = Instant(self._clock + pause)
        longest = max(LONGEST_PAUSE, self._pause)
        self._next_pause = Seconds(min(2 * pause, longest))
        self._grows_until = Instant(self._until + pause)
        self._news.append(BudgetNews("exceeded", Instant(self._until - self._skew)))
        return False

    def spend(self, now: Instant) -> None:
        """Count one ban that starts now; there must be room."""
        if self.is_on:
            self.tick(now)
            assert self._until is None
            assert not self._is_full()
            self._starts.append(self._clock)

    def is_spent(self, now: Instant) -> bool:
        """Whether `has_room` would say no; asking changes nothing."""
        if not self.is_on:
            return False
        self.tick(now)
        return self._until is not None or self._is_full()

    def hold(self, subject: Subject) -> bool:
        """Note that a ban of *subject* is held back; whether it is the first time in this pause."""
        if subject in self._held:
            return False
        if len(self._held) >= HELD_LIMIT:
            self._held.clear()
        self._held[subject] = None
        self.held_total += 1
        return True

    def tick(self, now: Instant) -> None:
        """Note what time it is; a pause that is over ends."""
        if not self.is_on:
            return
        if now + self._skew < self._clock:
            self._skew = self._clock - now
        self._clock = max(self._clock, Instant(now + self._skew))
        if self._until is not None and self._clock >= self._until:
            self._return()

    def release(self, now: Instant) -> bool:
        """Give the whole budget back at once, by hand; whether bans were held back.

        The next pause is a first one again.
        """
        self.tick(now)
        if self._until is None:
            return False
        self._return()
        self._starts.clear()
        self._grows_until = self._clock
        return True

    def drain_news(self) -> list[BudgetNews]:
        """Return what happened to the budget since the last call."""
        news, self._news = self._news, []
        return news

    def _is_full(self) -> bool:
        return len(self._starts) == self._most and self._starts[0] > self._clock - self._span

    def _return(self) -> None:
        self._news.append(BudgetNews("returned", Instant(self._clock - self._skew), self.held))
        self._until = None
        self._held.clear()
