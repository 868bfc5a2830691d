"""Reads the options of an add-on from its struct: name, type, default and meaning.

A field says it all: ``lines: Annotated[int, "The most log lines.", Bounds(most=100)] = 10``.
A field without a meaning is an option that another struct of the add-on declares.
"""

from collections.abc import Iterable
from inspect import get_annotations
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from banish.model.duration import format_duration
from banish.model.instant import Seconds
from banish.model.option import LARGEST, Kind, Option


class Reads(msgspec.Struct, frozen=True):
    """How the text of an option reads, where its Python type does not tell."""

    kind: Kind


class Bounds(msgspec.Struct, frozen=True):
    """The smallest and the largest number allowed."""

    least: int = 0
    most: int = LARGEST


class Choices(msgspec.Struct, frozen=True):
    """The words that a list may hold."""

    words: tuple[str, ...]


Url = Annotated[str, Reads("url")]
FilePath = Annotated[str, Reads("path")]
SecretFile = Annotated[str, Reads("secret file")]
MailAddresses = Annotated[tuple[str, ...], Reads("mail addresses")]

_KINDS: dict[object, Kind] = {bool: "boolean", int: "number", str: "text", Seconds: "duration"}


def options_of(structs: Iterable[type[msgspec.Struct]]) -> tuple[Option, ...]:
    """Return the options that *structs* declare, each once, those of the first one first.

    Raises:
        TypeError: A field has a type that no option has.

    """
    found: dict[str, Option] = {}
    for struct in structs:
        defaults = {field.name: field.default for field in msgspec.structs.fields(struct)}
        for owner in struct.__mro__:
            hints = get_type_hints(owner, include_extras=True)
            for name in get_annotations(owner):
                option = _option(name, hints[name], defaults.get(name))
                if option is not None:
                    found.setdefault(name, option)
    return tuple(found.values())


def _option(name: str, hint: Any, default: object) -> Option | None:
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    meaning = next((note for note in notes if isinstance(note, str)), None)
    if meaning is None:
        return None
    base = get_args(hint)[0]
    bounds = next((note for note in notes if isinstance(note, Bounds)), Bounds())
    choices = next((note.words for note in notes if isinstance(note, Choices)), ())
    kind = next((note.kind for note in notes if isinstance(note, Reads)), None)
    if get_origin(base) is Literal:
        kind, choices = "choice", get_args(base)
    elif get_origin(base) is tuple:
        kind = kind or "list"
    kind = kind or _KINDS.get(base)
    if kind is None:
        raise TypeError(f"{name} has a type that no option has: {base!r}")
    text = _written(default, kind)
    return Option(name, kind, text, meaning, "jail", bounds.least, bounds.most, tuple(choices))


def _written(default: object, kind: Kind) -> str:
    """Return *default* as a file would write it."""
    match default:
        case bool():
            return "true" if default else "false"
        case tuple():
            return " ".join(map(str, default))
        case int() | float() if kind == "duration":
            return format_duration(default) if default else "0"
        case _:
            return str(default)
