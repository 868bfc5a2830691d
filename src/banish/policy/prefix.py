"""Which network an address stands for.

An IPv6 host has a whole /64 to send from, so who counts single addresses counts
nobody. With a prefix shorter than an address, all addresses of one network are
counted and banned as one subject.

Some ranges gather people who have nothing to do with each other, though they
look like one network: link-local addresses are the same on every link, and a
/64 of NAT64 holds everybody who has IPv4. Addresses in there always count alone.
"""

import functools
import ipaddress

from banish.model.address import Subject, SubjectKind
from banish.policy.addressset import Range, range_of
from banish.policy.networks import WIDTH, first_and_length

WIDEST = {4: 16, 6: 32}
"""The shortest prefix that is ever banned by itself, by family: the cap.

65,536 IPv4 addresses; in IPv6 what a provider gets as a rule (RFC 6177 and the
registries' policies). An operator's hand may ban more.
"""

_KINDS = {4: SubjectKind.NETWORK4, 6: SubjectKind.NETWORK6}

_SCATTERED: dict[int, list[Range]] = {
    4: [
        range_of(Subject(text, SubjectKind.NETWORK4))
        for text in (
            "0.0.0.0/8",
            "127.0.0.0/8",  # this host
            "169.254.0.0/16",  # link-local, RFC 3927
            "192.88.99.0/24",  # relays of 6to4, RFC 3068
            "224.0.0.0/4",  # multicast
        )
    ],
    6: [
        range_of(Subject(text, SubjectKind.NETWORK6))
        for text in (
            "::/96",  # this host, and IPv4 as RFC 4291 once had it
            "64:ff9b::/96",  # NAT64: all of IPv4, RFC 6052
            "64:ff9b:1::/48",  # NAT64 again, RFC 8215
            "2001::/32",  # Teredo: a /64 holds all clients of one server, RFC 4380
            "fe80::/10",  # link-local, RFC 4291
            "ff00::/8",  # multicast
        )
    ],
}
"""Networks whose members have nothing in common."""


@functools.lru_cache(maxsize=8_192)
def network_of(subject: Subject, length: int) -> Subject | None:
    """Return the network of *length* around *subject*, an address or a network.

    None where there is none: *subject* is as wide already, *length* is past the
    cap (`WIDEST`), or the network's members have nothing to do with each other.
    """
    family = subject.family
    first, own_length = first_and_length(subject)
    if not WIDEST[family] <= length < own_length:
        return None
    shift = WIDTH[family] - length
    start = first >> shift << shift
    end = start + (1 << shift) - 1
    if any(low <= end and start <= high for low, high in _SCATTERED[family]):
        return None
    address = ipaddress.IPv4Address(start) if family == 4 else ipaddress.IPv6Address(start)
    return Subject(f"{address}/{length}", _KINDS[family])


def is_too_wide(subject: Subject) -> bool:
    """Whether *subject* is a network past the cap (`WIDEST`)."""
    return subject.is_network and first_and_length(subject)[1] < WIDEST[subject.family]
