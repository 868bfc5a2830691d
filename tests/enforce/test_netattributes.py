"""The attributes that messages to the kernel are made of."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from banish.enforce.netattributes import attribute, attributes, nested, number, text


def test_an_attribute_is_length_kind_and_padded_bytes() -> None:
    assert attribute(7, b"abc") == struct.pack("=HH", 7, 7) + b"abc\0"
    assert text(1, "ab") == struct.pack("=HH", 7, 1) + b"ab\0\0"
    assert number(2, -3) == struct.pack("=HH", 8, 2) + b"\xff\xff\xff\xfd"
    assert nested(1, number(2, 1))[:4] == struct.pack("=HH", 12, 0x8001)


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=9)), max_size=6))
def test_attributes_come_back_as_they_went(parts: list[tuple[int, bytes]]) -> None:
    body = b"".join(attribute(kind, payload) for kind, payload in parts)
    assert list(attributes(body)) == parts
