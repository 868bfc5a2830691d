"""Answers Fail2Ban's clients over Fail2Ban's own socket protocol.

A command is a pickled list of words, then ``<F2B_END_COMMAND>``; the answer is a pickled pair
of code and value, and the same end (client/csocket.py and server/asyncserver.py, 1.1).
A client may send many commands over one connection, and may hang up without a word. A
reply and its end are written at once, since some clients read in pieces. What a client
sends is data (`unpickle`); what makes no sense gets an answer in words, as in the original.
Roles are those of our own socket (`banish.control.roles`): who may only read may use
commands that change nothing.
"""

import asyncio
import socket
from pathlib import Path

from banish.control import messages
from banish.control.fail2ban.answers import Answerer, CommandError, Value
from banish.control.fail2ban.commands import role_for
from banish.control.fail2ban.pickling import pickled, pickled_error, pickled_in_turns, pickled_reply
from banish.control.fail2ban.unpickle import PickleRefusedError, unpickle
from banish.control.listener import (
    ControlSocket,
    Peer,
    end_talks,
    groups_of,
    hear_out,
    peer_of,
    serve,
    stop_accepting,
)
from banish.control.refusals import Refusals
from banish.control.roles import Role, Roles, includes
from banish.control.turns import Turns
from banish.errors import AnotherServerError, OperatorError
from banish.model.settings import ControlAccess
from banish.telemetry.events import Emit

END = b"<F2B_END_COMMAND>"
CLOSE = b"<F2B_CLOSE_COMMAND>"

FRAME_LIMIT_BYTES = 4 * 1_048_576
"""Longest command: a stream of jails, or some hundred thousand addresses."""

CONNECTIONS_LIMIT = 256
"""Most clients at once; each costs a file descriptor and at most one command's memory."""

IDLE_SECONDS = 300.0
"""How long a client may say nothing; exporters hold a connection between two looks."""

SLOW_SECONDS = 30.0
"""How long a client may take to accept an answer."""

READ_BYTES = 65_536

LARGE = 2_000
"""An answer of more values is written a part at a time."""

SENT_AT_ONCE = 128 * 1024
"""Bytes of a large reply that are handed to the kernel together."""

_OURS = b"{"
"""What a request of banish's own begins with, and no pickle of a list of words does."""

_NOT_HERE = messages.encode_reply(
    messages.ErrorReply(
        "refused",
        "this socket is for clients of Fail2Ban",
        cure="name the server's own socket: -s /run/banish/banish.sock, or leave -s out",
    )
)

ANSWERS_IN_A_ROUND = 4
"""Answers that begin between two looks at logs and timers, however many clients ask."""


