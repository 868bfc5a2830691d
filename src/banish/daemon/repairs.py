"""Tells of repairs of the firewall, and of somebody who undoes it again and again.

A repair is never put off, however often it is needed. What is put off is the telling:
the first repairs are logged one by one; when more than `FREE_REPAIRS` come within `SPAN`,
that is reported as trouble once, and then only sums are, further and further apart.
"""

from collections import deque
from typing import Protocol

import msgspec

from banish.model.instant import Seconds
from banish.telemetry.events import Emit, FirewallRepaired, PartFailed, PartRecovered

FREE_REPAIRS = 5
"""Repairs within `SPAN` logged one by one; if there are more, another program undoes our work."""

SPAN = Seconds(60)

FIRST_PAUSE = Seconds(60)
LONGEST_PAUSE = Seconds(3_600)
"""How far apart sums are logged, at first and at most."""

QUIET_SPAN = Seconds(300)
"""So long after the last repair the trouble is over."""


class Repaired(Protocol):
    """What is repaired (part of `banish.ports.Enforcer`)."""

    @property
    def name(self) -> str:
        """What status and logs call it."""
        ...

    @property
    def changed_by(self) -> str:
        """Who changed it last, as far as that is known; empty: it is not."""
        ...


class Repairs:
    """Counts repairs and tells of them. Times are those of one monotonic clock."""

    def __init__(self, enforcer: Repaired, *, emit: Emit) -> None:
        self._enforcer = enforcer
        self._emit = emit
        self._times: deque[float] = deque(maxlen=FREE_REPAIRS + 1)
        self._sum: FirewallRepaired | None = None
        """Repairs that are not logged yet."""
        self._reported_at = 0.0
        self._pause = FIRST_PAUSE
        self.count = 0
        """How often the firewall was repaired."""
        self.trouble = ""
        """Who undoes it and the cure, while somebody does; else empty."""

    def note(self, repaired: FirewallRepaired, now: float) -> None:
        """Take note of a repair."""
        self.count += 1
        self._times.append(now)
        if not self.trouble and not self._is_often(now):
            self._emit(repaired)
            return
        self._sum = repaired if self._sum is None else _added(self._sum, repaired)
        self._find_trouble(now)

    def note_vain(self, now: float) -> None:
        """Take note of a repair that was undone while it was made."""
        self._times.append(now)
        if self.trouble or self._is_often(now):
            self._find_trouble(now)

    def look(self, now: float) -> None:
        """Tell the sum, or that the trouble is over, if it is time to; to be called often."""
        if not self.trouble:
            return
        if now - self._times[-1] >= QUIET_SPAN:
            self._report_sum()
            self.trouble, self._pause = "", FIRST_PAUSE
            self._times.clear()
            self._emit(PartRecovered(part="firewall"))
        elif now - self._reported_at >= self._pause:
            self._report_sum()
            self._reported_at = now
            self._pause = min(Seconds(self._pause * 2), LONGEST_PAUSE)

    def finish(self) -> None:
        """Log the repairs not logged yet, as the server stops."""
        self._report_sum()

    def _is_often(self, now: float) -> bool:
        return len(self._times) > FREE_REPAIRS and now - self._times[0] <= SPAN

    def _find_trouble(self, now: float) -> None:
        """Say who undoes the firewall; the log hears of it once."""
        is_new = not self.trouble
        name, by = self._enforcer.name, self._enforcer.changed_by
        cure = "stop that program" if by else "find the program that does this, and stop it: "
        if not by:
            is_nft = name.startswith("nftables")
            cure += (
                "'nft monitor'" if is_nft else "any program that runs iptables or ipset by itself"
            )
        self.trouble = (
            f"{by or 'another program'} keeps undoing {name}; each change is "
            f"repaired at once\n    {cure}"
        )
        if is_new:
            self._reported_at = now
            self._emit(PartFailed(part="firewall", what=self.trouble))

    def _report_sum(self) -> None:
        if self._sum is not None:
            self._emit(self._sum)
            self._sum = None


def _added(one: FirewallRepaired, other: FirewallRepaired) -> FirewallRepaired:
    return msgspec.structs.replace(
        one,
        missing=one.missing + other.missing,
        foreign=one.foreign + other.foreign,
        rebuilt=one.rebuilt or other.rebuilt,
        mistimed=one.mistimed + other.mistimed,
        times=one.times + other.times,
    )
