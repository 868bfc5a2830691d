"""What a matcher tells: about one line to tools, about all lines to status."""

from typing import Literal

import msgspec

from banish.model.failure import Failure, Tags
from banish.model.instant import Instant

LineState = Literal["missed", "ignored", "failure", "informing", "pending", "unusable"]
"""What a line came to.

``missed``: no rule matched. ``ignored``: an ignoreregex matched. ``failure``:
it counts. ``informing``: a rule with ``<F-NOFAIL>`` matched, so it only
supplies data. ``pending``: it waits for a line of its session that names a
subject. ``unusable``: a rule matched and what it names cannot be banned.
"""


class LineReport(msgspec.Struct, frozen=True):
    """Everything about one line, for tools that show why it matched or not."""

    line: str
    state: LineState
    text: str = ""
    """What the regexes searched: the line (or lines) without its time."""
    rule: int = 0
    """The failregex that won, counted from 1; 0 for none."""
    rules: tuple[int, ...] = ()
    """Every failregex that matches the line; only the winner unless asked for all."""
    ignore_rule: int = 0
    """The ignoreregex that matched, counted from 1; 0 for none."""
    prefregex: bool | None = None
    """Whether the prefregex matched; None where there is none or it was not reached."""
    failures: tuple[Failure, ...] = ()
    date: str = ""
    """The time as it stands in the line."""
    template: str = ""
    """The format of that time, in words."""
    at: Instant | None = None
    """The time that counts."""
    undated: bool = False
    """Whether the line should have a time and none was found."""
    tags: Tags = {}
    host: str = ""
    """Whom it counts against, as the line writes it."""
    attempts: int = 0
    """How many lines speak for the failure: more than one for a session or ``maxlines``, and
    one for each time that a repeated message counts."""
    repeated: int = 1
    """How many failures the line counts, as it says that its message was repeated so often."""

    readings: tuple[str, ...] = ()
    """The addresses that the rule could have taken, the one it took first; empty for just one."""

    stopped: str = ""
    """The regex that took too long on the line, so that nothing is known of it; empty: none."""

    @property
    def matched(self) -> bool:
        """Whether a failregex matched and no ignoreregex did."""
        return self.rule > 0 and self.state != "ignored"

    @property
    def ignored(self) -> bool:
        """Whether an ignoreregex matched."""
        return self.state == "ignored"


class MatcherCounters:
    """What one matcher has done so far."""

    __slots__ = (
        "failures",
        "ignored",
        "lines",
        "matched",
        "newest_old",
        "off_by",
        "retimed",
        "too_old",
        "undated",
        "unusable",
    )

    def __init__(self) -> None:
        self.lines = 0
        """Lines read or skipped. What went the short way counts at its batch's end."""
        self.matched = 0
        """Lines that a failregex matched and no ignoreregex did. Not counted are lines that
        would end a session, and none is open: most logins are known not to matter unread."""
        self.ignored = 0
        self.undated = 0
        """Matched lines that gave no time, so that the clock's was taken."""
        self.retimed = 0
        """Matched live lines more than a minute off, counted as now."""
        self.off_by = 0.0
        """How many seconds the last such line was ahead of the clock; below zero: behind."""
        self.too_old = 0
        """Lines from before findtime that were looked at and dropped while catching up."""
        self.newest_old = Instant(0)
        """When the newest of them was written, by its own time."""
        self.unusable = 0
        """Matched lines that name nothing that can be counted."""
        self.failures = 0

    @property
    def steps(self) -> int:
        """A number that grows with each line that something was done with."""
        return self.lines + self.matched + self.too_old
