"""Connections that end because the kernel was asked to end them: real sockets in a namespace."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from banish.enforce.connections import BannedPeer, kill_connections
from banish.errors import EnforceError
from banish.model.address import parse_subject
from banish.model.settings import PortRange
from banish.testing.netns import NetworkNamespace

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
]

ADDRESSES = ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2")
PATIENCE = 10.0


class Pair:
    """A connection: the peer's end, and ours."""

    def __init__(self, listener: socket.socket, source: str) -> None:
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        target = "2001:db8::fe" if ":" in source else "192.0.2.254"
        self.peer = socket.socket(family, socket.SOCK_STREAM)
        self.peer.settimeout(PATIENCE)
        self.peer.bind((source, 0))
        self.peer.connect((target, listener.getsockname()[1]))
        self.ours, _ = listener.accept()
        self.ours.settimeout(PATIENCE)

    @property
    def stands(self) -> bool:
        try:
            self.peer.sendall(b"x")
            return self.ours.recv(1) == b"x"
        except OSError:
            return False

    def close(self) -> None:
        self.peer.close()
        self.ours.close()


class World:
    """One host whose own addresses play all parts, with servers on two ports."""

    def __init__(self, stack: ExitStack) -> None:
        namespace = stack.enter_context(NetworkNamespace())
        for address in (*ADDRESSES, "192.0.2.254", "2001:db8::fe"):
            length, nodad = ("128", ("nodad",)) if ":" in address else ("32", ())
            namespace.run("ip", "address", "add", f"{address}/{length}", "dev", "lo", *nodad)
        namespace.run("ip", "link", "set", "lo", "up")
        stack.enter_context(namespace.inside())
        self._stack = stack
        # One that listens for both families, whose IPv4 peers have mapped addresses.
        self.ssh = self._listen(socket.AF_INET6, "::", 22)
        self.web = self._listen(socket.AF_INET, "0.0.0.0", 80)

    def _listen(self, family: socket.AddressFamily, address: str, port: int) -> socket.socket:
        listener = self._stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.bind((address, port))
        listener.listen()
        return listener

    def connect(self, source: str, *, web: bool = False) -> Pair:
        pair = Pair(self.web if web else self.ssh, source)
        self._stack.callback(pair.close)
        return pair


@pytest.fixture
def world() -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack)


def target(text: str, *ports: PortRange) -> BannedPeer:
    return BannedPeer("sshd", parse_subject(text), ports)


@pytest.mark.parametrize(("banned", "other"), [ADDRESSES[:2], ADDRESSES[2:]])
def test_all_connections_of_a_banned_peer_end_and_no_other(
    world: World, banned: str, other: str
) -> None:
    theirs = [world.connect(banned), world.connect(banned)]
    bystander = world.connect(other)
    assert all(pair.stands for pair in (*theirs, bystander))
    assert kill_connections([target(banned)])[target(banned)] >= len(theirs)
    assert not any(pair.stands for pair in theirs)
    assert bystander.stands
    assert kill_connections([target(banned)]) == {}


def test_only_connections_to_closed_ports_end(world: World) -> None:
    ssh, web = world.connect(ADDRESSES[0]), world.connect(ADDRESSES[0], web=True)
    closed = target(ADDRESSES[0], PortRange(20, 25))
    assert kill_connections([closed]) == {closed: 1}
    assert not ssh.stands
    assert web.stands


def test_the_peer_is_told(world: World) -> None:
    pair = world.connect(ADDRESSES[0])
    kill_connections([target(ADDRESSES[0], PortRange(22, 22))])
    with pytest.raises(ConnectionResetError):
        pair.peer.recv(1)
    with pytest.raises(ConnectionAbortedError):
        pair.ours.recv(1)


def test_a_network_is_cut_whole_and_listeners_stay(world: World) -> None:
    pairs = [world.connect(address) for address in ADDRESSES]
    ports = PortRange(22, 22)
    networks = [target("192.0.2.0/30", ports), target("2001:db8::/64", ports)]
    assert kill_connections(networks) == dict.fromkeys(networks, 2)
    assert not any(pair.stands for pair in pairs)
    assert world.connect(ADDRESSES[0]).stands


def test_what_no_socket_can_name_is_passed_over(world: World) -> None:
    assert kill_connections([]) == {}
    assert kill_connections([target("198.51.100.1")]) == {}


def test_without_the_capability_the_cure_is_named(world: World) -> None:
    pair = world.connect(ADDRESSES[0])
    caught: list[EnforceError] = []

    def try_as_nobody() -> None:
        # System calls of a thread change that thread alone.
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        setresuid = 117 if os.uname().machine == "x86_64" else 147
        assert libc.syscall(setresuid, 65534, 65534, 65534) == 0
        try:
            kill_connections([target(ADDRESSES[0])])
        except EnforceError as error:
            caught.append(error)

    thread = threading.Thread(target=try_as_nobody)
    thread.start()
    thread.join()
    (error,) = caught
    assert "CAP_NET_ADMIN" in error.cure
    assert isinstance(error.__cause__, OSError)
    assert error.__cause__.errno in (errno.EPERM, errno.EACCES)
    assert pair.stands
