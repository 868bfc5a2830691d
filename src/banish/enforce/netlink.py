"""One conversation with the kernel's nf_tables: transactions, questions, dumps.

The wire format is netlink's (RFC 3549; ``include/uapi/linux/netlink.h``,
``netfilter/nfnetlink.h``): messages of attributes, each attribute a 16-bit
length, a 16-bit kind and padded bytes. Numbers inside nf_tables attributes are
big-endian, headers are in the machine's order.

A transaction costs one system call and no look at the rest of the ruleset, so
one ban costs the same whatever else the firewall holds. docs/adr/0020 says why
this is not left to libnftables.
"""

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from banish.enforce.netattributes import attributes

NETLINK_NETFILTER = 12
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_EXT_ACK = 11
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

REQUEST = 0x1
ACK = 0x4
DUMP_INTERRUPTED = 0x10
DUMP = 0x300
CREATE = 0x400
APPEND = 0x800

NFNL_SUBSYS_NFTABLES = 10
NFPROTO_UNSPEC = 0
NFPROTO_INET = 1

_ERROR = 2
_DONE = 3
_BATCH_BEGIN = 0x10
_BATCH_END = 0x11
_CAPPED = 0x100
_HAS_TLVS = 0x200
_EXT_ACK_TEXT = 1

_HEADER = struct.Struct("=IHHII")

TRANSACTION_LIMIT_BYTES = 32 * 1024 * 1024
"""Most that is sent in one transaction: the kernel copies it into one buffer.

It holds more than 1,000,000 bans of IPv4 addresses, or 800,000 of IPv6.
"""

_RECEIVE_BYTES = 64 * 1024
_DUMP_TRIES = 8
_ANSWER_SECONDS = 30
"""The kernel answers at once; a longer wait means that something is broken."""


class KernelError(OSError):
    """The kernel refused; nothing of the transaction took effect."""


class Message(NamedTuple):
    """One nf_tables request without its header."""

    kind: int
    """``NFT_MSG_*``."""
    flags: int
    body: bytes
    """Attributes."""
    family: int = NFPROTO_INET


class NetlinkFrame(NamedTuple):
    """One message as it came from the kernel."""

    kind: int
    flags: int
    sequence: int
    port: int
    """The socket that this answers, or whose change it tells of."""
    body: bytes


def frames(data: bytes) -> Iterator[NetlinkFrame]:
    """Yield the messages in *data*; stops where they are invalid."""
    at = 0
    while at + 16 <= len(data):
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, at)
        if length < 16 or at + length > len(data):
            return
        yield NetlinkFrame(kind, flags, sequence, port, data[at + 16 : at + length])
        at += (length + 3) & ~3


def gather(units: Iterable[Sequence[Message]], limit_bytes: int) -> Iterator[list[Message]]:
    """Put *units* together in runs that each fit into one transaction of *limit_bytes*.

    No unit is cut; one that is longer stands alone.
    """
    run: list[Message] = []
    size = 0
    for unit in units:
        room = size_of(unit)
        if run and size + room > limit_bytes:
            yield run
            run, size = [], 0
        run += unit
        size += room
    if run:
        yield run


def split(messages: Iterable[Message], limit_bytes: int) -> Iterator[list[Message]]:
    """Cut *messages* into runs that each fit into one transaction of *limit_bytes*."""
    return gather(([message] for message in messages), limit_bytes)


def size_of(messages: Iterable[Message]) -> int:
    """Return how many bytes of a transaction *messages* take."""
    return sum(len(message.body) + 20 for message in messages)


