"""The times of log lines as text, many in a row at little cost.

A log that is read in one go holds a new second in every other line, and asking
the calendar for each costs more than everything else that is logged of a failure.
"""

import functools
import time
from datetime import datetime

from banish.model.instant import Instant

_QUARTER = 900
"""Seconds in which the hour cannot change: offsets from UTC are whole quarters of an hour today."""

_OF_HOUR = tuple(f"{minute:02d}:{second:02d}" for minute in range(60) for second in range(60))


def clock_text(at: Instant) -> str:
    """Return *at* in local time, such as ``2026-11-22 20:00:00``.

    A log may write any year: what no calendar holds is written as a number, after an ``@``.
    """
    try:
        second = int(at)
        quarter = _quarter(second // _QUARTER)
        if quarter is None:
            return datetime.fromtimestamp(second).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return f"@{at}"
    hour, begin = quarter
    return hour + _OF_HOUR[begin + second % _QUARTER]


@functools.lru_cache(maxsize=64)
def _quarter(number: int) -> tuple[str, int] | None:
    """Return date and hour of a quarter of an hour, and which second of the hour it begins with.

    None where the clock is set within it, or its offset is an odd one, as before 1972.
    """
    first, last = (time.localtime(number * _QUARTER + more) for more in (0, _QUARTER - 1))
    begin = first.tm_min * 60 + first.tm_sec
    is_steady = first.tm_gmtoff == last.tm_gmtoff and begin % _QUARTER == 0
    if not is_steady or not 1000 <= first.tm_year <= 9998:
        return None
    return time.strftime("%Y-%m-%d %H:", first), begin
