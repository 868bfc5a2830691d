"""The file that names the adapters, but for those that are add-ons."""

import os
import random
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from banish.addon.declare import ActionContext, FirewallContext
from banish.blocking import wait_within
from banish.config.addons import ACTIONS, FIREWALLS
from banish.daemon.dryrun import DryRunAction
from banish.daemon.patterns import Patterns
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
    ServerSettings,
    Settings,
)
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.policy.room import Room
from banish.ports import Action, BanFacts, Clock, Enforcer, Store
from banish.shell.script import Filled
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


def action_maker(
    server: ServerSettings, *, facts: BanFacts, emit: Emit, clock: Clock, dry_run: bool
) -> Callable[[JailSettings, ActionSettings], Action | None]:
    """Return what makes an action of a jail; with *dry_run* the action only tells.

    It returns None where the firewall carries the action out, or nobody.
    """
    run = shell.gate(shell.run)
    has_ipv6 = _has_ipv6(server.allowipv6)
    shared: dict[str, object] = {}

    def made(jail: JailSettings, action: ActionSettings) -> Action | None:
        if action.way in ("native", "none"):
            return None
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

    return made


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


def policy_maker(
    windowmemory: int,
    remembers: Callable[[], Seconds],
    made: Callable[[], Iterable[JailPolicy]],
) -> Callable[[JailSettings, ExemptList], JailPolicy]:
    """Return what makes the policy of a jail.

    Windows of all jails share *windowmemory* megabytes. Past bans are remembered for as long as
    *remembers* says; *made* returns the policies of all jails there are.
    """
    room = Room(windowmemory * MEGABYTE)

    def make(jail: JailSettings, exempt: ExemptList) -> JailPolicy:
        def count(subject: Subject, now: Instant) -> int:
            if not policy.settings.escalation.overalljails:
                return policy.count(subject, now)
            return sum(each.count(subject, now) for each in made())

        policy = JailPolicy(
            jail, exempt, draw=random.random, count_of=count, remembers=remembers(), room=room
        )
        return policy

    return make


def patterns(settings: Settings, *, emit: Emit) -> Patterns:
    """Return what makes prefilters and keeps them beside the database.

    ``BANISH_PREFILTER=off`` in the environment makes none: the same failures, slower.
    """
    database = Path(settings.server.dbfile)
    folder = database.parent / "patterns" if database.is_absolute() else None
    wanted = os.environ.get("BANISH_PREFILTER", "").lower() != "off"
    return Patterns(folder, emit=emit, wanted=wanted)