class NetlinkSocket:
    """A socket to nf_tables, bound to the network namespace of the thread that made it.

    For one thread at a time. After a `KernelError` it can be used further.
    """

    def __init__(self) -> None:
        """Open the socket.

        Raises:
            OSError: The kernel has no netfilter, or forbids it.

        """
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_NETLINK, kind, NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        # Not settimeout(): it would make Python wait in receiving without waiting, too.
        patience = struct.pack("@ll", _ANSWER_SECONDS, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)
        for option in (NETLINK_CAP_ACK, NETLINK_EXT_ACK):
            with contextlib.suppress(OSError):  # nicer errors, from Linux 4.3 and 4.12 on
                self._socket.setsockopt(SOL_NETLINK, option, 1)
        for option in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
            # Refused inside a user namespace; then transactions are smaller.
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, option, TRANSACTION_LIMIT_BYTES * 2)
        self._sequence = 0

    @property
    def port(self) -> int:
        """The kernel's number for this socket; it stands in what our changes set off."""
        return int(self._socket.getsockname()[0])

    @property
    def limit_bytes(self) -> int:
        """How much one transaction may hold."""
        room = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        return min(TRANSACTION_LIMIT_BYTES, room - 1024)

    def close(self) -> None:
        """Let go of the socket; may be called twice."""
        self._socket.close()

    def transact(self, messages: Sequence[Message], *, check: bool = False) -> None:
        """Carry out all of *messages* or none; with *check* only tell whether it would work.

        Raises:
            KernelError: Nothing took effect.

        """
        if not messages:
            return
        first = self._sequence + 1
        parts = [_frame(_BATCH_BEGIN, REQUEST, first, b"\0\0\0\x0a")]
        last = first
        for message in messages:
            last += 1
            parts.append(_request(message, last, REQUEST | message.flags))
        # Only the last one asks for an answer: one message back where all is well.
        parts[-1] = _request(messages[-1], last, REQUEST | ACK | messages[-1].flags)
        if not check:
            # Without its end the kernel checks the whole transaction and takes it back.
            parts.append(_frame(_BATCH_END, REQUEST, last + 1, b"\0\0\0\x0a"))
        self._sequence = last + 1
        self._send(b"".join(parts))
        self._gather_answers(first, last, messages, check)

    def ask(self, message: Message) -> bytes:
        """Return the attributes of the one object that *message* asks for.

        Raises:
            KernelError: There is none, or it cannot be asked for.

        """
        self._sequence += 1
        self._send(_request(message, self._sequence, REQUEST))
        for frame in self._answers(self._sequence):
            return frame.body[4:]
        raise KernelError(errno.EPROTO, "the kernel gave no answer")

    def dump(self, message: Message, check: Callable[[], None] = lambda: None) -> list[bytes]:
        """Return the attributes of every object that *message* asks for, at one point in time.

        *check* is called now and then; should it raise, the socket must be closed.

        Raises:
            KernelError: It cannot be read, or changes faster than it can be read.

        """
        for _ in range(_DUMP_TRIES):
            self._sequence += 1
            self._send(_request(message, self._sequence, REQUEST | DUMP))
            found = []
            is_torn = False
            for frame in self._answers(self._sequence):
                check()
                found.append(frame.body[4:])
                is_torn = is_torn or bool(frame.flags & DUMP_INTERRUPTED)
            if not is_torn:
                return found
        raise KernelError(errno.EAGAIN, "the ruleset changes faster than it can be read")

    def _send(self, request: bytes) -> None:
        self._drain()
        try:
            self._socket.send(request)
        except OSError as error:
            raise KernelError(error.errno, os.strerror(error.errno or 0)) from error

    def _drain(self) -> None:
        """Throw away what an abandoned conversation may have left."""
        with contextlib.suppress(OSError):
            while self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT):
                pass

    def _gather_answers(
        self, first: int, last: int, messages: Sequence[Message], check: bool
    ) -> None:
        """Read what a transaction came to; the kernel has answered when send returns."""
        errors: list[KernelError] = []
        is_acknowledged = False
        while True:
            try:
                data = self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            except OSError as error:
                raise KernelError(error.errno, os.strerror(error.errno or 0)) from error
            for frame in frames(data):
                if frame.kind != _ERROR or not first <= frame.sequence <= last + 1:
                    continue
                index = frame.sequence - first - 1
                where = messages[index] if 0 <= index < len(messages) else None
                refusal = _error_of(frame, where)
                if refusal is None:
                    is_acknowledged = True
                else:
                    errors.append(refusal)
        if errors:
            raise errors[0]
        if not is_acknowledged and not check:
            raise KernelError(errno.EPROTO, "the kernel did not confirm the transaction")

    def _answers(self, expected: int) -> Iterator[NetlinkFrame]:
        """Yield what answers request *expected*, up to its end."""
        while True:
            try:
                data = self._socket.recv(_RECEIVE_BYTES)
            except BlockingIOError as error:
                raise KernelError(errno.ETIMEDOUT, "the kernel does not answer") from error
            except OSError as error:
                raise KernelError(error.errno, os.strerror(error.errno or 0)) from error
            for frame in frames(data):
                if frame.sequence != expected:
                    continue
                if frame.kind == _DONE:
                    return
                if frame.kind == _ERROR:
                    refusal = _error_of(frame, None)
                    if refusal is None:
                        return
                    raise refusal
                yield frame


def _frame(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return _HEADER.pack(16 + len(body), kind, flags, sequence, 0) + body


def _request(message: Message, sequence: int, flags: int) -> bytes:
    kind = NFNL_SUBSYS_NFTABLES << 8 | message.kind
    return _frame(kind, flags, sequence, bytes((message.family, 0, 0, 0)) + message.body)


def _error_of(frame: NetlinkFrame, message: Message | None) -> KernelError | None:
    """Return the error that an nlmsgerr carries, or None where it is a confirmation."""
    flags, body = frame.flags, frame.body
    code = -struct.unpack_from("=i", body)[0]
    if code == 0:
        return None
    words = os.strerror(code)
    if flags & _HAS_TLVS:
        inner = 16 if flags & _CAPPED else struct.unpack_from("=I", body, 4)[0]
        for kind, payload in attributes(body[4 + ((inner + 3) & ~3) :]):
            if kind == _EXT_ACK_TEXT:
                words += f" ({payload.rstrip(bytes(1)).decode('utf-8', 'replace')})"
    if message is not None:
        words += f" [request {message.kind}]"
    return KernelError(code, words)
