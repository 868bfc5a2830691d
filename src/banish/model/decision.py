"""What policy puts out: orders, and what it thought of a failure."""

from typing import Literal

import msgspec

from banish.model.address import Subject
from banish.model.ban import Ban

EndReason = Literal["expired", "operator", "exempt", "stopped", "fleet", "foreign", "folded"]
"""Why a ban ended; ``foreign``: it stood in the firewall and nobody had decided it; ``folded``:
that of a network around it lasts at least as long."""


class StartBan(msgspec.Struct, frozen=True, tag="start"):
    """Keep a subject out."""

    ban: Ban
    restored: bool = False
    """Whether the ban was in force before and is only put back."""


class EndBan(msgspec.Struct, frozen=True, tag="end"):
    """Let a subject in again."""

    ban: Ban
    reason: EndReason


class ProlongBan(msgspec.Struct, frozen=True, tag="prolong"):
    """Replace a ban in force by one that ends at another time."""

    ban: Ban
    same_span: bool = False
    """Whether it lasts as long as before, and only the clock was set. Actions need not hear it."""


Decision = StartBan | EndBan | ProlongBan


class Counted(msgspec.Struct, frozen=True):
    """A failure was counted and the limit is not reached yet."""

    failures: int
    """How many of the subject's failures are inside findtime now."""


class Exempt(msgspec.Struct, frozen=True):
    """A failure was not counted since the subject is exempt."""

    by: str
    """What exempts it, such as ``ignoreip 192.0.2.0/24`` or ``ignoreself``."""


class AlreadyBanned(msgspec.Struct, frozen=True):
    """A failure of a subject that is banned now: logged before, or not enforced."""

    subject: Subject


class FailedWhileBanned(msgspec.Struct, frozen=True, gc=False):
    """Failures of somebody who is banned, to be reported once their ban is."""

    jail: str
    subject: Subject
    """Who failed last."""
    times: int
    holder: Subject
    """Whose ban it is: the subject's own, or that of a network around it."""


class TooOld(msgspec.Struct, frozen=True):
    """A failure from before findtime, read while catching up."""


class HeldBack(msgspec.Struct, frozen=True):
    """A failure was counted, and its subject would be banned if the jail's budget allowed it."""

    subject: Subject
    """Who would be banned: the failure's subject, or the network that it counts as."""
    is_new: bool
    """Whether it is the first time since the budget was exceeded."""


Verdict = Counted | Exempt | AlreadyBanned | TooOld | HeldBack | StartBan
"""What one failure came to."""
