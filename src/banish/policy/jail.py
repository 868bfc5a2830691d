"""One jail's judgement: who is banned, from when, for how long.

Values and time go in, decisions come out. Nothing here carries a decision out,
and nothing forgets one: a ban is in `JailPolicy.bans` from the moment it is
decided until the moment its end is.

Where we knowingly differ from Fail2Ban 1.1.1: the count is a true sliding
window (see `window`), a ban by hand never covers an exempt subject, a longer
ban of a known subject is long from its first moment, and an address inside a
network that is banned counts as banned.

Where networks are counted or banned (`widening`), the ban of a network takes in
those of its members that end no later: they are *folded*. Should somebody in the
network become exempt, it is unbanned and the bans of its members come back. A jail
that also bans by something else than our own firewall folds none, since not every
command or service can ban a network.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from banish.errors import RequestError
from banish.model.address import Subject, SubjectKind
from banish.model.ban import Ban, Cause
from banish.model.decision import (
    AlreadyBanned,
    Counted,
    EndBan,
    EndReason,
    Exempt,
    HeldBack,
    ProlongBan,
    StartBan,
    TooOld,
    Verdict,
)
from banish.model.failure import EVIDENCE_LIMIT_CHARACTERS, Evidence, Failure, Tags
from banish.model.instant import Instant, Seconds
from banish.model.settings import ActionSettings, JailSettings
from banish.model.snapshot import JailChanges, JailMemory, Member, PastBan, Tally
from banish.policy.budget import BanBudget
from banish.policy.escalation import BanTime, Draw
from banish.policy.exempt import ExemptList
from banish.policy.inforce import BansInForce
from banish.policy.reserved import reserved
from banish.policy.room import Room
from banish.policy.widening import Refusal, Widening
from banish.policy.window import CAPACITY, Window

PURGE_AT_ONCE = 10_000
"""Subjects forgotten by one `JailPolicy.tick`: some 10 ms, so that no tick is felt."""

PURGE_EVERY = 1_000
"""Failures after which old ones are looked for even if nobody calls `JailPolicy.tick`."""

HELD_LIMIT = 16_384
"""Banned subjects that `JailPolicy.held` remembers, some 2 MB; past it all begin anew."""

DAY = Seconds(86_400)

LONG_AGO = Instant(float("-inf"))

CountOf = Callable[[Subject, Instant], int]
"""Tells how often a subject was banned before, at a given time."""


class JailPolicy:
    """Decides for one jail. One task owns it; call `tick` before `judge` as time goes on."""

    def __init__(
        self,
        settings: JailSettings,
        exempt: ExemptList,
        *,
        draw: Draw = lambda: 0.0,
        count_of: CountOf | None = None,
        remembers: Seconds = DAY,
        capacity: int = CAPACITY,
        room: Room | None = None,
    ) -> None:
        """Judge by *settings*; *exempt* says who is never banned.

        *draw* gives the random numbers for ``bantime.rndtime``. *count_of* tells
        how often a subject was banned before by whatever counts, for
        ``bantime.overalljails``; None: by this jail, which is `count`. A past
        ban is remembered for three times its length and *remembers* on top.
        *room* is the memory that the windows of all jails share.

        Raises:
            ValueError: A formula of the settings is none.

        """
        self.settings = settings
        self.exempt = exempt
        self.failures_total = 0
        """All failures of whoever is not exempt, as Fail2Ban's ``Total failed`` counts them."""
        self.failures_while_banned = 0
        """Those of them that came from subjects already banned, since this policy was made."""
        self.bans_total = 0
        self.exempt_total = 0
        self.budget = BanBudget(settings.budget)
        self._window = Window(
            settings.maxretry,
            settings.findtime,
            capacity,
            evidence_limit=settings.maxmatches,
            room=room,
        )
        self._draw = draw
        self._ban_time = BanTime(settings.bantime, settings.escalation, draw)
        self._count_of = count_of or self.count
        self._bans = BansInForce(remembers)
        self._past = self._bans.past
        self._following: list[StartBan | EndBan] = []
        self._widening = Widening(settings.networks, exempt)
        self._network_time = BanTime(_network_base(settings), settings.escalation, draw)
        self._folds = not any(map(_may_refuse_networks, settings.actions))
        self._last_totals = (0, 0)
        self._by_wall: set[Subject] = set()
        """Who was banned before this boot: how long ago that is the wall clock alone knows."""
        self._held: dict[Subject, Subject] = {}
        self._held_since = (0, 0)
        """What bans and exempt list had counted as changes when `_held` was emptied last."""
        self._until_purge = PURGE_EVERY
        self._unfolding: list[Subject] = []
        """Networks that were exempt when they were restored, until all past bans are known."""

    @property
    def name(self) -> str:
        """The jail's name."""
        return self.settings.name

    @property
    def bans(self) -> Mapping[Subject, Ban]:
        """The bans in force, by subject; a view that changes as they do."""
        return self._bans.view

    @property
    def due(self) -> Instant | None:
        """When `tick` is to be called next; None while nothing waits for it."""
        if self._following:
            return Instant(0)
        return self._bans.expiry.due()

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

    def holding(self, subject: Subject) -> list[Ban]:
        """Return the bans in force that keep *subject* out: its own, and those of networks."""
        return self._bans.holding(subject)

    def judge(self, failure: Failure, now: Instant) -> Verdict:
        """Count *failure*, and ban its subject if it is one too many.

        A failure from the future counts as now. A ban counts from the failure
        that decided it; if it would be over by *now* it is not started. Over the
        jail's budget none is; the count stays as long as any does, so that whoever goes
        on is banned by the first failure after the budget is back. A ban
        whose time is over still counts as in force until `tick` has ended it.
        """
        at = min(failure.at, now)
        if at <= now - self.settings.findtime:
            return TooOld()
        exempt = self.exempt.exempts_failure(failure)
        if exempt is not None:
            self.exempt_total += 1
            if failure.exempt_by:
                self._widening.add_answer(failure.subject, now)
            return Exempt(exempt)
        self.failures_total += failure.attempts
        holder = self._bans.holder(failure.subject)
        if holder is not None:
            self.failures_while_banned += failure.attempts
            return AlreadyBanned(holder)
        subject = self._widening.counted_as(failure.subject, now)
        self._until_purge -= 1
        if self._until_purge < 1:
            self._until_purge = PURGE_EVERY
            self._window.purge(now, 2 * PURGE_EVERY)
        failures = self._window.add(subject, at, failure.attempts, failure.evidence)
        if failures < self.settings.maxretry:
            return Counted(failures)
        if not self.budget.has_room(now):
            return HeldBack(subject, self.budget.hold(subject))
        tally = self._window.pop(subject)
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
            seen=failure.subject if failure.subject != subject else None,
        )
        if ban.is_over(now):
            return TooOld()
        self.budget.spend(now)
        start = self._start(ban)
        self._widen(ban, now)
        return start

    def banned_as(self) -> dict[Subject, Subject]:
        """Return the subjects that are known to be out, and as whom each is banned.

        `judge` finds these `AlreadyBanned` by any failure within findtime that has no
        address of its own and is not exempt by an answer. Whoever hears that of another may
        add it. To be asked for again when anything was decided, or the exempt list may have
        changed. A failure that is not judged for it is counted by `count_while_banned`.
        """
        changes = (self._bans.changes, self.exempt.changes)
        if changes != self._held_since or len(self._held) >= HELD_LIMIT:
            self._held.clear()
            self._held_since = changes
        return self._held

    def count_while_banned(self, attempts: int) -> None:
        """Count *attempts* failures of a subject that is already banned, without judging them."""
        self.failures_total += attempts
        self.failures_while_banned += attempts

    def would_count(self, failure: Failure, now: Instant) -> bool:
        """Whether `judge` would count *failure*: recent, of nobody exempt, of nobody banned."""
        return (
            min(failure.at, now) > now - self.settings.findtime
            and self.exempt.exempts_failure(failure) is None
            and self._bans.holder(failure.subject) is None
        )

    def follow(self) -> list[StartBan | EndBan]:
        """Return what else was decided since this was asked last, by `judge` above all.

        Bans of networks whose members are too many now, and the ends of the bans
        that these take in. What nobody asks for here `tick` returns.
        """
        following, self._following = self._following, []
        return following

    def drain_refusals(self) -> list[Refusal]:
        """Return the networks that were not banned since somebody in them is exempt, each once."""
        refusals = list(self._widening.refusals)
        self._widening.refusals.clear()
        return refusals

    def tick(self, now: Instant) -> list[StartBan | EndBan]:
        """Return the ends of all bans whose time is over; forget old failures and past bans."""
        self.budget.tick(now)
        self._window.purge(now, PURGE_AT_ONCE)
        self._widening.purge(now, PURGE_AT_ONCE)
        self._past.purge(now)
        decisions = self.follow()
        decisions.extend(
            self._bans.end(subject, "expired") for subject in self._bans.expiry.pop_due(now)
        )
        return decisions

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
            self._bans.hold(longer)
            return ProlongBan(longer)
        self._window.pop(subject)
        count = self.count(subject, now) + 1
        return self._start(Ban(self.name, subject, now, until, count=count, cause=cause))

    def require_bannable(self, subject: Subject, lasts: Seconds | None) -> None:
        """Refuse what `ban` would refuse, so that of many subjects none is banned before all pass.

        Raises:
            RequestError: The subject is exempt, is a name or no peer's address, or *lasts* is zero.

        """
        where = f"jail {self.name}"
        if subject.kind is SubjectKind.NAME:
            raise RequestError(
                f"{subject} is a name, and only addresses can be banned",
                where=where,
                cure="give its addresses",
            )
        no_peer = reserved(subject)
        if no_peer is not None:
            raise RequestError(
                f"{subject} cannot be banned: {no_peer}, and no attacker has such an address",
                where=where,
                cure="give the address from which the attacker connects",
            )
        exempt = self.exempt.exempts(subject)
        if exempt is not None:
            raise RequestError(
                f"{subject} must not be banned: {exempt}",
                where=where,
                cure="take it out of ignoreip (or set ignoreself = false): banish reload",
            )
        for_now = self.exempt.exempts_for_now(subject)
        if for_now is not None:
            raise RequestError(
                f"{subject} must not be banned: {for_now}",
                where=where,
                cure="end that login and wait for guard.time; or set guard = none: banish reload",
            )
        if lasts is not None and not lasts:
            raise RequestError(
                f"a ban of {subject} for 0 seconds bans nobody",
                where=where,
                cure="give a time, or -1 for a ban without end",
            )

    def unban(self, subject: Subject | None, reason: EndReason) -> list[EndBan]:
        """End the ban of *subject*, of all that is inside it if it is a network, or all (None).

        An end by the operator is a pardon: the subject's failures and earlier
        bans are forgotten too, and those of the network that it counts as. For
        None those of everybody are, also of subjects that are not banned. An
        address inside a network that is banned otherwise has no ban of its own
        to end.
        """
        if subject is None:
            chosen = list(self._bans)
        elif subject.is_network:
            chosen = self._bans.inside(subject)
        else:
            names = self._widening.names(subject) if reason == "operator" else (subject,)
            chosen = [name for name in names if name in self._bans]
        ends = [self._bans.end(found, reason) for found in chosen]
        if reason == "operator":
            self._pardon(subject, chosen)
        return ends

    def _pardon(self, subject: Subject | None, ended: list[Subject]) -> None:
        self._widening.pardon(ended)
        if subject is None:
            self._window.clear()
            self._widening.clear()
            self._past.clear()
            return
        names = self._widening.names(subject)
        self._widening.pardon(names)
        for name in names:
            self._window.pop(name)
            self._past.forget(name)
        if subject.is_network:
            self._window.forget_inside(subject)
            self._past.forget_inside(subject)

    def review(
        self, now: Instant, among: Iterable[Subject] | None = None
    ) -> list[StartBan | EndBan]:
        """End every ban, or those *among* them, that covers a subject which has become exempt.

        The bans that a network had taken in are in force again. To be called when
        the exempt list has changed, such as by a name's new address.
        """
        exempt = [
            subject
            for subject in (self._bans if among is None else among)
            if subject in self._bans and self.exempt.exempts(subject) is not None
        ]
        decisions: list[StartBan | EndBan] = [
            self._bans.end(subject, "exempt") for subject in exempt
        ]
        for subject in exempt:
            decisions += self._unfold(subject, now)
        return decisions

    def shift(self, by: Seconds) -> list[ProlongBan]:
        """Move times by *by*, as the clock was set, so that what is left of them stays the same.

        Return the bans with the ends that they have now. Bans of before this boot stay: their
        times were those of a clock that nobody can compare with this one.
        """
        self._window.shift(by)
        self._widening.shift(by)
        self._by_wall &= self._bans.view.keys()
        moved: list[ProlongBan] = []
        for ban in list(self._bans.view.values()):
            if ban.until is not None and ban.subject not in self._by_wall:
                later = msgspec.structs.replace(ban, until=Instant(ban.until + by))
                self._bans.set_end(later)
                moved.append(ProlongBan(later, same_span=True))
        return moved

    def restore(
        self,
        memory: JailMemory,
        now: Instant,
        boot: Instant = LONG_AGO,
        *,
        more: bool = False,
    ) -> list[StartBan]:
        """Take over what an earlier run or an older configuration remembered.

        It may come in parts, the bans first; *more* says that another part follows.

        Return the bans that are to be in force again. Bans that are over, or
        whose subject is exempt by now, are left out; the next `tick` returns
        their ends, so that ledger and firewall hear of them, and the beginnings
        of those that an exempt network had taken in. A ban keeps the
        time it was given, whatever bantime is now; one that began after *now*, since the clock
        was set back meanwhile, lasts no longer than it was meant to. *boot* is when the host
        started, see `shift`. Bans in force here stay.
        """
        self.failures_total += memory.failures_total
        self.bans_total += memory.bans_total
        self._last_totals = (self.failures_total, self.bans_total)
        for subject, past in memory.past.items():
            if subject not in self._bans:
                self._past.add(subject, past)
        starts: list[StartBan] = []
        for remembered in sorted(memory.bans, key=lambda ban: ban.since):
            ban = _capped(remembered, now)
            if ban.subject in self._bans:
                continue
            if ban.since < boot:
                self._by_wall.add(ban.subject)
            if ban.is_over(now):
                self._past.put(ban.subject, PastBan(ban.count, ban.since, ban.until))
                self._following.append(EndBan(ban, "expired"))
            elif self.exempt.exempts(ban.subject) is not None:
                self._following.append(EndBan(ban, "exempt"))
                self._unfolding.append(ban.subject)
            else:
                self._bans.hold(ban)
                starts.append(StartBan(ban, restored=True))
        if not more:
            for subject in self._unfolding:
                self._following += self._unfold(subject, now)
            self._unfolding.clear()
        horizon = now - self.settings.findtime
        for subject, tally in sorted(memory.tallies.items(), key=lambda item: item[1].times[-1:]):
            if self._bans.holder(subject) is not None:
                continue
            if tally.times and tally.times[-1] > horizon:
                self._window.put(subject, _not_ahead(tally, now))
            if tally.members:
                self._widening.put(subject, tally.members)
        return starts

    def change(self, settings: JailSettings, exempt: ExemptList) -> None:
        """Judge by *settings* from now on; *exempt* says who is never banned.

        All that is remembered stays: failures, bans with the ends that they have, past bans,
        counts, and what the ban budget has spent. Ask for `changes` first, and for a `review`
        of the bans afterwards. Takes the same time however many subjects there are, unless it
        is the networks that change.

        Raises:
            ValueError: A formula of the settings is none; nothing has changed.

        """
        ban_time = BanTime(settings.bantime, settings.escalation, self._draw)
        network_time = BanTime(_network_base(settings), settings.escalation, self._draw)
        widening = Widening(settings.networks, exempt)
        for network in self._widening.all():
            widening.put(network, self._widening.members(network))
        self._ban_time, self._network_time, self._widening = ban_time, network_time, widening
        self.settings = settings
        self.exempt = exempt
        self.budget.settle(settings.budget)
        self._window.settle(settings.maxretry, settings.findtime, settings.maxmatches)
        self._folds = not any(map(_may_refuse_networks, settings.actions))
        self._held.clear()

    def retire(self) -> None:
        """Give back the memory that this jail's failing subjects take of all jails' room."""
        self._window.leave()

    def memory(self) -> JailMemory:
        """Return all there is to remember, for a policy that takes this one's place.

        Ask for `changes` first: they do not travel.
        """
        tallies = self._window.all()
        for network in self._widening.all():
            members = self._widening.members(network)
            tallies[network] = _joined(tallies.get(network), members)
        return JailMemory(
            bans=tuple(self._bans.view.values()),
            tallies=tallies,
            failures_total=self.failures_total,
            bans_total=self.bans_total,
            past=self._past.all(),
        )

    def changes(self) -> JailChanges | None:
        """Return what changed since this was asked last, or None if nothing did."""
        totals = (self.failures_total, self.bans_total)
        if (
            totals == self._last_totals
            and not self._window.has_changed
            and not self._widening.has_changed
        ):
            return None
        self._last_totals = totals
        tallies = self._window.changes()
        networks = [*self._widening.changes(), *(each for each in tallies if each.is_network)]
        for network in networks:
            members = self._widening.members(network)
            tally = self._window.tally(network)
            tallies.put(network, _joined(tally, members) if tally or members else None)
        return JailChanges(self.name, tallies, *totals)

    def _widen(self, ban: Ban, now: Instant) -> None:
        """Ban the network around the subject of *ban* as well if that is one member too many."""
        while not self.budget.is_spent(now):  # or a member is not counted: the next one is
            found = self._widening.add(ban, now)
            if found is None:
                return
            network, members = found
            lasts = self._network_time.lasts(self._count_of(network, now))
            wide = Ban(
                jail=self.name,
                subject=network,
                since=ban.since,
                until=_end(ban.since, lasts),
                failures=len(members),
                count=self.count(network, now) + 1,
                cause="network",
                evidence=self._evidence(members),
                tags=ban.tags,
            )
            if wide.is_over(now):
                return
            self.budget.spend(now)
            self._following.append(self._start(wide))
            if self._folds:
                self._fold(members, wide)
            ban = wide

    def _evidence(self, members: tuple[Member, ...]) -> tuple[Evidence, ...]:
        """Return the newest line against each of the newest of *members*."""
        bans = (self._bans.get(member.subject) for member in members)
        lines = [line for ban in bans if ban is not None for line in ban.evidence[-1:]]
        return tuple(lines[-self.settings.maxmatches :]) if self.settings.maxmatches else ()

    def _fold(self, members: tuple[Member, ...], wide: Ban) -> None:
        for member in members:
            ban = self._bans.get(member.subject)
            if ban is not None and ban.cause in ("failures", "network") and _outlasts(wide, ban):
                self._following.append(self._bans.end(ban.subject, "folded"))

    def _unfold(self, network: Subject, now: Instant) -> list[StartBan]:
        """Put back the bans that were folded into that of *network*, which is over too early."""
        if not network.is_network:
            return []
        starts: list[StartBan] = []
        for subject, past in self._past.folded_inside(network, now).items():
            if subject in self._bans or self.exempt.exempts(subject) is not None:
                continue
            ban = Ban(self.name, subject, now, past.until, count=past.count)
            self._bans.hold(ban)
            starts.append(StartBan(ban, restored=True))
        return starts

    def _start(self, ban: Ban) -> StartBan:
        self.bans_total += 1
        self._bans.hold(ban)
        return StartBan(ban)


