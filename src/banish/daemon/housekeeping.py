"""Forgets old history in the database, for as long as the server runs.

The first time is soon after the start: a server that is started anew each half hour would
never come to it otherwise, and bans that ran out while it was down would stay open. It is not
at once, since the clock of a host that has just started may still be wrong.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

from banish.model.instant import Seconds
from banish.ports import Clock, Store

PURGE_PAUSE = Seconds(3_600)
"""Time between two looks for history to forget; with a shorter ``dbpurgeage``, that long."""

PURGE_PAUSE_LEAST = Seconds(60)
"""So long after the start is the first look, and between two of them at least."""


def pauses(age: Callable[[], Seconds]) -> Iterator[Seconds]:
    """Yield how long to wait before each look, where history is kept for as long as *age* says."""
    yield PURGE_PAUSE_LEAST
    while True:
        yield min(PURGE_PAUSE, max(PURGE_PAUSE_LEAST, age()))


async def keep_house(
    store_of: Callable[[], Store | None],
    age: Callable[[], Seconds],
    clock: Clock,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Have the store that *store_of* returns, if any, forget for ever what is older than *age*.

    Raises:
        StoreError: The database cannot be used.

    """
    for pause in pauses(age):
        await sleep(pause)
        store = store_of()
        if store is not None:
            await store.purge(clock(), age())
