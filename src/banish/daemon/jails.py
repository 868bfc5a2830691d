"""The jails of a running server: one policy each, and what exempts from all.

Everything here is plain and immediate: failures in, events and decisions
out. Pipelines, the timer and the operator all change policies through `Jails`,
in one event loop, so that what changed and the positions it belongs to go into
one commit.
"""

import itertools
import math
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from banish.errors import RequestError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import (
    AlreadyBanned,
    Counted,
    Decision,
    EndBan,
    Exempt,
    FailedWhileBanned,
    HeldBack,
    StartBan,
    Verdict,
)
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Position
from banish.model.settings import JailSettings
from banish.model.snapshot import Commit, JailChanges, JailMemory, Memory
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.policy.repeated import failure_of, failure_of_ban
from banish.policy.steps import ClockSteps
from banish.telemetry.events import (
    BanBudgetExceeded,
    BanBudgetReturned,
    BanHeldBack,
    ClockSet,
    EmitEvery,
    Event,
    FailureExempted,
    FailuresFound,
    NetworkExempted,
    WarningGiven,
)

AGAIN_LIMIT = 100_000
"""Banned subjects of one jail whose further failures are reported by ``maxretry``; past it
all begin anew."""


REVIEWED_AT_ONCE = 2_000

EVICTIONS_PAUSE = Seconds(3_600)


def steady_clock() -> Seconds:
    """Return how long the host has run, in seconds, time asleep included; nobody can set it."""
    return Seconds(time.clock_gettime(time.CLOCK_BOOTTIME))


