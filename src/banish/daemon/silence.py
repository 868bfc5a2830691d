"""Says when a jail has nothing to read, or reads what it does not understand.

A jail that waits for a log that never comes protects nobody, and looks like one whose service
is quiet. So it is logged a moment after the start, and once a day as long as it lasts,
and `banish status` counts it as trouble. The same holds for a log that was there and is gone,
though its old file may still be read; rotation takes less than the pause before that is reported.

Once a day, too, the log names the jails whose matched lines have no time that can be read, and
the logs that are written in another character set.
"""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from banish.daemon.pipeline import Pipeline
from banish.detect.matcher import Matcher
from banish.detect.zone import zone_difference, zone_named
from banish.model.duration import format_duration
from banish.model.instant import Instant, Seconds
from banish.model.status import NOT_STARTED, SourceHealth
from banish.ports import Clock
from banish.sources.presence import GONE_CURE, reason
from banish.telemetry.events import Emit, WarningGiven

FIRST_LOOK = Seconds(3)
"""How long after the start is looked first: logs that are there are open by then."""

PAUSE = Seconds(5)
"""Between two looks at which logs are there."""

LOOKS_FOR_COUNTS = 12
"""At one in so many of them what was counted is looked at, too."""

DAY = Seconds(86_400)


def waits_for(sources: Sequence[SourceHealth]) -> str:
    """Return why a jail with these *sources* reads nothing, and the cure; empty if it reads."""
    if not sources or any(each.state != "waiting" for each in sources):
        return ""
    if any(each.detail == NOT_STARTED for each in sources):
        return ""
    whats = [each.detail.partition("; ")[0] for each in sources]
    cure = sources[0].detail.partition("; ")[2]
    return f"watches nothing: {'; '.join(whats)}\n    {cure}"


def health_for(source: SourceHealth, patterns: Sequence[str]) -> SourceHealth:
    """Return *source* as a jail sees it that wants the files of *patterns* only; all if empty.

    A source of several jails is read as long as one of its files is there; a jail none of whose
    own files is there waits all the same.
    """
    absent = {each.pattern: each for each in source.absent}
    own = [absent[pattern] for pattern in patterns if pattern in absent]
    if source.state != "reading" or not own or len(own) < len(patterns):
        return source
    if any(each.is_read_on for each in own):
        return source
    return msgspec.structs.replace(source, state="waiting", detail=reason(own))


def _apart(off: float) -> str:
    span = format_duration(round(abs(off)))
    return f"{span} ahead of the clock" if off > 0 else f"{span} behind the clock"


def _zone_cure(off: float, logtimezone: str, now: Instant) -> str:
    """Return what to do about lines whose times are *off* seconds ahead of the clock."""
    difference = zone_difference(off)
    if not difference:
        return "correct the clock, or the delay, of what writes the log"
    zone = zone_named(logtimezone)
    local = datetime.fromtimestamp(now, zone) if zone else datetime.fromtimestamp(now).astimezone()
    ahead = (local.utcoffset() or timedelta()) + timedelta(seconds=difference)
    minutes = round(ahead.total_seconds() / 60)
    sign = "-" if minutes < 0 else "+"
    return f"set logtimezone = UTC{sign}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def _singular(text: str) -> str:
    """Return *text*, which begins with ``1 lines`` or ``1 matched lines``, in the singular."""
    for many, one in (
        ("lines are", "line is"),
        ("lines have", "line has"),
        ("lines name", "line names"),
        ("lines say", "line says"),
        ("lines of a backlog are", "line of a backlog is"),
        (" do not count, the newest by", " does not count, the newest by"),
        ("and count as now", "and counts as now"),
    ):
        text = text.replace(many, one, 1)
    return text


