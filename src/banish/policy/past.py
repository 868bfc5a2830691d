"""Remembers who was banned before, for ``bantime.increment``; bounded in number and in time."""

from collections.abc import Iterator
from itertools import islice

from banish.model.address import Subject
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import PastBan
from banish.policy.networks import NetworkTable

CAPACITY = 200_000
"""Subjects of which the last ban is remembered; past that, the longest untouched go."""

EVICTED_PART = 100
"""One in so many subjects goes when there are too many: finding the oldest in a dict passes
over those that went before."""

LOOK_PAUSE = Seconds(1)
"""Time between two looks of `PastBans.purge`, however often it is called."""

_WHOLE_LOOKS = 600
"""Looks after which each past ban was looked at once."""


class PastBans:
    """The last ban of each subject whose ban is over.

    It counts for three times its length and *remembers* on top, as rows do in
    Fail2Ban's ``bips`` table (fail2ban/server/database.py, 1.1.1).
    """

    def __init__(self, remembers: Seconds, capacity: int = CAPACITY) -> None:
        self._remembers = remembers
        self._capacity = capacity
        self._bans: dict[Subject, PastBan] = {}
        """Longest untouched first."""
        self._unchecked: list[Subject] = []
        """Who is looked at next by `purge`, the last first."""
        self._part = 0
        """How many of them one look of `purge` takes."""
        self._looked_at = Instant(0)

    def put(self, subject: Subject, ban: PastBan) -> None:
        """Keep *ban* as the last one of *subject*."""
        self._bans.pop(subject, None)
        self._bans[subject] = ban
        if len(self._bans) > self._capacity:
            for oldest in list(islice(self._bans, max(1, self._capacity // EVICTED_PART))):
                del self._bans[oldest]

    def add(self, subject: Subject, ban: PastBan) -> None:
        """Keep *ban*, which was remembered elsewhere, unless a newer one is known."""
        known = self._bans.get(subject)
        if known is None or known.since < ban.since:
            self.put(subject, ban)

    def forget(self, subject: Subject) -> None:
        """Forget *subject*; nothing happens where it is not known."""
        self._bans.pop(subject, None)

    def clear(self) -> None:
        """Forget all past bans."""
        self._bans.clear()

    def count(self, subject: Subject, now: Instant) -> int:
        """Return the how-manieth the last ban of *subject* was, 0 where none is remembered."""
        ban = self._bans.get(subject)
        if ban is None:
            return 0
        if self._counts(ban, now):
            return ban.count
        del self._bans[subject]
        return 0

    def purge(self, now: Instant, least: int = 100) -> int:
        """Forget some of those that no longer count; return how many.

        Bans of different length lie in no order of their ends. So this looks at *least* of
        them at a time, or at a part that makes all of them in ten minutes, once a second.
        """
        if abs(now - self._looked_at) < LOOK_PAUSE:
            return 0
        self._looked_at = now
        if not self._unchecked:
            self._unchecked = list(self._bans)
            self._part = max(least, -(-len(self._unchecked) // _WHOLE_LOOKS))
        before = len(self._bans)
        for _ in range(min(len(self._unchecked), self._part)):
            self.count(self._unchecked.pop(), now)
        return before - len(self._bans)

    def folded_inside(self, network: Subject, now: Instant) -> dict[Subject, PastBan]:
        """Return the bans in *network* that were folded into another and would last still.

        Takes time for everything that is remembered, as `forget_inside` does.
        """
        return {
            subject: ban
            for subject, ban in self._inside(network)
            if ban.folded and (ban.until is None or ban.until > now)
        }

    def forget_inside(self, network: Subject) -> None:
        """Forget every subject that *network* covers."""
        for subject in [subject for subject, _ in self._inside(network)]:
            del self._bans[subject]

    def _counts(self, ban: PastBan, now: Instant) -> bool:
        if ban.until is None:
            return True
        return ban.until + 2 * (ban.until - ban.since) + self._remembers > now

    def _inside(self, network: Subject) -> Iterator[tuple[Subject, PastBan]]:
        around: NetworkTable[Subject] = NetworkTable()
        around.put(network, network)
        return (item for item in self._bans.items() if around.around(item[0]) is not None)

    def all(self) -> dict[Subject, PastBan]:
        """Return everything that is remembered, longest untouched first."""
        return dict(self._bans)
