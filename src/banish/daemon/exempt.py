"""Keeps what must never be banned up to date: own addresses, names in ``ignoreip``."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from banish.errors import ResolveError
from banish.model.instant import Seconds
from banish.model.settings import Settings
from banish.policy.ignore import IgnoreList
from banish.ports import Resolver
from banish.resolve.own import own_addresses, own_names
from banish.telemetry.happenings import Emit, WarningGiven

REFRESH_PAUSE = Seconds(60)
"""Addresses of interfaces and names change; the resolver's cache bounds the asking."""


class Exemptions:
    """The ignore lists of all jails; one task keeps them fresh."""

    def __init__(self, settings: Settings, *, resolver: Resolver, emit: Emit) -> None:
        self.lists: Mapping[str, IgnoreList] = {
            jail.name: IgnoreList(jail.ignoreip) for jail in settings.jails
        }
        self._own_for = [self.lists[jail.name] for jail in settings.jails if jail.ignoreself]
        self._resolver = resolver
        self._emit = emit
        self._unresolved: set[str] = set()

    async def keep_fresh(self, on_change: Callable[[], Awaitable[None]]) -> None:
        """Refresh for ever; await *on_change* whenever somebody else is exempt than before."""
        while True:
            await asyncio.sleep(REFRESH_PAUSE)
            if await self.refresh():
                await on_change()

    async def refresh(self) -> bool:
        """Look everything up again and tell whether anything changed.

        A name that cannot be resolved keeps what it stood for.
        """
        own = set(own_addresses())
        if self._own_for:
            for name in await asyncio.to_thread(own_names):
                try:
                    own.update(await self._resolver.addresses(name))
                except ResolveError:
                    # The host's own name need not be known to any resolver.
                    continue
        changed = [ignored.set_own(own) for ignored in self._own_for]
        names = {name for ignored in self.lists.values() for name in ignored.names}
        changed += await asyncio.gather(*(self._refresh_name(name) for name in sorted(names)))
        return any(changed)

    async def _refresh_name(self, name: str) -> bool:
        try:
            found = await self._resolver.addresses(name)
        except ResolveError as error:
            self._tell_once(name, str(error))
            return False
        if not found:
            self._tell_once(name, "it has no address")
            return False
        self._unresolved.discard(name)
        # All of them are told, so no short cut by any().
        changed = False
        for ignored in self.lists.values():
            if name in ignored.names:
                changed = ignored.resolve(name, found) or changed
        return changed

    def _tell_once(self, name: str, why: str) -> None:
        if name not in self._unresolved:
            self._unresolved.add(name)
            self._emit(WarningGiven(part=f"ignoreip {name}", what=f"exempts nobody: {why}"))