class Fail2BanBridge:
    """Serves *answerer* at *path* between `start` and `close`."""

    def __init__(
        self,
        path: Path,
        answerer: Answerer,
        emit: Emit,
        *,
        access: ControlAccess = ControlAccess(),  # noqa: B008 - frozen
        handed: socket.socket | None = None,
        idle_seconds: float = IDLE_SECONDS,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        self.path = path
        self._answerer = answerer
        self._roles = Roles(access)
        self._refusals = Refusals(emit)
        self._turns = Turns(ANSWERS_IN_A_ROUND)
        self._idle_seconds = idle_seconds
        self._slow_seconds = slow_seconds
        self._listener = ControlSocket(path, is_for_all=self._roles.are_for_others, handed=handed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def follow(self, access: ControlAccess) -> None:
        """Go by *access* from now on; talks that are under way go on."""
        self._roles = Roles(access)
        self._listener.open_for(is_for_all=self._roles.are_for_others)

    async def start(self) -> None:
        """Begin to answer; called again it makes the socket anew if it is gone.

        Raises:
            OperatorError: The socket cannot be made, or another server has it.

        """
        try:
            listening = self._listener.listen()
        except AnotherServerError as error:
            raise OperatorError(
                f"another server, such as Fail2Ban, has this socket: {error.what}",
                where=str(self.path),
                cure="stop it; or set fail2bansocket = none to serve no client of Fail2Ban",
            ) from error
        if listening is None:
            return
        old, self._server = (
            self._server,
            await serve(self._meet, listening, READ_BYTES),
        )
        if old is not None:
            await stop_accepting(old)

    async def close(self) -> None:
        """Stop answering, end every connection, take the socket away."""
        server, self._server = self._server, None
        if server is not None:
            await stop_accepting(server)
        await end_talks(self._tasks)
        self._listener.release()

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("socket")
        peer = peer_of(connection)
        role = self._roles.of(peer, groups_of(connection))
        task = asyncio.get_running_loop().create_task(self._attend(reader, writer, peer, role))
        self._tasks.add(task)
        task.add_done_callback(lambda task: self._ended(task, writer))

    def _ended(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self._tasks.discard(task)
        if writer.transport.get_write_buffer_size():
            writer.transport.abort()
        else:
            writer.close()
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": "a command of Fail2Ban failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _attend(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Peer,
        role: Role | None,
    ) -> None:
        writer.transport.set_write_buffer_limits(high=0)
        try:
            if role is None:
                await hear_out(reader)
                await self._refuse(writer, peer, "this user has no right to use this socket")
            elif len(self._tasks) > CONNECTIONS_LIMIT:
                await self._refuse(writer, peer, "too many connections at once")
            else:
                await self._converse(reader, writer, peer, role)
        except (OSError, TimeoutError):
            pass  # the client went away, said nothing for long, or does not listen

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Peer,
        role: Role,
    ) -> None:
        rest = bytearray()
        while True:
            async with asyncio.timeout(self._idle_seconds):
                frame = await _next_frame(reader, rest)
            if frame == _OURS:
                await self._send(writer, _NOT_HERE)
                return
            if frame is None:
                await self._refuse(writer, peer, f"a command has at most {FRAME_LIMIT_BYTES} bytes")
                return
            if not frame or frame == CLOSE:
                return
            await self._turns.take()
            try:
                command = _command(unpickle(frame))
            except PickleRefusedError as error:
                await self._refuse(writer, peer, f"this is no command: {error}")
                continue
            await self._send(writer, await self._reply(command, peer, role))

    async def _reply(self, command: list[Value], peer: Peer, role: Role) -> bytes | bytearray:
        wanted = role_for(command)
        if not includes(role, wanted):
            what = f"this user may not do that (control.{wanted})"
            self._refusals.report(what, peer)
            return pickled_error(CommandError("Exception", what))
        try:
            value = await self._answerer.answer(command, peer)
        except CommandError as error:
            return pickled_error(error)
        if _is_large(value):
            return await pickled_in_turns(0, value)
        return pickled_reply(0, value)

    async def _refuse(self, writer: asyncio.StreamWriter, peer: Peer, what: str) -> None:
        self._refusals.report(what, peer)
        await self._send(writer, pickled(f"ERROR: {what}"))

    async def _send(self, writer: asyncio.StreamWriter, reply: bytes | bytearray) -> None:
        """Send *reply* and its end, in one write unless it is large."""
        reply += END
        # What a transport cannot send at once it keeps, and moves at each further send.
        with memoryview(reply) as whole:
            async with asyncio.timeout(self._slow_seconds):
                for start in range(0, len(whole), SENT_AT_ONCE):
                    writer.write(whole[start : start + SENT_AT_ONCE])
                    await writer.drain()


def _command(value: Value) -> list[Value]:
    """Return *value* as a command.

    Raises:
        PickleRefusedError: It is none.

    """
    if not isinstance(value, list | tuple) or not value or not isinstance(value[0], str):
        raise PickleRefusedError("it is no list of words")
    return list(value)


async def _next_frame(reader: asyncio.StreamReader, rest: bytearray) -> bytes | None:
    """Return the next frame without its end; empty: there is none; None: it is too long.

    `_OURS` stands for a request of banish's own. *rest* keeps what was read past the frame.
    """
    looked_at = 0
    while True:
        if rest.startswith(_OURS):
            return _OURS
        end = rest.find(END, max(0, looked_at - len(END)))
        if end >= 0:
            frame = bytes(rest[:end])
            del rest[: end + len(END)]
            return frame
        if len(rest) > FRAME_LIMIT_BYTES:
            return None
        looked_at = len(rest)
        more = await reader.read(READ_BYTES)
        if not more:
            return b""
        rest += more


def _is_large(value: Value, depth: int = 5) -> bool:
    if not isinstance(value, list | tuple | dict) or not depth:
        return False
    if len(value) > LARGE:
        return True
    members = value.values() if isinstance(value, dict) else value
    return any(_is_large(each, depth - 1) for each in members)
