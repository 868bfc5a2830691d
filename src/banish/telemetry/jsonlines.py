"""The log as JSON Lines: one JSON object a line, in the shape of ``banish events --json``.

A line without an event is of the kind `MESSAGE`. There is no ``id``: events are numbered
for subscribers alone. Whatever is not plain ASCII is written as an escape of JSON,
so text that attackers choose stays inside its own string, whatever reads the line.
"""

import json
import math
from collections.abc import Mapping
from itertools import chain, repeat

from banish.model.instant import Instant, iso_text
from banish.model.streamed import FieldValue
from banish.telemetry.events import Event
from banish.telemetry.fields import fields_of
from banish.telemetry.lines import LogFormat, LogRun, level_name

MESSAGE = "Message"
"""The kind of a line that tells no event, such as a library's."""


def json_format() -> LogFormat:
    """Return the format of ``logformat = json``."""

    def write(run: LogRun) -> str:
        time, level = iso_text(Instant(run.at)), level_name(run.level)
        events = chain(run.events, repeat(None))
        return "".join(
            _line(time, level, run.origin, text, event)
            for text, event in zip(run.texts, events, strict=False)
        )

    return write


def _line(time: str | None, level: str, origin: str, text: str, event: Event | None) -> str:
    fields: Mapping[str, FieldValue] = {"logger": origin}
    kind = MESSAGE
    if event is not None:
        kind, fields = type(event).__name__, fields_of(event)
    document = {
        "time": time,
        "kind": kind,
        "level": level,
        "text": text,
        "fields": {name: _finite(value) for name, value in fields.items()},
    }
    return json.dumps(document, allow_nan=False) + "\n"


def _finite(value: FieldValue) -> FieldValue:
    """Return *value*, or None for a number that JSON cannot write."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
