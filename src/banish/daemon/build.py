"""The file that names the adapters, but for those that are add-ons."""

import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from banish.addon.declare import ActionContext, FirewallContext
from banish.blocking import wait_within
from banish.config.addons import ACTIONS, FIREWALLS
from banish.daemon.dispatcher import ActionDispatcher
from banish.daemon.dryrun import DryRunAction
from banish.daemon.host import log_file_limit
from banish.daemon.patterns import Patterns
from banish.daemon.pipeline import JailWatch
from banish.detect.matcher import Matcher
from banish.enforce.claim import Claim, ClaimedEnforcer
from banish.enforce.command import shell
from banish.enforce.command.action import ShellAction
from banish.enforce.memory import MemoryEnforcer
from banish.enforce.python.action import PythonAction
from banish.enforce.succession import SucceedingEnforcer
from banish.enforce.unused import UnusedEnforcer
from banish.errors import StoreError
from banish.model.address import Subject
from banish.model.instant import Instant, Seconds
from banish.model.settings import (
    ActionSettings,
    JailSettings,
    JournalPlace,
    LogPath,
    Settings,
)
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.policy.room import Room
from banish.ports import Action, BanFacts, Clock, Enforcer, Source, Store
from banish.shell.script import Filled
from banish.sources.files import FileSource
from banish.sources.inotify import Inotify
from banish.sources.journal import JournalSource
from banish.sources.journalfiles import JournalFiles
from banish.sources.journalwatch import JournalWatch
from banish.sources.openfiles import OPEN_LIMIT, OpenFiles
from banish.sources.seek import Reach, Seeker
from banish.store.sqlite_store import SqliteStore
from banish.telemetry.events import ActionPlanned, BansImported, Emit, WarningGiven

FIREWALL_FILE = "firewall"
"""Beside the database: the kinds of firewall that may have left bans."""

LOOK_LIMIT = Seconds(2)
"""How long it may take to see whether a file is there; its disk may hang."""

MEGABYTE = 1_048_576


def enforcer(settings: Settings, *, dry_run: bool, emit: Emit) -> Enforcer:
    """Return what carries decisions out: the kernel, or with *dry_run* memory alone.

    Where no jail bans natively no firewall is needed, nor the right to change one.
    """
    if dry_run:
        return MemoryEnforcer()
    firewall = _firewall(settings, emit=emit)
    is_native = any(jail.enforcement is not None for jail in settings.jails)
    return firewall if is_native else UnusedEnforcer(firewall)


def _firewall(settings: Settings, *, emit: Emit) -> Enforcer:
    """Return the firewall that is configured, which one server of a network may use."""
    server = settings.server
    database = Path(server.dbfile)

    context = FirewallContext(emit, _has_ipv6(server.allowipv6))

    def make(name: str) -> Enforcer:
        addon = FIREWALLS[name]
        claim = Claim(addon.owns, config=settings.root, control=server.socket)
        return ClaimedEnforcer(addon.make(context), claim, emit=emit)

    return SucceedingEnforcer(
        server.firewall,
        make,
        known=FIREWALLS,
        path=database.with_name(FIREWALL_FILE) if database.is_absolute() else None,
        emit=emit,
    )


def acting(
    settings: Settings,
    *,
    facts: BanFacts,
    emit: Emit,
    clock: Clock,
    dry_run: bool,
    store: Callable[[], Store | None] = lambda: None,
) -> ActionDispatcher:
    """Return what has actions carried out; with *dry_run* it only tells of them.

    *store* returns the database, if it is open; what actions do is put on record there.
    """
    run = shell.gate(shell.run)
    has_ipv6 = _has_ipv6(settings.server.allowipv6)
    shared: dict[str, object] = {}

    def made(jail: JailSettings, action: ActionSettings) -> Action:
        if action.way == "commands":
            return ShellAction(
                jail.name,
                action,
                run=_planned(jail.name, action.actname, emit) if dry_run else run,
                facts=facts,
                clock=clock,
                has_ipv6=has_ipv6,
            )
        if dry_run:
            return DryRunAction(jail.name, action, emit=emit)
        if action.way == "python":
            return PythonAction(jail.name, action, facts=facts, emit=emit, clock=clock)
        return ACTIONS[action.kind].make(
            ActionContext(jail.name, action, facts, emit, clock, shared)
        )

    ways = ("commands", "built-in", "python")
    return ActionDispatcher(
        {
            jail.name: [made(jail, action) for action in jail.actions if action.way in ways]
            for jail in settings.jails
        },
        emit=emit,
        clock=clock,
        store=(lambda: None) if dry_run else store,
    )


def _planned(jail: str, action: str, emit: Emit) -> shell.Run:
    """Return what tells of a script instead of running it."""

    async def tell(filled: Filled, _limit: Seconds) -> shell.Outcome:
        what = filled.script
        if filled.values:
            what += " with " + ", ".join(f"{name}={value!r}" for name, value in filled.values)
        emit(ActionPlanned(jail=jail, action=action, what=what))
        return shell.Outcome(0)

    return tell


def _has_ipv6(allowipv6: str) -> bool:
    if allowipv6 != "auto":
        return allowipv6 in ("yes", "on", "true", "1")
    try:
        return Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").read_text("ascii").strip() == "0"
    except OSError:
        return False


