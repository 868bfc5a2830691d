"""Remembers who was banned before, for ``bantime.increment``; bounded in number and in time."""

from collections import OrderedDict

from banish.model.address import Subject
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import PastBan

CAPACITY = 200_000
"""Subjects of which the last ban is remembered; past that, the longest untouched goes."""


class PastBans:
    """The last ban of each subject whose ban is over.

    It counts for three times its length and *remembers* on top, as rows do in
    Fail2Ban's ``bips`` table (fail2ban/server/database.py, 1.1.1).
    """

    def __init__(self, remembers: Seconds, capacity: int = CAPACITY) -> None:
        self._remembers = remembers
        self._capacity = capacity
        self._bans: OrderedDict[Subject, PastBan] = OrderedDict()

    def put(self, subject: Subject, ban: PastBan) -> None:
        """Keep *ban* as the last one of *subject*."""
        self._bans[subject] = ban
        self._bans.move_to_end(subject)
        if len(self._bans) > self._capacity:
            self._bans.popitem(last=False)

    def forget(self, subject: Subject) -> None:
        """Forget *subject*; nothing happens where it is not known."""
        self._bans.pop(subject, None)

    def count(self, subject: Subject, now: Instant) -> int:
        """Return the how-manieth the last ban of *subject* was, 0 where none is remembered."""
        ban = self._bans.get(subject)
        if ban is None:
            return 0
        if ban.until is None or ban.until + 2 * (ban.until - ban.since) + self._remembers > now:
            return ban.count
        del self._bans[subject]
        return 0

    def all(self) -> dict[Subject, PastBan]:
        """Return everything that is remembered, longest untouched first."""
        return dict(self._bans)
