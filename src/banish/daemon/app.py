"""``banish run``: one server from its settings to its end."""

import asyncio
import contextlib
import ctypes
import functools
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from pathlib import Path

import msgspec

from banish import __version__
from banish.blocking import call_within
from banish.config.load import builtin_tree, load
from banish.control.server import ControlServer
from banish.daemon import build
from banish.daemon.connections import ConnectionKiller
from banish.daemon.enforcing import EnforcementTask
from banish.daemon.facts import ServerFacts
from banish.daemon.host import (
    heartbeat,
    notify_systemd,
    on_signals,
    raise_descriptor_limit,
)
from banish.daemon.housekeeping import keep_house
from banish.daemon.jails import Jails, steady_clock
from banish.daemon.operations import ServerOperations
from banish.daemon.pipeline import Pipeline
from banish.daemon.silence import Silence
from banish.daemon.startup import Startup
from banish.daemon.supervisor import Supervisor
from banish.daemon.upkeep import PidFile, Upkeep
from banish.daemon.watchdog import Watchdog
from banish.errors import AnotherServerError, ConfigError, OperatorError, StoreError
from banish.exempt.edge import ExemptEdge
from banish.model.decision import Decision
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.settings import ServerSettings, Settings
from banish.model.snapshot import Commit, JailMemory, Memory
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
from banish.telemetry.lines import parse_level
from banish.telemetry.logs import Log, bridge_logging
from banish.telemetry.targets import LateTarget, LogTarget, open_target

TICK_LIMIT = Seconds(1)
"""The timer looks at the wall clock at least this often, since it may be set."""

KEPT_BYTES = 8 * 1024 * 1024
"""Memory that may stay free for what comes next: some blocks of log, whole and decoded."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""From malloc.h of glibc."""

BANS_AT_ONCE = 2_000
"""Bans that are put back between two looks at signals and requests: some 10 ms."""

PLACES_LIMIT = Seconds(20)
"""How long the start waits for logs to be opened; a dead network disk is not waited for."""

TARGET_LIMIT = Seconds(2)
"""How long the log is waited for; its disk may hang, and it is opened later then."""

RECOUNT_LIMIT = 10_000
"""Bans of the ledger that a jail with ``backend = ledger`` counts at its first start."""


class RunOptions(msgspec.Struct, frozen=True):
    """What the command line says about a run."""

    config: Path | None = None
    """The configuration directory; None: where it is usually found."""
    socket: Path | None = None
    state: Path | None = None
    """Keep database, socket and pid file in this one directory."""
    dry_run: bool = False
    verbosity: int = 0
    """Above 0: more to tell; below: less."""


def wall_clock() -> Instant:
    """Return the time of day."""
    return Instant(time.time())


def run(options: RunOptions) -> int:
    """Run a server until it is asked to stop; return the exit code.

    Raises:
        ConfigError: No jail can start.
        AnotherServerError: Another server has the control socket.
        EnforceError: The firewall cannot be used.

    """
    settings = load(options.config, builtin=builtin_tree())
    settings = msgspec.structs.replace(settings, server=_placed(settings.server, options))
    if not settings.jails and settings.errors:
        raise ConfigError(
            f"no jail can start:\n{_listed(settings)}",
            where=settings.root,
            cure="fix the problems named above; 'banish check' shows it again",
        )
    raise_descriptor_limit()
    log = _open_log(settings.server, options.verbosity)
    bridge_logging(log)
    try:
        return asyncio.run(_serve(settings, options, log))
    finally:
        log.close()


def _open_log(server: ServerSettings, verbosity: int) -> Log:
    """Open the log; lines that its target does not take go to standard error."""

    def open_it() -> LogTarget:
        return open_target(server.logtarget, syslog_socket=server.syslogsocket)

    target: LogTarget
    try:
        target = call_within(TARGET_LIMIT, open_it)
    except (ConfigError, TimeoutError):
        target = LateTarget(open_it)
    fallback = None
    if isinstance(target, LateTarget) or not _is_stream(server.logtarget):
        with contextlib.suppress(ConfigError):  # standard error may be closed
            fallback = open_target("STDERR")
    return Log(target, _level(server.loglevel, verbosity), fallback=fallback)


