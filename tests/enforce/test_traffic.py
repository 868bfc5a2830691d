"""Real packets through real namespaces: what is banned does not get through, the rest does.

    client ---- host ---- container
    192.0.2.x   192.0.2.254, 10.77.0.254   10.77.0.2
    2001:db8:1::x   2001:db8:1::254

The host forwards, and publishes the container's port 22 as its own port 2222.
"""

import asyncio
import errno
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from banish.enforce.firewalls.ipset import ipset_enforcer
from banish.enforce.firewalls.iptables import iptables_enforcer
from banish.enforce.firewalls.nftables import NftablesEnforcer
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.settings import BlockType, Enforcement, PortRange
from banish.ports import Enforcer
from banish.testing.netns import NetworkNamespace
from tests.enforce.contract import NOW

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs the nft program for DNAT"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2"),
]

ATTACKER, BYSTANDER = "192.0.2.1", "192.0.2.2"
ATTACKER6, BYSTANDER6 = "2001:db8:1::1", "2001:db8:1::2"
HOST, HOST6 = "192.0.2.254", "2001:db8:1::254"
CONTAINER = "10.77.0.2"
PATIENCE = 10.0
"""Seconds to wait for what must come; it comes within 1 ms unless the machine is busy."""

SILENCE = 0.3
"""Seconds to wait for what must not come."""

DNAT = f"""
table ip nat {{
    chain prerouting {{
        type nat hook prerouting priority dstnat;
        iif "out" tcp dport 2222 dnat to {CONTAINER}:22
        iif "out" tcp dport 2200 redirect to :22
    }}
}}
"""


class Network:
    """Client, host and container, each a namespace, with servers that echo."""

    make_enforcer: Callable[[], Enforcer]

    def __init__(self, stack: ExitStack) -> None:
        self.client, self.host, self.container = (
            stack.enter_context(NetworkNamespace()) for _ in range(3)
        )
        self.client.join(self.host, "out", "out")
        self.container.join(self.host, "in", "in")
        for namespace, interface, address in (
            (self.client, "out", f"{ATTACKER}/24"),
            (self.client, "out", f"{BYSTANDER}/24"),
            (self.client, "out", f"{ATTACKER6}/64"),
            (self.client, "out", f"{BYSTANDER6}/64"),
            (self.host, "out", f"{HOST}/24"),
            (self.host, "out", f"{HOST6}/64"),
            (self.host, "in", "10.77.0.254/24"),
            (self.container, "in", f"{CONTAINER}/24"),
        ):
            nodad = ("nodad",) if ":" in address else ()
            namespace.run("ip", "address", "add", address, "dev", interface, *nodad)
        self.client.run("ip", "route", "add", "default", "via", HOST)
        self.container.run("ip", "route", "add", "default", "via", "10.77.0.254")
        self.host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.host.run("nft", "-f", "-", stdin=DNAT)
        for namespace, port in (
            (self.host, 22),
            (self.host, 80),
            (self.container, 22),
        ):
            stack.enter_context(closing(serve(namespace, port)))
        with self.host.inside():
            self.datagrams = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            self.datagrams.bind(("::", 53))
            self.datagrams.settimeout(PATIENCE)

    def connect(
        self, source: str, target: str, port: int, patience: float = PATIENCE
    ) -> socket.socket:
        """Return a connection; raises what connect(2) says."""
        family = socket.AF_INET6 if ":" in source else socket.AF_INET
        with self.client.inside():
            connection = socket.socket(family, socket.SOCK_STREAM)
        connection.settimeout(patience)
        try:
            connection.bind((source, 0))
            connection.connect((target, port))
        except OSError:
            connection.close()
            raise
        return connection

    def reaches(self, source: str, target: str, port: int) -> bool:
        """Tell whether a connection is made and carries data."""
        try:
            with self.connect(source, target, port) as connection:
                return echoes(connection)
        except OSError:
            return False

    def datagrams_that_arrive(self, *sources: str, port: int = 53) -> list[str]:
        """Send one datagram from each source; return whose arrive, up to the last one's."""
        for source in sources:
            with self.client.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.bind((source, 0))
                sender.sendto(source.encode(), (HOST, port))
        arrived: list[str] = []
        while sources[-1] not in arrived:
            arrived.append(self.datagrams.recv(100).decode())
        return arrived


def serve(namespace: NetworkNamespace, port: int) -> socket.socket:
    with namespace.inside():
        listener = socket.create_server(
            ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=16
        )
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    return listener


