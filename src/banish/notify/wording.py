"""Words of messages: times, lengths, and text of attackers made harmless.

Log lines, user names and DNS names are written by attackers. Whatever is shown
of them is on one line, printable, and cut; whatever steers a terminal, turns the
direction of writing or ends a header is written as an escape.
"""

from collections.abc import Sequence
from datetime import datetime

from banish.model.ban import Ban
from banish.model.duration import format_duration
from banish.model.instant import Instant
from banish.telemetry.lines import harmless

LINE_CHARACTERS = 500
"""The longest log line shown whole."""

WORD_CHARACTERS = 100
"""The longest name shown whole."""


def line(text: str, most: int = LINE_CHARACTERS) -> str:
    """Return *text* harmless and at most *most* characters long."""
    found = harmless(text[: most + 1])
    return found if len(found) <= most else f"{found[: most - 1]}…"


def word(text: str) -> str:
    """Return a name harmless and not too long."""
    return line(text, WORD_CHARACTERS)


def clock(at: Instant | None) -> str:
    """Return a time in this host's zone, the zone with it: ``2026-11-23 01:30:00 +0100``."""
    if at is None:
        return ""
    try:
        return datetime.fromtimestamp(int(at)).astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    except (OverflowError, OSError, ValueError):
        return f"@{at}"


def lasts(ban: Ban) -> str:
    """Return how long *ban* lasts: ``10m``, ``for ever``."""
    return format_duration(None if ban.until is None else max(ban.until - ban.since, 0))


def until(ban: Ban) -> str:
    """Return when *ban* ends, and how long that is in all."""
    return "for ever" if ban.until is None else f"{clock(ban.until)} ({lasts(ban)})"


def count(number: int, noun: str) -> str:
    """Return *number* and *noun*, in the plural where there is not one: ``2 bans``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def users(bans: Sequence[Ban]) -> str:
    """Return the user names that the deciding lines gave, each once."""
    found = dict.fromkeys(word(value) for ban in bans for name, value in ban.tags if name == "user")
    return ", ".join(name for name in found if name)
