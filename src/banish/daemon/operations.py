"""Carries out what an operator asks of the running server."""

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from banish import __version__
from banish.daemon.dispatcher import ActionDispatcher
from banish.daemon.enforcing import EnforcementTask
from banish.daemon.jails import Jails
from banish.daemon.pipeline import Pipeline
from banish.daemon.protection import Protection
from banish.daemon.reload import Reloader
from banish.daemon.silence import health_for, waits_for
from banish.daemon.supervisor import Supervisor
from banish.errors import RequestError
from banish.model.actionresult import ActionResult
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import EndBan
from banish.model.instant import Instant, Seconds, to_iso
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.status import JailStatus, PartTrouble, ServerStatus, SourceHealth
from banish.ports import Clock, Subscription
from banish.telemetry.stream import EventStream

WHY_LIMIT = 100
"""Bans of one subject that `why` shows."""

BUDGET_CURE = (
    "\n    'banish bans --jail {jail}' shows who was banned: if the filter is right, "
    "'banish resume {jail}', and raise banbudget"
)

QUARANTINE_CURE = "\n    fix the regex: 'banish check' shows which lines keep it busy"


WIDEST_EXEMPT = {4: 8, 6: 16}
"""Shortest prefix that may be exempted by hand, by family."""


class ServerOperations:
    """Implements `banish.ports.Operations` on the live server."""

    def __init__(
        self,
        protection: Protection,
        *,
        jails: Jails,
        enforcing: EnforcementTask,
        acting: ActionDispatcher,
        supervisor: Supervisor,
        reloader: Reloader,
        stream: EventStream,
        clock: Clock,
        started_at: Instant,
        dry_run: bool,
        on_stop: Callable[[], None],
        troubles: Callable[[], Mapping[str, str]] = dict,
        starting: Callable[[], str] = str,
        when_restored: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Operate on these parts.

        *troubles* says what else does not work, by part; *starting* what the start is doing.
        Bans and unbans by hand wait for *when_restored*: what is put back later knows nothing
        of them.
        """
        self._protection = protection
        self._jails = jails
        self._enforcing = enforcing
        self._acting = acting
        self._supervisor = supervisor
        self._reloader = reloader
        self._stream = stream
        self._clock = clock
        self._started_at = started_at
        self._dry_run = dry_run
        self._on_stop = on_stop
        self._troubles = troubles
        self._starting = starting
        self._when_restored = when_restored

    async def status(self) -> ServerStatus:
        """Return how the server is doing; the firewall is read for it."""
        await self._enforcing.look()
        now, settings = self._clock(), self._protection.settings
        return ServerStatus(
            version=__version__,
            pid=os.getpid(),
            started_at=self._started_at,
            now=now,
            root=settings.root,
            dry_run=self._dry_run,
            jails=tuple(self._jail_status(name, now) for name in self._jails.policies),
            sources=tuple(self._health(pipeline) for pipeline in self._protection.pipelines),
            enforcement=self._enforcing.firewall_status(),
            store=settings.server.dbfile,
            problems=settings.problems,
            store_trouble=self._enforcing.store_trouble,
            troubles=self._part_troubles(),
            starting=self._starting(),
            confirm_until=self._reloader.confirm_until,
            returned_at=self._reloader.returned_at,
        )

    def _part_troubles(self) -> tuple[PartTrouble, ...]:
        """Return the parts that are down; those that read a log show as their log's trouble."""
        logs = {pipeline.source.name for pipeline in self._protection.pipelines}
        found = {**self._troubles(), **self._supervisor.troubles}
        return tuple(PartTrouble(part, what) for part, what in found.items() if part not in logs)

    def _health(self, pipeline: Pipeline) -> SourceHealth:
        health = pipeline.source.health()
        trouble = self._supervisor.troubles.get(pipeline.source.name)
        if trouble is not None:
            return msgspec.structs.replace(health, state="failing", detail=trouble)
        return health

    def _jail_status(self, name: str, now: Instant) -> JailStatus:
        policy = self._jails.policies[name]
        settings = self._protection.jails[name].settings
        watching = [
            (pipeline, watch)
            for pipeline in self._protection.pipelines
            for watch in pipeline.watches
            if watch.matcher.jail == name
        ]
        troubles = [
            health.detail
            for health in (self._health(pipeline) for pipeline, _ in watching)
            if health.state == "failing"
        ]
        waits = waits_for(
            [health_for(self._health(pipeline), watch.patterns) for pipeline, watch in watching]
        )
        if waits:
            troubles.append(waits)
        if of_actions := self._acting.trouble(name):
            troubles.append(of_actions)
        budget = policy.budget
        if budget.until is not None:
            what = f"the ban budget is spent: {budget.held} subjects held back until"
            cure = BUDGET_CURE.format(jail=name)
            troubles.append(f"{what} {to_iso(budget.until)}{cure}")
        quarantines = [
            quarantine
            for _, watch in watching
            for quarantine in (watch.matcher.quarantine, watch.matcher.dates.quarantine)
        ]
        quarantined = tuple(rule.text for each in quarantines for rule in each.in_force)
        if quarantined:
            troubles.append("; ".join(quarantined) + QUARANTINE_CURE)
        counters = [watch.matcher.counters for _, watch in watching]
        return JailStatus(
            name=name,
            filter=settings.filter.name,
            failing_subjects=policy.failing(now),
            failures_total=policy.failures_total,
            failures_while_banned=policy.failures_while_banned,
            banned_now=len(policy.bans),
            bans_total=policy.bans_total,
            exempt_total=policy.exempt_total,
            undated_total=sum(each.undated for each in counters),
            retimed_total=sum(each.retimed for each in counters),
            too_old_total=sum(each.too_old for each in counters),
            unusable_total=sum(each.unusable for each in counters),
            ignored_total=sum(each.ignored for each in counters),
            undecodable_total=sum(pipeline.undecodable() for pipeline, _ in watching),
            sources=tuple(pipeline.source.name for pipeline, _ in watching),
            enforced=not self._dry_run
            and (settings.enforcement is not None or self._acting.enforces(name)),
            trouble="; ".join(troubles),
            stopped_total=sum(each.overruns + each.held for each in quarantines),
            quarantined=quarantined,
            held_total=budget.held_total,
            held_until=budget.until,
            evicted_total=policy.evicted_total,
        )

    async def bans(self, jail: str | None) -> Sequence[Ban]:
        """Return the bans in force, of one jail or of all.

        Raises:
            RequestError: There is no such jail.

        """
        return [ban for policy in self._jails.chosen(jail) for ban in policy.bans.values()]

    async def ban(
        self, jail: str, subjects: Sequence[Subject], lasts: Seconds | None
    ) -> Sequence[Ban]:
        """Ban by hand and return the bans that are new once they are enforced.

        Raises:
            RequestError: No such jail, or a subject cannot be banned.
            EnforceError: The firewall did not take them.

        """
        await self._wait_for_start()
        commit = self._jails.ban(jail, subjects, self._clock(), lasts)
        if commit.decisions:
            await self._enforcing.carry_out(commit)
        return [decision.ban for decision in commit.decisions]

    async def unban(self, subjects: Sequence[Subject] | None, jail: str | None) -> Sequence[Ban]:
        """End bans by hand (None: all of them) and return those that were in force.

        Raises:
            RequestError: There is no such jail.

        """
        await self._wait_for_start()
        commit = self._jails.unban(subjects, jail, self._clock())
        if commit.decisions or commit.changes:
            await self._enforcing.carry_out(commit)
        return [decision.ban for decision in commit.decisions if isinstance(decision, EndBan)]

    async def _wait_for_start(self) -> None:
        if self._when_restored is not None:
            await self._when_restored()

    async def allow(self, subjects: Sequence[Subject], jail: str | None) -> Sequence[Ban]:
        """End the bans of *subjects* and exempt them, from *jail* or all; return those bans.

        Until the next reload or start: the files stay as they are.

        Raises:
            RequestError: There is no such jail, or a subject is neither address nor network.

        """
        for subject in subjects:
            _require_exemptable(subject)
        texts = [str(subject) for subject in subjects]
        policies = list(self._jails.chosen(jail))
        held = [ban for each in policies for one in subjects for ban in each.holding(one)]
        old = [self._protection.jails[each.name].settings for each in policies]
        new = [
            msgspec.structs.replace(one, ignoreip=tuple(dict.fromkeys((*one.ignoreip, *texts))))
            for one in old
        ]
        ended = list(await self.unban(subjects, jail))
        await self._reloader.change_jails(*new)
        # A review ends bans of networks around them; those that it has not come to end here.
        for ban in held:
            if ban.subject in self._jails.policy(ban.jail).bans:
                ended += await self.unban([ban.subject], ban.jail)
            elif ban not in ended:
                ended.append(ban)
        return ended

    async def why(self, subject: Subject) -> Sequence[Ban]:
        """Return the bans of *subject*, past and present, newest first, with evidence.

        First come those in force, of the networks around it too.
        """
        in_force = [
            ban for policy in self._jails.policies.values() for ban in policy.holding(subject)
        ]
        known = {(ban.jail, ban.since) for ban in in_force if ban.subject == subject}
        store = self._enforcing.store
        if store is None:
            return in_force
        past = await store.history(limit=WHY_LIMIT, subject=subject)
        return in_force + [ban for ban in past if (ban.jail, ban.since) not in known]

    async def action_results(self, subject: Subject) -> Sequence[ActionResult]:
        """Return what actions did about *subject* recently, oldest first."""
        return self._acting.results(subject)

    async def resume(self, jail: str) -> None:
        """Let *jail* start bans again, though its ban budget was exceeded.

        Raises:
            RequestError: There is no such jail, or it holds no bans back.

        """
        self._jails.resume(jail, self._clock())

    async def reload(self, wish: ReloadWish) -> ReloadReport:
        """Read the configuration and follow it; see `Reloader.reload`.

        Raises:
            RequestError: The jail does not exist, or another reload waits to be confirmed.
            ConfigError: The configuration is broken as a whole; nothing has changed.

        """
        return await self._reloader.reload(wish)

    async def confirm(self) -> None:
        """Keep the configuration that waits to be confirmed.

        Raises:
            RequestError: None does.

        """
        await self._reloader.confirm()

    def subscribe(self, since: int | None, kinds: Sequence[str]) -> Subscription:
        """Return what happens from now on, or after the event *since*; only *kinds*, if any."""
        return self._stream.subscribe(since, kinds)

    async def stop(self) -> None:
        """Ask the server to stop; returns at once."""
        self._on_stop()


def _require_exemptable(subject: Subject) -> None:
    if not subject.is_enforceable:
        raise RequestError(
            f"'{subject}' is not an address or a network",
            cure="write an address (192.0.2.1) or a network (192.0.2.0/24)",
        )
    least = WIDEST_EXEMPT[subject.family]
    if subject.network().prefixlen < least:
        raise RequestError(
            f"{subject} is a large part of the internet: hardly anybody would be banned any more",
            cure=f"name a smaller network, /{least} at most; or write it into ignoreip",
        )
