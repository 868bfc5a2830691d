"""The one JSON codec: every value in `model` to JSON text and back.

Built on msgspec: fast, typed, and strict, so that what comes in over a socket
or out of a database is checked against the type before anybody sees it.
"""

import functools
from typing import Any, TypeVar

import msgspec


def to_json(value: object) -> bytes:
    """Return *value* as one line of JSON in UTF-8."""
    return msgspec.json.encode(value)


def to_builtins(value: object) -> Any:
    """Return *value* as dict, list, str, int, float, bool and None."""
    return msgspec.to_builtins(value)


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


T = TypeVar("T")


def from_json(text: bytes | str, kind: type[T]) -> T:
    """Return the *kind* that *text* holds.

    Raises:
        ValueError: *text* is not JSON, or does not fit *kind*.

    """
    decoder: msgspec.json.Decoder[T] = _decoder(kind)  # type: ignore[arg-type]
    return decoder.decode(text)
