"""Answers operators over a Unix socket; whatever they send, the server goes on.

Who may ask: root, the server's own user, and whom the configuration names
(`banish.control.roles`), by the kernel's word (``SO_PEERCRED``, unix(7)). Every length, count
and wait is bounded. Whoever sends what cannot become a request, such as a
Fail2Ban client (which waits for its own kind of answer for ever), gets an answer in
one line and disconnected at once.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from banish.control import messages
from banish.control.listener import (
    ACCEPTING_TURNS,
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
from banish.control.roles import Role, Roles, includes, role_for
from banish.errors import MachineError, OperatorError, RequestError
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.settings import ControlAccess
from banish.ports import Operations
from banish.telemetry.events import Emit

CONNECTIONS_LIMIT = 64
"""Most operators at once; each costs a file descriptor and up to one request's memory."""

REQUESTS_LIMIT = 10_000
"""Most requests of one connection."""

IDLE_SECONDS = 60.0
"""How long an operator may say nothing."""

SLOW_SECONDS = 10.0
"""How long an operator may take to accept what was said."""

HEARTBEAT_SECONDS = 10.0
"""How long a subscriber hears nothing; then it hears that nothing has happened."""

READ_BYTES = 65_536
"""What is read of a request at one time."""

_FAIL2BAN_FIRST, _FAIL2BAN_END = b"\x80", b"<F2B_END_COMMAND>"
"""What a request of Fail2Ban's client begins and ends with (a pickle, and no newline)."""

_FAIL2BAN_WHAT = (
    "this socket is not for clients of Fail2Ban; "
    "theirs is named by fail2bansocket, see 'banish config'"
)