class Jails:
    """All policies of a server by name."""

    def __init__(
        self,
        policies: Mapping[str, JailPolicy],
        *,
        emit_every: EmitEvery,
        on_due: Callable[[], None],
        steady: Callable[[], Seconds] | None = None,
    ) -> None:
        """Take *policies* by name; *on_due* is called when `due` may have come closer.

        *steady* tells how long the host has run. When the clock by which the jails are asked
        is set, all that they measure is moved with it. None: that clock is never set.
        """
        self.policies = dict(policies)
        """By name; `put` and `remove` change it."""
        self._steady = steady
        self._steps = ClockSteps()
        self._emit_every = emit_every
        self._on_due = on_due
        self._counting: list[str] = []
        """The jails that count the bans of the others."""
        self._note_counting()
        self._evictions: dict[str, tuple[int, Instant]] = {}
        """How many evictions of each jail were reported, and when."""
        self._again: dict[str, dict[Subject, int]] = {}
        """How many failures each banned subject of a jail has had that were not reported yet."""
        self._while_banned: list[FailedWhileBanned] = []
        """What the next step carries: it is reported after the bans that it refers to."""

    def put(self, policy: JailPolicy) -> None:
        """Let *policy* judge for its jail, a new one, from now on."""
        assert policy.name not in self.policies
        self.policies[policy.name] = policy
        self._note_counting()
        self._on_due()

    def change(self, name: str, settings: JailSettings, exempt: ExemptList, now: Instant) -> Commit:
        """Let the jail called *name* judge by *settings*; return all that had changed before.

        Bans of subjects that are exempt by now end with the next `review`.
        """
        policy = self.policy(name)
        commit = self.step(now, policy.follow(), {})
        policy.change(settings, exempt)
        self._note_counting()
        self._on_due()
        return commit

    def remove(self, name: str, now: Instant) -> Commit:
        """Let the jail called *name* judge no more; return all that had changed before.

        What it remembers stays in the ledger, and comes back with the jail.
        """
        policy = self.policy(name)
        commit = self.step(now, policy.follow(), {})
        policy.retire()
        del self.policies[name]
        self._again.pop(name, None)
        self._evictions.pop(name, None)
        self._note_counting()
        self._on_due()
        return commit

    def every(self) -> Iterable[JailPolicy]:
        """Return the policies of all jails."""
        return self.policies.values()

    def arrange(self, names: Iterable[str]) -> None:
        """Keep the jails in the order of *names*, which are all of them."""
        self.policies = {name: self.policies[name] for name in names}

    def _note_counting(self) -> None:
        self._counting = [name for name, one in self.policies.items() if one.settings.uses_ledger]

    def policy(self, name: str) -> JailPolicy:
        """Return the policy of the jail called *name*.

        Raises:
            RequestError: There is none.

        """
        found = self.policies.get(name)
        if found is None:
            known = ", ".join(self.policies) or "none"
            raise RequestError(f"the jail '{name}' does not exist", cure=f"running jails: {known}")
        return found

    def chosen(self, name: str | None) -> Iterable[JailPolicy]:
        """Return the one policy named, or all of them for None."""
        return self.policies.values() if name is None else (self.policy(name),)

    def judge(
        self, failures: Sequence[Failure], now: Instant, positions: Mapping[str, Position]
    ) -> Commit:
        """Count *failures* and return the step that brings us to *positions*."""
        decisions = [*self._follow_clock(now), *self._count(failures, now)]
        if decisions:
            self._on_due()
        return self.step(now, decisions, positions)

    def _follow_clock(self, now: Instant) -> list[Decision]:
        """Move all times with the clock if it was set; return the bans with their new ends."""
        by = Seconds(0.0) if self._steady is None else self._steps.look(now, self._steady())
        if not by:
            return []
        moved: list[Decision] = []
        for policy in self.policies.values():
            moved += policy.shift(by)
        self._emit_every([ClockSet(by, len(moved))])
        self._on_due()
        return moved

    def _count(self, failures: Iterable[Failure], now: Instant) -> list[Decision]:
        """Have *failures* judged, tell of them, and return what was decided."""
        decisions: list[Decision] = []
        events: list[Event] = []
        for jail, those in itertools.groupby(failures, key=operator.attrgetter("jail")):
            policy = self.policies.get(jail)
            if policy is not None:
                telling = _Telling(policy, self._again.setdefault(jail, {}))
                decisions += _judged(policy, those, now, telling)
                events += telling.take()
                self._while_banned += telling.while_banned
        if events:
            self._emit_every(events)
        return decisions

    def review(self, now: Instant) -> Iterator[Commit | None]:
        """End the bans of subjects that have become exempt, some at a time; None if there is none.

        Of a million bans that takes seconds: others have their turn in between. Bans that a
        network had taken in may begin again, and end sooner than it would have.
        """
        for policy in self.policies.values():
            every = iter(list(policy.bans))
            while among := list(itertools.islice(every, REVIEWED_AT_ONCE)):
                decisions = policy.review(now, among)
                if decisions:
                    self._on_due()
                yield self.step(now, decisions, {}) if decisions else None

    def tick(self, now: Instant) -> Commit | None:
        """End the bans whose time is over; None if there is none."""
        ends: list[Decision] = self._follow_clock(now)
        for policy in self.policies.values():
            ends.extend(policy.tick(now))
            news = [*_budget_news(policy), *self._eviction_news(policy, now)]
            if news:
                self._emit_every(news)
        return self.step(now, ends, {}) if ends else None

    def _eviction_news(self, policy: JailPolicy, now: Instant) -> list[Event]:
        """Return that subjects were forgotten early, an hour after the last time at the soonest."""
        reported, at = self._evictions.get(policy.name, (0, Instant(-math.inf)))
        fresh = policy.evicted_total - reported
        if not fresh or now - at < EVICTIONS_PAUSE:
            return []
        self._evictions[policy.name] = (policy.evicted_total, now)
        what = (
            f"{fresh} failing subjects were forgotten early: memory for them is full; "
            "subjects that fail slowly may not be banned: raise windowmemory, or lower findtime"
        )
        return [WarningGiven(part=f"jail {policy.name}", what=what)]

    @property
    def due(self) -> Instant | None:
        """When the next ban ends."""
        times = [policy.due for policy in self.policies.values() if policy.due is not None]
        return min(times, default=None)

    def step(
        self, now: Instant, decisions: Sequence[Decision], positions: Mapping[str, Position]
    ) -> Commit:
        """Return a commit of *decisions*, what follows, and all that changed in the windows."""
        decisions = self._with_repeated(decisions, now)
        for decision in decisions:
            if isinstance(decision, EndBan):
                self._again.get(decision.ban.jail, {}).pop(decision.ban.subject, None)
        changes: list[JailChanges] = []
        for policy in self.policies.values():
            change = policy.changes()
            if change is not None:
                changes.append(change)
        while_banned, self._while_banned = tuple(self._while_banned), []
        return Commit(
            at=now,
            decisions=tuple(decisions),
            changes=tuple(changes),
            positions=positions,
            while_banned=while_banned,
        )

    def _with_repeated(self, decisions: Sequence[Decision], now: Instant) -> list[Decision]:
        """Return *decisions* and those of the jails that count bans, whose bans count in turn."""
        every = list(decisions)
        if self._counting:
            for decision in every:  # and those appended meanwhile; each subject is banned once
                found = [failure_of(decision, jail) for jail in self._counting]
                every += self._count([failure for failure in found if failure is not None], now)
            if len(every) > len(decisions):
                self._on_due()
        return every

    @property
    def counting(self) -> Sequence[str]:
        """The names of the jails that count the bans of the others."""
        return self._counting

    def recount(self, jail: str, bans: Sequence[Ban], now: Instant) -> Commit:
        """Have *jail*, which counts bans and is new here, count *bans*, oldest first."""
        found = [failure_of_ban(ban, jail) for ban in bans]
        decisions = self._count([failure for failure in found if failure is not None], now)
        self._on_due()
        return self.step(now, decisions, {})

    def _boot(self, now: Instant) -> Instant:
        """Return when the host started, by the clock that says it is *now*."""
        return Instant(float("-inf") if self._steady is None else now - self._steady())

    def restore(self, memory: Memory, now: Instant) -> tuple[Ban, ...]:
        """Take up where an earlier run stopped; return the bans still in force."""
        boot = self._boot(now)
        for name, policy in self.policies.items():
            policy.restore(memory.jails.get(name, JailMemory()), now, boot)
        return tuple(ban for policy in self.policies.values() for ban in policy.bans.values())

    def restore_part(
        self, jails: Mapping[str, JailMemory], now: Instant, *, more: bool = True
    ) -> None:
        """Take a part of what an earlier run remembered; the bans come before the rest.

        The last part says that no *more* follow; it may be empty.
        """
        boot = self._boot(now)
        for name in self.policies if not more else jails:
            policy = self.policies.get(name)
            if policy is not None:
                policy.restore(jails.get(name, JailMemory()), now, boot, more=more)
        if not more:
            self._on_due()

    @property
    def in_force(self) -> tuple[Ban, ...]:
        """The bans in force, of all jails."""
        return tuple(ban for policy in self.policies.values() for ban in policy.bans.values())

    def restore_bans(self, memory: Memory, now: Instant) -> Commit:
        """Put bans back that were remembered somewhere out of reach until now.

        Only bans, totals and the memory of past bans: windows were built anew meanwhile.
        """
        boot = self._boot(now)
        starts: list[Decision] = []
        totals: list[JailChanges] = []
        for name, policy in self.policies.items():
            kept = memory.jails.get(name)
            if kept is not None:
                starts.extend(policy.restore(msgspec.structs.replace(kept, tallies={}), now, boot))
                totals.append(
                    JailChanges(
                        name,
                        failures_total=policy.failures_total,
                        bans_total=policy.bans_total,
                    )
                )
        self._on_due()
        return Commit(at=now, decisions=tuple(starts), changes=tuple(totals))

    def ban(
        self, jail: str, subjects: Sequence[Subject], now: Instant, lasts: Seconds | None
    ) -> Commit:
        """Ban by hand.

        Raises:
            RequestError: No such jail, or a subject is exempt or no address.

        """
        policy = self.policy(jail)
        for subject in subjects:
            if not subject.is_enforceable:
                raise RequestError(
                    f"'{subject}' is not an address or a network",
                    cure="write an address (192.0.2.1) or a network (192.0.2.0/24)",
                )
            policy.require_bannable(subject, lasts)
        decided = [policy.ban(subject, now, lasts) for subject in subjects]
        self._on_due()
        return self.step(now, [decision for decision in decided if decision is not None], {})

    def unban(self, subjects: Sequence[Subject] | None, jail: str | None, now: Instant) -> Commit:
        """End bans by hand; None ends all.

        Raises:
            RequestError: No such jail.

        """
        ends: list[Decision] = []
        for policy in self.chosen(jail):
            if subjects is None:
                ends.extend(policy.unban(None, "operator"))
            else:
                for subject in subjects:
                    ends.extend(policy.unban(subject, "operator"))
        return self.step(now, ends, {})

    def resume(self, jail: str, now: Instant) -> None:
        """Let *jail*, whose ban budget was exceeded, start bans again.

        Raises:
            RequestError: No such jail, or it holds no bans back.

        """
        policy = self.policy(jail)
        if not policy.budget.release(now):
            raise RequestError(
                f"jail {jail} holds no bans back", cure=f"banish status {jail} shows how it is"
            )
        self._emit_every(_budget_news(policy))


