"""What the server tells about itself."""

from typing import Literal

import msgspec

from banish.model.instant import Instant, Seconds
from banish.model.settings import Problem

SourceState = Literal["reading", "waiting", "failing"]

NOT_STARTED = "not started yet"
"""The detail of a source that waits since nobody has begun to read it."""


class Absent(msgspec.Struct, frozen=True):
    """A pattern of ``logpath`` that names no file at the moment."""

    pattern: str
    what: str
    """What is known of it, for people; without a cure."""
    was_there: bool = False
    """Whether it named a file since the server's start."""
    is_read_on: bool = False
    """Whether the file that it named is still open and read."""


class SourceHealth(msgspec.Struct, frozen=True):
    """How one log is doing."""

    name: str
    state: SourceState
    """``waiting``: the log is not there yet; ``failing``: it cannot be read."""
    detail: str = ""
    """Why it waits or fails, and the cure."""
    paths: tuple[str, ...] = ()
    """The files that are followed now; empty for a journal."""
    lines: int = 0
    bytes: int = 0
    lag_bytes: int = 0
    """What is written but not read yet."""
    cut_lines: int = 0
    """Lines longer than the limit, of which only the beginning was looked at."""
    last_line_at: Instant | None = None
    """When the newest line was read (our clock)."""
    unread_files: int = 0
    """Files that its patterns name but that are too many to be read."""
    lost_files: int = 0
    """Rotated files that went by unread since the start, at least."""
    trouble: str = ""
    """What of it is not read although the rest is; the cure stands on the second line."""
    absent: tuple[Absent, ...] = ()
    """Its patterns that name no file; what needs the operator is in `detail` or `trouble`, too."""


ACTIONS_ALONE = "actions alone"
"""The name of what stands where the firewall would when no jail needs it."""


class EnforcementStatus(msgspec.Struct, frozen=True):
    """What we want the firewall to hold, and what it held when it was read last."""

    enforcer: str
    wanted: int = 0
    """Bans that the firewall was to hold at `checked_at`, or now where `enforced` is None; those
    of jails that ban by actions alone are not among them."""
    enforced: int | None = None
    """How many of them were read in the firewall at `checked_at`; None: not read yet, not
    readable, or changed by somebody else since then."""
    checked_at: Instant | None = None
    repairs: int = 0
    """How often something was missing or foreign and was repaired."""
    trouble: str = ""
    """The last error, or who undoes the firewall again and again; empty once it is over."""


class JailStatus(msgspec.Struct, frozen=True):
    """How one jail is doing."""

    name: str
    filter: str
    failing_subjects: int = 0
    """Subjects with a failure inside findtime."""
    failures_total: int = 0
    """All failures of whoever is not exempt, those of subjects already banned included."""
    banned_now: int = 0
    """Bans in force; who they are, `Operations.bans` tells."""
    bans_total: int = 0
    exempt_total: int = 0
    undated_total: int = 0
    """Matched lines whose time was taken from the clock since they gave none."""
    retimed_total: int = 0
    """Matched live lines whose time was so far off that they count as now."""
    too_old_total: int = 0
    """Lines of a backlog that were older than findtime."""
    unusable_total: int = 0
    """Matched matched lines without an address that can be banned."""
    ignored_total: int = 0
    """Matched lines ignored by an ignoreregex."""
    undecodable_total: int = 0
    """Lines of its logs that are not valid in the log's character set."""
    sources: tuple[str, ...] = ()
    enforced: bool = True
    """False where no firewall carries this jail's bans out."""
    trouble: str = ""
    stopped_total: int = 0
    """Lines on which a regex took too long, or which were too long for one in quarantine."""
    quarantined: tuple[str, ...] = ()
    """The regexes in quarantine, each with what it means, in words."""
    held_total: int = 0
    """Bans that were held back by the ban budget, one for each subject and pause."""
    failures_while_banned: int = 0
    """Those of `failures_total` since the server's start that came from subjects already banned."""
    held_until: Instant | None = None
    """Until when no ban starts since the ban budget was exceeded; None: bans start."""
    evicted_total: int = 0
    """Failing subjects that were forgotten early for want of memory."""


class PartTrouble(msgspec.Struct, frozen=True):
    """A part of the server that does not work at the moment, and is tried again."""

    part: str
    what: str
    """Why; the cure, if one is known, stands on the second line."""


class ServerStatus(msgspec.Struct, frozen=True):
    """How the whole server is doing."""

    version: str
    pid: int
    started_at: Instant
    now: Instant
    root: str
    dry_run: bool
    jails: tuple[JailStatus, ...]
    sources: tuple[SourceHealth, ...]
    enforcement: EnforcementStatus
    store: str
    """The database's path."""
    problems: tuple[Problem, ...] = ()
    store_trouble: str = ""
    """Why the database cannot be used at the moment, and the cure."""
    troubles: tuple[PartTrouble, ...] = ()
    """Parts that do not work at the moment, besides logs, firewall and database."""
    starting: str = ""
    """What the start is doing at the moment, and how far it is; empty once it is over."""
    confirm_until: Instant | None = None
    """When the server goes back to its old configuration, unless somebody confirms the new one."""
    returned_at: Instant | None = None
    """When it went back, since nobody did; None once a reload has succeeded since."""

    @property
    def uptime(self) -> Seconds:
        """How long the server has run."""
        return Seconds(self.now - self.started_at)