def _end(since: Instant, lasts: Seconds | None) -> Instant | None:
    return None if lasts is None else Instant(since + lasts)


def _capped(ban: Ban, now: Instant) -> Ban:
    """Return *ban*, which a clock that was set back makes begin in the future, as from *now*."""
    if ban.since <= now or ban.until is None:
        return ban
    return msgspec.structs.replace(ban, until=Instant(now + ban.until - ban.since))


def _not_ahead(tally: Tally, now: Instant) -> Tally:
    if tally.times[-1] <= now:
        return tally
    times = tuple(min(at, now) for at in tally.times)
    return msgspec.structs.replace(tally, times=times)


def _may_refuse_networks(action: ActionSettings) -> bool:
    """Whether *action* keeps subjects out by something that may take addresses only."""
    if action.way in ("native", "none"):
        return False
    return action.is_enforcing or action.way == "python"


def _network_base(settings: JailSettings) -> Seconds | None:
    """Return how long the first ban of a network lasts; None: without end."""
    own = settings.networks.bantime
    return settings.bantime if not own else None if own < 0 else own


def _outlasts(wide: Ban, ban: Ban) -> bool:
    """Whether *wide* ends no earlier than *ban*."""
    return wide.until is None or (ban.until is not None and ban.until <= wide.until)


def _joined(tally: Tally | None, members: tuple[Member, ...]) -> Tally:
    return msgspec.structs.replace(tally or Tally(()), members=members)


def _captured(tags: Tags) -> tuple[tuple[str, str], ...]:
    """Return *tags* as a ban keeps them: of several values one text, cut as evidence is."""
    return tuple(
        (name, (value if isinstance(value, str) else ", ".join(value))[:EVIDENCE_LIMIT_CHARACTERS])
        for name, value in tags.items()
    )
