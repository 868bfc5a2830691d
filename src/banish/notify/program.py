"""Runs one program with a list of arguments, no shell: a time limit and bounded output.

Its input is a file in memory, so that nobody has to feed it. Its output goes to a
pipe of our own: with one of asyncio's, a program counts as running until all that
it left in the background has closed it, too, and mail programs leave such things.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

import msgspec

from banish.model.instant import Seconds

KILL_SPAN = Seconds(5)
"""How long a killed program is waited for: one that hangs in the kernel does not end."""

_DRAIN_LIMIT = 16
"""Blocks read after a program has ended: a pipe holds one, what it left behind may fill it."""


class Ended(msgspec.Struct, frozen=True):
    """How a program ended."""

    code: int
    """The exit code, below zero the signal that ended it."""
    output: bytes
    """The beginning of what it wrote, to standard output and standard error."""


async def run(arguments: Sequence[str], *, given: bytes = b"", most_bytes: int = 4_096) -> Ended:
    """Run a program with *given* on its standard input, and return how it ended.

    It and all it started in its session are ended when whoever waits is cancelled.

    Raises:
        OSError: It cannot be started.

    """
    with contextlib.ExitStack() as stack:
        source = os.memfd_create("banish-message", os.MFD_CLOEXEC)
        stack.callback(os.close, source)
        os.write(source, given)
        os.lseek(source, 0, os.SEEK_SET)
        mine, theirs = os.pipe2(os.O_CLOEXEC)
        stack.callback(os.close, mine)
        os.set_blocking(mine, False)
        kept = bytearray()
        loop = asyncio.get_running_loop()

        def read() -> bool:
            """Take a block that is there; tell whether there was one."""
            try:
                block = os.read(mine, 65_536)
            except BlockingIOError:
                return False
            if not block:
                loop.remove_reader(mine)
            kept.extend(block[: most_bytes - len(kept)])
            return bool(block)

        try:
            process = await asyncio.create_subprocess_exec(
                *arguments, stdin=source, stdout=theirs, stderr=theirs, start_new_session=True
            )
        finally:
            os.close(theirs)
        loop.add_reader(mine, read)
        stack.callback(loop.remove_reader, mine)
        try:
            code = await process.wait()
        finally:
            if process.returncode is None:
                await _end(process)
        for _ in range(_DRAIN_LIMIT):
            if not read():
                break
        return Ended(code, bytes(kept))


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(KILL_SPAN):
            await process.wait()
