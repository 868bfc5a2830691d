"""Networks in a table whose lookup does not grow with their number.

Networks are kept by prefix length, their first address shifted right by the
host bits, so a lookup is one dict probe for each prefix *length* in use: at
most 32 for IPv4 and 128 for IPv6, in practice a handful, whether the table
holds ten networks or a million.
"""

import functools
import ipaddress
from collections.abc import Iterator
from typing import Generic, TypeVar

from banish.model.address import Subject, SubjectKind

Value = TypeVar("Value")

WIDTH = {4: 32, 6: 128}
"""Bits of an address, by family."""


@functools.lru_cache(maxsize=8_192)
def first_and_length(subject: Subject) -> tuple[int, int]:
    """Return the first address of *subject* as an integer, and its prefix length.

    Raises:
        ValueError: *subject* is a name or an identifier.

    """
    if subject.kind is SubjectKind.IPV4:
        a, b, c, d = subject.text.split(".")  # a quarter of what ipaddress takes
        return int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d), 32
    if subject.kind is SubjectKind.IPV6:
        return int(ipaddress.IPv6Address(subject.text)), 128
    if not subject.is_network:
        raise ValueError(f"{subject} is not an address")
    # Subjects are written in one way only, so there is nothing left to check.
    first, _, length = subject.text.partition("/")
    if subject.kind is SubjectKind.NETWORK4:
        return int(ipaddress.IPv4Address(first)), int(length)
    return int(ipaddress.IPv6Address(first)), int(length)


class NetworkTable(Generic[Value]):
    """A value for each network; asked for the network around an address."""

    def __init__(self) -> None:
        self._tables: dict[int, dict[int, dict[int, Value]]] = {4: {}, 6: {}}

    def __bool__(self) -> bool:
        return any(self._tables.values())

    def put(self, network: Subject, value: Value) -> None:
        """Keep *value* for *network*, in place of an older one."""
        first, length = first_and_length(network)
        shift = WIDTH[network.family] - length
        self._tables[network.family].setdefault(shift, {})[first >> shift] = value

    def remove(self, network: Subject) -> None:
        """Forget *network*; nothing happens where it is not kept."""
        first, length = first_and_length(network)
        tables = self._tables[network.family]
        shift = WIDTH[network.family] - length
        if shift in tables:
            tables[shift].pop(first >> shift, None)
            if not tables[shift]:
                del tables[shift]

    def around(self, subject: Subject) -> Value | None:
        """Return the value of a network that covers all of *subject*, or None.

        Of several networks, the smallest one answers.
        """
        tables = self._tables.get(subject.family)
        return next(self.every_around(subject), None) if tables else None

    def every_around(self, subject: Subject) -> Iterator[Value]:
        """Yield the values of all networks that cover all of *subject*, the smallest first."""
        tables = self._tables.get(subject.family)
        if not tables:
            return
        first, length = first_and_length(subject)
        host_bits = WIDTH[subject.family] - length
        for shift in sorted(tables):
            if shift >= host_bits:
                found = tables[shift].get(first >> shift)
                if found is not None:
                    yield found
