"""The server's end of the line to the process of a Python action."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import msgspec

from banish.enforce.python.messages import (
    LINE_LIMIT_BYTES,
    Call,
    Load,
    OrderDone,
    OrderFailed,
    OrderLogged,
    Reply,
    Scalar,
    TagRequest,
    TagValue,
)
from banish.errors import ActionError
from banish.model.instant import Seconds

COMMAND = (sys.executable, "-P", "-m", "banish.enforce.python.worker")
"""``-P``: nothing is imported from the folder that the server happens to run in."""

OUTPUT_LIMIT_BYTES = 4_096
"""How much of what an action prints is kept, from the end."""

SAID_LIMIT = 200
"""Lines that an action may log during one order, and until the next."""

GRACE = Seconds(2)
"""How long the process may take to end once its input has ended."""

DRAIN_SPAN = Seconds(0.3)
"""How long a dead process's last words are waited for: a program it left may hold the pipe."""

_REPLIES = msgspec.json.Decoder(Reply)
Heard = Callable[[OrderLogged], None]
Tell = Callable[[str], Awaitable[Scalar]]


class ProcessEndedError(Exception):
    """The process is not there any more, or did not answer in time, and was ended."""


class _Pipes(asyncio.SubprocessProtocol):
    """Takes in what the process writes, at any time."""

    def __init__(self, heard: Heard) -> None:
        self.replies: asyncio.Queue[OrderDone | OrderFailed | TagRequest | None] = asyncio.Queue()
        self.printed = bytearray()
        self.said = 0
        self.is_broken = False
        self.has_ended = asyncio.Event()
        self.is_drained = asyncio.Event()
        self._heard = heard
        self._line = bytearray()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd != 1:
            self.printed += data
            del self.printed[:-OUTPUT_LIMIT_BYTES]
            return
        *whole, rest = (self._line + data).split(b"\n")
        self._line = bytearray(rest)
        self.is_broken |= len(rest) > LINE_LIMIT_BYTES
        for line in whole:
            self._take(bytes(line))
        if self.is_broken:
            self._line.clear()
            self.replies.put_nowait(None)

    def _take(self, line: bytes) -> None:
        try:
            reply = _REPLIES.decode(line)
        except msgspec.DecodeError:
            self.is_broken = True
            return
        if not isinstance(reply, OrderLogged):
            self.replies.put_nowait(reply)
            return
        self.said += 1
        if self.said <= SAID_LIMIT:
            self._heard(reply)

    def pipe_connection_lost(self, fd: int, _error: Exception | None) -> None:
        if fd == 1:
            self.replies.put_nowait(None)
        else:
            self.is_drained.set()

    def process_exited(self) -> None:
        self.has_ended.set()


class Process:
    """One running process; it takes one order at a time."""

    def __init__(self, transport: asyncio.SubprocessTransport, pipes: _Pipes) -> None:
        self._transport = transport
        self._pipes = pipes

    @classmethod
    async def start(cls, heard: Heard, command: tuple[str, ...] = COMMAND) -> "Process":
        """Start one.

        Raises:
            ActionError: No process can be started.

        """
        try:
            transport, pipes = await asyncio.get_running_loop().subprocess_exec(
                lambda: _Pipes(heard), *command, start_new_session=True
            )
        except OSError as error:
            raise ActionError(
                f"no process for a Python action: {error.strerror}",
                cure="see that there are processes and memory to spare (ulimit -u, free)",
            ) from error
        return cls(transport, pipes)

    @property
    def is_running(self) -> bool:
        """Whether it is there and makes sense."""
        return not self._pipes.has_ended.is_set() and not self._pipes.is_broken

    async def do(self, order: Load | Call, tell: Tell, limit: Seconds) -> OrderDone:
        """Have *order* carried out; *tell* answers what the action asks meanwhile.

        Raises:
            ActionError: The action's code failed.
            ProcessEndedError: The process did; it is not there any more.

        """
        self._pipes.said = 0
        try:
            async with asyncio.timeout(limit):
                self._send(order)
                while isinstance(reply := await self._pipes.replies.get(), TagRequest):
                    self._send(TagValue(await tell(reply.tag_name)))
        except TimeoutError:
            await self.kill()
            raise ProcessEndedError(f"took longer than {limit:g} s and was killed") from None
        except asyncio.CancelledError:
            # What it would answer is not for the next order.
            await self.kill()
            raise
        match reply:
            case OrderDone():
                return reply
            case OrderFailed(what, cure):
                raise ActionError(what, cure=cure)
            case None:
                raise ProcessEndedError(await self._last_words())

    def _send(self, order: Load | Call | TagValue) -> None:
        stdin = self._transport.get_pipe_transport(0)
        assert isinstance(stdin, asyncio.WriteTransport)
        stdin.write(msgspec.json.encode(order) + b"\n")

    async def _last_words(self) -> str:
        if self._pipes.is_broken:
            how = "wrote an invalid message and was killed"
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await self._pipes.has_ended.wait()
            code = self._transport.get_returncode()
            how = f"ended by itself with exit code {code}"
            if code is None:
                how = "closed its pipe and was killed"
            elif code < 0:
                how = f"was killed by signal {-code}"
        await self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SPAN):
                await self._pipes.is_drained.wait()
        lines = self._pipes.printed.decode("utf-8", "replace").strip().splitlines()
        return f"{how}; it wrote: {lines[-1][:600]}" if lines else how

    async def end(self) -> None:
        """Let the process end, and make it if it does not."""
        stdin = self._transport.get_pipe_transport(0)
        if stdin is not None:
            stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                await self._pipes.has_ended.wait()
        await self.kill()

    async def kill(self) -> None:
        """End the process and all that it started in its session, and see it end."""
        if not self._pipes.has_ended.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._transport.get_pid(), signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE):
                    await self._pipes.has_ended.wait()
        self._transport.close()
