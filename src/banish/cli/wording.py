"""Numbers and times as people say them: ``9 min left``, ``2 s ago``, ``1.4 MB``."""

from banish.model.instant import Instant

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def span(seconds: float) -> str:
    """Return a length of time by its two largest units: ``3 h 12 min``, ``0 s``."""
    rest = max(int(seconds), 0)
    words: list[str] = []
    for place, (size, unit) in enumerate(_STEPS):
        if rest >= size:
            words.append(f"{rest // size} {unit}")
            if rest % size and place + 1 < len(_STEPS):
                next_size, next_unit = _STEPS[place + 1]
                if (rest % size) // next_size:
                    words.append(f"{(rest % size) // next_size} {next_unit}")
            break
    return " ".join(words) or "0 s"


def ago(at: Instant | None, now: Instant) -> str:
    """Return how long ago *at* was, ``never`` for None."""
    if at is None:
        return "never"
    return "now" if now - at < 1 else f"{span(now - at)} ago"


def left(until: Instant | None, now: Instant) -> str:
    """Return how long it is until *until*; None has no end."""
    if until is None:
        return "no end"
    return f"{span(until - now)} left" if until > now else "over"


def count(number: int) -> str:
    """Return *number* with its thousands apart: ``1,204``."""
    return f"{number:,}"


def size(number: int) -> str:
    """Return a number of bytes: ``0 B``, ``1.4 MB``."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1_000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1_000
    return f"{value:.1f} TB"


def ordinal(number: int) -> str:
    """Return ``1st``, ``2nd``, ``3rd``, ``11th``."""
    ending = (
        "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    )
    return f"{number}{ending}"


def plural(number: int, noun: str) -> str:
    """Return ``1 ban``, ``2 bans``."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"
