"""Keeps the option ``guard`` fresh: who is logged in, and what this host cannot do without.

Before failures are judged, who is logged in is looked up again, in a thread and
with a time limit, so that an operator who has just come in is exempt. Looking
takes some milliseconds, and under a flood of failures a twentieth of the time.
"""

import asyncio
import grp
import pwd
from collections.abc import Callable, Iterable, Mapping, Sequence

from banish.exempt.gateways import gateways, resolvers
from banish.exempt.logins import Login, can_look, live_logins
from banish.exempt.recent import RecentLogins
from banish.model.address import Subject
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.settings import JailSettings, Settings
from banish.policy.exempt import ExemptList
from banish.resolve.workers import Workers
from banish.telemetry.events import Emit, WarningGiven

LOOK_PAUSE = 20
"""A look counts for so many times as long as it took, ..."""

LOOK_PAUSE_LIMIT = Seconds(1)
"""... and no longer than this."""

LOOK_ANYWAY = Seconds(15)
"""A look is taken so often without failures, so that short sessions are seen too."""

LOOK_LIMIT = Seconds(2)
"""A host that cannot list its processes in this time is judged on what was seen before."""


class Facts:
    """Where facts come from; a test says others."""

    def __init__(
        self,
        logins: Callable[[], Sequence[Login]] = live_logins,
        gateways: Callable[[], Iterable[Subject]] = gateways,
        resolvers: Callable[[], Iterable[Subject]] = resolvers,
        accounts: Callable[[str], frozenset[str]] | None = None,
        can_look: Callable[[], bool] = can_look,
    ) -> None:
        self.logins = logins
        self.gateways = gateways
        self.resolvers = resolvers
        self.accounts = accounts or members
        self.can_look = can_look


class HostExemptions:
    """Who is exempt for now in the jails with the option ``guard``."""

    def __init__(
        self,
        settings: Settings,
        lists: Mapping[str, ExemptList],
        *,
        emit: Emit,
        clock: Callable[[], Instant],
        facts: Facts | None = None,
    ) -> None:
        self._jails: dict[str, JailSettings] = {}
        self._recent: dict[str, RecentLogins] = {}
        self._lists = lists
        self.follow(settings)
        self._emit = emit
        self._clock = clock
        self._facts = facts or Facts()
        self._workers = Workers(1)
        self._look_again_at = 0.0
        self._gate = asyncio.Lock()
        self._is_late = False
        self._is_blind = False

    def follow(self, settings: Settings) -> None:
        """Serve the jails of *settings* from now on; logins that were seen stay known."""
        before, recent = self._jails, self._recent
        self._jails = {jail.name: jail for jail in settings.jails if jail.guard.exempts}
        self._recent = {
            name: recent[name]
            if name in before and before[name].guard == jail.guard
            else RecentLogins(jail.guard.time)
            for name, jail in self._jails.items()
        }
        for name in before.keys() - self._jails.keys():
            if name in self._lists:
                self._lists[name].set_temporary({})
        self._look_again_at = 0.0

    async def refresh(self, jails: Iterable[str]) -> None:
        """Make sure that what is known for *jails* is fresh."""
        if self._jails.keys() & set(jails):
            async with self._gate:
                clock = asyncio.get_running_loop().time
                began = clock()
                if began >= self._look_again_at:
                    await self._look()
                    pause = min(LOOK_PAUSE * (clock() - began), LOOK_PAUSE_LIMIT)
                    self._look_again_at = clock() + pause

    async def fresh(self, failures: Sequence[Failure], _now: Instant) -> Sequence[Failure]:
        """Return *failures* as they are, once it is known who must not be banned for them."""
        if self._jails:
            await self.refresh({failure.jail for failure in failures})
        return failures

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.refresh(self._jails)
            await asyncio.sleep(LOOK_ANYWAY)

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(LOOK_LIMIT):
                found = await self._workers.run(self._gather)
        except OSError:  # TimeoutError is one
            if not self._is_late:
                what = f"logged-in users could not be determined within {LOOK_LIMIT:g} s"
                self._emit(WarningGiven(part="guard", what=what))
            self._is_late = True
            return
        self._is_late = False
        self._warn_if_blind()
        now = self._clock()
        for name, (fixed, logins) in found.items():
            recent = self._recent.get(name)
            if recent is None or name not in self._lists:
                continue  # the jail has ended meanwhile
            recent.see(logins, now)
            self._lists[name].set_temporary({**recent.exempt(), **fixed})

    def _warn_if_blind(self) -> None:
        wanting = [name for name, jail in self._jails.items() if "logins" in jail.guard.exempts]
        if wanting and not self._is_blind and not self._facts.can_look():
            self._is_blind = True
            what = (
                "the kernel does not show who is logged in, so no login exempts an address:"
                " CAP_SYS_PTRACE is missing; run as root with it (systemctl edit banish:"
                " CapabilityBoundingSet=CAP_SYS_PTRACE), or set guard = gateways resolvers"
            )
            self._emit(WarningGiven(part="guard", what=what))

    def _gather(self) -> dict[str, tuple[dict[Subject, str], list[Login]]]:
        wanted = {what for jail in self._jails.values() for what in jail.guard.exempts}
        fixed: dict[str, dict[Subject, str]] = {}
        if "gateways" in wanted:
            fixed["gateways"] = dict.fromkeys(self._facts.gateways(), "guard (gateway)")
        if "resolvers" in wanted:
            fixed["resolvers"] = dict.fromkeys(self._facts.resolvers(), "guard (resolver)")
        live = self._facts.logins() if "logins" in wanted else ()
        return {
            name: (
                {
                    subject: reason
                    for what in jail.guard.exempts
                    for subject, reason in fixed.get(what, {}).items()
                },
                self._counting(jail, live),
            )
            for name, jail in self._jails.items()
        }

    def _counting(self, jail: JailSettings, live: Sequence[Login]) -> list[Login]:
        """Return those of *live* that exempt an address in *jail*."""
        if "logins" not in jail.guard.exempts:
            return []
        if not jail.guard.groups:
            return list(live)
        accounts = frozenset[str]().union(*map(self._facts.accounts, jail.guard.groups))
        return [login for login in live if login.account in accounts]


def members(group: str) -> frozenset[str]:
    """Return the accounts in *group*, those whose first group it is too; none if it is unknown."""
    try:
        entry = grp.getgrnam(group)
        first = {each.pw_name for each in pwd.getpwall() if each.pw_gid == entry.gr_gid}
    except (KeyError, ValueError):
        return frozenset()
    return frozenset(entry.gr_mem) | first
