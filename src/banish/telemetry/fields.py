"""What an event says in plain values, for subscribers and for the log as JSON Lines."""

import msgspec

from banish.model.address import Subject
from banish.model.streamed import FieldValue
from banish.telemetry.events import Event


def text_of(event: Event) -> str:
    """Return how *event* reads in the log, or why it cannot be said."""
    try:
        return event.text()
    except (ArithmeticError, OSError, TypeError, ValueError) as error:
        return f"{type(event).__name__}: {error}"


def fields_of(event: Event) -> dict[str, FieldValue]:
    """Return what *event* says, by name; subjects and networks as plain text."""
    return {name: _plain(getattr(event, name)) for name in event.__struct_fields__}


def _plain(value: object) -> FieldValue:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Subject():
            return value.text
        case tuple() | list() | frozenset():
            return [str(each) for each in value]
        case _:
            return str(msgspec.to_builtins(value, enc_hook=str))
