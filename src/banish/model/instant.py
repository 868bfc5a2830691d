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


def iso_text(at: Instant | None) -> str | None:
    """Return *at* as `to_iso` does; None for None and for what no calendar holds."""
    if at is None:
        return None
    try:
        return to_iso(at)
    except (OverflowError, OSError, ValueError):
        return None
