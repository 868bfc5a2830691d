"""Tells actions what a ban does not say of itself: names, earlier bans, counts."""

import asyncio
import socket
from collections.abc import Callable, Sequence

from banish.daemon.jails import Jails
from banish.errors import StoreError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Seconds
from banish.ports import Clock, Store

LOOKUP_LIMIT = Seconds(5)
"""How long the name of an address or of this host may take to be found."""

PAST_LIMIT = 10
"""Earlier bans that ``<ipmatches>`` and its like take in."""


class ServerFacts:
    """Implements `banish.enforce.command.tags.Facts` on the live server."""

    def __init__(self, jails: Jails, store: Callable[[], Store | None], *, clock: Clock) -> None:
        self._jails = jails
        self._store = store
        self._clock = clock
        self._names: tuple[str, str] | None = None

    async def host_of(self, address: Subject) -> str:
        """Return the DNS name of *address*, or nothing."""
        try:
            async with asyncio.timeout(LOOKUP_LIMIT):
                return (await asyncio.to_thread(socket.gethostbyaddr, address.text))[0]
        except (OSError, UnicodeError, TimeoutError):
            return ""

    async def past(self, subject: Subject, jail: str | None) -> tuple[Ban, ...]:
        """Return the remembered bans of *subject* by *jail*, or by all (None), oldest first."""
        store = self._store()
        if store is None:
            return ()
        try:
            found: Sequence[Ban] = await store.history(limit=PAST_LIMIT, subject=subject)
        except StoreError:
            return ()  # the daemon tells of it; a report without the past is still one
        return tuple(ban for ban in reversed(found) if jail is None or ban.jail == jail)

    def counts(self, jail: str) -> tuple[int, int, int, int]:
        """Return how many are banned now, were ever banned, fail now, and ever failed."""
        policy = self._jails.policies.get(jail)
        if policy is None:
            return (0, 0, 0, 0)
        return (
            len(policy.bans),
            policy.bans_total,
            policy.failing(self._clock()),
            policy.failures_total,
        )

    async def names(self) -> tuple[str, str]:
        """Return this host's whole name and its short one."""
        if self._names is None:
            short = socket.gethostname()
            try:
                async with asyncio.timeout(LOOKUP_LIMIT):
                    whole = await asyncio.to_thread(socket.getfqdn)
            except TimeoutError:
                whole = short
            self._names = (whole, short)
        return self._names
