"""One log read the short way and the long way, and what that leaves behind."""

import functools
from datetime import UTC, datetime

from banish.detect.detector import Detector
from banish.detect.fused import Dated, Fused, fuse
from banish.detect.matcher import Matcher
from banish.detect.pattern import Pattern
from banish.detect.prefilter.block import BlockPrefilter
from banish.detect.prefilter.plan import make_plan
from banish.detect.template import Template
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition
from banish.model.settings import FilterSettings

NOW = Instant(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())

_known: dict[object, Fused | None] = {}


def fuse_once(date: Template | Dated | None, before: Pattern | None, rule: Pattern) -> Fused | None:
    """Do what `fuse` does, once for all tests."""
    when = date.regex if isinstance(date, Template) else date
    key = (when, before.expanded if before else "", rule.expanded)
    if key not in _known:
        _known[key] = fuse(date, before, rule)
    return _known[key]


@functools.cache
def _prefilter(filters: tuple[FilterSettings, ...]) -> BlockPrefilter:
    return BlockPrefilter(make_plan([Matcher(one.name, one, Seconds(600)) for one in filters]))


def jails(
    filters: tuple[FilterSettings, ...], *, short: bool, stamp: str, learnt: int = 101
) -> Detector:
    """Return the jails of *filters*, with a short way or without.

    They have seen *learnt* harmless lines of the time *stamp*.
    """
    matchers = [Matcher(one.name, one, Seconds(600)) for one in filters]
    if not short:
        for matcher in matchers:
            matcher.shortcut = None
    detector = Detector(matchers, _prefilter(filters))
    read(detector, f"{stamp} h cron[1]: quiet\n".encode() * learnt)
    return detector


def read(
    detector: Detector,
    block: bytes,
    now: Instant = NOW,
    *,
    live: bool = True,
    times: tuple[Instant, ...] | None = None,
) -> list[Failure]:
    """Feed *block* at *now*; return the failures. *times* are its lines', as in a journal."""
    batch = Batch("s", "/p", block, JournalPosition("", now), live, start=7, times=times)
    return detector.feed(batch, now)


def state(detector: Detector) -> list[object]:
    """Return what can be seen of what *detector* remembers."""
    found: list[object] = [detector.undecodable]
    for matcher in detector.matchers:
        counters = matcher.counters
        found.append({name: getattr(counters, name) for name in counters.__slots__})
        found.append((len(matcher.sessions), matcher.sessions.evicted, matcher.ambiguities.total))
        found.append([(hits, each.name) for hits, _, each in matcher.dates.standing()])
    return found
