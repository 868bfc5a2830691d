"""Reads the text of a list of exempt addresses, a million of them in some seconds.

One or more entries a line, parted by blanks or commas: addresses, networks,
names. ``#`` and ``;`` begin a comment. What is none of these may still be an
identifier and exempts that; what looks like an address and is none exempts
nobody and is reported.
"""

import ipaddress
import re

import msgspec

from banish.model.address import is_host_name, parse_address
from banish.policy.addressset import AddressSet, Range, range_of

MAX_NAME_CHARACTERS = 253
"""RFC 1035, 2.3.4."""

FAULT_LIMIT = 20
"""Wrong entries of one list that are reported."""

TEXT_LIMIT = 1_000
"""Names and identifiers taken of one list: each name is looked up every few minutes."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
"""A host name (RFC 1123, 2.1), or a service name with underscores (RFC 8552)."""

_PART = "(?:0|[1-9][0-9]{0,2})"
_IPV4 = re.compile(rf"{_PART}\.{_PART}\.{_PART}\.{_PART}")
_COMMENT = re.compile(r"[#;].*")


class AddressList(msgspec.Struct, frozen=True):
    """What a list in a file holds."""

    addresses: AddressSet = AddressSet()
    texts: frozenset[str] = frozenset()
    """DNS names and free identifiers, as written."""


class Fault(msgspec.Struct, frozen=True):
    """An entry that exempts nobody."""

    line: int
    """Counted from 1."""
    entry: str


def as_name(entry: str) -> str | None:
    """Return *entry* as the DNS name it can be, or None.

    What ends in a number is an address, or meant to be one (`is_host_name`).
    """
    name = entry.rstrip(".").lower()
    if len(name) > MAX_NAME_CHARACTERS or _NAME.fullmatch(name) is None:
        return None
    return name if is_host_name(name) else None


def looks_numeric(entry: str) -> bool:
    """Whether *entry* is meant as an address or a network, right or wrong."""
    return "/" in entry or ":" in entry or re.fullmatch(r"[0-9.]+", entry) is not None


def parse_list(text: str) -> tuple[AddressList, list[Fault]]:
    """Return what *text* lists, and the first entries that are wrong."""
    four: list[Range] = []
    six: list[Range] = []
    texts: set[str] = set()
    faults: list[Fault] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line:
            continue
        if "#" in line or ";" in line:
            line = _COMMENT.sub("", line)  # noqa: PLW2901
        for entry in line.replace(",", " ").split():
            plain = _plain_address(entry)
            if plain is not None:
                value, is_four = plain
                (four if is_four else six).append((value, value))
                continue
            subject = parse_address(entry)
            if subject is not None:
                (four if subject.family == 4 else six).append(range_of(subject))
            elif not looks_numeric(entry) and len(texts) < TEXT_LIMIT:
                texts.add(entry)
            elif len(faults) < FAULT_LIMIT:
                faults.append(Fault(number, entry))
    return AddressList(AddressSet(four, six), frozenset(texts)), faults


def _plain_address(entry: str) -> tuple[int, bool] | None:
    """Return *entry* as a number and whether it is IPv4, or None if it is no mere address.

    `parse_address` says the same, at ten times the cost.
    """
    parts = entry.split(".")
    if len(parts) == 4 and _IPV4.fullmatch(entry):
        a, b, c, d = map(int, parts)
        if a < 256 and b < 256 and c < 256 and d < 256:
            return a << 24 | b << 16 | c << 8 | d, True
    elif ":" in entry and "." not in entry:
        try:
            value = int(ipaddress.IPv6Address(entry))
        except ValueError:
            return None
        return (value & 0xFFFF_FFFF, True) if value >> 32 == 0xFFFF else (value, False)
    return None
