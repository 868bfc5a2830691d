"""Ends the established TCP connections of banned peers.

A firewall that drops a banned peer's packets leaves its connections standing: the
server's side waits until it gives up, and what was sent before is answered still.
The kernel ends them at once when it is asked to, over netlink's socket diagnosis
(``SOCK_DESTROY`` of ``include/uapi/linux/sock_diag.h``, Linux 4.5, the same as
``ss --kill``): the program behind the socket reads an error, the peer gets a reset.

One look at all sockets serves a whole batch of bans. Only connections that end at
a port of this host are found, not those that it passes on to others.
"""

import contextlib
import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator, Sequence

import msgspec

from banish.errors import EnforceError
from banish.model.address import Subject
from banish.model.settings import PortRange

_SOCK_DIAG = 4
_BY_FAMILY = 20
_DESTROY = 21
_REQUEST = 0x1
_ACK = 0x4
_DUMP = 0x300
_ERROR = 2
_DONE = 3

_HEADER = struct.Struct("=IHHII")
_ASK = struct.Struct("=BBBBI")
"""Family, protocol, extensions, padding, states: before the name of a socket."""
_NAME = slice(4, 52)
"""Where a reply names the socket: ports, addresses, interface, cookie."""
_REPLY_BYTES = 72
_PORT = struct.Struct("!H")

_STATES = sum(1 << state for state in (1, 2, 3, 4, 5, 8, 9, 11))
"""All but those without a peer or without a process: closed, listening, time-wait."""

_RECEIVE_BYTES = 256 * 1024
_ANSWER_SECONDS = 10
_MAPPED = bytes(10) + b"\xff\xff"
"""What stands before an IPv4 address in a socket of IPv6 (RFC 4291, 2.5.5.2)."""


class BannedPeer(msgspec.Struct, frozen=True):
    """A banned peer, and the ports of this host that are closed to it."""

    jail: str
    subject: Subject
    ports: tuple[PortRange, ...] = ()
    """None: every port."""


class _Peers:
    """Finds the targets that an address belongs to; as quick for many as for few."""

    def __init__(self, targets: Sequence[BannedPeer]) -> None:
        self._found: dict[tuple[int, int], dict[int, list[BannedPeer]]] = {}
        for target in targets:
            network = ipaddress.ip_network(target.subject.text)
            bits = network.max_prefixlen
            key = (bits // 8, bits - network.prefixlen)
            first = int(network.network_address) >> key[1]
            self._found.setdefault(key, {}).setdefault(first, []).append(target)

    def of(self, address: bytes) -> Iterator[BannedPeer]:
        number = int.from_bytes(address)
        for (length, shift), networks in self._found.items():
            if length == len(address):
                yield from networks.get(number >> shift, ())


def kill_connections(targets: Sequence[BannedPeer]) -> dict[BannedPeer, int]:
    """End the connections of *targets* and return how many of each there were.

    Blocks for a moment: some 50 ms for 100,000 sockets.

    Raises:
        EnforceError: The kernel does not do so, or not for us.

    """
    peers = _Peers([target for target in targets if target.subject.is_enforceable])
    counts: dict[BannedPeer, int] = {}
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.settimeout(_ANSWER_SECONDS)
            for family in (socket.AF_INET, socket.AF_INET6):
                # Not while they are listed: the answers would come mixed.
                for name in list(_sockets(kernel, family)):
                    for target in _aimed_at(peers, family, name):
                        if _destroy(kernel, family, name):
                            counts[target] = counts.get(target, 0) + 1
                        break
    except OSError as error:
        raise _explained(error) from error
    return counts


def _aimed_at(peers: _Peers, family: int, name: bytes) -> Iterator[BannedPeer]:
    """Yield the targets that the socket called *name* talks to."""
    local = _PORT.unpack_from(name)[0]
    for target in peers.of(_peer(family, name)):
        ports = target.ports
        if not ports or any(each.first <= local <= each.last for each in ports):
            yield target


def _peer(family: int, name: bytes) -> bytes:
    """Return the address at the other end."""
    address = name[20:36]
    if family == socket.AF_INET:
        return address[:4]
    return address[12:] if address.startswith(_MAPPED) else address


def _sockets(kernel: socket.socket, family: int) -> Iterator[bytes]:
    """Yield the names of all TCP sockets of *family* that have a peer."""
    body = _ASK.pack(family, socket.IPPROTO_TCP, 0, 0, _STATES) + bytes(48)
    _send(kernel, _BY_FAMILY, _DUMP, body)
    while True:
        for kind, answer in _frames(kernel.recv(_RECEIVE_BYTES)):
            if kind == _DONE:
                return
            if kind == _ERROR:
                _raise(answer)
            elif len(answer) >= _REPLY_BYTES:
                yield answer[_NAME]


def _destroy(kernel: socket.socket, family: int, name: bytes) -> bool:
    """End one connection; tell whether it was still there."""
    body = _ASK.pack(family, socket.IPPROTO_TCP, 0, 0, _STATES) + name
    _send(kernel, _DESTROY, _ACK, body)
    with contextlib.suppress(FileNotFoundError):
        for kind, answer in _frames(kernel.recv(_RECEIVE_BYTES)):
            if kind == _ERROR:
                _raise(answer)
        return True
    return False


def _send(kernel: socket.socket, kind: int, flags: int, body: bytes) -> None:
    kernel.send(_HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body)


def _frames(block: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _HEADER.size <= len(block):
        length, kind, _, _, _ = _HEADER.unpack_from(block, at)
        if length < _HEADER.size:
            return
        yield kind, block[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def _raise(answer: bytes) -> None:
    """Raise the error that a reply holds; zero is none."""
    number = -struct.unpack_from("=i", answer)[0]
    if number:
        raise OSError(number, errno.errorcode.get(number, str(number)))


def _explained(error: OSError) -> EnforceError:
    what = f"connections of banned peers cannot be killed: {error.strerror or error}"
    match error.errno:
        case errno.EOPNOTSUPP | errno.EPROTONOSUPPORT | errno.EINVAL:
            cure = "this kernel cannot (it lacks CONFIG_INET_DIAG_DESTROY): take cutconnections out"
        case errno.EPERM | errno.EACCES:
            cure = "give the server the capability CAP_NET_ADMIN"
        case errno.ENOENT:
            cure = "load the modules tcp_diag and inet_diag"
        case _:
            cure = "see what 'ss --tcp' says"
    return EnforceError(what, cure=cure, retry=False)
