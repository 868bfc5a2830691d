"""One value per thing that happens, and who takes it."""

import logging
from collections.abc import Callable, Sequence
from typing import ClassVar

import msgspec

NOTICE = 25
"""Fail2Ban's level between INFO and WARNING, used for bans."""


class Event(msgspec.Struct, frozen=True):
    """Something that happened and is given to `Emit`; subclasses have names in the past tense."""

    level: ClassVar[int] = logging.INFO
    origin: ClassVar[str] = "banish.server"
    """The logger that speaks, in Fail2Ban's manner."""
    counter: ClassVar[str] = ""
    """The counter that one more of these adds 1 to; empty: not counted."""
    labels: ClassVar[tuple[str, ...]] = ()
    """Fields that split the counter: only such as the configuration bounds."""
    amount: ClassVar[str] = ""
    """The field that says how many this adds to the counter; empty: 1."""

    def text(self) -> str:
        """Return the log line without its prefix."""
        raise AssertionError(type(self))


Emit = Callable[[Event], None]
"""Takes what happened; never raises, never waits."""

EmitEvery = Callable[[Sequence[Event]], None]
"""Takes all that happened at one time, in its order; never raises, never waits."""
