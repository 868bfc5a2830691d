"""An event that a notification is about: something that happened to a jail or in it."""

from typing import Literal

import msgspec

from banish.model.ban import Ban
from banish.model.instant import Instant

EventKind = Literal["ban", "unban", "prolong", "start", "stop"]


class JailEvent(msgspec.Struct, frozen=True):
    """One thing that happened."""

    kind: EventKind
    jail: str
    at: Instant
    ban: Ban | None = None
    """None where the jail itself started or stopped."""
    restored: bool = False
    """Whether the ban was in force before the server was started."""

    @property
    def of(self) -> Ban:
        """The ban; only asked where there is one."""
        assert self.ban is not None
        return self.ban


def stripped(event: JailEvent) -> JailEvent:
    """Return *event* without the lines that led to it, which are most of its size."""
    if event.ban is None or not (event.ban.evidence or event.ban.tags):
        return event
    bare = msgspec.structs.replace(event.ban, evidence=(), tags=())
    return msgspec.structs.replace(event, ban=bare)
