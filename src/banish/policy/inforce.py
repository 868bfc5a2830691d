"""The bans of one jail that are in force, and those that were: each known in one place.

A ban ends by its time (`expiry`) or by somebody's hand, and is remembered then
(`past`) unless it was pardoned. Bans of networks are found by what lies in them.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import msgspec

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, EndReason
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import PastBan
from banish.policy.expiry import Expiry
from banish.policy.networks import NetworkTable
from banish.policy.past import PastBans

EVIDENCE_BANS = 10_000
"""Bans in force that keep their evidence lines in memory, the newest; the ledger has all."""


class BansInForce:
    """Who is banned now."""

    def __init__(self, remembers: Seconds) -> None:
        """Remember a past ban for three times its length and *remembers* on top."""
        self.expiry = Expiry()
        self.past = PastBans(remembers)
        self._bans: dict[Subject, Ban] = {}
        self._networks: NetworkTable[Subject] = NetworkTable()
        self._with_evidence: dict[Subject, None] = {}
        """Whose bans keep their evidence, the newest last."""
        self.changes = 0
        """How often somebody who was out may have come in, or be out as somebody else now."""
        self.view: Mapping[Subject, Ban] = MappingProxyType(self._bans)
        """The bans by subject; changes as they do."""

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._bans

    def __iter__(self) -> Iterator[Subject]:
        return iter(self._bans)

    def get(self, subject: Subject) -> Ban | None:
        """Return the ban of *subject* itself, or None."""
        return self._bans.get(subject)

    def count(self, subject: Subject, now: Instant) -> int:
        """Return how often *subject* was banned before, as far as remembered."""
        ban = self._bans.get(subject)
        return ban.count if ban is not None else self.past.count(subject, now)

    def holder(self, subject: Subject) -> Subject | None:
        """Return the banned subject that *subject* is or lies in."""
        if subject in self._bans:
            return subject
        return self._networks.around(subject) if self._networks else None

    def holding(self, subject: Subject) -> list[Ban]:
        """Return the bans that keep *subject* out: its own, and those of networks around it."""
        own = self._bans.get(subject)
        wider = [
            self._bans[network]
            for network in self._networks.every_around(subject)
            if network != subject
        ]
        return wider if own is None else [own, *wider]

    def inside(self, network: Subject) -> list[Subject]:
        """Return the banned subjects that *network* covers; takes time for all bans."""
        around: NetworkTable[Subject] = NetworkTable()
        around.put(network, network)
        return [subject for subject in self._bans if around.around(subject) is not None]

    def hold(self, ban: Ban) -> None:
        """Take *ban* in, in place of an older one of its subject."""
        subject = ban.subject
        if subject.is_network or self._networks:
            self.changes += 1
        self._bans[subject] = ban
        self.past.forget(subject)
        if subject.is_network:
            self._networks.put(subject, subject)
        if ban.until is None:
            self.expiry.cancel(subject)
        else:
            self.expiry.set(subject, ban.until)
        self._with_evidence.pop(subject, None)
        if ban.evidence or ban.tags:
            self._with_evidence[subject] = None
            if len(self._with_evidence) > EVIDENCE_BANS:
                self._strip(next(iter(self._with_evidence)))

    def set_end(self, ban: Ban) -> None:
        """Take *ban*, which has an end, in for one of its subject that differs in the end alone."""
        assert ban.until is not None
        self._bans[ban.subject] = ban
        self.expiry.set(ban.subject, ban.until)

    def _strip(self, subject: Subject) -> None:
        del self._with_evidence[subject]
        self._bans[subject] = msgspec.structs.replace(self._bans[subject], evidence=(), tags=())

    def end(self, subject: Subject, reason: EndReason) -> EndBan:
        """Take the ban of *subject* out; it is remembered unless the operator lifted it.

        Raises:
            KeyError: It is not banned.

        """
        ban = self._bans.pop(subject)
        self.changes += 1
        self.expiry.cancel(subject)
        self._with_evidence.pop(subject, None)
        if subject.is_network:
            self._networks.remove(subject)
        if reason != "operator":
            past = PastBan(ban.count, ban.since, ban.until, folded=reason == "folded")
            self.past.put(subject, past)
        return EndBan(ban, reason)