def store_opener(settings: Settings, *, emit: Emit, clock: Clock) -> Callable[[], Awaitable[Store]]:
    """Return how to open the database; it raises StoreError.

    A new one takes over the bans of the tree's Fail2Ban.
    """

    async def open_store() -> Store:
        store = await SqliteStore.open(
            settings.server.dbfile,
            emit,
            evidence_limit=settings.server.dbmaxmatches,
            clock=clock,
        )
        await _take_over(store, settings.server.takeover_dbfile, emit=emit, now=clock())
        return store

    return open_store


async def _take_over(store: SqliteStore, path: str, *, emit: Emit, now: Instant) -> None:
    try:
        if not path or not await wait_within(LOOK_LIMIT, Path(path).exists):
            return
        bans = await store.import_bans(path, now)
    except (StoreError, OSError) as error:
        # Protection begins all the same; who goes on attacking is banned again.
        why = "its disk does not answer" if isinstance(error, TimeoutError) else error
        emit(WarningGiven(part="database", what=f"no bans are taken over from {path}: {why}"))
        return
    if bans:
        emit(BansImported(bans=bans, path=path))


def policies(settings: Settings, exempt: Mapping[str, ExemptList]) -> dict[str, JailPolicy]:
    """Return one policy for each jail."""
    made: dict[str, JailPolicy] = {}
    room = Room(settings.server.windowmemory * MEGABYTE)

    def count_in_all(subject: Subject, now: Instant) -> int:
        return sum(policy.count(subject, now) for policy in made.values())

    for jail in settings.jails:
        made[jail.name] = JailPolicy(
            jail,
            exempt[jail.name],
            draw=random.random,
            count_of=count_in_all if jail.escalation.overalljails else None,
            remembers=settings.server.dbpurgeage,
            room=room,
        )
    return made


def patterns(settings: Settings, *, emit: Emit) -> Patterns:
    """Return what makes prefilters and keeps them beside the database.

    ``BANISH_PREFILTER=off`` in the environment makes none: the same failures, slower.
    """
    database = Path(settings.server.dbfile)
    folder = database.parent / "patterns" if database.is_absolute() else None
    wanted = os.environ.get("BANISH_PREFILTER", "").lower() != "off"
    return Patterns(folder, emit=emit, wanted=wanted)


class Wiring:
    """One source and the jails that watch it."""

    def __init__(self, source: Source, watches: Sequence[JailWatch]) -> None:
        self.source = source
        self.watches = tuple(watches)


def wirings(settings: Settings, *, emit: Emit, clock: Clock) -> list[Wiring]:
    """Return one source for each log, so that a log is read once for all its jails.

    Jails that share a path or a glob share the source; a source of several
    globs hands each jail the files it asked for.
    """
    matchers = {
        jail.name: Matcher(jail.name, jail.filter, jail.findtime)
        for jail in settings.jails
        if not jail.uses_ledger
    }
    wired: list[Wiring] = []
    inotify, most = Inotify(), log_file_limit()
    open_files = OpenFiles(min(OPEN_LIMIT, most), most)
    in_files = [jail for jail in settings.jails if not jail.uses_journal and not jail.uses_ledger]
    for group in _groups(in_files):
        paths: dict[str, LogPath] = {}
        for jail in group:
            for path in jail.logpaths:
                paths.setdefault(path.pattern, path)
        source = FileSource(
            " ".join(paths),
            tuple(paths.values()),
            emit=emit,
            clock=clock,
            polls=all(jail.backend.startswith("polling") for jail in group),
            seeker=Seeker([Reach(jail.filter, jail.findtime) for jail in group], clock=clock),
            inotify=inotify,
            open_files=open_files,
        )
        watches = [
            JailWatch(matchers[jail.name], tuple(path.pattern for path in jail.logpaths))
            for jail in group
        ]
        wired.append(Wiring(source, watches))
    by_match: dict[tuple[JournalPlace, tuple[tuple[str, ...], ...]], list[JailSettings]] = {}
    for jail in settings.jails:
        if jail.uses_journal:
            by_match.setdefault((jail.journal, jail.filter.journalmatch), []).append(jail)
    watches_of: dict[JournalPlace, JournalWatch] = {}
    for (journal, matches), jails in by_match.items():
        if journal not in watches_of:
            files = JournalFiles(journal.path, journal.flags)
            watches_of[journal] = JournalWatch(files, emit)
        words = " | ".join(" ".join(match) for match in matches) or "everything"
        # Two journals may be asked for the same, and a source's name is its own.
        which = f" in {journal.path}" if journal.path else ""
        which += f" (flags {journal.flags})" if journal.flags != JournalPlace().flags else ""
        source_of_journal = JournalSource(
            f"journal{which}: {words}",
            matches,
            emit=emit,
            clock=clock,
            since=max(jail.findtime for jail in jails),
            journal_path=journal.path,
            flags=journal.flags,
            watch=watches_of[journal],
        )
        wired.append(Wiring(source_of_journal, [JailWatch(matchers[jail.name]) for jail in jails]))
    return wired


def _groups(jails: Sequence[JailSettings]) -> list[list[JailSettings]]:
    """Return *jails* in groups of those that share a log pattern, directly or by others."""
    groups: list[tuple[set[str], list[JailSettings]]] = []
    for jail in jails:
        patterns = {path.pattern for path in jail.logpaths}
        if not patterns:
            continue
        members = [jail]
        apart = []
        for others, group in groups:
            if others & patterns:
                patterns |= others
                members = group + members
            else:
                apart.append((others, group))
        groups = [*apart, (patterns, members)]
    return [group for _, group in groups]
