"""The attributes that netlink messages are made of: a 16-bit length, a 16-bit kind, padded bytes.

Numbers inside nf_tables attributes are big-endian, headers are in the machine's order.
"""

import struct
from collections.abc import Iterator

_NESTED = 0x8000
_KIND_MASK = 0x3FFF
_ATTRIBUTE = struct.Struct("=HH")


def attribute(kind: int, payload: bytes) -> bytes:
    """Return one attribute, padded to four bytes."""
    length = 4 + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + b"\0" * (-length % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """Return an attribute made of attributes."""
    payload = b"".join(parts)
    return _ATTRIBUTE.pack(4 + len(payload), kind | _NESTED) + payload


def text(kind: int, value: str) -> bytes:
    """Return an attribute that holds ASCII text, ended by a zero byte.

    Other bytes, in names that others gave, stand there as half surrogate pairs.
    """
    return attribute(kind, value.encode("ascii", "surrogateescape") + b"\0")


def number(kind: int, value: int) -> bytes:
    """Return an attribute that holds a 32-bit number; a negative one as two's complement."""
    return attribute(kind, (value & 0xFFFFFFFF).to_bytes(4, "big"))


def attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and payload of each attribute in *body*; stops where they are invalid."""
    at = 0
    end = len(body)
    while at + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < 4 or at + length > end:
            return
        yield kind & _KIND_MASK, body[at + 4 : at + length]
        at += (length + 3) & ~3
