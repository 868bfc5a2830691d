"""Which addresses are this host's own, for ``ignoreself``."""

import socket

import ifaddr

from banish.model.address import Subject, parse_address


def own_addresses() -> frozenset[Subject]:
    """Return the addresses of this host's interfaces, loopback included.

    Raises nothing: an interface that cannot be read has no address. The whole
    of 127.0.0.0/8 is the host itself (RFC 1122, 3.2.1.3).
    """
    found: set[Subject] = set()
    for text in ("127.0.0.0/8", "::1"):
        subject = parse_address(text)
        assert subject is not None
        found.add(subject)
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            text = address.ip if isinstance(address.ip, str) else address.ip[0]
            subject = parse_address(text)
            if subject is not None:
                found.add(subject)
    return frozenset(found)


def own_names() -> tuple[str, ...]:
    """Return the names this host is known by; their addresses are its own too."""
    return tuple(dict.fromkeys(("localhost", socket.gethostname(), socket.getfqdn())))
