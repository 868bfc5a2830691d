"""One server for each firewall: the claim on what servers of one network share.

Two servers whose bans stand in one table delete each other's for ever. The table is
neither's file but the network namespace's, so the claim is an abstract Unix socket
(unix(7)): its name is the namespace's too, and it ends with its process, however that
ends. The second server connects to it and learns who the first is.

Any local user may take such a name. So the kernel is asked who holds it: only root, our
own user, and who may change this network's firewall, count as servers. A name that
another program holds is skipped for the next one, with a warning.
"""

import asyncio
import contextlib
import errno
import json
import os
import socket
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from banish.enforce.wrapped import WrappedEnforcer
from banish.errors import AnotherServerError
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement
from banish.ports import Enforcer
from banish.telemetry.events import Emit, WarningGiven

NAMES = 4
"""Names that are tried: a user who may not be a server would have to hold all of them."""

WAIT = Seconds(1)
"""How long a server that is about to end is waited for."""

ANSWER_WAIT = Seconds(0.5)
"""How long a server may take to say who it is; it may be busy, or hang."""

_PAUSE = Seconds(0.05)
_NOTE_LIMIT_BYTES = 4_096
_CAP_NET_ADMIN = 12
"""From linux/capability.h."""


class ClaimHolder(NamedTuple):
    """Who holds a name."""

    pid: int
    """0 where it is a process that cannot be seen from here, as in another container."""
    is_server: bool
    """Whether it may be a server at all."""
    details: str
    """What it says of itself: configuration and socket; empty if it says nothing."""


class Claim:
    """A claim on *what*, such as ``table inet banish``, in the network of the calling thread."""

    def __init__(self, what: str, *, config: str, control: str) -> None:
        """Prepare; *config* and *control* (the socket) are sent to a second server."""
        self._what = what
        details = {"pid": os.getpid(), "config": config, "socket": control}
        self._details = json.dumps(details).encode("ascii")[:_NOTE_LIMIT_BYTES]
        self._socket: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is ours."""
        return self._socket is not None

    def names(self) -> list[str]:
        """Return the names that are tried, the usual one first."""
        first = f"\0banish/{self._what}"
        return [first, *(f"{first}/{number}" for number in range(2, NAMES + 1))]

    def acquire(self) -> ClaimHolder | None:
        """Take the claim; return the server that holds it if it cannot be had.

        Raises:
            OSError: Every name is held by somebody who is no server.

        """
        holders = [_holder(name) for name in self.names()]
        for holder in holders:
            if holder is not None and holder.is_server:
                return holder
        for name in self.names():
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
            try:
                one.bind(name)
                one.listen(16)
            except OSError as error:
                one.close()
                if error.errno != errno.EADDRINUSE:
                    raise
                holder = _holder(name)
                if holder is not None and holder.is_server:
                    return holder
                continue
            one.setblocking(False)
            self._socket = one
            return None
        raise OSError(errno.EADDRINUSE, "its name is in use by other users")

    def answer(self) -> None:
        """Tell whoever asks from now on, in the running event loop."""
        if self._socket is not None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._socket.fileno(), self._report)

    def release(self) -> None:
        """Let go of it; may be called twice."""
        if self._socket is not None:
            if self._loop is not None:
                self._loop.remove_reader(self._socket.fileno())
                self._loop = None
            self._socket.close()
            self._socket = None

    def _report(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError):
            peer, _ = self._socket.accept()
            with peer:
                peer.setblocking(False)
                if _credentials(peer)[1] in (0, os.geteuid()):
                    peer.send(self._details)


class ClaimedEnforcer(WrappedEnforcer):
    """An enforcer that works only while its claim is ours (`banish.ports.Enforcer`)."""

    def __init__(self, enforcer: Enforcer, claim: Claim, *, emit: Emit) -> None:
        """Prepare; the claim is taken by the first `start`."""
        super().__init__(enforcer)
        self._claim = claim
        self._emit = emit
        self._is_warned = False
        self._may_touch = False
        """Whether the claim was taken, or nobody who holds it is a server."""

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Take the claim, then hold exactly *bans* for exactly *jails*.

        Raises:
            EnforceError: Nothing changed.
            AnotherServerError: Another server holds the claim; nothing was touched.

        """
        if self._claim.is_ours:
            await super().start(jails, bans, now)
            return
        self._may_touch = False
        await self._take()
        self._may_touch = True
        try:
            await super().start(jails, bans, now)
        except Exception:
            self._claim.release()
            raise

    async def change(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> bool:
        """Hold *bans* for exactly *jails* from now on, as `start` does where the claim is not ours.

        Raises:
            EnforceError: Nothing changed.
            AnotherServerError: Another server holds the claim; nothing was touched.

        """
        if self._claim.is_ours:
            return await super().change(jails, bans, now)
        await self.start(jails, bans, now)
        return True

    async def stop(self, *, keep: bool) -> None:
        """Take away all that is ours, or with *keep* leave the bans in force; give up the claim.

        Where another server holds the claim, nothing is ours.
        """
        try:
            if self._may_touch:
                await super().stop(keep=keep)
        finally:
            self._may_touch = False
            self._claim.release()

    async def _take(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + WAIT
        try:
            while (holder := self._claim.acquire()) is not None:
                if loop.time() >= end:
                    raise self._taken(holder)
                await asyncio.sleep(_PAUSE)
        except OSError as error:
            if not self._is_warned:
                self._is_warned = True
                what = (
                    f"another server could not be notified that this one uses it: {error.strerror}"
                )
                self._emit(WarningGiven(part=self.name, what=what))
            return
        self._claim.answer()

    def _taken(self, holder: ClaimHolder) -> AnotherServerError:
        who = f"pid {holder.pid}" if holder.pid else "a process of another container"
        who += f", {holder.details}" if holder.details else ""
        return AnotherServerError(
            f"another banish server bans here already ({who})",
            where=self.name,
            cure="stop that server, or give this one a network namespace of its own; "
            "'banish run --dry-run' can run beside it",
        )


def _holder(name: str) -> ClaimHolder | None:
    """Return who listens at *name*, or None where nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as one:
        one.settimeout(ANSWER_WAIT)
        try:
            one.connect(name)
        except ConnectionRefusedError:
            return None
        except (BlockingIOError, TimeoutError):
            # Somebody lets connections wait until there is no room. The kernel tells who only
            # of somebody connected to, and no other user may keep a server from its start.
            return ClaimHolder(0, is_server=False, details="")
        pid, uid = _credentials(one)
        is_server = uid in (0, os.geteuid()) or _may_ban(pid)
        details = ""
        if is_server:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                words = json.loads(one.recv(_NOTE_LIMIT_BYTES))
                details = f"configuration {words['config']!s}, socket {words['socket']!s}"
                pid = pid or int(words["pid"])
        return ClaimHolder(pid, is_server, details if details.isprintable() else "")


def _credentials(one: socket.socket) -> tuple[int, int]:
    """Return process and user at the other end, by the kernel's word."""
    form = struct.Struct("3i")  # struct ucred, unix(7)
    pid, uid, _ = form.unpack(one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size))
    return pid, uid


def _may_ban(pid: int) -> bool:
    """Whether the process *pid*, of another user, may change this network's firewall."""
    try:
        if Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink():
            return False
        status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    except OSError:
        return False
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) >> _CAP_NET_ADMIN & 1)
    return False
