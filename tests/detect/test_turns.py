"""A batch that is told to stop halfway: the same failures, in two or more turns."""

import functools
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, engine
from banish.detect.prefilter.plan import Plan, make_plan
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition
from banish.model.settings import FilterSettings, Regex

pytestmark = pytest.mark.slow

NOW = Instant(1_790_000_000)
TEXTS = (
    "2026-09-21T14:13:20Z bad 192.0.2.1",
    "2026-09-21T14:13:19Z worse 192.0.2.2",
    "bad 192.0.2.3",
    "2026-09-21T14:13:18Z nothing",
    "nothing",
    "",
    "2026-09-20T14:13:18Z bad 192.0.2.4",
)


class Stopping(Detector):
    """Stops after each of the given lines, counted over all turns."""

    def __init__(self, matchers: list[Matcher], stops: Iterable[int], *, fast: bool) -> None:
        super().__init__(matchers, BlockPrefilter(*compiled()) if fast else None)
        self.is_plain = False  # so that every line is decoded on its own
        self._after = set(stops)
        self._count = 0

    def decode(self, raw: bytes, encoding: str) -> str:
        self._count += 1
        self.stops = self.stops or self._count in self._after
        return super().decode(raw, encoding)


@functools.cache
def compiled() -> tuple[Plan, bytes]:
    """Return what the prefilter of the first jail is made of."""
    made = BlockPrefilter(make_plan(jails()[:1]))
    return made.plan, made.serialised()


def jails() -> list[Matcher]:
    one = FilterSettings("a", (Regex("bad <HOST>"),))
    many = FilterSettings("b", (Regex("worse <HOST>.*\n.*bad"),), maxlines=3)
    other = FilterSettings("c", (Regex("bad <HOST>"), Regex("worse <HOST>")), logencoding="latin-1")
    return [Matcher(each.name, each, Seconds(600)) for each in (one, many, other)]


def read(
    lines: list[str],
    stops: set[int],
    *,
    live: bool,
    fast: bool,
    learnt: bool,
    times: tuple[Instant, ...] | None,
    ended: bool = True,
) -> tuple[list[Failure], list[int], int]:
    matchers = jails()[: 1 if fast else 3]
    detector = Stopping(matchers, stops, fast=fast)
    if learnt:
        for matcher in matchers:
            matcher.dates._left_to_learn = 0
    block = "\n".join(lines).encode() + (b"\n" if ended else b"")
    rest: Batch | None = Batch(
        "s", "/p", block, JournalPosition("", NOW), live=live, times=times, start=100
    )
    found: list[Failure] = []
    turns = 0
    while rest is not None:
        found += detector.feed(rest, NOW)
        rest = detector.rest
        turns += 1
    return found, [matcher.counters.lines for matcher in matchers], turns


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(TEXTS), min_size=1, max_size=30),
    st.sets(st.integers(1, 60)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
@example([TEXTS[0]] * 3, {1}, True, True, False, False, True)
def test_stopping_anywhere_changes_no_failure(
    lines: list[str],
    stops: set[int],
    live: bool,
    fast: bool,
    learnt: bool,
    timed: bool,
    ended: bool,
) -> None:
    fast = fast and engine() is not None
    times = tuple(Instant(NOW - n) for n in range(len(lines))) if timed else None

    def reading(where: set[int]) -> tuple[list[Failure], list[int], int]:
        return read(lines, where, live=live, fast=fast, learnt=learnt, times=times, ended=ended)

    whole, whole_counts, turns = reading(set())
    assert turns == 1
    parted, counts, _ = reading(stops)
    assert parted == whole
    assert counts == whole_counts


def test_each_stop_ends_a_turn() -> None:
    found, _, turns = read([TEXTS[0]] * 10, {1, 5}, live=True, fast=False, learnt=True, times=None)
    assert turns == 3
    assert len(found) == 20


def test_a_stop_after_the_last_line_leaves_nothing() -> None:
    _, _, turns = read([TEXTS[0]] * 3, {5, 6}, live=True, fast=False, learnt=True, times=None)
    assert turns == 1
