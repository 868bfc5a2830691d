"""Turns for requests: however many clients ask, everybody else has their turn in between.

An event loop runs all that is ready before it looks at logs and timers again. With 64 clients
that ask as fast as they are answered, that are 64 answers each time, some 10 ms, and a ban
takes several such rounds. Here a few answers begin in a round, and the others wait for the
next one, first come first served.
"""

import asyncio
from collections import deque


class Turns:
    """Lets at most *limit* requests begin in one round of the event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._left = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_renewing = False

    async def take(self) -> None:
        """Return once it is the caller's turn."""
        if self._left and not self._waiting:
            self._left -= 1
            self._renew_soon()
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._renew_soon()
        await turn

    def _renew_soon(self) -> None:
        if not self._is_renewing:
            self._is_renewing = True
            asyncio.get_running_loop().call_soon(self._renew)

    def _renew(self) -> None:
        self._is_renewing = False
        self._left = self._limit
        while self._left and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # whoever waited may have gone
                turn.set_result(None)
                self._left -= 1
        if self._left < self._limit:
            self._renew_soon()
