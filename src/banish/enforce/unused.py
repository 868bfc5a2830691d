"""Stands where the firewall would, on a host none of whose jails bans in it natively.

Bans are carried out by actions there, and the server needs no right to change a
firewall of its own. Only what an earlier run left, when its configuration was
another one, is taken away at the start, if the kernel lets us.
"""

import contextlib
from collections.abc import Sequence

from banish.enforce.memory import MemoryEnforcer
from banish.errors import AnotherServerError, EnforceError
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.settings import Enforcement
from banish.model.status import ACTIONS_ALONE
from banish.ports import Enforcer


class UnusedEnforcer(MemoryEnforcer):
    """Holds nothing, for no jail (`banish.ports.Enforcer`)."""

    def __init__(self, unused: Enforcer) -> None:
        """Stand in for *unused*."""
        super().__init__(ACTIONS_ALONE)
        self._unused = unused
        self._is_clean = False

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Take away what an earlier run left in the firewall; once, and not in earnest."""
        if not self._is_clean:
            self._is_clean = True
            # What another server holds there is not left over: it is in use.
            with contextlib.suppress(EnforceError, AnotherServerError):
                await self._unused.start((), (), now)
                await self._unused.stop(keep=False)
        await super().start(jails, bans, now)