def _is_stream(logtarget: str) -> bool:
    return logtarget.partition("[")[0].strip().upper() in ("STDOUT", "STDERR", "SYSOUT")


def _freeze_objects() -> None:
    """Let the garbage collector leave alone what lives as long as the server.

    Failures are trees of plain values that reference counting frees. Going
    through everything after each 700 new objects, as Python does by default,
    was a fifth of the CPU of a log full of attacks.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 50, 50)


def _keep_memory() -> None:
    """Have freed blocks of log kept for the next ones.

    glibc gives what is free back to the kernel by itself, and each page of the next block is
    then made and cleared anew: a tenth of the CPU of a harmless log. Where the C library
    knows no mallopt(3), things stay as they are.
    """
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES // 2)
        libc.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)


def _listed(settings: Settings) -> str:
    return "\n".join(f"    {problem}" for problem in settings.errors)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it may be closed
        sys.stderr.write(text)


def _level(name: str, verbosity: int) -> int:
    return max(parse_level(name) - 10 * verbosity, 1)


def _program(server: ServerSettings) -> str:
    """Return the name that log lines speak by.

    In a log that ``fail2ban.conf`` names, tools look for ``fail2ban.actions``
    (logwatch, munin, the recidive filter), so there we speak by that name.
    """
    place = server.places.get("logtarget")
    is_theirs = place is not None and Path(place.path).name.startswith("fail2ban.")
    return "fail2ban" if is_theirs else "banish"


def _placed(server: ServerSettings, options: RunOptions) -> ServerSettings:
    """Return *server* with its files where the command line wants them."""
    changes: dict[str, str] = {}
    if options.state is not None:
        changes = {
            "socket": str(options.state / "banish.sock"),
            "pidfile": str(options.state / "banish.pid"),
            "dbfile": str(options.state / "banish.sqlite3"),
        }
    if options.socket is not None:
        changes["socket"] = str(options.socket)
    if options.dry_run and _program(server) == "fail2ban":
        # Bans that are none must not stand in the log that Fail2Ban's recidive jail counts.
        changes["logtarget"] = "STDERR"
    return msgspec.structs.replace(server, **changes)


async def _serve(settings: Settings, options: RunOptions, log: Log) -> int:
    server = Server(settings, options, log, clock=wall_clock)
    with on_signals(server.stopping.set, log.reopen):
        try:
            # The socket first: a second server must end before it touches anything.
            await server.claim()
            await _until(server.stopping, server.start)
            notify_systemd("STOPPING=1")
        finally:
            await server.stop()
    return 0


async def _until(stopping: asyncio.Event, start: Callable[[], Awaitable[None]]) -> None:
    """Run *start*, and return once *stopping* is set, however far the start has come.

    What *start* raises comes through.
    """
    starting = asyncio.ensure_future(start())
    waiting = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await waiting
    finally:
        starting.cancel()
        waiting.cancel()
        await asyncio.gather(starting, waiting, return_exceptions=True)


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Await *work*, and if we are cancelled, still until it has ended."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.gather(task, return_exceptions=True)
        raise


class Server:
    """All parts of one running server."""

    def __init__(
        self, settings: Settings, options: RunOptions, log: Log, *, clock: Callable[[], Instant]
    ) -> None:
        self.settings = settings
        self.stopping = asyncio.Event()
        self._clock = clock
        self._log = log
        self.emit = Emitter(log, clock=clock, program=_program(settings.server))
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
            build.policies(settings, self._exempt.lists),
            emit_every=self.emit.every,
            on_due=self._due_changed.set,
            steady=steady_clock,
        )
        self._acting = build.acting(
            settings,
            facts=ServerFacts(self._jails, lambda: self._enforcing.store, clock=clock),
            emit=self.emit,
            clock=clock,
            dry_run=options.dry_run,
            store=lambda: self._enforcing.store,
        )
        self._cutting = ConnectionKiller(() if options.dry_run else settings.jails, emit=self.emit)
        self.emit.listen(self._acting.hear, BannedSubjectFailed)
        self._enforcing = EnforcementTask(
            build.enforcer(settings, dry_run=options.dry_run, emit=self.emit),
            build.store_opener(settings, emit=self.emit, clock=clock),
            emit=self.emit,
            clock=clock,
            on_memory=self._take_back,
            on_done=self._on_done,
        )
        patterns = build.patterns(settings, emit=self.emit)
        watchdog = Watchdog(settings.server.linetime)
        self._pipelines = [
            Pipeline(
                wiring.source,
                wiring.watches,
                jails=self._jails,
                enforcing=self._enforcing,
                resolver=self._resolver,
                emit=self.emit,
                clock=clock,
                exempt=self._exempt.mark,
                prefilter=patterns.prefilter,
                watchdog=watchdog,
                wait=functools.partial(
                    self._may_judge, [watch.matcher.jail for watch in wiring.watches]
                ),
            )
            for wiring in build.wirings(settings, emit=self.emit, clock=clock)
        ]
        self.operations = ServerOperations(
            settings,
            jails=self._jails,
            pipelines=self._pipelines,
            enforcing=self._enforcing,
            acting=self._acting,
            supervisor=self._supervisor,
            clock=clock,
            started_at=clock(),
            dry_run=options.dry_run,
            on_stop=self.stopping.set,
            troubles=lambda: self._upkeep.troubles,
            starting=lambda: self._starting.what,
            when_restored=self._windows_are_in.wait,
        )
        self._control = ControlServer(Path(settings.server.socket), self.operations, self.emit)
        self._pid_file = PidFile(Path(settings.server.pidfile))
        self._upkeep.keep("control socket", self._control.start)
        self._upkeep.keep("pid file", self._pid_file.ensure)
        self._upkeep.keep("log", self._check_log)
        self._is_up = False

    def _take_back(self, memory: Memory) -> Commit:
        """Take up what stands in a database that could not be opened at the start."""
        commit = self._jails.restore_bans(memory, self._clock())
        bans = (ban for policy in self._jails.policies.values() for ban in policy.bans.values())
        self._acting.adopt(memory.action_bans, bans)
        return commit

    def _on_done(self, decisions: Sequence[Decision]) -> None:
        """Tell those who act once the firewall has."""
        self._acting.act(decisions)
        self._cutting.act(decisions)

    async def claim(self) -> None:
        """Make control socket and pid file; what cannot be made is tried again later.

        Raises:
            AnotherServerError: Another server has the socket.

        """
        try:
            await self._control.start()
        except AnotherServerError:
            raise
        except OperatorError:
            pass  # the look says so
        await self._upkeep.look()
        if not _is_stream(self.settings.server.logtarget):
            # Whoever started us by hand does not look into the log.
            for part, what in self._upkeep.troubles.items():
                _say(f"banish: {part}: {what}\n")
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
        gc.disable()  # everything that is made now stays: see `_freeze_objects`
        for problem in self.settings.problems:
            self.emit(WarningGiven(part="configuration", what=str(problem)))
        for name, step in self._exempt.first_steps().items():
            await self._supervisor.run_once(name, step)
        self._starting.begin("reading bans")
        memory = await self._enforcing.open()
        await self._restore_bans(memory)
        bans = self._jails.in_force
        self._starting.begin(f"putting {len(bans):,} bans into the firewall")
        self._is_up = True
        await self._enforcing.begin(
            [jail.enforcement for jail in self.settings.jails if jail.enforcement is not None],
            bans,
        )
        self._acting.restore(bans, memory.action_bans)
        self._start_parts()
        self._starting.begin("opening logs")
        for pipeline in self._pipelines:
            pipeline.resume(memory.positions)
            self._supervisor.start(pipeline.source.name, pipeline.run)
        await self._wait_for_places()
        for jail in self.settings.jails:
            self.emit(JailStarted(jail=jail.name))
        self.emit(
            ServerStarted(version=__version__, jails=len(self.settings.jails), bans=len(bans))
        )
        self._starting.ready()
        await self._restore_windows(memory)
        _freeze_objects()
        _keep_memory()
        self._starting.end()

    def _start_parts(self) -> None:
        """Start all tasks but those that read logs."""
        for worker in self._acting.workers:
            self._supervisor.start(worker.name, worker.run)
        if self._cutting.is_wanted:
            self._supervisor.start("cutting connections", self._cutting.run)
        self._supervisor.start("enforcing", self._enforcing.run)
        self._supervisor.start("firewall watch", self._enforcing.watch)
        self._supervisor.start("unbans", self._keep_time)
        for name, task in self._exempt.tasks(self._review).items():
            self._supervisor.start(name, task)
        self._supervisor.start("housekeeping", self._keep_house)
        silence = Silence(self._pipelines, emit=self.emit, clock=self._clock)
        self._supervisor.start("silent jails", silence.run)

    def _would_count(self, failure: Failure, now: Instant) -> bool:
        return self._jails.policies[failure.jail].would_count(failure, now)

    async def _may_judge(self, jails: Sequence[str]) -> None:
        """Return once lines of *jails* may be judged.

        That is when it is known who must not be banned, and windows are as they
        were: a failure that is counted before its window is back would count anew.
        """
        await self._windows_are_in.wait()
        await self._exempt.wait_for_names(jails)

    async def _wait_for_places(self) -> None:
        """Return once every log that is there is open at its place."""
        waiting = {
            asyncio.ensure_future(pipeline.source.placed()): pipeline.source.name
            for pipeline in self._pipelines
        }
        try:
            if waiting:
                await asyncio.wait(waiting, timeout=PLACES_LIMIT)
            late = [name for place, name in waiting.items() if not place.done()]
        finally:
            for place in waiting:
                place.cancel()
        for name in late:
            what = f"not open after {PLACES_LIMIT:g} s; the server continues without it until it is"
            self.emit(WarningGiven(part=name, what=what))

    async def _restore_bans(self, memory: Memory) -> None:
        for jail, kept in memory.jails.items():
            totals = msgspec.structs.replace(kept, bans=())
            self._jails.restore_part({jail: totals}, self._clock())
            for start in range(0, len(kept.bans), BANS_AT_ONCE):
                part = kept.bans[start : start + BANS_AT_ONCE]
                self._jails.restore_part({jail: JailMemory(bans=part)}, self._clock())
                await asyncio.sleep(0)

    async def _restore_windows(self, memory: Memory) -> None:
        """Put windows and past bans back, a slice at a time; then lines may be judged.

        Should the database fail meanwhile, the rest is forgotten, and protection begins.
        """
        seen, done = set(memory.jails), 0
        self._starting.begin("restoring failures from before the restart")
        try:
            async for part in self._enforcing.windows():
                self._jails.restore_part(part.jails, self._clock())
                seen |= part.jails.keys()
                done += part.rows
                if part.of:
                    self._starting.begin(
                        f"restoring failures from before the restart: {done:,} of {part.of:,} "
                        "subjects"
                    )
        except StoreError as error:
            what = (
                f"failures from before the restart are counted only in part ({done:,} "
                f"subjects): {error}"
            )
            self.emit(WarningGiven(part="database", what=what))
        self._jails.restore_part({}, self._clock(), more=False)
        await self._supervisor.run_once("past bans", lambda: self._recount(seen))
        self._windows_are_in.set()
        for pipeline in self._pipelines:
            name = f"{pipeline.source.name} (preparing)"
            self._supervisor.start(name, pipeline.prepare)

    async def _recount(self, known: Collection[str]) -> None:
        """Let jails that count bans, and never ran here before, count those of the ledger."""
        new = [jail for jail in self._jails.counting if jail not in known]
        if not new or self._enforcing.store is None:
            return
        try:
            history = await self._enforcing.history(limit=RECOUNT_LIMIT)
        except StoreError as error:
            self.emit(WarningGiven(part="database", what=f"past bans are not counted: {error}"))
            return
        for jail in new:
            await self._enforcing.put(self._jails.recount(jail, history[::-1], self._clock()))

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
        age = self.settings.server.dbpurgeage
        await keep_house(lambda: self._enforcing.store, age, self._clock)

    async def stop(self) -> None:
        """Finish in order: no more lines, what is decided is done and written, then the rest."""
        await self._supervisor.stop()
        try:
            await self._finish()
        finally:
            self._pid_file.remove()
            await self._control.close()

    async def _finish(self) -> None:
        if not self._is_up:
            return
        keep = self.settings.server.keepbans
        await self._enforcing.finish(keep=keep, last=lambda: self._acting.finish(keep=keep))
        for jail in self.settings.jails:
            self.emit(JailStopped(jail=jail.name))
        self.emit(ServerStopped())
