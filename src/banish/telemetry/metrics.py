"""Counts things, by name and labels, to be shown or exported later.

A counter only grows. Names follow ``banish_<noun>_<unit>_total``. Labels come
from the configuration (a jail, a part), never from a log line; should a bug
break that rule, `SERIES_LIMIT` keeps memory bounded and the loss is counted.
"""

from collections.abc import Mapping

SERIES_LIMIT = 10_000
"""Most different (name, labels) pairs; a host with 500 jails needs some 4,000."""

OVERFLOW = "banish_series_dropped_total"
"""Counts what was not counted since `SERIES_LIMIT` was reached."""

Labels = tuple[tuple[str, str], ...]
"""Pairs of label and value, in a fixed order for each name."""


class Counters:
    """All counters of one process. Owned by one task; reading is always safe."""

    def __init__(self, limit: int = SERIES_LIMIT) -> None:
        self._limit = limit
        self._counts: dict[tuple[str, Labels], int] = {}

    def add(self, name: str, labels: Labels = (), amount: int = 1) -> None:
        """Count *amount* more (0 or more); a new pair starts at 0."""
        key = (name, labels)
        count = self._counts.get(key)
        if count is None:
            if len(self._counts) >= self._limit:
                key = (OVERFLOW, ())
            count = self._counts.get(key, 0)
        self._counts[key] = count + amount

    def total(self, name: str) -> int:
        """Return the sum of *name* over all labels; 0 if never counted."""
        return sum(count for (key, _), count in self._counts.items() if key == name)

    def snapshot(self) -> Mapping[tuple[str, Labels], int]:
        """Return a copy of every count."""
        return dict(self._counts)

    def exposition(self) -> str:
        """Return every count in the text format that Prometheus scrapes."""
        lines: list[str] = []
        named = ""
        for (name, labels), count in sorted(self._counts.items()):
            if name != named:
                lines.append(f"# TYPE {name} counter")
                named = name
            inner = ",".join(f'{label}="{_escape(value)}"' for label, value in labels)
            lines.append(f"{name}{{{inner}}} {count}" if inner else f"{name} {count}")
        return "\n".join(lines) + "\n" if lines else ""


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
