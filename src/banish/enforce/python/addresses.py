"""``fail2ban.server.ipdns`` as Python actions know it: an address that is also its text."""

import ipaddress
import socket
from typing import Any

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network_of(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return None


class IPAddr(str):
    """An address, a network, or any other text that is banned; equal to its text."""

    __slots__ = ()

    @property
    def _network(self) -> _Network | None:
        return _network_of(self)

    @property
    def isValid(self) -> bool:  # noqa: N802 - the names that actions call, here and below
        """Whether it is an address or a network."""
        return self._network is not None

    @property
    def isIPv4(self) -> bool:  # noqa: N802
        """Whether it is one of IPv4."""
        return isinstance(self._network, ipaddress.IPv4Network)

    @property
    def isIPv6(self) -> bool:  # noqa: N802
        """Whether it is one of IPv6."""
        return isinstance(self._network, ipaddress.IPv6Network)

    @property
    def isSingle(self) -> bool:  # noqa: N802
        """Whether it is one address rather than a network or a name."""
        network = self._network
        return network is not None and network.num_addresses == 1

    @property
    def family(self) -> int:
        """The family as sockets call it; -1 for what is no address."""
        if self.isIPv4:
            return int(socket.AF_INET)
        return int(socket.AF_INET6) if self.isIPv6 else -1

    @property
    def familyStr(self) -> str | None:  # noqa: N802
        """The family as actions call it."""
        if self.isIPv4:
            return "inet4"
        return "inet6" if self.isIPv6 else None

    @property
    def plen(self) -> int:
        """The length of the prefix; 0 for what is no address."""
        network = self._network
        return network.prefixlen if network is not None else 0

    @property
    def ntoa(self) -> str:
        """The text."""
        return str(self)

    @property
    def raw(self) -> str:
        """The text as it stood in the log."""
        return str(self)

    def isInNet(self, net: Any) -> bool:  # noqa: N802
        """Whether *net* holds this address."""
        mine, other = _network_of(self), _network_of(str(net))
        if mine is None or other is None or mine.version != other.version:
            return False
        return other.network_address <= mine.network_address <= other.broadcast_address  # type: ignore[operator]

    def getPTR(self, suffix: str | None = None) -> str:  # noqa: N802
        """Return the address turned round as in DNS, with *suffix* or that of its family."""
        network = self._network
        if network is None:
            return ""
        pointer = network.network_address.reverse_pointer
        own = "in-addr.arpa" if network.version == 4 else "ip6.arpa"
        return pointer.removesuffix(own) + (f"{own}." if suffix is None else suffix)

    def getHost(self) -> str | None:  # noqa: N802
        """Return the name of the address, or None."""
        return DNSUtils.ipToName(self)


class DNSUtils:
    """What actions ask of DNS."""

    @staticmethod
    def dnsToIp(dns: str) -> set[IPAddr]:  # noqa: N802
        """Return the addresses of a name; none if it has none."""
        try:
            found = socket.getaddrinfo(dns, None, 0, socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return set()
        return {IPAddr(entry[4][0]) for entry in found}

    @staticmethod
    def ipToName(ip: str) -> str | None:  # noqa: N802
        """Return the name of an address, or None."""
        try:
            return socket.gethostbyaddr(str(ip))[0]
        except (OSError, UnicodeError):
            return None

    @staticmethod
    def getHostname(fqdn: bool = True) -> str:  # noqa: N802
        """Return the whole name of this host, or its short one."""
        return socket.getfqdn() if fqdn else socket.gethostname()
