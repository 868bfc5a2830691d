"""Writes replies as pickles that every client of Fail2Ban can read.

Protocol 2, without references to what was said before: Python's own reader takes any
protocol, Go's and Rust's readers know this one best. Numbers that fit are written as four
bytes, which is all that strict readers take for a number. An error is a reference to one
of Fail2Ban's or Python's exception classes and a call of it, as the original pickles one.
"""

import asyncio
import struct
from collections.abc import Iterable, Iterator

from banish.control.fail2ban.answers import CommandError, Value

AT_ONCE = 1_000
"""Texts that are written between two turns of everybody else: less than a millisecond."""

_SMALLEST, _LARGEST = -(2**31), 2**31 - 1

EXCEPTION_MODULES = {
    "UnknownJailException": "fail2ban.exceptions",
    "DuplicateJailException": "fail2ban.exceptions",
    "RegexException": "fail2ban.server.failregex",
}
"""Where Fail2Ban's own exception classes are; all others are Python's."""

_BUILT_IN = frozenset(
    {
        "Exception",
        "ValueError",
        "TypeError",
        "KeyError",
        "IndexError",
        "RuntimeError",
        "OSError",
        "AttributeError",
        "LookupError",
        "FileNotFoundError",
        "OverflowError",
    }
)


def pickled(value: Value) -> bytes:
    """Return *value*, which is made of plain values, as a pickle.

    Raises:
        TypeError: It holds something else.

    """
    out = bytearray(b"\x80\x02")
    _write(value, out)
    out += b"."
    return bytes(out)


def pickled_reply(code: int, value: Value) -> bytes:
    """Return the reply ``(code, value)``."""
    return pickled((code, value))


async def pickled_in_turns(code: int, value: Value) -> bytearray:
    """Return the reply ``(code, value)``; while a large one is written, others have their turn.

    It is not copied: 20 MB take milliseconds.
    """
    out = bytearray(b"\x80\x02")
    for piece in _pieces((code, value)):
        out += piece
        await asyncio.sleep(0)
    out += b"."
    return out


def _pieces(value: Value) -> Iterator[bytes | bytearray]:
    """Return the pickle of *value* in pieces, each of some `AT_ONCE` values."""
    match value:
        case list() | tuple() if value:
            begin, end = (b"](", b"e") if isinstance(value, list) else (b"(", b"t")
            yield begin
            if all(isinstance(each, str) for each in value[:AT_ONCE]):
                for start in range(0, len(value), AT_ONCE):
                    out = bytearray()
                    for each in value[start : start + AT_ONCE]:
                        _write(each, out)
                    yield out
            else:
                for each in value:
                    yield from _pieces(each)
            yield end
        case dict() if value:
            yield b"}("
            for key, each in value.items():
                yield from _pieces(key)
                yield from _pieces(each)
            yield b"u"
        case _:
            out = bytearray()
            _write(value, out)
            yield out


def pickled_error(error: CommandError) -> bytes:
    """Return the reply with code 1 and the exception that *error* stands for."""
    module = EXCEPTION_MODULES.get(error.kind, "exceptions")
    name = error.kind if error.kind in {*EXCEPTION_MODULES, *_BUILT_IN} else "Exception"
    out = bytearray(b"\x80\x02K\x01")
    out += f"c{module}\n{name}\n".encode("ascii")
    _write((error.text,), out)
    out += b"R\x86."
    return bytes(out)


def _write(value: Value, out: bytearray) -> None:
    if value is None:
        out += b"N"
    elif value is True:
        out += b"\x88"
    elif value is False:
        out += b"\x89"
    elif isinstance(value, int):
        _write_int(value, out)
    elif isinstance(value, float):
        out += b"G" + struct.pack(">d", value)
    elif isinstance(value, str):
        raw = value.encode("utf-8", "surrogatepass")
        out += b"X" + struct.pack("<I", len(raw)) + raw
    elif isinstance(value, bytes):
        _write(value.decode("utf-8", "replace"), out)
    elif isinstance(value, tuple):
        _write_tuple(value, out)
    elif isinstance(value, list):
        out += b"]"
        _write_items(value, out, b"e")
    elif isinstance(value, dict):
        out += b"}"
        _write_items((each for item in value.items() for each in item), out, b"u")
    elif isinstance(value, set | frozenset):
        # Protocol 2 has no sets: Fail2Ban's own replies hold none either.
        out += b"]"
        _write_items(sorted(value, key=str), out, b"e")
    else:
        raise TypeError(f"a reply cannot hold {type(value).__name__}")


def _write_int(value: int, out: bytearray) -> None:
    if _SMALLEST <= value <= _LARGEST:
        out += b"K" + bytes((value,)) if 0 <= value < 256 else b"J" + struct.pack("<i", value)
        return
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    out += b"\x8a" + bytes((len(raw),)) + raw


def _write_tuple(value: tuple[Value, ...], out: bytearray) -> None:
    short = {0: b")", 1: b"\x85", 2: b"\x86", 3: b"\x87"}.get(len(value))
    if short is None:
        out += b"("
    for each in value:
        _write(each, out)
    out += short or b"t"


def _write_items(values: Iterable[Value], out: bytearray, end: bytes) -> None:
    begin = len(out)
    out += b"("
    for each in values:
        _write(each, out)
    if len(out) == begin + 1:
        del out[begin:]
    else:
        out += end
