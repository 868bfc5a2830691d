"""Makes an `Instant` of the parts that a date pattern has found.

What a log leaves out is guessed as Fail2Ban does (fail2ban/server/strptime.py,
1.1.1): no year is this year, or last year where that is more than a day ahead;
neither month nor day is today, or yesterday where that is ahead; two digits
are a year after 2000; fractions of a second are dropped. Day and year are
those of the line's own zone, where Fail2Ban takes the server's. A time in the hour
that comes twice as a zone's clock is set back is the later one, unless that is ahead.
"""

import calendar
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo

from banish.detect.zone import fixed_zone
from banish.model.instant import Instant

_MONTHS_OF_HALVES = (
    ("january", "february", "march", "april", "may", "june"),
    ("july", "august", "september", "october", "november", "december"),
)
MONTHS = tuple(month for half in _MONTHS_OF_HALVES for month in half)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_SHORT_MONTHS = {name[:3]: number for number, name in enumerate(MONTHS, 1)}
_SHORT_WEEKDAYS = {name[:3]: number for number, name in enumerate(WEEKDAYS)}
_TAI_EPOCH = 1 << 62
_DAY_SECONDS = 86_400
_AHEAD_SECONDS = 61
"""How far ahead of now a line may be: clocks of hosts differ a little."""

Parts = Mapping[str, str | None]
"""What each group of a date pattern holds, by the name of its directive."""


def read_parts(parts: Parts, now: Instant, zone: tzinfo | None) -> Instant | None:
    """Return when it was, or None where no calendar has such a time.

    *zone* counts where the parts name none; None is the machine's own zone.
    """
    try:
        if text := parts.get("epoch"):
            return Instant(float(text))
        if text := parts.get("lepoch"):
            return _read_long_epoch(text)
        if text := parts.get("tai"):
            return Instant(int(text[1:17], 16) - _TAI_EPOCH)
        return _read_calendar(parts, now, zone)
    except (ValueError, OverflowError, OSError, KeyError):
        # Out of any calendar: hostile or broken text, so a line without a date.
        return None


def _read_long_epoch(text: str) -> Instant:
    """Seconds, milliseconds or microseconds, distinguished by their digits."""
    if len(text) >= 16 and "." not in text:
        return Instant(float(text) / 1_000_000)
    return Instant(float(text) / 1000 if len(text) >= 13 else float(text))


def _read_calendar(parts: Parts, now: Instant, zone: tzinfo | None) -> Instant:
    named = parts.get("z") or parts.get("Z")
    if named:
        zone = (UTC if named.upper() == "Z" else fixed_zone(named)) or zone
    year, month, day = _read_year(parts), _read_month(parts), _read_number(parts, "d")
    today = datetime.fromtimestamp(now, zone)
    if month is None or day is None:
        found = _read_day_of_year(parts, today.year if year is None else year)
        if found is not None:
            year, month, day = found.year, found.month, found.day
    guess_day = month is None and day is None
    guess_year = year is None
    if year is None:
        year = today.year
        if (month, day) == (2, 29) and not calendar.isleap(year):
            year -= 1
    moment = datetime(
        year,
        today.month if month is None else month,
        (today.day if guess_day else 1) if day is None else day,
        _read_hour(parts),
        _read_number(parts, "M") or 0,
        tzinfo=zone,
    )
    # A leap second (60, and 61 as strptime(3) has it) runs into the next minute.
    seconds = _read_number(parts, "S") or 0
    at = moment.timestamp() + seconds
    again = moment.replace(fold=1).timestamp() + seconds
    if at < again <= now + _AHEAD_SECONDS:
        at = again
    if guess_day and at > now:
        moment -= timedelta(days=1)
        at = moment.timestamp() + seconds
    if guess_year and at > now + _DAY_SECONDS:
        at = moment.replace(year=moment.year - 1).timestamp() + seconds
    return Instant(at)


def _read_number(parts: Parts, name: str) -> int | None:
    text = parts.get(name)
    return None if text is None else int(text)


def _read_year(parts: Parts) -> int | None:
    year = _read_number(parts, "Y")
    if year is not None:
        return year
    short = _read_number(parts, "y")
    return None if short is None else short + 2000


def _read_month(parts: Parts) -> int | None:
    if (name := parts.get("b") or parts.get("B")) is not None:
        return _SHORT_MONTHS[name[:3].lower()]
    return _read_number(parts, "m")


def _read_hour(parts: Parts) -> int:
    hour = _read_number(parts, "H")
    if hour is not None:
        return hour
    hour = _read_number(parts, "I")
    if hour is None:
        return 0
    afternoon = (parts.get("p") or "").lower() == "pm"
    return hour % 12 + 12 * afternoon


def _read_day_of_year(parts: Parts, year: int) -> date | None:
    """Return the day that ``%j``, or a week and a weekday, tell."""
    if parts.get("G") and parts.get("V") and parts.get("u"):
        return date.fromisocalendar(
            int(parts["G"] or 0), int(parts["V"] or 0), int(parts["u"] or 0)
        )
    julian = _read_number(parts, "j")
    if julian is not None:
        return date(year, 1, 1) + timedelta(days=julian - 1)
    weekday = _read_weekday(parts)
    if weekday is None:
        return None
    for name, first_weekday in (("W", 0), ("U", 6)):
        week = _read_number(parts, name)
        if week is not None:
            # Week 1 begins with the year's first Monday (W) or Sunday (U).
            new_year = date(year, 1, 1)
            first = (first_weekday - new_year.weekday()) % 7
            return new_year + timedelta(days=first + 7 * (week - 1) + (weekday - first_weekday) % 7)
    return None


def _read_weekday(parts: Parts) -> int | None:
    if (name := parts.get("a") or parts.get("A")) is not None:
        return _SHORT_WEEKDAYS[name[:3].lower()]
    number = _read_number(parts, "w")
    return None if number is None else (number - 1) % 7
