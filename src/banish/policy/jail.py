"""One jail's judgement: who is banned, from when, for how long.

Values and time go in, decisions come out. Nothing here carries a decision out,
and nothing forgets one: a ban is in `JailPolicy.bans` from the moment it is
decided until the moment its end is.

Where we knowingly differ from Fail2Ban 1.1.1: the count is a true sliding
window (see `window`), a ban by hand never covers an exempt subject, a longer
ban of a known subject is long from its first moment, and an address inside a
network that is banned counts as banned.
"""

from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from banish.errors import RequestError
from banish.model.address import Subject, SubjectKind
from banish.model.ban import Ban, Cause
from banish.model.decision import (
    AlreadyBanned,
    Counted,
    EndBan,
    EndReason,
    ProlongBan,
    Spared,
    StartBan,
    TooOld,
    Verdict,
)
from banish.model.failure import EVIDENCE_LIMIT_CHARACTERS, Failure, Tags
from banish.model.instant import Instant, Seconds
from banish.model.settings import JailSettings
from banish.model.snapshot import JailChanges, JailMemory, PastBan
from banish.policy.escalation import BanTime, Draw
from banish.policy.expiry import Expiry
from banish.policy.ignore import IgnoreList
from banish.policy.networks import NetworkTable
from banish.policy.past import PastBans
from banish.policy.window import CAPACITY, Window

EVIDENCE_BANS = 10_000
"""Bans in force that keep their evidence lines in memory, the newest; the ledger has all."""

PURGE_AT_ONCE = 10_000
"""Subjects forgotten by one `JailPolicy.tick`: some 10 ms, so that no tick is felt."""

PURGE_EVERY = 1_000
"""Failures after which old ones are looked for even if nobody calls `JailPolicy.tick`."""

DAY = Seconds(86_400)

CountOf = Callable[[Subject, Instant], int]
"""Tells how often a subject was banned before, at a given time."""


