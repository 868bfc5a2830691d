"""Points in time and lengths of time."""

from datetime import UTC, datetime
from typing import NewType

Instant = NewType("Instant", float)
"""UNIX time: seconds since 1970-01-01T00:00:00 UTC."""

Seconds = NewType("Seconds", float)
"""A length of time in seconds. May be fractional; never negative."""


def to_iso(at: Instant) -> str:
    """Return *at* as RFC 3339 text in UTC, to the second: ``2026-11-22T20:00:00+00:00``."""
    return datetime.fromtimestamp(int(at), UTC).isoformat()
