"""Calls that may block for good, such as those to a disk that hangs, in threads of their own.

Nobody waits for such a thread: neither the event loop nor, at its end, the process.
Python's own executors are waited for when the process ends, so that one file on a dead
network disk would keep a server from stopping.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

from banish.model.instant import Seconds

Result = TypeVar("Result")
Words = ParamSpec("Words")


class LoneThread(Executor):
    """Runs calls one by one in one thread, in their order; the thread starts with the first."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = (
            queue.SimpleQueue()
        )
        self._is_started = False

    def submit(
        self, call: Callable[Words, Result], /, *args: Words.args, **kwargs: Words.kwargs
    ) -> Future[Result]:
        """Have *call* run after those submitted before.

        Raises:
            RuntimeError: No thread can be started.

        """
        future: Future[Result] = Future()
        if not self._is_started:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
            self._is_started = True
        self._calls.put((future, lambda: call(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - as in Executor
        """End the thread once all calls have returned; never waits for that."""
        if self._is_started:
            self._calls.put(None)

    def _run(self) -> None:
        while (order := self._calls.get()) is not None:
            future, call = order
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - whoever waits for it gets it
                future.set_exception(error)
            else:
                future.set_result(result)


def _begin(call: Callable[[], Result]) -> Future[Result]:
    thread = LoneThread("may hang")
    try:
        return thread.submit(call)
    finally:
        thread.shutdown()


def call_within(limit: Seconds, call: Callable[[], Result]) -> Result:
    """Return what *call* returns, or raise what it raises; blocks for up to *limit*.

    Raises:
        TimeoutError: It has not returned by then. It goes on, and nobody learns how it ends.

    """
    return _begin(call).result(limit)


async def wait_within(limit: Seconds, call: Callable[[], Result]) -> Result:
    """Return what *call* returns, or raise what it raises, without blocking the event loop.

    Raises:
        TimeoutError: It has not returned within *limit*. It goes on, and nobody learns how
            it ends.

    """
    async with asyncio.timeout(limit):
        return await asyncio.wrap_future(_begin(call))
