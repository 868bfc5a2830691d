"""An enforcer around another: what it does not do in its own way, the other does."""

from collections.abc import Sequence

from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant
from banish.model.settings import Enforcement
from banish.ports import Enforced, Enforcer


class WrappedEnforcer:
    """Passes everything on (`banish.ports.Enforcer`)."""

    def __init__(self, enforcer: Enforcer) -> None:
        self._enforcer = enforcer

    @property
    def name(self) -> str:
        """What status and logs call it."""
        return self._enforcer.name

    @property
    def changed_by(self) -> str:
        """Who else changed what is ours last."""
        return self._enforcer.changed_by

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*."""
        await self._enforcer.start(jails, bans, now)

    async def change(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> bool:
        """Hold *bans* for exactly *jails* from now on."""
        return await self._enforcer.change(jails, bans, now)

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*."""
        await self._enforcer.apply(batch, now)

    async def read(self) -> Enforced:
        """Return what is really held."""
        return await self._enforcer.read()

    async def wait_for_foreign_change(self) -> None:
        """Return once somebody else may have changed what is ours."""
        await self._enforcer.wait_for_foreign_change()

    async def stop(self, *, keep: bool) -> None:
        """Take away all that is ours, or with *keep* leave the bans in force."""
        await self._enforcer.stop(keep=keep)
