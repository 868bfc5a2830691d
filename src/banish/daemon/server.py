"""All parts of one running server: made, started in order, ended in order."""

import asyncio
import contextlib
import functools
import gc
import time
from collections.abc import Callable, Sequence

from banish import __version__
from banish.control.fail2ban.commands import Fail2BanCommands
from banish.daemon import build
from banish.daemon.changes import OptionChange
from banish.daemon.connections import ConnectionKiller
from banish.daemon.dispatcher import ActionDispatcher
from banish.daemon.enforcing import EnforcementTask
from banish.daemon.facts import ServerFacts
from banish.daemon.fail2banport import LivePort
from banish.daemon.host import freeze_objects, heartbeat, keep_memory, notify_systemd
from banish.daemon.housekeeping import keep_house
from banish.daemon.jails import Jails, steady_clock
from banish.daemon.loggroups import LogGroup, Sources
from banish.daemon.openlog import follow_log, is_stream, level_of, say
from banish.daemon.operations import ServerOperations
from banish.daemon.pipeline import JailWatch, Pipeline
from banish.daemon.protection import Edges, Makers, Protection, enforcements
from banish.daemon.reload import Reloader
from banish.daemon.restoring import Restoring, wait_for_places
from banish.daemon.serverfiles import ServerFiles
from banish.daemon.settle import RunOptions, program_of, settle
from banish.daemon.silence import Silence
from banish.daemon.startup import Startup
from banish.daemon.supervisor import Supervisor
from banish.daemon.upkeep import Upkeep
from banish.daemon.watchdog import Watchdog
from banish.errors import OperatorError
from banish.exempt.edge import ExemptEdge
from banish.model.decision import Decision
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.reload import ReloadWish
from banish.model.settings import Settings
from banish.model.snapshot import Commit, Memory
from banish.resolve.dns import DnsResolver
from banish.telemetry.emitter import Emitter
from banish.telemetry.events import (
    BannedSubjectFailed,
    JailStarted,
    JailStopped,
    ServerStarted,
    ServerStopped,
    WarningGiven,
)
from banish.telemetry.logs import Log
from banish.telemetry.stream import EventStream

TICK_LIMIT = Seconds(1)
"""The timer looks at the wall clock at least this often, since it may be set."""


