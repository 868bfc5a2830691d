"""The jails at work, and the one way in which any of them changes.

A `RunningJail` owns all that exists because of one jail: its settings, its judgement, who
is exempt, its filter, its actions. Jails share the edges: the firewall, the ledger, the
resolver, and a pipeline for each group of jails that read the same logs.

`Protection.follow` carries out a plan (`banish.daemon.changes`), whoever asked for it: a
reload, SIGHUP, an option set at run time. The start is a change too, from no jail to all;
`make` and `begin` are its two halves, since bans are restored in between.

What makes no sense is found before anything changes. Then the logs concerned are
left between two lines, and go on from there: no failure is lost or counted twice. The
firewall gets its new jails in one step, so no ban has a gap. An action that changed
ends its bans and puts them back by its new commands, since its old commands alone can
undo what they did.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

import msgspec

from banish.daemon.changes import ChangePlan, JailChange, without_places
from banish.daemon.connections import ConnectionKiller
from banish.daemon.dispatcher import ActionDispatcher
from banish.daemon.enforcing import EnforcementTask, JailsChange
from banish.daemon.jails import Jails
from banish.daemon.loggroups import LogGroup, Sources, log_groups
from banish.daemon.orders import Order
from banish.daemon.pipeline import JailWatch, Pipeline
from banish.daemon.supervisor import Supervisor
from banish.daemon.worker import ActionWorker
from banish.detect.matcher import Matcher
from banish.errors import ConfigError, StoreError
from banish.exempt.edge import ExemptEdge
from banish.model.ban import Ban
from banish.model.record import Position
from banish.model.settings import ActionSettings, Enforcement, JailSettings, Settings
from banish.model.snapshot import JailMemory
from banish.policy.escalation import BanTime
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.ports import Action, Clock
from banish.telemetry.events import (
    Emit,
    JailReloaded,
    JailStarted,
    JailStopped,
    WarningGiven,
)


class RunningJail(msgspec.Struct):
    """One jail at work: its settings, and all that was made from them."""

    settings: JailSettings
    policy: JailPolicy
    matcher: Matcher | None
    """Its filter; None where it reads no log."""
    workers: tuple[ActionWorker, ...] = ()
    """Its actions but those that the firewall carries out."""
    is_idle: bool = False
    """Whether its logs are left unread for now."""


class Edges(msgspec.Struct, frozen=True):
    """What all jails share."""

    jails: Jails
    exempt: ExemptEdge
    enforcing: EnforcementTask
    dispatcher: ActionDispatcher
    killer: ConnectionKiller
    sources: Sources
    review: Callable[[], Awaitable[None]]
    """Ends the bans of subjects that have become exempt."""
    supervisor: Supervisor
    emit: Emit
    clock: Clock


class Makers(msgspec.Struct, frozen=True):
    """How the parts of jails are made."""

    policy: Callable[[JailSettings, ExemptList], JailPolicy]
    pipeline: Callable[[LogGroup, Sequence[JailWatch]], Pipeline]
    action: Callable[[JailSettings, ActionSettings], Action | None]
    """None: the firewall carries the action out, or nobody."""


class Protection:
    """The jails at work. One change is carried out at a time."""

    def __init__(self, settings: Settings, edges: Edges, makers: Makers) -> None:
        """Prepare; no jail exists before `make`, or the first `follow`."""
        self.settings = settings
        """What runs now: its jails are those at work."""
        self.jails: dict[str, RunningJail] = {}
        self.pipelines: list[Pipeline] = []
        self.positions: dict[str, Position] = {}
        """Where logs that nobody reads at the moment were left."""
        self.is_up = False
        """Whether `begin` was called: pipelines and workers are tasks of their own by then."""
        self._edges = edges
        self._makers = makers
        self._groups: dict[LogGroup, Pipeline] = {}
        self._ended: dict[str, JailMemory] = {}
        """What jails that have ended remembered."""
        self._changing = asyncio.Lock()

    # -- the start --------------------------------------------------------------------

    def make(self) -> None:
        """Make all jails of the settings; nothing runs yet."""
        for jail in self.settings.jails:
            self._make_jail(jail)
        for group in log_groups(self.settings.jails):
            self._make_pipeline(group)
        self._edges.killer.follow(self.settings.jails)

    def _make_jail(self, jail: JailSettings) -> RunningJail:
        edges = self._edges
        policy = self._makers.policy(jail, edges.exempt.lists[jail.name])
        edges.jails.put(policy)
        running = RunningJail(jail, policy, _matcher(jail), self._workers(jail, jail.actions))
        edges.dispatcher.replace(jail.name, running.workers)
        self.jails[jail.name] = running
        return running

    def _workers(
        self, jail: JailSettings, actions: Iterable[ActionSettings]
    ) -> tuple[ActionWorker, ...]:
        made = [self._makers.action(jail, action) for action in actions]
        return tuple(self._edges.dispatcher.worker(each) for each in made if each is not None)

    def _make_pipeline(self, group: LogGroup) -> Pipeline:
        watches = []
        for each in group.made_from:
            matcher = self.jails[each.jail].matcher
            assert matcher is not None
            patterns = () if each.uses_journal else tuple(path.pattern for path in each.logpaths)
            watches.append(JailWatch(matcher, patterns))
        pipeline = self._groups[group] = self._makers.pipeline(group, watches)
        self.pipelines.append(pipeline)
        return pipeline

    def begin(self, positions: Mapping[str, Position]) -> None:
        """Have all logs read, and all actions run; *positions* are those of an earlier run."""
        self.is_up = True
        self.positions = dict(positions)
        for running in self.jails.values():
            self._start_workers(running.workers)
        for pipeline in self.pipelines:
            self._start_pipeline(pipeline)

    def _start_workers(self, workers: Iterable[ActionWorker]) -> None:
        for worker in workers:
            self._edges.supervisor.start(worker.name, worker.run)

    def _start_pipeline(self, pipeline: Pipeline) -> None:
        pipeline.resume(self.positions)
        self._edges.supervisor.start(pipeline.source.name, pipeline.run)

    def prepare(self, pipelines: Iterable[Pipeline] | None = None) -> None:
        """Compile what *pipelines* need, all of them for None, before their first line comes."""
        for pipeline in self.pipelines if pipelines is None else pipelines:
            name = f"{pipeline.source.name} (preparing)"
            self._edges.supervisor.start(name, pipeline.prepare)

    # -- changes ----------------------------------------------------------------------

    async def follow(self, plan: ChangePlan) -> None:
        """Change what *plan* says; all other jails go on as if nothing had happened.

        Raises:
            ConfigError: A filter or a formula makes no sense; nothing has changed.

        """
        async with self._changing:
            changes = {change.jail: change for change in plan.jails}
            matchers = await self._matchers(changes.values())
            fresh = await self._edges.exempt.prepare(plan.settings)
            await self._recall([name for name, each in changes.items() if each.before is None])
            wanted = log_groups([jail for jail in plan.settings.jails if not self._is_idle(jail)])
            await self._leave([group for group in self._groups if group not in wanted])
            ended = await self._swap(plan, matchers, fresh)
            await self._change_firewall(plan, changes.values())
            await self._change_actions(changes, ended)
            started = [self._make_pipeline(each) for each in wanted if each not in self._groups]
            for pipeline in started:
                self._start_pipeline(pipeline)
            self.prepare(started)
            await self._edges.exempt.refresh_host()
            await self._edges.review()
            self._report(changes.values())

    async def _matchers(self, changes: Iterable[JailChange]) -> dict[str, Matcher | None]:
        """Return the new filters of the jails whose logs or findtime change.

        Raises:
            ConfigError: One makes no sense.

        """
        made: dict[str, Matcher | None] = {}
        for change in changes:
            after, running = change.after, self.jails.get(change.jail)
            if after is None:
                continue
            _require_formula(after)
            before = running.matcher if running is not None else None
            if change.before is None or _is_read_anew(change.before, after):
                # A large filter takes a tenth of a second to compile, and nobody is to wait.
                made[change.jail] = await asyncio.to_thread(_matcher, after, before)
        return made

    async def _recall(self, names: Collection[str]) -> None:
        """Read from the ledger what jails called *names* remember, which never ran in this run."""
        unknown = [name for name in names if name not in self._ended]
        store = self._edges.enforcing.store
        if not unknown or store is None:
            return
        try:
            memory = await store.load_bans(self._edges.clock())
        except StoreError as error:
            what = f"the bans of {', '.join(unknown)} from before are not restored: {error}"
            self._edges.emit(WarningGiven(part="database", what=what))
            return
        self._ended |= {name: memory.jails[name] for name in unknown if name in memory.jails}
        self.positions = {**memory.positions, **self.positions}

    def _is_idle(self, jail: JailSettings) -> bool:
        running = self.jails.get(jail.name)
        return running is not None and running.is_idle

    async def _leave(self, leaving: Sequence[LogGroup]) -> None:
        """End the pipelines of *leaving*, each between two batches."""
        for group in leaving:
            pipeline = self._groups.pop(group)
            name = pipeline.source.name
            async with pipeline.at_work:
                await self._edges.supervisor.stop(name, f"{name} (preparing)")
            self.pipelines.remove(pipeline)
            self.positions |= pipeline.positions

    async def _swap(
        self,
        plan: ChangePlan,
        matchers: Mapping[str, Matcher | None],
        fresh: Mapping[str, ExemptList],
    ) -> list[ActionWorker]:
        """Put new settings in place of the old, without a wait in between.

        Return the workers of jails that have ended.
        """
        edges, now = self._edges, self._edges.clock()
        edges.exempt.follow(plan.settings, fresh)
        lists, steps, ended = edges.exempt.lists, [], list[ActionWorker]()
        for change in plan.jails:
            running, after = self.jails.get(change.jail), change.after
            if after is None:
                assert running is not None
                steps.append(edges.jails.remove(change.jail, now))
                self._ended[change.jail] = running.policy.memory()
                ended += running.workers
                del self.jails[change.jail]
            elif running is None:
                policy = self._makers.policy(after, lists[change.jail])
                edges.jails.put(policy)
                if (memory := self._ended.pop(change.jail, None)) is not None:
                    policy.restore(memory, now)
                self.jails[change.jail] = RunningJail(after, policy, matchers[change.jail])
            else:
                running.settings = after
                running.matcher = matchers.get(change.jail, running.matcher)
                if change.areas != {"reading"}:
                    steps.append(edges.jails.change(change.jail, after, lists[change.jail], now))
        self.settings = plan.settings
        order = [jail.name for jail in plan.settings.jails]
        self.jails = {name: self.jails[name] for name in order}
        edges.jails.arrange(order)
        for step in steps:
            await edges.enforcing.put(step)
        return ended

    async def _change_firewall(self, plan: ChangePlan, changes: Collection[JailChange]) -> None:
        """Have the firewall serve the new jails, and the killer of connections."""
        self._edges.killer.follow(plan.settings.jails)
        if not any("enforcing" in change.areas for change in changes):
            return
        bans = [ban for each in changes if each.before is None for ban in self._bans(each.jail)]
        await self._edges.enforcing.change_jails(
            JailsChange(
                enforcements(plan.settings.jails),
                frozenset(change.jail for change in changes if change.after is None),
                tuple(bans),
            )
        )

    def _bans(self, jail: str) -> tuple[Ban, ...]:
        return tuple(self.jails[jail].policy.bans.values())

    async def _change_actions(
        self, changes: Mapping[str, JailChange], ended: Sequence[ActionWorker]
    ) -> None:
        """End the actions that are no more, start the new ones, and put bans into these."""
        gone, starting = list(ended), list[ActionWorker]()
        for name, change in changes.items():
            if change.after is None:
                self._edges.dispatcher.replace(name, ())
                continue
            if "acting" not in change.areas:
                continue
            running = self.jails[name]
            kept = _kept_workers(running.workers, change.after)
            workers = tuple(
                worker
                for action in change.after.actions
                for worker in kept.get(action.actname) or self._workers(change.after, [action])
            )
            gone += [worker for worker in running.workers if worker not in workers]
            fresh = [worker for worker in workers if worker not in running.workers]
            running.workers = workers
            self._edges.dispatcher.replace(name, workers)
            for worker in fresh:
                for ban in self._bans(name):
                    worker.put(Order("ban", ban, restored=True))
            starting += fresh
        if gone:
            await self._edges.supervisor.stop(*(worker.name for worker in gone))
        by_jail: dict[str, list[ActionWorker]] = {}
        for worker in gone:
            by_jail.setdefault(worker.action.jail, []).append(worker)
        await asyncio.gather(*map(self._edges.dispatcher.end, by_jail.values()))
        self._start_workers(starting)

    def _report(self, changes: Iterable[JailChange]) -> None:
        for change in changes:
            if change.after is None:
                self._edges.emit(JailStopped(jail=change.jail))
            elif change.before is None:
                self._edges.emit(JailStarted(jail=change.jail))
            else:
                self._edges.emit(JailReloaded(jail=change.jail))

    async def set_idle(self, name: str, *, is_idle: bool) -> None:
        """Leave the logs of the jail called *name* unread, or read on where they were left.

        A log that other jails read goes on for those; what is written to it while a jail is
        idle is lost for that jail.

        Raises:
            RequestError: There is no such jail.

        """
        self._edges.jails.policy(name)
        self.jails[name].is_idle = is_idle
        await self.follow(ChangePlan(self.settings))


def enforcements(jails: Iterable[JailSettings]) -> tuple[Enforcement, ...]:
    """Return what the firewall does for *jails*, those that ban in it."""
    return tuple(jail.enforcement for jail in jails if jail.enforcement is not None)


def _matcher(jail: JailSettings, before: Matcher | None = None) -> Matcher | None:
    """Return the filter of *jail*, in place of *before*.

    Raises:
        ConfigError: It makes no sense.

    """
    if jail.uses_ledger:
        return None
    return Matcher(jail.name, jail.filter, jail.findtime, before=before)


def _require_formula(jail: JailSettings) -> None:
    try:
        BanTime(jail.bantime, jail.escalation, lambda: 0.0)
    except ValueError as error:
        raise ConfigError(f"bantime.formula: {error}", where=f"jail {jail.name}") from error


def _is_read_anew(before: JailSettings, after: JailSettings) -> bool:
    old, new = without_places(before), without_places(after)
    return (old.filter, old.findtime, old.uses_ledger) != (
        new.filter,
        new.findtime,
        new.uses_ledger,
    )


def _kept_workers(
    workers: Iterable[ActionWorker], after: JailSettings
) -> dict[str, list[ActionWorker]]:
    """Return those of *workers* whose action is the same in *after*, by the action's name."""
    actions = {each.actname: each for each in without_places(after).actions}
    kept: dict[str, list[ActionWorker]] = {}
    for worker in workers:
        settings = msgspec.structs.replace(worker.action.settings, place=None)
        if actions.get(settings.actname) == settings:
            kept[settings.actname] = [worker]
    return kept