class JailPolicy:
    """Decides for one jail. One task owns it; call `tick` before `judge` as time goes on."""

    def __init__(
        self,
        settings: JailSettings,
        ignored: IgnoreList,
        *,
        draw: Draw = lambda: 0.0,
        count_of: CountOf | None = None,
        remembers: Seconds = DAY,
        capacity: int = CAPACITY,
    ) -> None:
        """Judge by *settings*, sparing what *ignored* exempts.

        *draw* gives the random numbers for ``bantime.rndtime``. *count_of* tells
        how often a subject was banned before by whatever counts, for
        ``bantime.overalljails``; None: by this jail, which is `count`. A past
        ban is remembered for three times its length and *remembers* on top.

        Raises:
            ValueError: A formula of the settings is none.

        """
        self.settings = settings
        self.ignored = ignored
        self.failures_total = 0
        self.bans_total = 0
        self.spared_total = 0
        self._window = Window(
            settings.maxretry, settings.findtime, capacity, evidence_limit=settings.maxmatches
        )
        self._ban_time = BanTime(settings.bantime, settings.escalation, draw)
        self._count_of = count_of or self.count
        self._bans: dict[Subject, Ban] = {}
        self._networks: NetworkTable[Subject] = NetworkTable()
        self._expiry = Expiry()
        self._past = PastBans(remembers)
        self._with_evidence: deque[Subject] = deque()
        self._left_out: list[EndBan] = []
        self._told = (0, 0)
        self._until_purge = PURGE_EVERY

    @property
    def name(self) -> str:
        """The jail's name."""
        return self.settings.name

    @property
    def bans(self) -> Mapping[Subject, Ban]:
        """The bans in force, by subject; a view that changes as they do."""
        return MappingProxyType(self._bans)

    @property
    def due(self) -> Instant | None:
        """When `tick` is to be called next; None while nothing waits for it."""
        if self._left_out:
            return Instant(0)
        return self._expiry.due()

    @property
    def evicted_total(self) -> int:
        """How many failing subjects were forgotten early for want of room."""
        return self._window.evicted

    def failing(self, now: Instant) -> int:
        """Return how many subjects have a failure within findtime."""
        return self._window.failing(now)

    def count(self, subject: Subject, now: Instant) -> int:
        """Return how often this jail has banned *subject* before, as far as remembered."""
        ban = self._bans.get(subject)
        return ban.count if ban is not None else self._past.count(subject, now)

    def judge(self, failure: Failure, now: Instant) -> Verdict:
        """Count *failure*, and ban its subject if it is one too many.

        A failure from the future counts as now. A ban counts from the failure
        that decided it; if it would be over by *now* it is not started. A ban
        whose time is over still counts as in force until `tick` has ended it.
        """
        at = min(failure.at, now)
        subject = failure.subject
        if at <= now - self.settings.findtime:
            return TooOld()
        spared = self._spared(failure)
        if spared is not None:
            self.spared_total += 1
            return Spared(spared)
        holder = self._holder(subject)
        if holder is not None:
            return AlreadyBanned(holder)
        self.failures_total += failure.attempts
        self._until_purge -= 1
        if self._until_purge < 1:
            self._until_purge = PURGE_EVERY
            self._window.purge(now, 2 * PURGE_EVERY)
        failures = self._window.add(subject, at, failure.attempts, failure.evidence)
        if failures < self.settings.maxretry:
            return Counted(failures)
        tally = self._window.take(subject)
        lasts = self._ban_time.lasts(self._count_of(subject, now))
        ban = Ban(
            jail=self.name,
            subject=subject,
            since=at,
            until=_end(at, lasts),
            failures=failures,
            count=self.count(subject, now) + 1,
            evidence=tally.evidence,
            rule=failure.rule,
            tags=_captured(failure.tags),
            address=failure.address,
        )
        if ban.is_over(now):
            return TooOld()
        return self._start(ban)

    def would_count(self, failure: Failure, now: Instant) -> bool:
        """Whether `judge` would count *failure*: recent, of nobody exempt, of nobody banned."""
        return (
            min(failure.at, now) > now - self.settings.findtime
            and self._spared(failure) is None
            and self._holder(failure.subject) is None
        )

    def _spared(self, failure: Failure) -> str | None:
        found = self.ignored.exempts(failure.subject)
        if found is None and failure.address is not None:
            found = self.ignored.exempts(failure.address)
        return found or failure.spared or None

    def tick(self, now: Instant) -> list[EndBan]:
        """Return the ends of all bans whose time is over, and forget old failures."""
        self._window.purge(now, PURGE_AT_ONCE)
        ends, self._left_out = self._left_out, []
        ends.extend(self._end(subject, "expired") for subject in self._expiry.pop_due(now))
        return ends

    def ban(
        self, subject: Subject, now: Instant, lasts: Seconds | None, cause: Cause = "operator"
    ) -> StartBan | ProlongBan | None:
        """Ban *subject* without counting, or let a ban in force end later.

        *lasts* None: as long as the jail itself would; below zero: without end.
        A ban in force that ends at the same time or later stays as it is, and
        None comes back.

        Raises:
            RequestError: As `require_bannable`.

        """
        self.require_bannable(subject, lasts)
        current = self._bans.get(subject)
        if lasts is None:
            before = self._count_of(subject, now) - (current is not None)
            lasts = self._ban_time.lasts(before)
        elif lasts < 0:
            lasts = None
        until = _end(now, lasts)
        if current is not None:
            if current.until is None or (until is not None and until <= current.until):
                return None
            longer = msgspec.structs.replace(current, until=until)
            self._hold(longer)
            return ProlongBan(longer)
        self._window.take(subject)
        count = self.count(subject, now) + 1
        return self._start(Ban(self.name, subject, now, until, count=count, cause=cause))

    def require_bannable(self, subject: Subject, lasts: Seconds | None) -> None:
        """Refuse what `ban` would refuse, so that of many subjects none is banned before all pass.

        Raises:
            RequestError: The subject is exempt, or is a name, or *lasts* is zero.

        """
        where = f"jail {self.name}"
        if subject.kind is SubjectKind.NAME:
            raise RequestError(
                f"{subject} is a name, and only addresses can be banned",
                where=where,
                cure="give its addresses",
            )
        exempt = self.ignored.exempts(subject)
        if exempt is not None:
            raise RequestError(
                f"{subject} must not be banned: {exempt}",
                where=where,
                cure="take it out of the jail's ignoreip (or set ignoreself = false) and reload",
            )
        if lasts is not None and not lasts:
            raise RequestError(
                f"a ban of {subject} for 0 seconds is none",
                where=where,
                cure="give a time, or -1 for a ban without end",
            )

    def unban(self, subject: Subject | None, reason: EndReason) -> list[EndBan]:
        """End the ban of *subject*, of all that is inside it if it is a network, or all (None).

        An end by the operator is a pardon: the subject's failures and earlier
        bans are forgotten too. An address inside a banned network has no ban of
        its own to end.
        """
        if subject is None:
            chosen = list(self._bans)
        elif subject.is_network:
            chosen = self._inside(subject)
        else:
            chosen = [subject] if subject in self._bans else []
        if reason == "operator" and subject is not None:
            self._window.take(subject)
            self._past.forget(subject)
        return [self._end(found, reason) for found in chosen]

    def review(self) -> list[EndBan]:
        """End every ban that covers a subject which has become exempt.

        To be called when the ignore list has changed, such as by a name's new address.
        """
        exempt = [subject for subject in self._bans if self.ignored.exempts(subject) is not None]
        return [self._end(subject, "exempt") for subject in exempt]

    def restore(self, memory: JailMemory, now: Instant) -> list[StartBan]:
        """Take over what an earlier run or an older configuration remembered.

        Return the bans that are to be in force again. Bans that are over, or
        whose subject is exempt by now, are left out; the next `tick` returns
        their ends, so that ledger and firewall hear of them. A ban keeps the
        time it was given, whatever bantime is now. Bans in force here stay.
        """
        self.failures_total += memory.failures_total
        self.bans_total += memory.bans_total
        self._told = (self.failures_total, self.bans_total)
        for subject, past in memory.past.items():
            self._past.put(subject, past)
        starts: list[StartBan] = []
        for ban in sorted(memory.bans, key=lambda ban: ban.since):
            if ban.subject in self._bans:
                continue
            if ban.is_over(now):
                self._past.put(ban.subject, PastBan(ban.count, ban.since, ban.until))
                self._left_out.append(EndBan(ban, "expired"))
            elif self.ignored.exempts(ban.subject) is not None:
                self._left_out.append(EndBan(ban, "exempt"))
            else:
                self._hold(ban)
                starts.append(StartBan(ban, restored=True))
        horizon = now - self.settings.findtime
        for subject, tally in sorted(memory.tallies.items(), key=lambda item: item[1].times[-1:]):
            if tally.times and tally.times[-1] > horizon and self._holder(subject) is None:
                self._window.put(subject, tally)
        return starts

    def memory(self) -> JailMemory:
        """Return all there is to remember, for a policy that takes this one's place.

        Ask for `changes` first: they do not travel.
        """
        return JailMemory(
            bans=tuple(self._bans.values()),
            tallies=self._window.all(),
            failures_total=self.failures_total,
            bans_total=self.bans_total,
            past=self._past.all(),
        )

    def changes(self) -> JailChanges | None:
        """Return what changed since this was asked last, or None if nothing did."""
        tallies = self._window.changes()
        totals = (self.failures_total, self.bans_total)
        if not tallies and totals == self._told:
            return None
        self._told = totals
        return JailChanges(self.name, tallies, *totals)

    def _holder(self, subject: Subject) -> Subject | None:
        """Return the banned subject that *subject* is or lies in."""
        if subject in self._bans:
            return subject
        return self._networks.around(subject) if self._networks else None

    def _inside(self, network: Subject) -> list[Subject]:
        around: NetworkTable[Subject] = NetworkTable()
        around.put(network, network)
        return [subject for subject in self._bans if around.around(subject) is not None]

    def _start(self, ban: Ban) -> StartBan:
        self.bans_total += 1
        self._hold(ban)
        return StartBan(ban)

    def _hold(self, ban: Ban) -> None:
        subject = ban.subject
        self._bans[subject] = ban
        self._past.forget(subject)
        if subject.is_network:
            self._networks.put(subject, subject)
        if ban.until is None:
            self._expiry.cancel(subject)
        else:
            self._expiry.set(subject, ban.until)
        if ban.evidence or ban.tags:
            self._with_evidence.append(subject)
            if len(self._with_evidence) > EVIDENCE_BANS:
                self._strip(self._with_evidence.popleft())

    def _strip(self, subject: Subject) -> None:
        ban = self._bans.get(subject)
        if ban is not None:
            self._bans[subject] = msgspec.structs.replace(ban, evidence=(), tags=())

    def _end(self, subject: Subject, reason: EndReason) -> EndBan:
        ban = self._bans.pop(subject)
        self._expiry.cancel(subject)
        if subject.is_network:
            self._networks.remove(subject)
        if reason != "operator":
            self._past.put(subject, PastBan(ban.count, ban.since, ban.until))
        return EndBan(ban, reason)


def _end(since: Instant, lasts: Seconds | None) -> Instant | None:
    return None if lasts is None else Instant(since + lasts)


def _captured(tags: Tags) -> tuple[tuple[str, str], ...]:
    """Return *tags* as a ban keeps them: of several values one text, cut as evidence is."""
    return tuple(
        (name, (value if isinstance(value, str) else ", ".join(value))[:EVIDENCE_LIMIT_CHARACTERS])
        for name, value in tags.items()
    )