class ControlServer:
    """Serves *operations* at *path* between `start` and `close`."""

    def __init__(
        self,
        path: Path,
        operations: Operations,
        emit: Emit,
        *,
        access: ControlAccess = ControlAccess(),  # noqa: B008 - frozen
        handed: socket.socket | None = None,
        idle_seconds: float = IDLE_SECONDS,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        self.path = path
        self._operations = operations
        self._emit = emit
        self._idle_seconds = idle_seconds
        self._slow_seconds = slow_seconds
        self._roles = Roles(access)
        self._listener = ControlSocket(path, is_for_all=self._roles.are_for_others, handed=handed)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._refusals = Refusals(emit)

    def follow(self, access: ControlAccess) -> None:
        """Go by *access* from now on; talks that are under way go on."""
        self._roles = Roles(access)
        self._listener.open_for(is_for_all=self._roles.are_for_others)

    async def start(self) -> None:
        """Begin to answer; called again it makes the socket anew if it is gone.

        Talks that are under way go on, though their socket has lost its name.

        Raises:
            AnotherServerError: Another server has the socket.
            OperatorError: The socket cannot be made.

        """
        listening = self._listener.listen()
        if listening is None:
            return
        old, self._server = (
            self._server,
            await serve(self._meet, listening, READ_BYTES),
        )
        if old is not None:
            for _ in range(ACCEPTING_TURNS):  # whoever waits at the socket that lost its name
                await asyncio.sleep(0)
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
            # A bug in one operation ends its connection; the loop's handler tells it.
            context = {"message": "a control request failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)

    async def _attend(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Peer,
        role: Role | None,
    ) -> None:
        # With a limit of 0, drain returns once the kernel has taken every byte.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            if role is None:
                what = "only root may use this socket"
                if self._roles.are_for_others:
                    what = "this user has no right to use this socket (control.read)"
                await hear_out(reader)
                await self._refuse(writer, peer, "refused", what)
            elif len(self._tasks) > CONNECTIONS_LIMIT:
                await self._refuse(writer, peer, "refused", "too many connections at once")
            else:
                await self._converse(reader, writer, peer, role)
        except (OSError, TimeoutError):
            pass  # the operator went away, said nothing for long, or does not listen

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        peer: Peer,
        role: Role,
    ) -> None:
        rest = bytearray()
        for _ in range(REQUESTS_LIMIT):
            try:
                async with asyncio.timeout(self._idle_seconds):
                    line = await _next_line(reader, rest)
            except messages.ProtocolError as error:
                await self._refuse(writer, peer, "malformed", str(error))
                return
            if not line:
                return
            try:
                request = messages.decode_request(line)
            except messages.ProtocolError as error:
                fault = "version" if error.is_foreign else "malformed"
                await self._refuse(writer, peer, fault, str(error))
                continue
            wanted = role_for(request)
            if not includes(role, wanted):
                what = f"this user may not do that (control.{wanted})"
                await self._refuse(writer, peer, "refused", what)
                continue
            async for reply in self._answers(request):
                await self._send(writer, reply)

    async def _refuse(
        self, writer: asyncio.StreamWriter, peer: Peer, fault: str, what: str
    ) -> None:
        self._refusals.report(what, peer)
        match fault:
            case "refused":
                reply = messages.ErrorReply("refused", what, cure="ask with sudo")
            case "version":
                cure = "restart the server: it is another version of banish than this client"
                reply = messages.ErrorReply("version", what, cure=cure)
            case _:
                reply = messages.ErrorReply("malformed", what)
        await self._send(writer, reply)

    async def _send(self, writer: asyncio.StreamWriter, reply: messages.Reply) -> None:
        writer.write(messages.encode_reply(reply))
        async with asyncio.timeout(self._slow_seconds):
            await writer.drain()

    async def _answers(self, request: messages.Request) -> AsyncIterator[messages.Reply]:
        try:
            if isinstance(request, messages.StatusRequest):
                yield messages.StatusReply(await self._operations.status())
            elif isinstance(request, messages.ActionResultsRequest):
                results = await self._operations.action_results(parse_subject(request.subject))
                yield messages.ActionResultsReply(tuple(results[-messages.RESULTS_IN_A_REPLY :]))
            elif isinstance(request, messages.ResumeRequest):
                await self._operations.resume(request.jail)
                yield messages.DoneReply()
            elif isinstance(request, messages.ReloadRequest):
                yield messages.ReloadReply(await self._operations.reload(request.wish))
            elif isinstance(request, messages.ConfirmRequest):
                await self._operations.confirm()
                yield messages.DoneReply()
            elif isinstance(request, messages.SubscribeRequest):
                subscription = self._operations.subscribe(request.since, request.kinds)
                try:
                    while True:
                        yield messages.EventsReply(await subscription.next(HEARTBEAT_SECONDS))
                finally:
                    subscription.close()
            elif isinstance(request, messages.StopRequest):
                await self._operations.stop()
                yield messages.DoneReply()
            else:
                bans = await self._ask(request)
                for start in range(0, max(len(bans), 1), messages.BANS_IN_A_LINE):
                    end = start + messages.BANS_IN_A_LINE
                    yield messages.BansReply(tuple(bans[start:end]), more=end < len(bans))
        except OperatorError as error:
            yield messages.ErrorReply("request", error.what, where=error.where, cure=error.cure)
        except MachineError as error:
            yield messages.ErrorReply("machine", error.what, cure=error.cure, retry=error.retry)

    async def _ask(
        self,
        request: messages.BansRequest
        | messages.BanRequest
        | messages.UnbanRequest
        | messages.AllowRequest
        | messages.WhyRequest,
    ) -> Sequence[Ban]:
        match request:
            case messages.BansRequest(jail):
                return await self._operations.bans(jail)
            case messages.BanRequest(jail, subjects, lasts):
                return await self._operations.ban(jail, _subjects(subjects), lasts)
            case messages.AllowRequest(subjects, jail):
                return await self._operations.allow(_subjects(subjects), jail)
            case messages.UnbanRequest(None, jail):
                return await self._operations.unban(None, jail)
            case messages.UnbanRequest(subjects, jail):
                return await self._operations.unban(_subjects(subjects or ()), jail)
            case messages.WhyRequest(subject):
                return await self._operations.why(parse_subject(subject))


async def _next_line(reader: asyncio.StreamReader, rest: bytearray) -> bytes:
    """Return the next line, its end included; *rest* keeps what was read past it.

    At the end of all a last line may lack its end; empty: there is none.

    Raises:
        ProtocolError: What was read cannot become a request, however it goes on.

    """
    looked_at = 0
    while True:
        if rest.startswith(_FAIL2BAN_FIRST) or _FAIL2BAN_END in rest[: 2 * READ_BYTES]:
            raise messages.ProtocolError(_FAIL2BAN_WHAT)
        end = rest.find(b"\n", looked_at) + 1
        if end > messages.LINE_LIMIT_BYTES or (not end and len(rest) > messages.LINE_LIMIT_BYTES):
            raise messages.ProtocolError(f"a request has at most {messages.LINE_LIMIT_BYTES} bytes")
        begin = rest[:READ_BYTES].lstrip()
        if not end and begin and not begin.startswith(b"{"):
            raise messages.ProtocolError(
                "this is not a request of banish: a request is a line of JSON"
            )
        looked_at = len(rest)
        more = b"" if end else await reader.read(READ_BYTES)
        if not more:
            end = end or len(rest)
            line = bytes(rest[:end])
            del rest[:end]
            return line
        rest += more


def _subjects(texts: tuple[str, ...]) -> tuple[Subject, ...]:
    if not 0 < len(texts) <= messages.SUBJECTS_LIMIT:
        raise RequestError(
            f"{len(texts)} subjects in one request",
            cure=f"name at least one and at most {messages.SUBJECTS_LIMIT}",
        )
    return tuple(dict.fromkeys(parse_subject(text) for text in texts))
