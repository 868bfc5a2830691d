"""Owns the path of a control socket: its lock, and the socket that stands there.

A socket left by a crash is known to be stale, since the lock beside it (`lock`)
is free, and is replaced. A socket that somebody removed is made again by the
next `listen`.
"""

import asyncio
import contextlib
import errno
import os
import socket
import stat
import struct
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from banish.control.address import short_name
from banish.control.lock import Lock, holder
from banish.errors import AnotherServerError, OperatorError

HEAR_OUT_SECONDS = 0.2
HEAR_OUT_BYTES = 65_536

BACKLOG = 64
"""Operators that may wait for an answer; of more, some are asked to try again."""


_SO_PEERGROUPS = 59
"""From asm-generic/socket.h; the module `socket` has no name for it."""

_GROUPS_LIMIT = 256
"""Python asks the kernel for 1,024 bytes at most."""


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


def groups_of(connection: socket.socket) -> tuple[int, ...]:
    """Return the further groups of who is at the other end, as far as the kernel tells."""
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _GROUPS_LIMIT * 4)
    except OSError:  # before Linux 4.13, or more groups than that
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)


ACCEPTING_TURNS = 4
"""Turns of the loop until whoever was accepted in the first is a task."""


async def hear_out(reader: asyncio.StreamReader) -> None:
    """Read the first of what a peer says who is refused anyway.

    A connection that is closed with something unread is reset, and the peer may not get the
    answer that says why.
    """
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(HEAR_OUT_SECONDS):
            await reader.read(HEAR_OUT_BYTES)


async def serve(
    meet: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None],
    listening: socket.socket,
    limit: int,
) -> asyncio.Server:
    """Have *meet* called for each connection at *listening*; *limit* bytes are read at once.

    The socket's file is not asyncio's: from Python 3.13 on it would take it away at the end.
    """
    options: dict[str, Any] = {} if sys.version_info < (3, 13) else {"cleanup_socket": False}
    return await asyncio.start_unix_server(meet, sock=listening, limit=limit, **options)


async def stop_accepting(server: asyncio.Server) -> None:
    """Close *server* once whoever it accepted already is being attended to.

    A connection that asyncio has accepted and not yet begun would never be closed otherwise:
    its server is gone, and an assertion stops it (Python 3.11, ``Server._attach``).
    """
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(ACCEPTING_TURNS):
        await asyncio.sleep(0)
    server.close()


async def end_talks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """End *tasks*, one for each connection."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
    await asyncio.sleep(0)  # connections end one turn of the loop after their tasks


class ControlSocket:
    """The lock and the socket at *path*, between the first `listen` and `release`."""

    def __init__(
        self, path: Path, *, is_for_all: bool = False, handed: socket.socket | None = None
    ) -> None:
        """Stand for *path*; *is_for_all*: everybody may connect, and is judged by the server.

        *handed* already listens there (`banish.control.activation`). It is the first one, and
        stays there when we go.
        """
        self.path = path
        self._handed = handed
        self._is_lent = False
        self._umask = 0o111 if is_for_all else 0o177
        self._lock = Lock(path)
        self._inode: tuple[int, int] | None = None

    def listen(self) -> socket.socket | None:
        """Return a new listening socket at our path; None if ours is still there.

        Raises:
            AnotherServerError: Another server has the path.
            OperatorError: The socket cannot be made.

        """
        if self.is_in_place:
            return None
        try:
            return self._adopt() or self._listen()
        except OSError as error:
            raise OperatorError(
                f"the control socket cannot be created: {error.strerror or error}",
                where=str(self.path),
                cure="choose another place: -s SOCKET, or --state DIR",
            ) from error

    @property
    def is_in_place(self) -> bool:
        """Whether the socket that we made last is at our path."""
        if self._inode is None:
            return False
        try:
            found = self.path.lstat()
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._inode

    def open_for(self, *, is_for_all: bool) -> None:
        """Let everybody connect from now on, or only our own user and root."""
        self._umask = 0o111 if is_for_all else 0o177
        if self.is_in_place:
            with contextlib.suppress(OSError):
                self.path.chmod(0o777 & ~self._umask & 0o666)

    def release(self) -> None:
        """Take our socket away and free the lock."""
        if self.is_in_place and not self._is_lent:
            with contextlib.suppress(OSError):
                self.path.unlink()
        self._inode = None
        self._lock.release()

    def _adopt(self) -> socket.socket | None:
        """Return the socket that was handed to us, if it is still in its place."""
        handed, self._handed = self._handed, None
        self._is_lent = False
        if handed is None:
            return None
        if not self.path.exists():
            handed.close()
            return None
        if not self._lock.claim():
            raise self._taken()
        made = self.path.lstat()
        self._inode = (made.st_dev, made.st_ino)
        self._is_lent = True
        return handed

    def _listen(self) -> socket.socket:
        folder = self.path.parent
        # A server that answers is found first, whatever else is wrong with the folder.
        if self._server_pid() is not None:
            raise self._taken()
        try:
            mode = 0o700 if self._umask & 0o077 == 0o077 else 0o755
            folder.mkdir(mode=mode, parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a directory") from None
        if (mode := folder.stat().st_mode) & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise OperatorError(
                "everybody may write in the control socket's directory",
                where=str(folder),
                cure=f"chmod o-w {folder}",
            )
        if not self._lock.claim():
            raise self._taken()
        self._remove_stale()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            umask = os.umask(self._umask)
            try:
                with short_name(self.path) as name:
                    listening.bind(name)
            finally:
                os.umask(umask)
            listening.listen(BACKLOG)
            made = self.path.lstat()
        except OSError:
            listening.close()
            raise
        self._inode = (made.st_dev, made.st_ino)
        return listening

    def _server_pid(self) -> int | None:
        """Return the process that listens at our path, if one does; 0 if it is not known."""
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

    def _taken(self) -> AnotherServerError:
        answering = self._server_pid()
        pid = answering or holder(self.path)
        who = f" (pid {pid})" if pid else ""
        if answering is None:
            return AnotherServerError(
                (
                    f"another banish is running{who}; its control socket is missing, and it "
                    "recreates the socket within seconds"
                ),
                where=str(self.path),
                cure="stop it first"
                + (f": kill {pid}" if pid else "")
                + "; or use another socket: -s SOCKET",
            )
        return AnotherServerError(
            f"another banish server uses this socket{who}",
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
