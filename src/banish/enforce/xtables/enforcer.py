"""Makes an enforcer, and its entry in the list of firewalls, of a way to ban by iptables."""

import functools
from collections.abc import Callable, Sequence

from banish.addon.declare import FirewallAddon
from banish.enforce.halt import Halting
from banish.enforce.threaded import LOOK_PAUSE, BlockingEnforcer, ThreadedEnforcer
from banish.enforce.xtables.tables import Tables
from banish.enforce.xtables.tool import RunProgram, probe, run_program
from banish.model.instant import Seconds
from banish.telemetry.events import Emit

MakeFirewall = Callable[[Tables, Emit], BlockingEnforcer]


def xtables_enforcer(
    make: MakeFirewall,
    *,
    emit: Emit,
    has_ipv6: bool = True,
    flavour: str = "",
    pause: Seconds = LOOK_PAUSE,
    run: RunProgram | None = None,
) -> ThreadedEnforcer:
    """Return an enforcer that bans by what *make* makes (`banish.ports.Enforcer`).

    Args:
        make: Makes what bans in the host's tables.
        emit: Gets a warning for each odd setting.
        has_ipv6: Whether there is an IPv6 firewall; without, IPv6 bans are only noted.
        flavour: See `Tables`.
        pause: How long after one look for foreign changes the next one comes.
        run: Runs a program; None: as `run_program` does, and ends it when it is not wanted.

    """
    halting = Halting()
    run = run or functools.partial(run_program, halting=halting)
    tables = Tables(run, has_ipv6=has_ipv6, flavour=flavour)
    return ThreadedEnforcer(make(tables, emit), pause=pause, halting=halting)


def xtables_addon(make: MakeFirewall, *questions: tuple[Sequence[str], str]) -> FirewallAddon:
    """Return the entry of *make*; it can be used where *questions* are answered (see `probe`)."""
    return FirewallAddon(
        make=lambda context: xtables_enforcer(make, emit=context.emit, has_ipv6=context.has_ipv6),
        probe=lambda: probe(run_program, *questions),
        owns="chain banish",
    )
