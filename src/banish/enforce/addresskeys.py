"""Subjects as the kernel keys them in sets, and back."""

import ipaddress
import socket
from collections.abc import Iterable

from banish.enforce.ranges import Block
from banish.model.address import Subject, SubjectKind
from banish.model.instant import Instant

_SOCKET_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_KIND = {4: SubjectKind.IPV4, 6: SubjectKind.IPV6}


def sort_subjects(
    subjects: Iterable[tuple[Subject, Instant | None]],
) -> tuple[dict[int, dict[bytes, Instant | None]], dict[int, dict[Block, Instant | None]]]:
    """Return addresses and networks apart, each by family."""
    hosts: dict[int, dict[bytes, Instant | None]] = {4: {}, 6: {}}
    blocks: dict[int, dict[Block, Instant | None]] = {4: {}, 6: {}}
    for subject, until in subjects:
        family = subject.family
        if subject.is_address:
            hosts[family][socket.inet_pton(_SOCKET_FAMILY[family], subject.text)] = until
        else:
            network = subject.network()
            block = Block(int(network.network_address), network.prefixlen)
            blocks[family][block] = until
    return hosts, blocks


def to_subject(key: bytes, family: int) -> Subject:
    """Return the address that *key* is in network order."""
    written = socket.inet_ntop(_SOCKET_FAMILY[family], key)
    if family == 6 and "." in written:
        # The C library writes ::192.0.2.1 where a Subject says ::c000:201.
        written = str(ipaddress.IPv6Address(key))
    return Subject(written, _KIND[family])


def to_network(block: Block, family: int) -> Subject:
    """Return *block*, of more than one address, as a subject."""
    if family == 4:
        network = ipaddress.IPv4Network(block)
        return Subject(str(network), SubjectKind.NETWORK4)
    return Subject(str(ipaddress.IPv6Network(block)), SubjectKind.NETWORK6)
