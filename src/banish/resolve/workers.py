"""Calls that wait for the network, in threads that nobody has to wait for.

A resolver that is dead holds a thread for as long as the C library likes, often
a minute. The event loop's own threads are waited for when the server stops;
these are not.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class Workers:
    """Runs at most *limit* blocking calls at once, each in a thread of its own."""

    def __init__(self, limit: int) -> None:
        self._gate = asyncio.Semaphore(limit)

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return what *call* returns, or raise the OSError or ValueError it raises.

        Cancelled, it returns at once; the thread goes on, and holds its place
        until it ends.
        """
        await self._gate.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Result] = loop.create_future()

        def settle(result: Result | None, error: BaseException | None) -> None:
            self._gate.release()
            if answer.cancelled():
                return
            if error is None:
                answer.set_result(result)  # type: ignore[arg-type]
            else:
                answer.set_exception(error)

        def work() -> None:
            result: Result | None = None
            failed: BaseException | None = None
            try:
                result = call()
            except (OSError, ValueError) as error:
                failed = error
            # The loop may be gone by now, and with it whoever asked.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, failed)

        try:
            threading.Thread(target=work, name="resolve", daemon=True).start()
        except RuntimeError as error:
            self._gate.release()
            raise OSError(str(error)) from error
        return await answer