def accept(listener: socket.socket) -> None:
    with ExitStack() as stack:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            stack.enter_context(connection)
            threading.Thread(target=echo, args=(connection,), daemon=True).start()


def echo(connection: socket.socket) -> None:
    try:
        while data := connection.recv(100):
            connection.sendall(data)
    except OSError:
        pass
    finally:
        connection.close()


def echoes(connection: socket.socket) -> bool:
    connection.sendall(b"hello")
    return connection.recv(100) == b"hello"


def nftables() -> Enforcer:
    return NftablesEnforcer(emit=lambda event: None)


def iptables() -> Enforcer:
    return iptables_enforcer(emit=lambda event: None)


def legacy_iptables() -> Enforcer:
    return iptables_enforcer(emit=lambda event: None, flavour="-legacy")


def ipset() -> Enforcer:
    return ipset_enforcer(emit=lambda event: None)


needs_ipset = pytest.mark.skipif(
    None in [shutil.which(program) for program in ("ipset", "iptables", "iptables-legacy")],
    reason="needs iptables and ipset",
)
BY_PROGRAMS = [pytest.param(make, marks=needs_ipset) for make in (iptables, legacy_iptables, ipset)]


@pytest.fixture(scope="module")
def wires() -> Iterator[Network]:
    with ExitStack() as stack:
        yield Network(stack)


@pytest.fixture(params=[nftables, *BY_PROGRAMS])
def network(wires: Network, request: pytest.FixtureRequest) -> Network:
    wires.make_enforcer = request.param
    return wires


only_nftables = pytest.mark.parametrize("network", [nftables], indirect=True)


def with_bans(
    network: Network,
    check: Callable[[], None],
    *banned: str,
    enforcement: Enforcement | None = None,
    before: Callable[[], None] | None = None,
) -> None:
    """Ban in the host and check from outside, while the bans are in force."""
    jail = enforcement or Enforcement("sshd", ("tcp",), (PortRange(22, 22),))

    async def run() -> None:
        enforcer = network.make_enforcer()
        await enforcer.start([jail], [], NOW)
        try:
            if before is not None:
                before()
            bans = [Ban(jail.jail, parse_subject(one), NOW, None) for one in banned]
            await enforcer.start([jail], bans, NOW)
            check()
        finally:
            await enforcer.stop(keep=False)

    with network.host.inside():
        asyncio.run(run())


def sshd(blocktype: BlockType = "reject", *ports: int) -> Enforcement:
    ranges = tuple(PortRange(port, port) for port in ports or (22,))
    return Enforcement("sshd", ("tcp",), ranges, blocktype)


def test_without_bans_everybody_reaches_everything(network: Network) -> None:
    def check() -> None:
        for source, target in ((ATTACKER, HOST), (ATTACKER6, HOST6), (BYSTANDER, HOST)):
            assert network.reaches(source, target, 22)
            assert network.reaches(source, target, 80)
        assert network.reaches(ATTACKER, HOST, 2222)
        assert network.reaches(ATTACKER, HOST, 2200)
        assert network.reaches(ATTACKER, CONTAINER, 22)
        assert network.datagrams_that_arrive(ATTACKER, BYSTANDER) == [ATTACKER, BYSTANDER]

    with_bans(network, check)


@pytest.mark.parametrize(
    ("banned", "attacker", "bystander", "host"),
    [
        (ATTACKER, ATTACKER, BYSTANDER, HOST),
        (ATTACKER6, ATTACKER6, BYSTANDER6, HOST6),
        ("192.0.2.0/31", ATTACKER, BYSTANDER, HOST),
        ("2001:db8:1::/127", ATTACKER6, BYSTANDER6, HOST6),
    ],
)
def test_the_banned_are_refused_at_once_and_only_at_the_jails_port(
    network: Network, banned: str, attacker: str, bystander: str, host: str
) -> None:
    def check() -> None:
        with pytest.raises(ConnectionRefusedError):
            network.connect(attacker, host, 22)
        assert network.reaches(attacker, host, 80)
        assert network.reaches(bystander, host, 22)

    with_bans(network, check, banned)


def test_with_drop_the_banned_get_no_answer(network: Network) -> None:
    def check() -> None:
        with pytest.raises(TimeoutError):
            network.connect(ATTACKER, HOST, 22, SILENCE)
        assert network.reaches(ATTACKER, HOST, 80)
        assert network.reaches(BYSTANDER, HOST, 22)

    with_bans(network, check, ATTACKER, enforcement=sshd("drop"))


