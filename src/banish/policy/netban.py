"""Counts which members of a network were banned, until they are enough to ban it.

A member counts once, however often it is banned, with the time of its newest
ban. Only the newest ``limit`` members of a network matter: the limit is reached
exactly when the oldest of them is still inside the span. So a network costs at
most ``limit`` members, and the number of members has a bound as well.
"""

from collections import OrderedDict

from banish.model.address import Subject
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Member

CAPACITY = 200_000
"""Members that are counted at one time, some 60 MB; past that, the networks touched longest
ago are forgotten."""


class MemberCount:
    """The banned members of each network, as far as they can still matter."""

    def __init__(self, limit: int, span: Seconds, capacity: int = CAPACITY) -> None:
        """Count to *limit* members (1 or more) within *span*."""
        assert limit >= 1
        self._limit = limit
        self._span = span
        self._capacity = max(capacity, limit)
        self._networks: OrderedDict[Subject, dict[Subject, Instant]] = OrderedDict()
        """In the order in which they were touched last."""
        self._size = 0
        self._changed: dict[Subject, None] = {}
        self._saved: set[Subject] = set()

    def __len__(self) -> int:
        return self._size

    def add(self, network: Subject, member: Subject, at: Instant) -> int:
        """Count *member*; return how many members now lie within a span of the newest one.

        The limit is reached when that is ``limit``; the caller then takes the
        network out with `take`. Times may arrive out of order.
        """
        members = self._networks.setdefault(network, {})
        self._networks.move_to_end(network)
        before = len(members)
        members[member] = max(at, members.get(member, at))
        if len(members) > self._limit:
            del members[min(members, key=lambda each: (members[each], each))]
        self._size += len(members) - before
        self._changed[network] = None
        horizon = max(members.values()) - self._span
        count = sum(time > horizon for time in members.values())
        while self._size > self._capacity:
            self.pop(next(iter(self._networks)))
        return count

    def shift(self, by: Seconds) -> None:
        """Move all times by *by*, as the clock was."""
        for members in self._networks.values():
            for member, at in members.items():
                members[member] = Instant(at + by)

    def members(self, network: Subject) -> tuple[Member, ...]:
        """Return what is counted of *network*, oldest first."""
        members = self._networks.get(network, {})
        in_order = sorted(members.items(), key=lambda item: (item[1], item[0]))
        return tuple(Member(subject, at) for subject, at in in_order)

    def pop(self, network: Subject) -> tuple[Member, ...]:
        """Forget *network* and return what was counted of it, oldest first."""
        members = self.members(network)
        if members:
            del self._networks[network]
            self._size -= len(members)
            self._note_gone(network)
        return members

    def forget(self, network: Subject, member: Subject) -> None:
        """Forget *member* of *network*; nothing happens where it is not counted."""
        members = self._networks.get(network)
        if members is None or members.pop(member, None) is None:
            return
        self._size -= 1
        if members:
            self._changed[network] = None
        else:
            del self._networks[network]
            self._note_gone(network)

    def put(self, network: Subject, members: tuple[Member, ...]) -> None:
        """Keep *members*, which were remembered elsewhere, in place of what is counted."""
        self.pop(network)
        for member in members:
            self.add(network, member.subject, member.at)
        self._changed.pop(network, None)
        self._saved.add(network)

    def purge(self, now: Instant, most: int) -> None:
        """Forget up to *most* networks none of whose members can matter any more.

        Looks at those touched longest ago and stops at the first that still
        matters, so calling it often costs nothing.
        """
        horizon = now - self._span
        stale: list[Subject] = []
        for network, members in self._networks.items():
            if len(stale) == most or max(members.values()) > horizon:
                break
            stale.append(network)
        for network in stale:
            self.pop(network)

    @property
    def has_changed(self) -> bool:
        """Whether `changes` has anything to return."""
        return bool(self._changed)

    def changes(self) -> dict[Subject, tuple[Member, ...]]:
        """Return what is counted of each network that changed since this was asked last."""
        changed = {network: self.members(network) for network in self._changed}
        for network, members in changed.items():
            if members:
                self._saved.add(network)
            else:
                self._saved.discard(network)
        self._changed = {}
        return changed

    def all(self) -> dict[Subject, tuple[Member, ...]]:
        """Return everything that is counted."""
        return {network: self.members(network) for network in self._networks}

    def _note_gone(self, network: Subject) -> None:
        # A subject that was never reported need not be reported as gone; so memory stays
        # bounded where nobody asks.
        if network in self._saved:
            self._changed[network] = None
        else:
            self._changed.pop(network, None)
