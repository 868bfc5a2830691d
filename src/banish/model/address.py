"""What is counted and banned: an address, a network, or a free identifier.

Two subjects are equal exactly when the firewall would treat them as the same:
``2001:DB8::1`` and ``2001:db8:0::1`` are one, ``::ffff:192.0.2.1`` is
``192.0.2.1`` (RFC 4291, 2.5.5.2; Fail2Ban does the same in server/ipdns.py),
and a network of one address is that address.
"""

import enum
import functools
import ipaddress
import re
import unicodedata

import msgspec

type_of_network = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_SUBJECT_CHARACTERS = 255
"""A DNS name has at most 253 characters (RFC 1035, 2.3.4); longer text is no subject."""


_OCTETS = frozenset(map(str, range(256)))

_RUN = "[1-9a-f][0-9a-f]{0,3}(?::(?:0:)?[1-9a-f][0-9a-f]{0,3})*"
_IS_PLAIN6 = re.compile(f"{_RUN}(?:::(?:{_RUN})?)?").fullmatch
"""Matches what an IPv6 address looks like as RFC 5952 (4) writes it, the number of groups
aside: no zero group stands at an end, beside the gap, or beside another. The shortest gap (of
two groups) is the longest run then. What begins with the gap takes the long way: it may be IPv4."""


_IS_PADDED = re.compile(r"(?=.*\b0\d)[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?:/[0-9.]{1,15})?").fullmatch

_IS_HEX = re.compile("0[xX][0-9a-fA-F]*").fullmatch


class SubjectKind(enum.Enum):
    """What a subject's text is."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    NETWORK4 = "network4"
    NETWORK6 = "network6"
    NAME = "name"
    """A DNS name that is still to be resolved; never banned as it is."""
    ID = "id"
    """Free text, from ``<F-ID>``; only actions can ban it, a firewall cannot."""

    # Members are single objects. Enum's own hash is that of the name, by a Python call, and
    # would be most of what looking a subject up costs.
    __hash__ = object.__hash__


_FAMILIES = {
    SubjectKind.IPV4: 4, SubjectKind.NETWORK4: 4, SubjectKind.IPV6: 6, SubjectKind.NETWORK6: 6,
}  # fmt: skip


class Subject(msgspec.Struct, frozen=True, order=True, gc=False, cache_hash=True):
    """What is counted and banned; make one with `parse_subject`."""

    text: str
    kind: SubjectKind

    @property
    def is_address(self) -> bool:
        """Whether this is one IPv4 or IPv6 address."""
        return self.kind in (SubjectKind.IPV4, SubjectKind.IPV6)

    @property
    def is_network(self) -> bool:
        """Whether this is a network of more than one address."""
        return self.kind in (SubjectKind.NETWORK4, SubjectKind.NETWORK6)

    @property
    def is_enforceable(self) -> bool:
        """Whether a firewall can ban it."""
        return self.is_address or self.is_network

    @property
    def family(self) -> int:
        """4 or 6, or 0 where it is neither an address nor a network."""
        return _FAMILIES.get(self.kind, 0)

    def network(self) -> type_of_network:
        """Return the addresses that this covers (one address: a /32 or a /128).

        Raises:
            ValueError: This is a name or an identifier.

        """
        return ipaddress.ip_network(self.text)

    def __str__(self) -> str:
        return self.text


@functools.lru_cache(maxsize=4096)
def parse_address(text: str) -> Subject | None:
    """Return the address or network that *text* writes, or None.

    Brackets are taken off (``[2001:db8::1]``), host bits of a network are
    cleared, an IPv4-mapped IPv6 address becomes IPv4, and a mask may be
    written as a length or as an address (``192.0.2.0/255.255.255.0``). A scope
    (``fe80::1%eth0``) is dropped. Leading zeros in IPv4 (``010.0.0.1``) are
    refused, since programs disagree on what they mean.
    """
    if not text or len(text) > MAX_SUBJECT_CHARACTERS:
        return None
    if text[0] == "[" and "]" in text:
        text = text[1:].replace("]", "", 1)
    octets = text.split(".")
    if len(octets) == 4 and _OCTETS.issuperset(octets):
        return Subject(text, SubjectKind.IPV4)  # as most are; the long way says the same
    if _IS_PLAIN6(text) is not None and _is_whole6(text):
        return Subject(text, SubjectKind.IPV6)  # here as well, at a tenth of the cost
    address, slash, mask = text.partition("/")
    address = address.partition("%")[0]
    try:
        if not slash:
            found = ipaddress.ip_address(address)
            if found.version == 6 and found.ipv4_mapped is not None:
                found = found.ipv4_mapped
            return Subject(str(found), SubjectKind.IPV4 if found.version == 4 else SubjectKind.IPV6)
        network = ipaddress.ip_network(f"{address}/{mask}", strict=False)
    except ValueError:
        return None
    if network.version == 6:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= 96:
            network = ipaddress.ip_network((mapped, network.prefixlen - 96))
    if network.num_addresses == 1:
        one = network.network_address
        return Subject(str(one), SubjectKind.IPV4 if one.version == 4 else SubjectKind.IPV6)
    kind = SubjectKind.NETWORK4 if network.version == 4 else SubjectKind.NETWORK6
    return Subject(str(network), kind)


def parse_logged(text: str) -> Subject | None:
    """Return the address or network that *text* from a log writes, or None.

    As `parse_address`, but octets may have leading zeros: programs that fill them up to three
    digits (``192.000.002.009``) write decimal. Whoever configures something is asked to write
    none, and firewalls read them as octal: iptables and nft take 192.030.0.6 for 192.24.0.6.
    """
    if _IS_PADDED(text) is not None:
        address, slash, mask = text.partition("/")
        text = ".".join(str(int(octet)) for octet in address.split(".")) + slash + mask
    return parse_address(text)


def _is_whole6(text: str) -> bool:
    """Whether the plain *text* has eight groups, or at most six and a gap."""
    colons = text.count(":")
    if "::" not in text:
        return colons == 7
    return colons <= 7 if text[-1] == ":" else colons <= 6


def parse_subject(text: str) -> Subject:
    """Return *text* as an address or network if it writes one, else as an identifier."""
    return parse_address(text) or Subject(text[:MAX_SUBJECT_CHARACTERS], SubjectKind.ID)


def is_host_name(text: str) -> bool:
    """Whether *text* can be a DNS name, and is no number that a resolver takes for an address.

    inet_aton(3), which getaddrinfo(3) tries first, takes ``4``, ``127.1``, ``3232235777``,
    ``0x7f000001`` and ``0300.1`` for addresses. All of them end in a number, decimal or hex, and
    no name does: a top-level domain has a letter in it (RFC 3696, 2). Digits and dots of other
    scripts count as ASCII ones, since the IDNA codec makes these of them (RFC 3490, 3.1).
    """
    name = unicodedata.normalize("NFKC", text).replace("\N{IDEOGRAPHIC FULL STOP}", ".")
    last = name.removesuffix(".").rpartition(".")[2]
    return any(map(str.isalpha, last)) and _IS_HEX(last) is None


def name_subject(text: str) -> Subject:
    """Return *text* as an address if it writes one, else as a DNS name to resolve."""
    return parse_address(text) or Subject(
        text[:MAX_SUBJECT_CHARACTERS].rstrip(".").lower(), SubjectKind.NAME
    )
