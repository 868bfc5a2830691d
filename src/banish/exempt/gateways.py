"""Which addresses this host cannot do without: its gateways and its resolvers.

Read from files that only root can write. What cannot be read names nobody.
"""

import ipaddress
from collections.abc import Iterable
from pathlib import Path

from banish.model.address import Subject, parse_address

READ_LIMIT_BYTES = 1 << 20
"""A routing table may hold a million routes; default routes are looked for this far."""

_GATEWAY = 0x2
"""RTF_GATEWAY in linux/route.h."""


def gateways(root: Path = Path("/proc/net")) -> frozenset[Subject]:
    """Return the gateways of all default routes."""
    found: set[str] = set()
    for line in _lines(root / "route")[1:]:
        fields = line.split()
        # Destination, gateway and mask are in the order of bytes of the host.
        if len(fields) >= 8 and fields[1] == fields[7] == "00000000" and _is_hex(fields[2], 8):
            number = bytes.fromhex(fields[2])[::-1]
            if _has_gateway(fields[3]) and any(number):
                found.add(str(ipaddress.IPv4Address(number)))
    for line in _lines(root / "ipv6_route"):
        fields = line.split()
        is_default = len(fields) >= 9 and fields[0] == "0" * 32 and fields[1] == "00"
        if is_default and _is_hex(fields[4], 32) and _has_gateway(fields[8]):
            number = bytes.fromhex(fields[4])
            if any(number):
                found.add(str(ipaddress.IPv6Address(number)))
    return _subjects(found)


def resolvers(path: Path = Path("/etc/resolv.conf")) -> frozenset[Subject]:
    """Return the name servers of resolv.conf(5)."""
    words = [line.split() for line in _lines(path)]
    named = {each[1] for each in words if len(each) > 1 and each[0] == "nameserver"}
    return _subjects(name.partition("%")[0] for name in named)


def _subjects(texts: Iterable[str]) -> frozenset[Subject]:
    found = (parse_address(text) for text in texts)
    return frozenset(subject for subject in found if subject is not None and subject.is_address)


def _is_hex(text: str, length: int) -> bool:
    return len(text) == length and all(each in "0123456789abcdefABCDEF" for each in text)


def _has_gateway(flags: str) -> bool:
    return 0 < len(flags) <= 8 and _is_hex(flags, len(flags)) and bool(int(flags, 16) & _GATEWAY)


def _lines(path: Path) -> list[str]:
    try:
        with path.open("rb") as file:
            return file.read(READ_LIMIT_BYTES).decode("ascii", "replace").splitlines()
    except OSError:
        return []
