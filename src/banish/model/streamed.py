"""What happened, as whoever subscribes to it gets it."""

from collections.abc import Mapping

import msgspec

from banish.model.instant import Instant

FieldValue = None | bool | int | float | str | list[str]


class StreamedEvent(msgspec.Struct, frozen=True):
    """One thing that happened."""

    id: int
    """Grows with each event, and begins anew with each start of the server."""
    at: Instant
    kind: str
    """What it is, such as ``BanStarted``; a kind keeps its name."""
    level: str
    """As in the log: ``INFO``, ``NOTICE``, ``WARNING`` or ``ERROR``."""
    text: str
    """As it reads in the log."""
    fields: Mapping[str, FieldValue] = {}
    """What it says, by name; subjects and networks as plain text."""


class EventBatch(msgspec.Struct, frozen=True):
    """Some events in their order; none: nothing has happened for a while."""

    events: tuple[StreamedEvent, ...] = ()
    dropped: int = 0
    """Events before these that the subscriber was too slow for."""
