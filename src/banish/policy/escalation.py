"""How long a ban lasts when its subject was banned before (``bantime.increment``).

As in Fail2Ban (fail2ban/server/jail.py and observer.py, 1.1.1): the first ban
has the jail's own bantime; from the second on ``multipliers``, else
``formula``, else doubling decides, ``maxtime`` caps, and then ``rndtime`` times
a random number from 0 to 1 is added, past ``maxtime`` if need be. Otherwise
than there, the longer time is in force from the first moment.
"""

import math
from collections.abc import Callable

from banish.model.address import Subject
from banish.model.instant import Instant, Seconds
from banish.model.settings import Escalation
from banish.policy.formula import Formula, Terms

DOUBLINGS = 20
"""The default formula doubles so often at most."""

LONGEST = Seconds(100 * 365.25 * 86_400)
"""A hundred years: what a result too large to be a time counts as."""

Draw = Callable[[], float]
"""Draws a random number, 0 or more and below 1."""

CountOf = Callable[[Subject, Instant], int]
"""Tells how often a subject was banned before, at a given time."""


def end_of(since: Instant, lasts: Seconds | None) -> Instant | None:
    """Return when a ban that *lasts* so long ends; None: it has no end."""
    return None if lasts is None else Instant(since + lasts)


class BanTime:
    """The bantime of one jail."""

    def __init__(self, base: Seconds | None, escalation: Escalation, draw: Draw) -> None:
        """Take the jail's settings.

        Raises:
            ValueError: ``factor`` or ``formula`` is no formula, or has no result.

        """
        self._base = base
        self._escalation = escalation
        self._draw = draw
        self._formula = Formula(escalation.formula) if escalation.formula else None
        self._factor = Formula(escalation.factor).value(Terms(base or Seconds(0), 1))

    def lasts(self, before: int) -> Seconds | None:
        """Return how long the next ban of a subject lasts; None: without end.

        *before* is how many bans of it came before.
        """
        base, escalation = self._base, self._escalation
        if base is None or before < 1 or not escalation.increment:
            return base
        time = self._grown(base, before)
        if escalation.maxtime is not None:
            time = min(time, escalation.maxtime)
        return Seconds(min(time + self._draw() * escalation.rndtime, LONGEST))

    def _grown(self, base: Seconds, before: int) -> float:
        multipliers = self._escalation.multipliers
        if multipliers:
            return _sound(
                base * self._factor * multipliers[min(before, len(multipliers) - 1)], base
            )
        if self._formula is not None:
            try:
                return _sound(self._formula.value(Terms(base, before, self._factor)), base)
            except ValueError:  # such as a division by zero at just this count
                return base
        return max(base, base * 2.0 ** min(before, DOUBLINGS) * self._factor)


def _sound(time: float, base: Seconds) -> float:
    """Return *time*, or *base* where it is not a duration at all."""
    return time if time > 0 and not math.isnan(time) else base
