"""One jail's judgement: who is banned, from when, for how long.

Values and time go in, decisions come out. Nothing here carries a decision out,
and nothing forgets one: a ban is in `JailPolicy.bans` from the moment it is
decided until the moment its end is.

Where we knowingly differ from Fail2Ban 1.1.1: the count is a true sliding
window (see `window`), a ban by hand never covers an exempt subject, a longer
ban of a known subject is long from its first moment, and an address inside a
network that is banned counts as banned.

Networks are counted in `widening` and banned in `networkbans`; what outlives a
restart goes through `remembering`.
"""

from collections.abc import Iterable, Mapping

from banish.model.address import Subject
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
from banish.model.failure import Failure, joined_tags
from banish.model.instant import Instant, Seconds
from banish.model.settings import JailSettings
from banish.model.snapshot import JailChanges, JailMemory
from banish.policy.bannable import require_bannable
from banish.policy.bannedas import BannedAs
from banish.policy.budget import BanBudget
from banish.policy.byhand import ByHand
from banish.policy.escalation import BanTime, CountOf, Draw, end_of
from banish.policy.exempt import ExemptList
from banish.policy.inforce import BansInForce
from banish.policy.networkbans import NetworkBans
from banish.policy.remembering import Remembering, Totals
from banish.policy.room import Room
from banish.policy.widening import Refusal
from banish.policy.window import CAPACITY, Window

PURGE_AT_ONCE = 10_000
"""Subjects forgotten by one `JailPolicy.tick`: some 10 ms, so that no tick is felt."""

DAY = Seconds(86_400)

LONG_AGO = Instant(float("-inf"))


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
        self._bans = bans = BansInForce(remembers)
        self._count_of = count_of or bans.count
        self._networks = NetworkBans(settings, exempt, bans, draw=draw, count_of=self._count_of)
        self._remembering = Remembering(settings, exempt, bans, self._window, self._networks)
        self._by_hand = ByHand(settings.name, bans, self._window, self._networks, self._count_of)
        self._banned_as = BannedAs(bans, exempt)
        self._following: list[StartBan | EndBan] = []

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
        return self._bans.count(subject, now)

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
                self._networks.widening.add_answer(failure.subject, now)
            return Exempt(exempt)
        self.failures_total += failure.attempts
        holder = self._bans.holder(failure.subject)
        if holder is not None:
            self.failures_while_banned += failure.attempts
            return AlreadyBanned(holder)
        subject = self._networks.widening.counted_as(failure.subject, now)
        self._window.purge_at_times(now)
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
            until=end_of(at, lasts),
            failures=failures,
            count=self.count(subject, now) + 1,
            evidence=tally.evidence,
            rule=failure.rule,
            tags=joined_tags(failure.tags),
            address=failure.address,
            seen=failure.subject if failure.subject != subject else None,
        )
        if ban.is_over(now):
            return TooOld()
        self.budget.spend(now)
        self._bans.hold(ban)
        wider = self._networks.widen(ban, now, self.budget)
        self.bans_total += 1 + sum(isinstance(each, StartBan) for each in wider)
        self._following += wider
        return StartBan(ban)

    def banned_as(self) -> dict[Subject, Subject]:
        """Return the subjects that are known to be out, and as whom; see `BannedAs.known`."""
        return self._banned_as.known()

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
        return self._networks.widening.drain_refusals()

    def tick(self, now: Instant) -> list[StartBan | EndBan]:
        """Return the ends of all bans whose time is over; forget old failures and past bans."""
        self.budget.tick(now)
        self._window.purge(now, PURGE_AT_ONCE)
        self._networks.widening.purge(now, PURGE_AT_ONCE)
        self._bans.past.purge(now)
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
        decision = self._by_hand.ban(subject, now, lasts, cause, self._ban_time)
        self.bans_total += isinstance(decision, StartBan)
        return decision

    def require_bannable(self, subject: Subject, lasts: Seconds | None) -> None:
        """Refuse what `ban` would refuse, so that of many subjects none is banned before all pass.

        Raises:
            RequestError: The subject is exempt, is a name or no peer's address, or *lasts* is zero.

        """
        require_bannable(subject, lasts, self.exempt, self.name)

    def unban(self, subject: Subject | None, reason: EndReason) -> list[EndBan]:
        """End the ban of *subject*, of all that is inside it if it is a network, or all (None).

        An end by the operator is a pardon: the subject's failures and earlier
        bans are forgotten too, and those of the network that it counts as. For
        None those of everybody are, also of subjects that are not banned. An
        address inside a network that is banned otherwise has no ban of its own
        to end.
        """
        return self._by_hand.unban(subject, reason)

    def review(
        self, now: Instant, among: Iterable[Subject] | None = None
    ) -> list[StartBan | EndBan]:
        """End every ban, or those *among* them, that covers a subject which has become exempt.

        The bans that a network had taken in are in force again. To be called when
        the exempt list has changed, such as by a name's new address.
        """
        return self._networks.end_exempt(among, now)

    def shift(self, by: Seconds) -> list[ProlongBan]:
        """Move times by *by*, as the clock was set, so that what is left of them stays the same.

        Return the bans with the ends that they have now. Bans of before this boot stay: their
        times were those of a clock that nobody can compare with this one.
        """
        return self._remembering.shift(by)

    def restore(
        self, memory: JailMemory, now: Instant, boot: Instant = LONG_AGO, *, more: bool = False
    ) -> list[StartBan]:
        """Take over what an earlier run or an older configuration remembered.

        It may come in parts, the bans first; *more* says that another part follows.

        Return the bans that are to be in force again. `Remembering.restore` says which those
        are; the next `tick` returns what else comes of it. Bans in force here stay.
        """
        self.failures_total += memory.failures_total
        self.bans_total += memory.bans_total
        starts, following = self._remembering.restore(memory, now, boot, self._totals, more=more)
        self._following += following
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
        self._networks.settle(settings, exempt)
        self._ban_time = ban_time
        self.settings = settings
        self.exempt = exempt
        self.budget.settle(settings.budget)
        self._window.settle(settings.maxretry, settings.findtime, settings.maxmatches)
        self._remembering.settle(settings, exempt)
        self._banned_as.settle(exempt)

    def retire(self) -> None:
        """Give back the memory that this jail's failing subjects take of all jails' room."""
        self._window.leave()

    def memory(self) -> JailMemory:
        """Return all there is to remember, for a policy that takes this one's place.

        Ask for `changes` first: they do not travel.
        """
        return self._remembering.memory(self._totals)

    def changes(self) -> JailChanges | None:
        """Return what changed since this was asked last, or None if nothing did."""
        return self._remembering.changes(self._totals)

    @property
    def _totals(self) -> Totals:
        return (self.failures_total, self.bans_total)
