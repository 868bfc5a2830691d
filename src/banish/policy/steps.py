"""Notices that the wall clock was set, so that no ban lasts longer or shorter for it.

The wall clock can be set by hand, by NTP after a boot without a battery, or by a virtual
machine that is resumed. A steady clock beside it (CLOCK_BOOTTIME, which goes on while the host
sleeps) tells how much time really went by; what the two differ by is the step.
"""

from banish.model.instant import Instant, Seconds

LEAST_STEP = Seconds(1.0)
"""NTP slews a clock by half a millisecond a second at most; from a second on it was set."""


class ClockSteps:
    """Compares a wall clock with a steady one. Look often: drift in between is no step."""

    def __init__(self) -> None:
        self._offset: float | None = None

    def look(self, wall: Instant, steady: Seconds) -> Seconds:
        """Return by how much the wall clock was set since the last look; mostly 0.

        Below zero if it was set back. The first look returns 0.
        """
        before, self._offset = self._offset, wall - steady
        if before is None or abs(self._offset - before) < LEAST_STEP:
            return Seconds(0.0)
        return Seconds(self._offset - before)
