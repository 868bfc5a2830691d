"""Bounds the CPU time of work that searches regexes, in the main thread.

The regex engine looks for signals while it works (Modules/_sre/sre_lib.h), so a signal ends a
search that would take for ever.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator


class CpuLimitError(Exception):
    """The work in hand has used up its CPU time."""


def _stop(_number: int, _frame: object) -> None:
    raise CpuLimitError


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """End the work within after *seconds* of this process's CPU time.

    No other thread but the main one gets signals: elsewhere there is no limit.

    Raises:
        CpuLimitError: The work took longer.

    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
