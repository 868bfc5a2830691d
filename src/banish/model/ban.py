"""A ban: one jail blocks a subject for a time."""

from typing import Literal

import msgspec

from banish.model.address import Subject
from banish.model.failure import Evidence
from banish.model.instant import Instant

Cause = Literal["failures", "operator", "fleet", "network"]
"""What led to a ban; ``network``: bans of several of the network's members."""


class Ban(msgspec.Struct, frozen=True, gc=False):
    """One ban as it was decided; jail and subject name it while it is in force."""

    jail: str
    subject: Subject
    since: Instant
    until: Instant | None
    """When it ends; None for a ban without end."""
    failures: int = 0
    """How many failures led to it; for the cause ``network``: how many bans of members."""
    count: int = 1
    """The how-manieth ban of this subject by this jail it is, 1 for the first."""
    cause: Cause = "failures"
    evidence: tuple[Evidence, ...] = ()
    """The newest lines that led to it, oldest first, at most ``maxmatches``."""
    rule: int = 0
    """The failregex of the deciding line, counted from 1; 0 where there was none."""
    ended_at: Instant | None = None
    """When it really ended, as remembered; None while it is in force, and where unknown."""
    end_reason: str = ""
    """Why it ended (an `EndReason`); empty while it is in force, and where unknown."""
    tags: tuple[tuple[str, str], ...] = ()
    """What the deciding line captured, by name, for actions; after a restart only the newest
    10,000 bans in force have theirs."""
    address: Subject | None = None
    """The address that the deciding line gave, where the subject is an ``<F-ID>``."""
    seen: Subject | None = None
    """The address that failed last, where the subject is the network it counts as; not
    remembered across restarts."""

    def is_over(self, now: Instant) -> bool:
        """Whether the ban's time is over."""
        return self.until is not None and self.until <= now
