"""Stands where the firewall would, as long as no jail bans in it natively.

Bans are carried out by actions then, and the server needs no right to change a
firewall of its own. Only what an earlier run left, when its configuration was
another one, is taken away at the start, if the kernel lets us. Once a jail bans
natively, since the configuration changed, the firewall itself takes over.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from banish.enforce.memory import MemoryEnforcer
from banish.enforce.wrapped import WrappedEnforcer
from banish.errors import AnotherServerError, EnforceError
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.settings import Enforcement
from banish.model.status import ACTIONS_ALONE
from banish.ports import Enforcer


class UnusedEnforcer(WrappedEnforcer):
    """Holds nothing until a jail wants the firewall (`banish.ports.Enforcer`)."""

    def __init__(self, firewall: Enforcer) -> None:
        """Stand in for *firewall*."""
        super().__init__(MemoryEnforcer(ACTIONS_ALONE))
        self._firewall = firewall
        self._is_used = asyncio.Event()
        self._is_clean = False

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold *bans* for *jails*, in the firewall from the first jail on.

        Without one, take away what an earlier run left there; once, and not in earnest.
        """
        if jails and not self._is_used.is_set():
            await self._firewall.start(jails, bans, now)
            self._enforcer = self._firewall
            self._is_used.set()
            return
        if not self._is_clean and not self._is_used.is_set():
            self._is_clean = True
            # What another server holds there is not left over: it is in use.
            with contextlib.suppress(EnforceError, AnotherServerError):
                await self._firewall.start((), (), now)
                await self._firewall.stop(keep=False)
        await super().start(jails, bans, now)

    async def change(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> bool:
        """Hold *bans* for *jails*, in the firewall from the first jail on."""
        if self._is_used.is_set():
            return await super().change(jails, bans, now)
        await self.start(jails, bans, now)
        return True

    async def wait_for_foreign_change(self) -> None:
        """Return once somebody else may have changed what is ours."""
        await self._is_used.wait()
        await super().wait_for_foreign_change()
