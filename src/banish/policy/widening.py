"""Which networks one jail counts and bans in place of addresses, and which never.

Two ways lead from an address to its network. With ``banprefix`` all addresses of
a network are one subject from the first failure on. With ``netban.after`` a
network is banned beside its members once so many of them were; a network that
was banned so is a member of the next wider one, up to the widest that is listed.

No network that holds somebody exempt is ever banned: its addresses are then
counted and banned one by one.
"""

from collections import deque
from collections.abc import Iterable

import msgspec

from banish.model.address import Subject, SubjectKind
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.model.settings import Networks
from banish.model.snapshot import Member
from banish.policy.exempt import ExemptList
from banish.policy.netban import MemberCount
from banish.policy.networks import WIDTH, first_and_length
from banish.policy.prefix import network_of

REFUSED = 100
"""Refusals that wait to be reported, the newest."""


class Refusal(msgspec.Struct, frozen=True):
    """A network that would have been banned, and why it was not."""

    network: Subject
    members: int
    """How many of its members were banned."""
    by: str


class Widening:
    """The networks of one jail."""

    def __init__(self, settings: Networks, exempt: ExemptList) -> None:
        self._exempt = exempt
        self._prefixes: dict[SubjectKind, int] = {}
        if settings.prefix4 < WIDTH[4]:
            self._prefixes[SubjectKind.IPV4] = settings.prefix4
        if settings.prefix6 < WIDTH[6]:
            self._prefixes[SubjectKind.IPV6] = settings.prefix6
        self._after = settings.after
        levels = {4: settings.levels4, 6: settings.levels6} if settings.after else {4: (), 6: ()}
        self._levels = {
            family: tuple(sorted(set(found), reverse=True)) for family, found in levels.items()
        }
        self._count = MemberCount(max(settings.after, 1), settings.findtime)
        self._lengths = {family: set(found) for family, found in self._levels.items()}
        for kind, length in self._prefixes.items():
            self._lengths[4 if kind is SubjectKind.IPV4 else 6].add(length)
        self._refusals: deque[Refusal] = deque(maxlen=REFUSED)

    def counted_as(self, subject: Subject, now: Instant) -> Subject:
        """Return what a failure of *subject* counts against: itself, or the network around it."""
        length = self._prefixes.get(subject.kind)
        if length is None:
            return subject
        network = network_of(subject, length)
        if network is None or self._exempt.exempts_network(network, now) is not None:
            return subject
        return network

    def names(self, subject: Subject) -> tuple[Subject, ...]:
        """Return what *subject* may be banned as: itself, and the network it can count as."""
        length = self._prefixes.get(subject.kind)
        network = None if length is None else network_of(subject, length)
        return (subject,) if network is None else (subject, network)

    def add_answer(self, subject: Subject, now: Instant) -> None:
        """Exempt the networks around *subject*, which an answer exempted."""
        lengths = sorted(self._lengths.get(subject.family, ()))
        networks = [network_of(subject, length) for length in lengths]
        self._exempt.add_answer([each for each in networks if each is not None], now)

    def add(self, ban: Ban, now: Instant) -> tuple[Subject, tuple[Member, ...]] | None:
        """Count the subject of *ban* in the network around it.

        Return the network and its members if these are enough now to ban it.
        """
        network = self._around(ban.subject)
        if network is None or self._count.add(network, ban.subject, ban.since) < self._after:
            return None
        members = self._count.pop(network)
        by = self._exempt.exempts_network(network, now)
        if by is not None:
            self._refusals.append(Refusal(network, len(members), by))
            return None
        return network, members

    def drain_refusals(self) -> list[Refusal]:
        """Return the networks that were not banned since somebody in them is exempt, each once."""
        refusals = list(self._refusals)
        self._refusals.clear()
        return refusals

    def pardon(self, subjects: Iterable[Subject]) -> None:
        """Forget that *subjects* were banned, and what was counted of them."""
        for subject in subjects:
            self._count.pop(subject)
            network = self._around(subject)
            if network is not None:
                self._count.forget(network, subject)

    def shift(self, by: Seconds) -> None:
        """Move the times of all members by *by*, as the clock was."""
        self._count.shift(by)

    def clear(self) -> None:
        """Forget all members of all networks."""
        for network in list(self._count.all()):
            self._count.pop(network)

    def put(self, network: Subject, members: tuple[Member, ...]) -> None:
        """Keep *members* of *network*, which were remembered elsewhere, if they still count."""
        counted = [member for member in members if self._around(member.subject) == network]
        if counted:
            self._count.put(network, tuple(counted))

    def purge(self, now: Instant, most: int) -> None:
        """Forget up to *most* networks whose members cannot matter any more."""
        self._count.purge(now, most)

    def members(self, network: Subject) -> tuple[Member, ...]:
        """Return the members counted of *network*, oldest first."""
        return self._count.members(network)

    @property
    def has_changed(self) -> bool:
        """Whether `changes` has anything to return."""
        return self._count.has_changed

    def changes(self) -> Iterable[Subject]:
        """Return the networks whose members changed since this was asked last."""
        return self._count.changes()

    def all(self) -> Iterable[Subject]:
        """Return the networks of which members are counted."""
        return self._count.all()

    def _around(self, subject: Subject) -> Subject | None:
        """Return the next wider network that can be banned."""
        levels = self._levels.get(subject.family)
        if not levels:
            return None
        _, own_length = first_and_length(subject)
        length = next((length for length in levels if length < own_length), None)
        return None if length is None else network_of(subject, length)
