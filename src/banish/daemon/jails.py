"""The jails of a running server: one policy each, and what exempts from all.

Everything here is plain and immediate: failures in, events and decisions
out. Pipelines, the timer and the operator all change policies through `Jails`,
in one event loop, so that what changed and the positions it belongs to go into
one commit.
"""

import itertools
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from banish.daemon.judging import EvictionWarnings, FailureEvents, budget_events, judge_in_turn
from banish.errors import RequestError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, FailedWhileBanned
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Position
from banish.model.settings import JailSettings
from banish.model.snapshot import Commit, JailChanges, JailMemory, Memory
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.policy.repeated import failure_of, failure_of_ban
from banish.policy.steps import ClockSteps
from banish.telemetry.events import ClockSet, EmitEvery, Event

REVIEWED_AT_ONCE = 2_000


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
        self._evictions = EvictionWarnings()
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
        self._evictions.forget(name)
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
                found = FailureEvents(policy, self._again.setdefault(jail, {}))
                decisions += judge_in_turn(policy, those, now, found)
                events += found.take()
                self._while_banned += found.while_banned
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
            news = [*budget_events(policy), *self._evictions.due(policy, now)]
            if news:
                self._emit_every(news)
        return self.step(now, ends, {}) if ends else None

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
        self._emit_every(budget_events(policy))
