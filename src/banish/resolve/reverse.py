"""Names of addresses, for ``<ip-host>``: bounded in time, number and memory.

Whoever owns an address chooses its name, so a name from here proves nothing.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable

from banish.model.address import Subject
from banish.model.instant import Seconds
from banish.resolve.workers import Workers

KEEP = Seconds(300)
TIME_LIMIT = Seconds(5)
CACHE_LIMIT = 1_000
AT_ONCE = 4

Lookup = Callable[[str], str]
"""Returns the name of an address; raises OSError where it has none."""


def _system_lookup(address: str) -> str:
    return socket.gethostbyaddr(address)[0]


class ReverseResolver:
    """Asks the system's resolver, with a cache; an address without a name has an empty one."""

    def __init__(self, lookup: Lookup = _system_lookup, *, limit: Seconds = TIME_LIMIT) -> None:
        self._lookup = lookup
        self._limit = limit
        self._workers = Workers(AT_ONCE)
        self._cache: OrderedDict[str, tuple[float, str]] = OrderedDict()

    async def name(self, subject: Subject) -> str:
        """Return the name of an address; empty where it has none, or none within the time."""
        if not subject.is_address:
            return ""
        return await self._kept(subject.text, lambda: self._lookup(subject.text))

    async def own_name(self) -> str:
        """Return this host's full name."""
        return await self._kept("", socket.getfqdn)

    async def _kept(self, key: str, call: Callable[[], str]) -> str:
        now = asyncio.get_running_loop().time()
        kept = self._cache.get(key)
        if kept is not None and now < kept[0]:
            return kept[1]
        try:
            async with asyncio.timeout(self._limit):
                name = await self._workers.run(call)
        except (OSError, ValueError):  # TimeoutError is an OSError
            name = ""
        self._cache[key] = (now + KEEP, name)
        self._cache.move_to_end(key)
        if len(self._cache) > CACHE_LIMIT:
            self._cache.popitem(last=False)
        return name
