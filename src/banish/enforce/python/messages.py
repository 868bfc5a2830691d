"""What the server and the process of a Python action say to each other: lines of JSON.

Nothing that runs code is ever exchanged, and each side checks the types of what
it reads. The process has one order at a time: it answers with `Done` or `OrderFailed`,
may ask before that (`Asked`, answered by an `Answer`), and may say things for the
log at any time.
"""

from typing import Literal

import msgspec

LINE_LIMIT_BYTES = 1_048_576
"""Longest line that the server reads; a process that writes more is ended."""

TEXT_LIMIT_CHARACTERS = 2_000
"""How much of a message for the log, or of an error, is passed on."""

Verb = Literal["start", "stop", "flush", "check", "ban", "reban", "unban", "prolong"]
Scalar = str | int | float


class Load(msgspec.Struct, frozen=True, tag="load"):
    """Load the file at *path* and make its ``Action``."""

    path: str
    jail: str
    name: str
    arguments: dict[str, str] = {}
    bantime: int = -1
    """The jail's own, in seconds; -1: without end."""


class Call(msgspec.Struct, frozen=True, tag="call"):
    """Have the action do something."""

    verb: Verb
    info: dict[str, Scalar] = {}
    """The tags of the ban whose values are known, by name."""
    captures: dict[str, str] = {}
    """What the deciding line captured, by name in lower case."""


class TagValue(msgspec.Struct, frozen=True, tag="answer"):
    """What was asked for."""

    value: Scalar


Order = Load | Call | TagValue


class OrderDone(msgspec.Struct, frozen=True, tag="done"):
    """An order was carried out."""

    result: bool = False
    """For ``flush``: whether everybody was unbanned."""
    norestored: bool = False
    """For `Load`: whether the action does not want to hear of restored bans."""
    verbs: tuple[str, ...] = ()
    """For `Load`: what the action has a method of its own for."""


class OrderFailed(msgspec.Struct, frozen=True, tag="failed"):
    """An order ended in an exception."""

    what: str
    cure: str = ""


class TagRequest(msgspec.Struct, frozen=True, tag="asked"):
    """The action looks at a tag whose value is not known."""

    tag_name: str


class OrderLogged(msgspec.Struct, frozen=True, tag="said"):
    """The action wrote to its log."""

    level: int
    text: str


Reply = OrderDone | OrderFailed | TagRequest | OrderLogged


def clean(text: str) -> str:
    """Return *text* as it can be sent, without halves of surrogate pairs."""
    return text.encode("utf-8", "replace").decode("utf-8")