def test_a_jail_without_ports_closes_every_port_and_protocol(network: Network) -> None:
    def check() -> None:
        for target, port in ((HOST, 22), (HOST, 80), (HOST, 2222), (CONTAINER, 22)):
            assert not network.reaches(ATTACKER, target, port)
            assert network.reaches(BYSTANDER, target, port)
        assert network.datagrams_that_arrive(ATTACKER, BYSTANDER) == [BYSTANDER]

    with_bans(network, check, ATTACKER, enforcement=Enforcement("all", ()))


def test_a_udp_jail_bans_datagrams_and_leaves_tcp(network: Network) -> None:
    def check() -> None:
        assert network.datagrams_that_arrive(ATTACKER, BYSTANDER) == [BYSTANDER]
        assert network.reaches(ATTACKER, HOST, 22)

    with_bans(
        network,
        check,
        ATTACKER,
        enforcement=Enforcement("dns", ("udp",), (PortRange(53, 53), PortRange(100, 200))),
    )


@only_nftables
@pytest.mark.parametrize("port", [2222, 22])
def test_a_published_container_port_is_closed_by_either_of_its_numbers(
    network: Network, port: int
) -> None:
    def check() -> None:
        with pytest.raises(ConnectionRefusedError):
            network.connect(ATTACKER, HOST, 2222)
        assert network.reaches(BYSTANDER, HOST, 2222)
        assert network.reaches(ATTACKER, HOST, 80)
        assert network.reaches(ATTACKER, HOST, 22) is (port != 22)

    with_bans(network, check, ATTACKER, enforcement=sshd("reject", port))


@only_nftables
@pytest.mark.parametrize("port", [2200, 22])
def test_a_redirected_local_port_is_closed_by_either_of_its_numbers(
    network: Network, port: int
) -> None:
    def check() -> None:
        with pytest.raises(ConnectionRefusedError):
            network.connect(ATTACKER, HOST, 2200)
        assert network.reaches(BYSTANDER, HOST, 2200)

    with_bans(network, check, ATTACKER, enforcement=sshd("reject", port))


@pytest.mark.parametrize(
    ("source", "target", "port", "inner"),
    [(ATTACKER, HOST, 22, 22), (ATTACKER6, HOST6, 22, 22), (ATTACKER, HOST, 2222, 22)],
)
@pytest.mark.parametrize("blocktype", ["reject", "drop"])
def test_a_connection_that_stands_when_the_ban_starts_passes_no_more_data(
    network: Network, source: str, target: str, port: int, inner: int, blocktype: BlockType
) -> None:
    with ExitStack() as stack:
        open_now: list[socket.socket] = []

        def before() -> None:
            for address in (source, BYSTANDER6 if ":" in source else BYSTANDER):
                connection = stack.enter_context(network.connect(address, target, port))
                assert echoes(connection)
                open_now.append(connection)

        def check() -> None:
            banned, other = open_now
            if blocktype == "drop":
                banned.settimeout(SILENCE)
            with pytest.raises(OSError) as caught:  # noqa: PT011 - both ways to fail are right
                echoes(banned)
            if blocktype == "reject":
                assert caught.value.errno == errno.ECONNRESET
            assert echoes(other)

        closed = port if network.make_enforcer is nftables else inner
        with_bans(network, check, source, enforcement=sshd(blocktype, closed), before=before)


@pytest.mark.parametrize("network", BY_PROGRAMS, indirect=True)
@pytest.mark.parametrize("port", [2222, 2200])
def test_with_iptables_a_rewritten_port_is_closed_by_the_one_behind(
    network: Network, port: int
) -> None:
    def check() -> None:
        with pytest.raises(ConnectionRefusedError):
            network.connect(ATTACKER, HOST, port)
        assert network.reaches(BYSTANDER, HOST, port)

    with_bans(network, check, ATTACKER, enforcement=sshd("reject", 22))


@only_nftables
def test_hits_are_counted(network: Network) -> None:
    def check() -> None:
        assert not network.reaches(ATTACKER, HOST, 22)
        shown = network.host.run("nft", "list", "chain", "inet", "banish", "jail-sshd")
        assert "ip saddr @sshd-4 counter packets 1 bytes" in shown
        assert "ip6 saddr @sshd-6 counter packets 0 bytes 0" in shown

    with_bans(network, check, ATTACKER)