def _judged(
    policy: JailPolicy, failures: Iterable[Failure], now: Instant, telling: "_Telling"
) -> list[Decision]:
    """Have *failures*, all of the jail of *policy*, judged; return what was decided."""
    decisions: list[Decision] = []
    horizon = now - policy.settings.findtime
    held = policy.banned_as()
    found_banned = telling.found_banned
    for failure in failures:
        # Whether the subject alone decides what becomes of it.
        is_bare = failure.address is None and not failure.exempt_by
        holder = held.get(failure.subject) if is_bare and failure.at > horizon else None
        if holder is not None:
            policy.count_while_banned(failure.attempts)
            found_banned(failure, holder)
            continue
        verdict = policy.judge(failure, now)
        if isinstance(verdict, AlreadyBanned):
            if is_bare:
                held[failure.subject] = verdict.subject
            found_banned(failure, verdict.subject)
        elif isinstance(verdict, StartBan):
            decisions.append(verdict)
            decisions.extend(policy.follow())
            held = policy.banned_as()
            telling.found_last(failure, verdict.ban.subject)
        else:
            telling.unbanned(verdict, failure)
    return decisions


class _Telling:
    """The events of one jail's failures, those in a row together.

    *again* is how many failures each banned subject has had that were not reported yet; it
    is kept up to date.
    """

    def __init__(self, policy: JailPolicy, again: dict[Subject, int]) -> None:
        self._policy = policy
        self._again = again
        self._maxretry = policy.settings.maxretry
        self._events: list[Event] = []
        self._row: list[Failure] = []
        self.while_banned: list[FailedWhileBanned] = []
        """What is to be reported after the bans that it refers to, which nobody has made yet."""

    def take(self) -> list[Event]:
        """Return the events to be emitted, in their order."""
        self._end_row()
        return self._events

    def found_banned(self, failure: Failure, holder: Subject) -> None:
        """Tell of *failure*, and of somebody banned failing: the first time, then each *maxretry*.

        *holder* is what is banned: whoever changes addresses inside a network is one subject.
        """
        self._row.append(failure)
        again = self._again
        unreported = again.get(holder)
        if unreported is None:
            if len(again) >= AGAIN_LIMIT:
                again.clear()
            times = 1
        else:
            times = unreported + 1
            if times < self._maxretry:
                again[holder] = times
                return
        again[holder] = 0
        self.while_banned.append(
            FailedWhileBanned(self._policy.name, failure.subject, times, holder)
        )

    def found_last(self, failure: Failure, banned: Subject) -> None:
        """Tell of *failure*, for which *banned* is banned."""
        self._row.append(failure)
        self._again.pop(banned, None)
        self._others(_refusals(self._policy))

    def unbanned(self, verdict: Verdict, failure: Failure) -> None:
        """Tell what became of *failure* that neither is banned nor gets banned."""
        match verdict:
            case Counted():
                self._row.append(failure)
            case Exempt(by):
                self._others([FailureExempted(failure.jail, failure.subject, by)])
            case HeldBack(subject, is_new):
                self._row.append(failure)
                self._others(_budget_news(self._policy))
                if is_new:
                    self._others([BanHeldBack(failure.jail, subject)])
            case _:  # too old
                pass

    def _others(self, events: Sequence[Event]) -> None:
        if events:
            self._end_row()
            self._events += events

    def _end_row(self) -> None:
        if self._row:
            self._events.append(FailuresFound(self._policy.name, self._row))
            self._row = []


def _refusals(policy: JailPolicy) -> list[Event]:
    return [
        NetworkExempted(policy.name, refusal.network, refusal.members, refusal.by)
        for refusal in policy.drain_refusals()
    ]


def _budget_news(policy: JailPolicy) -> list[Event]:
    budget = policy.settings.budget
    events: list[Event] = []
    for news in policy.budget.drain_news():
        if news.what == "exceeded":
            events.append(BanBudgetExceeded(policy.name, budget.most, budget.span, news.until))
        else:
            events.append(BanBudgetReturned(policy.name, news.held))
    return events
