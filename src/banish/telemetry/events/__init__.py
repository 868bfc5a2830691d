"""Everything that banish tells about itself: one value per thing that happens.

Code says *what* happened by emitting one of these; the event says how that
reads in the log, and how loud. Texts that people's scripts parse (logwatch,
munin, the recidive filter) are Fail2Ban's, from server/actions.py and
server/filter.py of 1.1.1: ``[J] Found A - TIME``, ``[J] Ban A``, ``[J] Unban A``,
``[J] Restore Ban A``, ``[J] A already banned``, ``[J] Ignore A by WHAT``.
"""

from banish.telemetry.events.actions import (
    ActionLogged,
    ActionPlanned,
    ActionWarned,
    NotificationsDropped,
)
from banish.telemetry.events.bans import (
    BanBudgetExceeded,
    BanBudgetReturned,
    BanEnded,
    BanHeldBack,
    BannedSubjectFailed,
    BanStarted,
    ConnectionsKilled,
    NetworkExempted,
)
from banish.telemetry.events.detection import (
    AmbiguousMatch,
    FailureExempted,
    FailureFound,
    FailuresFound,
    LinesLost,
    LineTimedOut,
    RuleQuarantined,
    RuleReleased,
    SourceChanged,
)
from banish.telemetry.events.event import NOTICE, Emit, EmitEvery, Event
from banish.telemetry.events.server import (
    BansImported,
    ClockSet,
    FirewallRepaired,
    JailReloaded,
    JailStarted,
    JailStopped,
    PartFailed,
    PartRecovered,
    Reloaded,
    RequestRefused,
    RequestRefusedAgain,
    ServerStarted,
    ServerStopped,
    WarningGiven,
)

__all__ = [
    "NOTICE",
    "ActionLogged",
    "ActionPlanned",
    "ActionWarned",
    "AmbiguousMatch",
    "BanBudgetExceeded",
    "BanBudgetReturned",
    "BanEnded",
    "BanHeldBack",
    "BanStarted",
    "BannedSubjectFailed",
    "BansImported",
    "ClockSet",
    "ConnectionsKilled",
    "Emit",
    "EmitEvery",
    "Event",
    "FailureExempted",
    "FailureFound",
    "FailuresFound",
    "FirewallRepaired",
    "JailReloaded",
    "JailStarted",
    "JailStopped",
    "LineTimedOut",
    "LinesLost",
    "NetworkExempted",
    "NotificationsDropped",
    "PartFailed",
    "PartRecovered",
    "Reloaded",
    "RequestRefused",
    "RequestRefusedAgain",
    "RuleQuarantined",
    "RuleReleased",
    "ServerStarted",
    "ServerStopped",
    "SourceChanged",
    "WarningGiven",
]
