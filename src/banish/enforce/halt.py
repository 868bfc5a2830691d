"""How long work in a thread is ended early, between two of its steps."""

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

THINGS_AT_ONCE = 2_000
"""Addresses that are gone through in a millisecond or two."""

Check = Callable[[], None]
"""Called between two steps of long work; raises `Halt` where that is not wanted any more."""

Thing = TypeVar("Thing")


class Halt(Exception):  # noqa: N818 - nothing went wrong
    """Whoever asked for the work does not want it any more; what was done so far stands."""


class Halting:
    """Ends the program that a thread waits for, and has no other one started.

    For two threads: one runs programs, the other one begins and ends halting.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._program: subprocess.Popen[bytes] | None = None
        self._is_on = False

    def begin(self) -> None:
        """End the program that runs, and any that is started from now on."""
        with self._lock:
            self._is_on = True
            if self._program is not None:
                self._program.kill()

    def end(self) -> None:
        """Let programs run again."""
        with self._lock:
            self._is_on = False

    def check(self) -> None:
        """Raise `Halt` while halting."""
        if self._is_on:
            raise Halt

    @contextlib.contextmanager
    def watching(self, program: "subprocess.Popen[bytes]") -> Iterator[None]:
        """Have *program* ended should halting begin meanwhile; raises `Halt` then."""
        with self._lock:
            self._program = program
            if self._is_on:
                program.kill()
        try:
            yield
        finally:
            with self._lock:
                self._program = None
        self.check()


def no_check() -> None:
    """Let work go on."""


def checked(things: Iterable[Thing], check: Check) -> Iterator[Thing]:
    """Yield *things*, and call *check* now and then."""
    for number, thing in enumerate(things):
        if not number % THINGS_AT_ONCE:
            check()
        yield thing


def batched(things: Iterable[Thing]) -> Iterator[list[Thing]]:
    """Yield *things* in lists of up to `THINGS_AT_ONCE`."""
    every = iter(things)
    while part := list(islice(every, THINGS_AT_ONCE)):
        yield part