class Silence:
    """Looks for jails that read nothing, or do not understand what they read."""

    def __init__(self, pipelines: Sequence[Pipeline], *, emit: Emit, clock: Clock) -> None:
        """Look at *pipelines*, which may be others at each look."""
        self._pipelines = pipelines
        self._emit = emit
        self._clock = clock
        self._reported_at: dict[tuple[str, str], Instant] = {}
        """When each thing was reported last, by jail or log and by what it is."""
        self._counted: dict[tuple[str, str], int] = {}
        """How much of each thing had been counted then."""
        self._gone: set[tuple[str, str]] = set()
        """The logs that were gone at the last look: the source, and what became of the log."""

    async def run(self) -> None:
        """Look for ever."""
        await asyncio.sleep(FIRST_LOOK)
        for number in itertools.count():
            self.look_for_logs()
            if number % LOOKS_FOR_COUNTS == 0:
                self.look_at_counts()
            await asyncio.sleep(PAUSE)

    def look_for_logs(self) -> None:
        """Tell which jails read nothing and which logs are gone, once and then daily."""
        healths = [pipeline.source.health() for pipeline in self._pipelines]
        jails: dict[str, list[SourceHealth]] = {}
        for pipeline, health in zip(self._pipelines, healths, strict=True):
            for watch in pipeline.watches:
                jails.setdefault(watch.matcher.jail, []).append(health_for(health, watch.patterns))
        for jail, sources in jails.items():
            self._look_at_jail(jail, sources)
        self._look_at_gone(healths)

    def _look_at_gone(self, healths: Sequence[SourceHealth]) -> None:
        """Tell of logs that were gone at the last look, too, and whose old file is read on."""
        gone = {
            (health.name, each.what)
            for health in healths
            for each in health.absent
            if each.was_there and health.state != "waiting"
        }
        for name, what in sorted(gone & self._gone):
            if self._is_due((name, what)):
                short = what.removeprefix(f"the log {name} ")
                self._emit(WarningGiven(part=name, what=f"{short}; {GONE_CURE}"))
        for key in self._gone - gone:
            self._reported_at.pop(key, None)
        self._gone = gone

    def look_at_counts(self) -> None:
        """Tell which lines could not be understood, if any are new, once a day."""
        for pipeline in self._pipelines:
            name = pipeline.source.name
            cure = "set logencoding to the character set of this log, such as latin-1"
            what = "{} lines are not valid in its character set; {}"
            self._count("undecodable", name, pipeline.undecodable(), what, cure)
            for watch in pipeline.watches:
                jail, counters = watch.matcher.jail, watch.matcher.counters
                cure = "set a datepattern; 'banish match --jail' shows the lines"
                what = "{} matched lines have no time that can be read, and count as now; {}"
                self._count("undated", f"jail {jail}", counters.undated, what, cure)
                self._look_at_times(watch.matcher)
                cure = "correct the failregex; 'banish match --jail' shows the lines"
                what = "{} matched lines name nobody who can be banned; {}"
                self._count("unusable", f"jail {jail}", counters.unusable, what, cure)

    def _look_at_jail(self, jail: str, sources: Sequence[SourceHealth]) -> None:
        waits = waits_for(sources)
        key = (f"jail {jail}", "waits")
        if not waits:
            self._reported_at.pop(key, None)
        elif self._is_due(key):
            what, _, cure = waits.partition("\n")
            self._emit(WarningGiven(part=key[0], what=f"{what}; {cure.strip()}"))

    def _look_at_times(self, matcher: Matcher) -> None:
        counters, part, now = matcher.counters, f"jail {matcher.jail}", self._clock()
        what = "{} lines say a time that is " + _apart(counters.off_by) + ", and count as now; {}"
        cure = _zone_cure(counters.off_by, matcher.settings.logtimezone, now)
        self._count("retimed", part, counters.retimed, what, cure)
        age = now - counters.newest_old
        what = "{} lines of a backlog are older than findtime and do not count, the newest by "
        cure = "written while the server was stopped; or, if not, " + _zone_cure(
            -age, matcher.settings.logtimezone, now
        )
        self._count("too old", part, counters.too_old, what + format_duration(age) + "; {}", cure)

    def _count(self, kind: str, part: str, total: int, what: str, cure: str) -> None:
        key = (part, kind)
        new = total - self._counted.get(key, 0)
        if new > 0 and self._is_due(key):
            self._counted[key] = total
            text = what.format(f"{new:,}", cure)
            self._emit(WarningGiven(part=part, what=_singular(text) if new == 1 else text))

    def _is_due(self, key: tuple[str, str]) -> bool:
        """Whether *key* was not reported within a day; if so, note that it is reported now."""
        now = self._clock()
        last = self._reported_at.get(key)
        if last is not None and 0 <= now - last < DAY:
            return False
        self._reported_at[key] = now
        return True
