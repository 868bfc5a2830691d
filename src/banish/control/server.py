"""Answers operators over a Unix socket; whatever they send, the server goes on.

Who may ask: root and the server's own user, by the kernel's word
(``SO_PEERCRED``, unix(7)), behind a socket of mode 0600. Every length, count
and wait is bounded. One server a socket: a lock beside it (flock(2)) dies with
its process, so a socket left by a crash is known to be stale and is replaced.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import stat
import struct
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

from banish.control.address import short_name
from banish.control.messages import (
    BANS_IN_A_LINE,
    DEEDS_IN_A_REPLY,
    LINE_LIMIT_BYTES,
    SUBJECTS_LIMIT,
    BanRequest,
    BansReply,
    BansRequest,
    DeedsReply,
    DeedsRequest,
    DoneReply,
    ErrorReply,
    ProtocolError,
    Reply,
    Request,
    ResumeRequest,
    StatusReply,
    StatusRequest,
    StopRequest,
    UnbanRequest,
    WhyRequest,
    decode_request,
    encode_reply,
)
from banish.errors import MachineError, OperatorError, RequestError
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.ports import Operations
from banish.telemetry.happenings import Emit, RequestRefused

CONNECTIONS_LIMIT = 64
"""Most operators at once; each costs a file descriptor and up to one request's memory."""

REQUESTS_LIMIT = 10_000
"""Most requests of one connection."""

IDLE_SECONDS = 60.0
"""How long an operator may say nothing."""

SLOW_SECONDS = 10.0
"""How long an operator may take to accept what was said."""


class Peer(NamedTuple):
    """Who is at the other end, by the kernel's word."""

    pid: int
    uid: int
    gid: int


def peer_of(connection: socket.socket) -> Peer:
    """Return who is at the other end of a connected Unix socket."""
    form = struct.Struct("3i")  # struct ucred, unix(7)
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size)
    return Peer(*form.unpack(raw))