class Server:
    """All parts of one running server."""

    def __init__(
        self, settings: Settings, options: RunOptions, log: Log, *, clock: Callable[[], Instant]
    ) -> None:
        self.stopping = asyncio.Event()
        self._clock = clock
        self._log = log
        self.emit = Emitter(log, clock=clock, program=program_of(settings.server))
        self._supervisor = Supervisor(self.emit)
        self._upkeep = Upkeep(self.emit)
        self._resolver = DnsResolver()
        self._exempt = ExemptEdge(
            settings, emit=self.emit, clock=clock, would_count=self._would_count
        )
        self._due_changed = asyncio.Event()
        self._windows_are_in = asyncio.Event()
        self._starting = Startup()
        self._jails = Jails(
            {}, emit_every=self.emit.every, on_due=self._due_changed.set, steady=steady_clock
        )
        self._enforcing = EnforcementTask(
            build.enforcer(settings, dry_run=options.dry_run, emit=self.emit),
            build.store_opener(settings, emit=self.emit, clock=clock),
            emit=self.emit,
            clock=clock,
            on_memory=self._take_back,
            on_done=self._on_done,
        )
        self._restoring = Restoring(
            self._jails, self._enforcing, self._starting, emit=self.emit, clock=clock
        )
        self._acting = ActionDispatcher(
            {},
            emit=self.emit,
            clock=clock,
            store=lambda: None if options.dry_run else self._enforcing.store,
        )
        self.emit.listen(self._acting.hear, BannedSubjectFailed)
        self._killer = ConnectionKiller(emit=self.emit, is_on=not options.dry_run)
        self._patterns = build.patterns(settings, emit=self.emit)
        self._watchdog = Watchdog(settings.server.linetime)
        self._options = options
        self._protection = self._make_protection(settings)
        self._reloader = Reloader(
            self._protection,
            load=functools.partial(settle, options),
            emit=self.emit,
            clock=clock,
            when_ready=self._windows_are_in.wait,
            unban=lambda jail: self.operations.unban(None, jail),
            on_server=self._follow_server,
        )
        self.operations = ServerOperations(
            self._protection,
            jails=self._jails,
            enforcing=self._enforcing,
            acting=self._acting,
            supervisor=self._supervisor,
            reloader=self._reloader,
            stream=EventStream(self.emit, clock=clock),
            clock=clock,
            started_at=clock(),
            dry_run=options.dry_run,
            on_stop=self.stopping.set,
            troubles=lambda: self._upkeep.troubles,
            starting=lambda: self._starting.what,
            when_restored=self._windows_are_in.wait,
        )
        self.fail2ban = Fail2BanCommands(
            LivePort(
                self._protection,
                jails=self._jails,
                enforcing=self._enforcing,
                operations=self.operations,
                reloader=self._reloader,
                resolver=self._resolver,
                log=log,
                clock=clock,
            )
        )
        """What answers clients of Fail2Ban."""
        self._files = ServerFiles(
            settings.server, self.operations, self.fail2ban, emit=self.emit, upkeep=self._upkeep
        )
        self._upkeep.keep("log", self._check_log)
        self._hangups: asyncio.Task[None] | None = None
        self._is_up = False
        self._is_reported = False
        """Whether the log says that jails have started, and so has to say that they stop."""

    def _make_protection(self, settings: Settings) -> Protection:
        """Return the jails at work, none of which is made yet."""
        edges = Edges(
            jails=self._jails,
            exempt=self._exempt,
            enforcing=self._enforcing,
            dispatcher=self._acting,
            killer=self._killer,
            sources=Sources(emit=self.emit, clock=self._clock),
            review=self._review,
            supervisor=self._supervisor,
            emit=self.emit,
            clock=self._clock,
        )
        facts = ServerFacts(self._jails, lambda: self._enforcing.store, clock=self._clock)
        makers = Makers(
            policy=build.policy_maker(
                settings.server.windowmemory,
                lambda: self.settings.server.dbpurgeage,
                self._jails.every,
            ),
            pipeline=functools.partial(self._make_pipeline, edges.sources),
            action=build.action_maker(
                settings.server,
                facts=facts,
                emit=self.emit,
                clock=self._clock,
                dry_run=self._options.dry_run,
            ),
        )
        return Protection(settings, edges, makers)

    def _make_pipeline(
        self, sources: Sources, group: LogGroup, watches: Sequence[JailWatch]
    ) -> Pipeline:
        return Pipeline(
            sources.make(group),
            watches,
            jails=self._jails,
            enforcing=self._enforcing,
            resolver=self._resolver,
            emit=self.emit,
            clock=self._clock,
            exempt=self._exempt.mark,
            prefilter=self._patterns.prefilter,
            watchdog=self._watchdog,
            wait=functools.partial(self._may_judge, group.jails),
        )

    @property
    def settings(self) -> Settings:
        """What runs now."""
        return self._protection.settings

    def reload_soon(self) -> None:
        """Reload the configuration, as SIGHUP asks for; systemd is notified when it is done."""
        if self._hangups is None or self._hangups.done():
            self._hangups = asyncio.create_task(self._reload(), name="reload")

    async def _reload(self) -> None:
        notify_systemd(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1_000}")
        try:
            await self._reloader.reload(ReloadWish())
        except OperatorError as error:
            self.emit(WarningGiven(part="configuration", what=f"reload failed: {error}"))
        finally:
            notify_systemd("READY=1")

    def _follow_server(self, settings: Settings, changes: Sequence[OptionChange]) -> None:
        """Follow the *changes* of the server's own options that need no restart."""
        changed = {change.option for change in changes}
        if "linetime" in changed:
            self._watchdog.budget = settings.server.linetime
        if any(option.startswith("control.") for option in changed):
            self._files.follow(settings.server.access)
        if "loglevel" in changed:
            self._log.level = level_of(settings.server.loglevel, self._options.verbosity)
        if changed & {"logtarget", "logformat"}:
            follow_log(self._log, settings.server)

    def _take_back(self, memory: Memory) -> Commit:
        """Take up what stands in a database that could not be opened at the start."""
        commit = self._jails.restore_bans(memory, self._clock())
        bans = (ban for policy in self._jails.every() for ban in policy.bans.values())
        self._acting.adopt(memory.action_bans, bans)
        return commit

    def _on_done(self, decisions: Sequence[Decision]) -> None:
        """Tell those who act once the firewall has."""
        self._acting.act(decisions)
        self._killer.act(decisions)

    async def claim(self) -> None:
        """Make control socket and pid file; what cannot be made is tried again later.

        Raises:
            AnotherServerError: Another server has the socket.

        """
        await self._files.claim()
        if not is_stream(self.settings.server.logtarget):
            # Whoever started us by hand does not look into the log.
            for part, what in self._upkeep.troubles.items():
                say(f"banish: {part}: {what}\n")
        self._supervisor.start("upkeep", self._upkeep.run)
        self._supervisor.start("start", self._starting.run)
        self._supervisor.start("heartbeat", heartbeat)

    async def _check_log(self) -> None:
        """See whether the log can be written.

        Raises:
            OperatorError: It could not be when it was last.

        """
        if self._log.trouble:
            raise OperatorError(
                f"cannot be written: {self._log.trouble.splitlines()[0]}",
                cure=(
                    "free disk space, create its directory, or set another logtarget; lines "
                    "go to standard error until then"
                ),
            )

    async def start(self) -> None:
        """Bring everything up: exemptions, bans, logs; then failures of before, then lines count.

        Systemd is notified as soon as bans are in force and logs are open. It may be
        cancelled at any moment; `stop` then leaves all in order.

        Raises:
            EnforceError: The firewall cannot be used.

        """
        gc.disable()  # everything that is made now stays: see `freeze_objects`
        for problem in self.settings.problems:
            self.emit(WarningGiven(part="configuration", what=str(problem)))
        for name, step in self._exempt.first_steps().items():
            await self._supervisor.run_once(name, step)
        self._protection.make()
        self._starting.begin("reading bans")
        memory = await self._enforcing.open()
        await self._restoring.bans(memory)
        bans = self._jails.in_force
        self._starting.begin(f"putting {len(bans):,} bans into the firewall")
        self._is_up = True
        await self._enforcing.begin(enforcements(self.settings.jails), bans)
        self._acting.restore(bans, memory.action_bans)
        self._start_parts()
        self._starting.begin("opening logs")
        self._protection.begin(memory.positions)
        await wait_for_places(self._protection.pipelines, emit=self.emit)
        self._is_reported = True
        for jail in self.settings.jails:
            self.emit(JailStarted(jail=jail.name))
        self.emit(
            ServerStarted(version=__version__, jails=len(self.settings.jails), bans=len(bans))
        )
        self._starting.ready()
        await self._restoring.windows(memory)
        await self._supervisor.run_once("past bans", self._restoring.recount)
        self._windows_are_in.set()
        self._protection.prepare()
        freeze_objects()
        keep_memory()
        self._starting.end()

    def _start_parts(self) -> None:
        """Start all tasks but those that read logs."""
        self._supervisor.start("cutting connections", self._killer.run)
        self._supervisor.start("enforcing", self._enforcing.run)
        self._supervisor.start("firewall watch", self._enforcing.watch)
        self._supervisor.start("unbans", self._keep_time)
        for name, task in self._exempt.tasks(self._review).items():
            self._supervisor.start(name, task)
        self._supervisor.start("housekeeping", self._keep_house)
        silence = Silence(self._protection.pipelines, emit=self.emit, clock=self._clock)
        self._supervisor.start("silent jails", silence.run)

    def _would_count(self, failure: Failure, now: Instant) -> bool:
        policy = self._jails.policies.get(failure.jail)
        return policy is not None and policy.would_count(failure, now)

    async def _may_judge(self, jails: Sequence[str]) -> None:
        """Return once lines of *jails* may be judged.

        That is when it is known who must not be banned, and windows are as they
        were: a failure that is counted before its window is back would count anew.
        """
        await self._windows_are_in.wait()
        await self._exempt.wait_for_names(jails)

    async def _keep_time(self) -> None:
        """End bans when their time is over."""
        while True:
            now = self._clock()
            commit = self._jails.tick(now)
            if commit is not None:
                await self._enforcing.put(commit)
            due = self._jails.due
            pause = TICK_LIMIT if due is None else min(max(due - now, 0.0), TICK_LIMIT)
            self._due_changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause, 0.001)):
                    await self._due_changed.wait()

    async def _review(self) -> None:
        """Unban subjects that have become exempt."""
        for commit in self._jails.review(self._clock()):
            if commit is not None:
                await self._enforcing.put(commit)
            await asyncio.sleep(0)

    async def _keep_house(self) -> None:
        """Forget old history."""
        await keep_house(
            lambda: self._enforcing.store, lambda: self.settings.server.dbpurgeage, self._clock
        )

    async def stop(self) -> None:
        """Finish in order: no more lines, what is decided is done and written, then the rest."""
        if self._hangups is not None:
            self._hangups.cancel()
        self._reloader.close()
        await self._supervisor.stop()
        try:
            await self._finish()
        finally:
            await self._files.close()

    async def _finish(self) -> None:
        if not self._is_up:
            return
        keep = self.settings.server.keepbans
        await self._enforcing.finish(keep=keep, last=lambda: self._acting.finish(keep=keep))
        if self._is_reported:
            for jail in self.settings.jails:
                self.emit(JailStopped(jail=jail.name))
        self.emit(ServerStopped())
