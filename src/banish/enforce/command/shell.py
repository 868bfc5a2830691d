"""Runs one script in a shell: a time limit for all it starts, and bounded output.

The script runs in a session of its own, so that a signal reaches every program
it started and none of our signals does. Its input is empty, and its output goes
to the log only if it fails.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Self

import msgspec

from banish.errors import ActionError
from banish.model.instant import Seconds
from banish.shell.script import Filled

SHELL = "/bin/sh"

OUTPUT_LIMIT_BYTES = 4_096
"""How much of what a script writes is kept, from the beginning; the rest is thrown away."""

SCRIPTS_LIMIT = 32
"""Scripts that run at once, of all jails: hundreds of jails start and stop together."""

GRACE = Seconds(0.5)
"""How long a script that ran out of time may take to end by itself."""

KILL_SPAN = Seconds(5)
"""How long a killed script is waited for: one that hangs in the kernel does not end."""

_DRAIN_LIMIT = 16
"""Blocks read after a script has ended: a pipe holds one, and a program left behind may fill it."""


class Outcome(msgspec.Struct, frozen=True):
    """How a script ended."""

    code: int | None
    """The exit code, below zero the signal that ended it; None: it took too long."""
    output: str = ""
    """What it wrote, both to standard output and to standard error."""

    @property
    def is_good(self) -> bool:
        """Whether it says that it did what it should."""
        return self.code == 0


Run = Callable[[Filled, Seconds], Awaitable[Outcome]]
"""Runs a script, for at most so long."""


def gate(run: Run, most: int = SCRIPTS_LIMIT) -> Run:
    """Return a `Run` of which at most so many run at once; the others wait for their turn."""
    room = asyncio.Semaphore(most)

    async def run_in_turn(filled: Filled, limit: Seconds) -> Outcome:
        async with room:
            return await run(filled, limit)

    return run_in_turn


async def run(filled: Filled, limit: Seconds) -> Outcome:
    """Run a script and return how it ended; all that it started is ended after *limit*.

    A program that the script left in the background goes on.

    Raises:
        ActionError: No process can be started.

    """
    # Not as words of the shell: those are seen by every user of the host.
    values = {name: _encoded(value) for name, value in filled.environment.items()}
    with _Output() as output:
        try:
            process = await asyncio.create_subprocess_exec(
                SHELL,
                "-c",
                _encoded(filled.text),
                "sh",
                env={**os.environb, **{os.fsencode(name): value for name, value in values.items()}},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output.end,
                stderr=output.end,
                start_new_session=True,
            )
        except OSError as error:
            raise ActionError(
                f"{SHELL} cannot be started: {error.strerror}",
                cure="see that there are processes and memory to spare (ulimit -u, free)",
            ) from error
        output.let_go()
        try:
            code = await _end(process, limit)
        finally:
            if process.returncode is None:
                await _kill(process)
        return Outcome(code, output.text())


def _encoded(text: str) -> bytes:
    return text.replace("\0", "").encode("utf-8", "surrogateescape")


class _Output:
    """A pipe that keeps the beginning of what is written to it and takes all the rest.

    Not a pipe of asyncio's own: with one of those a process counts as running
    until every program in the background has closed it, too.
    """

    def __init__(self) -> None:
        self._kept = bytearray()
        try:
            self._mine, self.end = os.pipe2(os.O_CLOEXEC)
        except OSError as error:
            raise ActionError(
                f"no pipe for an action: {error.strerror}", cure="raise the limit of open files"
            ) from error
        os.set_blocking(self._mine, False)
        self._is_mine_only = False
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._loop.add_reader(self._mine, self._read)
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        self._loop.remove_reader(self._mine)
        os.close(self._mine)

    def let_go(self) -> None:
        """Close the end that the script writes to, which has it by now."""
        if not self._is_mine_only:
            self._is_mine_only = True
            os.close(self.end)

    def _read(self) -> bool:
        """Take a block that is there; tell whether there was one."""
        try:
            block = os.read(self._mine, 65_536)
        except BlockingIOError:
            return False
        if not block:
            self._loop.remove_reader(self._mine)
        self._kept += block[: OUTPUT_LIMIT_BYTES - len(self._kept)]
        return bool(block)

    def text(self) -> str:
        """Return what was written so far, up to the limit."""
        for _ in range(_DRAIN_LIMIT):
            if not self._read():
                break
        return self._kept.decode("utf-8", "replace")


async def _end(process: asyncio.subprocess.Process, limit: Seconds) -> int | None:
    """Return the exit code of *process*, or None if it had to be ended after *limit*."""
    try:
        async with asyncio.timeout(limit):
            return await process.wait()
    except TimeoutError:
        _signal(process, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await process.wait()
    # What it started may live on and not listen.
    await _kill(process)
    return None


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End all programs of the session, and see the first one end if the kernel lets it."""
    _signal(process, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILL_SPAN):
            await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal to all programs of the session that *process* leads."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
