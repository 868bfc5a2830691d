"""Addresses that no peer has, so that nobody is ever banned by them.

A failure that names one of these was read wrongly, or its log line was forged: a number that
a resolver took for an address (``4`` is 0.0.0.4, ``127.1`` is 127.0.0.1), a DNS answer by
which somebody points at this host, an address in text that a client wrote.
A ban of them would reach this host's own services (loopback, and broadcast and multicast,
by which hosts find each other) and no attacker.

Link-local addresses (169.254.0.0/16, fe80::/10) are not among them: a neighbour on the same
network attacks from one. Nor is 240.0.0.0/4, which some networks use inside.

The ranges are those of RFC 6890 (2.2.2, 2.2.3), RFC 5771 and RFC 4291 (2.4).
"""

from ipaddress import ip_network

from banish.model.address import Subject, SubjectKind, parse_address

_RANGES = {
    ip_network("0.0.0.0/8"): "means this network",
    ip_network("127.0.0.0/8"): "is loopback",
    ip_network("224.0.0.0/4"): "is multicast",
    ip_network("255.255.255.255/32"): "is broadcast",
    ip_network("::/128"): "means no address",
    ip_network("::1/128"): "is loopback",
    ip_network("ff00::/8"): "is multicast",
}


_FIRST_OF_IPV4 = {"0", "127", "255", *map(str, range(224, 240))}


def _may_be_reserved(address: Subject) -> bool:
    """Whether *address* begins as one of the ranges does: cheap, for each restored ban is asked."""
    text = address.text
    if address.kind is SubjectKind.IPV4:
        return text.partition(".")[0] in _FIRST_OF_IPV4
    return text.startswith(("::", "ff"))


def reserved(subject: Subject) -> str | None:
    """Return why *subject* cannot be banned, or None if a peer may have it.

    A network is refused as soon as it holds one such address. None for names and identifiers,
    but for an identifier that reads as an address (``0.0.0.4:22`` does not).
    """
    if not subject.is_enforceable:
        found = parse_address(subject.text)
        if found is None:
            return None
        subject = found
    if subject.is_address and not _may_be_reserved(subject):
        return None
    network = subject.network()
    for each, what in _RANGES.items():
        if each.version == network.version and each.overlaps(network):
            return f"{each} {what}"
    return None
