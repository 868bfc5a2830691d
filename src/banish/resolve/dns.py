"""Turns DNS names into addresses, bounded in time, number and memory.

Asks the system's resolver (getaddrinfo(3)), so ``/etc/hosts`` and nsswitch.conf
count as they do for every other program of the host. Answers, empty ones too,
are kept for five minutes as in Fail2Ban (server/ipdns.py, 1.1.1: 1000 names,
300 s); failures for half a minute, so that a dead resolver is not asked on
every line.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence

from banish.errors import ResolveError
from banish.model.address import Subject, is_host_name, parse_address
from banish.model.instant import Seconds
from banish.resolve.workers import Workers

KEEP = Seconds(300)
KEEP_FAILURE = Seconds(30)
TIME_LIMIT = Seconds(5)
CACHE_LIMIT = 1_000
AT_ONCE = 8
"""Lookups that run at once; a dead resolver holds each for as long as the C library likes."""

ADDRESS_LIMIT = 32
"""Addresses taken of one name; an attacker owns his zone and may list thousands."""

Lookup = Callable[[str], Awaitable[Sequence[str]]]
"""Returns the addresses of a name as text; raises OSError."""


def _system_lookup() -> Lookup:
    workers = Workers(AT_ONCE)

    async def look_up(name: str) -> Sequence[str]:
        found = await workers.run(lambda: socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
        return [str(entry[4][0]) for entry in found]

    return look_up


_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

_CURE = (
    "check the resolver (/etc/resolv.conf); where a log has the address beside the name, as in "
    r"name (192.0.2.1), write \S+ \(<ADDR>\) for <HOST>; in ignoreip write addresses"
)


class DnsResolver:
    """Resolves through the system, with a cache; implements `banish.ports.Resolver`."""

    def __init__(
        self,
        lookup: Lookup | None = None,
        *,
        limit: Seconds = TIME_LIMIT,
        keep_failure: Seconds = KEEP_FAILURE,
    ) -> None:
        """Ask *lookup* (None: the system), each time for at most *limit*."""
        self._lookup = lookup or _system_lookup()
        self._limit = limit
        self._keep_failure = keep_failure
        self._cache: OrderedDict[str, tuple[float, tuple[Subject, ...] | str]] = OrderedDict()
        self._under_way: dict[str, asyncio.Task[tuple[Subject, ...]]] = {}

    async def addresses(self, name: str) -> Sequence[Subject]:
        """Return the addresses of *name*, at most `ADDRESS_LIMIT`; none if it has none.

        Nobody is asked about a number, which the C library would take for an address.

        Raises:
            ResolveError: The answer did not come in time, or the resolver failed.

        """
        if not is_host_name(name):
            return ()
        now = asyncio.get_running_loop().time()
        kept = self._cache.get(name)
        if kept is not None and kept[0] > now:
            if isinstance(kept[1], str):
                raise ResolveError(kept[1])
            return kept[1]
        # Several lines name the same host at once: ask once.
        task = self._under_way.get(name)
        if task is None:
            task = asyncio.create_task(self._ask(name))
            self._under_way[name] = task
            task.add_done_callback(lambda _: self._under_way.pop(name, None))
        return await asyncio.shield(task)

    async def _ask(self, name: str) -> tuple[Subject, ...]:
        try:
            async with asyncio.timeout(self._limit):
                texts = await self._lookup(name)
        except TimeoutError as error:
            raise self._failure(name, f"no answer within {self._limit:g} s") from error
        except socket.gaierror as error:
            if error.errno in _NO_SUCH_NAME:
                return self._keep(name, (), KEEP)
            raise self._failure(name, str(error.strerror)) from error
        except (OSError, UnicodeError) as error:
            # A label over 63 characters is refused by the IDNA codec with UnicodeError.
            raise self._failure(name, str(error)) from error
        subjects = dict.fromkeys(parse_address(text) for text in texts)
        found = tuple(subject for subject in subjects if subject is not None)
        return self._keep(name, found[:ADDRESS_LIMIT], KEEP)

    def _failure(self, name: str, why: str) -> ResolveError:
        what = f"cannot resolve {name}: {why}"
        self._keep(name, what, self._keep_failure)
        return ResolveError(what, cure=_CURE)

    def _keep(
        self, name: str, answer: tuple[Subject, ...] | str, span: Seconds
    ) -> tuple[Subject, ...]:
        self._cache[name] = (asyncio.get_running_loop().time() + span, answer)
        self._cache.move_to_end(name)
        if len(self._cache) > CACHE_LIMIT:
            self._cache.popitem(last=False)
        return answer if isinstance(answer, tuple) else ()
