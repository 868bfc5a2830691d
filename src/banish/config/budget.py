"""Reads how many bans a jail may start."""

import msgspec

from banish.config.problem import FaultError, shown
from banish.config.reading import OptionReader
from banish.config.text import Text
from banish.config.values import to_number, to_span
from banish.model.instant import Seconds
from banish.model.option import Option
from banish.model.settings import BudgetSettings

LONGEST_SPAN = Seconds(86_400)
"""No pause is shorter than the span, and a jail must not be off for days."""

_MOST = Option("banbudget", "number", "0", "", least=1, most=100_000)
"""A hundred thousand times to remember cost some three megabytes; who wants more wants no bound."""


def read_budget(reading: OptionReader) -> BudgetSettings:
    """Return the jail's ``banbudget`` options."""
    most, span = reading.get("banbudget", _rate, (0, Seconds(60)))
    pause = reading.get("banbudget.pause", to_span, Seconds(600))
    return BudgetSettings(most, span, pause)


def _rate(text: Text) -> tuple[int, Seconds]:
    words = text.text.strip().lower()
    if words in ("0", "none", "off"):
        return 0, Seconds(60)
    number, slash, span = words.partition("/")
    if not slash:
        cure = "write a number and a time, such as 1000/1m; 0 is no bound"
        raise FaultError(f"{shown(words)} is no number of bans in a time", text.place, cure)
    try:
        most = to_number(msgspec.structs.replace(text, text=number), _MOST)
        length = to_span(msgspec.structs.replace(text, text=span))
    except FaultError as fault:
        raise FaultError(fault.what, fault.place, fault.cure) from fault  # no half of it counts
    if length > LONGEST_SPAN:
        raise FaultError(f"{shown(span)} is too long", text.place, "write 1d or less")
    return most, length
