"""How our values stand in columns, whatever an attacker wrote into them.

A log line decoded with ``surrogateescape`` may hold half surrogate pairs, which
neither SQLite nor JSON in UTF-8 can hold. Such text is kept all the same, as a
BLOB or as escaped JSON, and comes back as it was.
"""

import json
from typing import Any

import msgspec

from banish.model.address import Subject, SubjectKind
from banish.model.codec import to_builtins, to_json

Column = str | bytes

_KINDS = {kind.value: kind for kind in SubjectKind}


def to_column(text: str) -> Column:
    """Return what stands for *text* in a TEXT column."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def from_column(column: Column) -> str:
    """Return the text that `to_column` put there."""
    return column if isinstance(column, str) else column.decode("utf-8", "surrogatepass")


def to_subject(text: Column, kind: str) -> Subject:
    """Return the subject of two columns.

    Raises:
        KeyError: There is no such kind.

    """
    return Subject(from_column(text), _KINDS[kind])


def to_blob(value: object) -> bytes:
    """Return *value* as JSON."""
    try:
        return to_json(value)
    except UnicodeEncodeError:
        return json.dumps(to_builtins(value)).encode("ascii")


class BlobReader:
    """Reads back what `to_blob` wrote, of one type."""

    def __init__(self, kind: Any) -> None:
        self._kind = kind
        self._decoder = msgspec.json.Decoder(kind)

    def read(self, blob: bytes) -> Any:
        """Return the value.

        Raises:
            ValueError: The blob is not JSON, or does not fit the type.

        """
        try:
            return self._decoder.decode(blob)
        except msgspec.DecodeError:
            return msgspec.convert(json.loads(blob), self._kind)