class ControlServer:
    """Serves *operations* at *path* between `start` and `close`."""

    def __init__(
        self,
        path: Path,
        operations: Operations,
        emit: Emit,
        *,
        idle_seconds: float = IDLE_SECONDS,
        slow_seconds: float = SLOW_SECONDS,
    ) -> None:
        self.path = path
        self._operations = operations
        self._emit = emit
        self._idle_seconds = idle_seconds
        self._slow_seconds = slow_seconds
        self._welcome = {0, os.geteuid()}
        self._lock: int | None = None
        self._inode: tuple[int, int] | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begin to answer.

        Raises:
            OperatorError: The socket is another server's, or cannot be made.

        """
        try:
            listening = self._claim()
        except OSError as error:
            self._release()
            raise OperatorError(
                f"the control socket cannot be made: {error.strerror or error}",
                where=str(self.path),
                cure="choose another place: -s SOCKET, or --state DIR",
            ) from error
        except OperatorError:
            self._release()
            raise
        self._server = await asyncio.start_unix_server(
            self._meet, sock=listening, limit=LINE_LIMIT_BYTES
        )

    async def close(self) -> None:
        """Stop answering, end every connection, take the socket away."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # connections end one turn of the loop after their tasks
        self._release()

    def _claim(self) -> socket.socket:
        folder = self.path.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (mode := folder.stat().st_mode) & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise OperatorError(
                "everybody may write in the control socket's directory",
                where=str(folder),
                cure=f"chmod o-w {folder}",
            )
        lock = folder / f"{self.path.name}.lock"
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._lock = os.open(lock, flags, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._taken() from None
        if self._server_pid() is not None:
            raise self._taken()
        self._remove_stale()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            umask = os.umask(0o177)
            try:
                with short_name(self.path) as name:
                    listening.bind(name)
            finally:
                os.umask(umask)
            listening.listen(CONNECTIONS_LIMIT)
        except OSError:
            listening.close()
            raise
        made = self.path.lstat()
        self._inode = (made.st_dev, made.st_ino)
        return listening

    def _server_pid(self) -> int | None:
        """Return the process that listens at our path, if one does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
            probe.settimeout(1)
            try:
                with short_name(self.path) as name:
                    probe.connect(name)
                return peer_of(probe).pid
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            except BlockingIOError:  # somebody listens and is too busy to accept
                return 0
            except OSError:
                return None

    def _taken(self) -> OperatorError:
        pid = self._server_pid()
        who = f" (pid {pid})" if pid else ""
        return OperatorError(
            f"another banish serves this socket{who}",
            where=str(self.path),
            cure="stop it, or use another socket: -s SOCKET",
        )

    def _remove_stale(self) -> None:
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise OperatorError(
                "this is not a socket, and will not be overwritten",
                where=str(self.path),
                cure="remove it, or choose another socket: -s SOCKET",
            )
        self.path.unlink()

    def _release(self) -> None:
        if self._inode is not None:
            with contextlib.suppress(FileNotFoundError):
                found = self.path.lstat()
                if (found.st_dev, found.st_ino) == self._inode:
                    self.path.unlink()
            self._inode = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = peer_of(writer.get_extra_info("socket"))
        task = asyncio.get_running_loop().create_task(self._attend(reader, writer, peer))
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
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        # With a limit of 0, drain returns once the kernel has taken every byte.
        writer.transport.set_write_buffer_limits(high=0)
        try:
            if peer.uid not in self._welcome:
                await self._refuse(writer, peer, "refused", "only root may ask this server")
            elif len(self._tasks) > CONNECTIONS_LIMIT:
                await self._refuse(writer, peer, "refused", "too many operators at once")
            else:
                await self._converse(reader, writer, peer)
        except (OSError, TimeoutError):
            pass  # the operator went away, said nothing for long, or does not listen

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, peer: Peer
    ) -> None:
        for _ in range(REQUESTS_LIMIT):
            try:
                async with asyncio.timeout(self._idle_seconds):
                    line = await reader.readline()
            except ValueError:
                what = f"a request has at most {LINE_LIMIT_BYTES} bytes"
                await self._refuse(writer, peer, "malformed", what)
                return
            if not line:
                return
            try:
                request = decode_request(line)
            except ProtocolError as error:
                fault = "version" if error.is_foreign else "malformed"
                await self._refuse(writer, peer, fault, str(error))
                continue
            async for reply in self._answers(request):
                await self._send(writer, reply)

    async def _refuse(
        self, writer: asyncio.StreamWriter, peer: Peer, fault: str, what: str
    ) -> None:
        self._emit(RequestRefused(what, uid=peer.uid, pid=peer.pid))
        match fault:
            case "refused":
                reply = ErrorReply("refused", what, cure="ask with sudo")
            case "version":
                cure = "restart the server, so that both are the same banish"
                reply = ErrorReply("version", what, cure=cure)
            case _:
                reply = ErrorReply("malformed", what)
        await self._send(writer, reply)

    async def _send(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        writer.write(encode_reply(reply))
        async with asyncio.timeout(self._slow_seconds):
            await writer.drain()

    async def _answers(self, request: Request) -> AsyncIterator[Reply]:
        try:
            if isinstance(request, StatusRequest):
                yield StatusReply(await self._operations.status())
            elif isinstance(request, DeedsRequest):
                deeds = await self._operations.deeds(parse_subject(request.subject))
                yield DeedsReply(tuple(deeds[-DEEDS_IN_A_REPLY:]))
            elif isinstance(request, ResumeRequest):
                await self._operations.resume(request.jail)
                yield DoneReply()
            elif isinstance(request, StopRequest):
                await self._operations.stop()
                yield DoneReply()
            else:
                bans = await self._ask(request)
                for start in range(0, max(len(bans), 1), BANS_IN_A_LINE):
                    end = start + BANS_IN_A_LINE
                    yield BansReply(tuple(bans[start:end]), more=end < len(bans))
        except OperatorError as error:
            yield ErrorReply("request", error.what, where=error.where, cure=error.cure)
        except MachineError as error:
            yield ErrorReply("machine", error.what, cure=error.cure, retry=error.retry)

    async def _ask(
        self, request: BansRequest | BanRequest | UnbanRequest | WhyRequest
    ) -> Sequence[Ban]:
        match request:
            case BansRequest(jail):
                return await self._operations.bans(jail)
            case BanRequest(jail, subjects, lasts):
                return await self._operations.ban(jail, _subjects(subjects), lasts)
            case UnbanRequest(None, jail):
                return await self._operations.unban(None, jail)
            case UnbanRequest(subjects, jail):
                return await self._operations.unban(_subjects(subjects or ()), jail)
            case WhyRequest(subject):
                return await self._operations.why(parse_subject(subject))


def _subjects(texts: tuple[str, ...]) -> tuple[Subject, ...]:
    if not 0 < len(texts) <= SUBJECTS_LIMIT:
        raise RequestError(
            f"{len(texts)} subjects in one request",
            cure=f"name at least one and at most {SUBJECTS_LIMIT}",
        )
    return tuple(dict.fromkeys(parse_subject(text) for text in texts))
