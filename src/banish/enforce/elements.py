"""The elements of nf_tables sets in bytes: banned addresses and ranges, to messages and back.

An element of a hash set takes 28 bytes (IPv4) or 40 (IPv6), so the bytes are
laid down ready-made around key and timeout.
"""

import struct
from collections.abc import Iterable, Iterator

from banish.enforce.netattributes import attribute, attributes, nested, number, text
from banish.enforce.netlink import CREATE, Message

NEWSETELEM, GETSETELEM, DELSETELEM = 12, 13, 14

KEY_BYTES = {4: 4, 6: 16}
LIST_ELEMENT = 1
_INTERVAL_END = 1
_ELEMENT = struct.Struct("=HHHHHH")
_LENGTH = struct.Struct("=H")
_TIMEOUT = struct.pack("=HH", 12, 4)
_EXPIRATION = struct.pack("=HH", 12, 5)
_ELEMENTS_LIMIT_BYTES = 60_000
"""An attribute ends at 65,535 bytes, and so does a list of elements."""


def element(key: bytes, timeout_ms: int = 0) -> bytes:
    """Return the element of *key*, which ends after so many milliseconds; 0: it does not."""
    padded = key + bytes(-len(key) % 4)
    size = 12 + len(padded)
    if not timeout_ms:
        return _ELEMENT.pack(size, 0x8001, size - 4, 0x8001, 4 + len(key), 1) + padded
    head = _ELEMENT.pack(size + 12, 0x8001, size - 4, 0x8001, 4 + len(key), 1)
    return head + padded + _TIMEOUT + timeout_ms.to_bytes(8, "big")


def range_end(key: bytes) -> bytes:
    """Return the element that ends a range just before *key*."""
    value = nested(1, attribute(1, key))
    return nested(LIST_ELEMENT, value, number(3, _INTERVAL_END))


def pack_addresses(keys: Iterable[tuple[bytes, int]]) -> Iterator[bytes]:
    """Yield one element for each address and its timeout in milliseconds; 0: none."""
    shapes: dict[tuple[int, bool], bytes] = {}
    for key, timeout_ms in keys:
        shape = (len(key), timeout_ms > 0)
        head = shapes.get(shape)
        if head is None:
            head = shapes[shape] = element(key, timeout_ms)[:12]
        if timeout_ms:
            yield head + key + _TIMEOUT + timeout_ms.to_bytes(8, "big")
        else:
            yield head + key


def pack_ranges(ranges: Iterable[tuple[int, int, int]], family: int) -> Iterator[bytes]:
    """Yield the elements for ranges given by first, last and timeout in milliseconds.

    The end of a range is an element of its own, just after the last address.
    """
    size = KEY_BYTES[family]
    for first, last, timeout_ms in ranges:
        yield element(first.to_bytes(size, "big"), timeout_ms)
        if last + 1 < 1 << size * 8:
            yield range_end((last + 1).to_bytes(size, "big"))


def add_elements(table_name: str, set_name: str, elements: Iterable[bytes]) -> Iterator[Message]:
    """Yield messages that add *elements*; one that is there stays as it is."""
    for body in _listings(table_name, set_name, elements):
        yield Message(NEWSETELEM, CREATE, body)


def delete_elements(table_name: str, set_name: str, elements: Iterable[bytes]) -> Iterator[Message]:
    """Yield messages that delete *elements*; each must be there."""
    for body in _listings(table_name, set_name, elements):
        yield Message(DELSETELEM, 0, body)


def _listings(table_name: str, set_name: str, elements: Iterable[bytes]) -> Iterator[bytes]:
    head = text(1, table_name) + text(2, set_name)
    part: list[bytes] = []
    size = 0
    for element in elements:
        part.append(element)
        size += len(element)
        if size > _ELEMENTS_LIMIT_BYTES:
            yield head + nested(3, *part)
            part, size = [], 0
    if part:
        yield head + nested(3, *part)


def list_elements(table_name: str, set_name: str) -> Message:
    """Return the question for all elements of a set."""
    return Message(GETSETELEM, 0, text(1, table_name) + text(2, set_name))


def unpack_timed(bodies: Iterable[bytes], family: int) -> Iterator[tuple[bytes, int | None]]:
    """Yield key and milliseconds left (None: no end) of each element of a set of addresses."""
    size = KEY_BYTES[family]
    for body in bodies:
        for kind, elements in attributes(body):
            if kind != 3:
                continue
            at = 0
            while at + 12 + size <= len(elements):
                end = at + ((_LENGTH.unpack_from(elements, at)[0] + 3) & ~3)
                key = elements[at + 12 : at + 12 + size]
                # Both times follow the key as a rule, and then need no search.
                if (
                    elements[at + 24 + size : at + 28 + size] == _EXPIRATION
                    and end >= at + 36 + size
                ):
                    yield key, int.from_bytes(elements[at + 28 + size : at + 36 + size], "big")
                else:
                    left = dict(attributes(elements[at + 4 : end])).get(5)
                    yield key, None if left is None else int.from_bytes(left, "big")
                at = max(end, at + 4)


def unpack_timed_ranges(bodies: Iterable[bytes], family: int) -> list[tuple[int, int, int | None]]:
    """Return first address, last address and milliseconds left (None: no end) of each range."""
    bounds: list[tuple[int, bool, int | None]] = []
    for body in bodies:
        for kind, elements in attributes(body):
            if kind == 3:
                bounds.extend(_bound(element) for _, element in attributes(elements))
    # Where one range ends and the next begins at one address, the end comes first.
    bounds.sort(key=lambda bound: (bound[0], not bound[1]))
    ranges: list[tuple[int, int, int | None]] = []
    begin: tuple[int, int | None] | None = None
    for at, is_end, left in bounds:
        if begin is not None:
            ranges.append((begin[0], at - 1, begin[1]))
        begin = None if is_end else (at, left)
    if begin is not None:
        ranges.append((begin[0], (1 << KEY_BYTES[family] * 8) - 1, begin[1]))
    return ranges


def _bound(element: bytes) -> tuple[int, bool, int | None]:
    at, is_end = 0, False
    left: int | None = None
    for kind, payload in attributes(element):
        if kind == 1:
            at = int.from_bytes(payload[4:], "big")
        elif kind == 3:
            is_end = bool(payload[3] & _INTERVAL_END)
        elif kind == 5:
            left = int.from_bytes(payload, "big")
    return at, is_end, left
