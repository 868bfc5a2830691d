"""Hostile lines against the clock: stopped, counted, and nobody else waits for long.

CPU time is measured with bounds a hundred times what is expected and a millionth
of what the lines would take.
"""

import asyncio
import signal
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.daemon.pipeline import JailWatch, Pipeline
from banish.daemon.watchdog import SLOW_LIMIT, TURN, Watchdog
from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, JournalPosition
from banish.model.settings import FilterSettings, Regex
from banish.telemetry.events import (
    FailureFound,
    LineTimedOut,
    RuleQuarantined,
    RuleReleased,
)
from tests.daemon.stage import Stage

pytestmark = pytest.mark.slow

NOW = Instant(1_790_000_000)
NO_DATE = Regex("{NONE}")
EVIL = "(?:x+)+"
HOSTILE = "x" * 2_000
"""`EVIL` tries it in more ways than there are atoms."""

BEARABLE = 10.0
"""CPU seconds; what is expected is a tenth of it, what nobody stops takes for ever."""


def matcher(**more: object) -> Matcher:
    chosen = {"failregex": (Regex("^bad <HOST>$"),), "datepattern": NO_DATE} | more
    return Matcher("j", FilterSettings("j", **chosen), Seconds(600))  # type: ignore[arg-type]


def batch(*lines: str) -> Batch:
    block = "".join(f"{line}\n" for line in lines).encode()
    return Batch("s", "/p", block, JournalPosition("", NOW))


def read(watchdog: Watchdog, detector: Detector, *lines: str) -> tuple[list[str], int]:
    """Return whom failures name, and in how many turns."""
    rest: Batch | None = batch(*lines)
    found, turns = [], 0
    began = time.thread_time()
    while rest is not None:
        found += [str(failure.subject) for failure in watchdog.feed(detector, rest, NOW)]
        rest = detector.rest
        turns += 1
        assert time.thread_time() - began < BEARABLE
    return found, turns


EVIL_FAILREGEX: dict[str, object] = {
    "failregex": (Regex(f"^{EVIL} <HOST>$"), Regex("^bad <HOST>$"))
}

CASES: dict[str, dict[str, object]] = {
    "failregex 1": EVIL_FAILREGEX,
    "prefregex": {"prefregex": Regex(f"^(?:{EVIL}!|<F-CONTENT>bad .*</F-CONTENT>$)")},
    "ignoreregex 1": {"failregex": (Regex("^bad <HOST>$"), Regex("^x* ?<HOST>?$")),
                      "ignoreregex": (Regex(f"^{EVIL}!"),)},
    "ignoreregex 2": {"failregex": (Regex("^bad <HOST>$"),) * 9,
                      "ignoreregex": (Regex("y"), Regex(f"^{EVIL}!"))},
    "datepattern": {"datepattern": Regex(f"^{EVIL} %Y\n^%Y-%m-%d "),
                    "failregex": (Regex("^ ?bad <HOST>$"),)},
}  # fmt: skip


@pytest.mark.parametrize("rule", CASES)
def test_a_search_that_runs_away_is_ended_and_other_lines_count(rule: str) -> None:
    made = matcher(**CASES[rule])
    detector = Detector([made])
    good = "2026-09-21 bad 192.0.2.1" if rule == "datepattern" else "bad 192.0.2.1"
    hostile = f"{HOSTILE} 192.0.2.9" if rule == "ignoreregex 1" else HOSTILE
    found, _ = read(Watchdog(), detector, good, hostile, good)
    assert found == ["192.0.2.1", "192.0.2.1"]
    stopped = [each for _, quarantine in detector.quarantines for each in quarantine.newest]
    name, _, number = rule.partition(" ")
    assert [(each.option, each.rule) for each in stopped] == [(name, int(number or 0))]
    assert stopped[0].line.startswith("xxx")
    assert stopped[0].characters >= len(HOSTILE)


def test_a_second_reading_that_runs_away_is_ended() -> None:
    # The first reading is quick; without the address that it took, the rest has no end.
    made = matcher(failregex=(Regex(rf"^{EVIL} by <HOST> .*$"),))
    line = f"{HOSTILE} by 192.0.2.1 192.0.2.2"
    found, _ = read(Watchdog(), Detector([made]), line, "x by 192.0.2.7 .")
    assert found[-1:] == ["192.0.2.7"]
    assert made.quarantine.overruns == 1
    assert [(each.option, each.rule) for each in made.quarantine.newest] == [("failregex", 1)]


def test_a_flood_of_hostile_lines_is_cheap() -> None:
    made = matcher(**EVIL_FAILREGEX)
    detector = Detector([made])
    lines = [HOSTILE, "bad 192.0.2.1"] * 500
    began = time.thread_time()
    found, turns = read(Watchdog(), detector, *lines)
    assert time.thread_time() - began < BEARABLE
    assert found == ["192.0.2.1"] * 500
    assert 3 <= made.quarantine.overruns < 20
    assert made.quarantine.held + made.quarantine.overruns == 500
    assert turns >= 3


def test_lines_just_below_the_budget_come_off_no_cheaper() -> None:
    # Each takes as long as it is let: the budget is far off, so only the share ends it.
    made = matcher(**EVIL_FAILREGEX)
    detector = Detector([made])
    watchdog = Watchdog(Seconds(1000))
    began = time.thread_time()
    found, _ = read(watchdog, detector, *[HOSTILE, "bad 192.0.2.1"] * 100)
    assert time.thread_time() - began < BEARABLE
    assert time.thread_time() - began > SLOW_LIMIT / 2
    assert found == ["192.0.2.1"] * 100


def test_a_long_batch_lets_others_have_their_turn() -> None:
    many = [f"bad 192.0.2.{n % 250}" for n in range(40_000)]
    made = matcher()
    found, turns = read(Watchdog(), Detector([made]), *many)
    assert len(found) == len(many)
    assert turns > 1
    assert turns < 200 * BEARABLE / TURN


def test_what_is_within_the_budget_is_read_to_its_end() -> None:
    # Two to the 16th ways: some milliseconds, and it does match in the end.
    made = matcher(failregex=(Regex(r"^(?:x+)+(?:y| <HOST>)$"),))
    found, _ = read(Watchdog(Seconds(60)), Detector([made]), "x" * 16 + " 192.0.2.1")
    assert found == ["192.0.2.1"]
    assert made.quarantine.overruns == 0


def test_tools_can_watch_over_single_lines() -> None:
    made = matcher(**EVIL_FAILREGEX)
    with Watchdog().over([made]):
        assert made.trace(HOSTILE, NOW, NOW).stopped == "failregex 1"
        assert made.trace("bad 192.0.2.1", NOW, NOW).state == "failure"


def test_in_other_threads_lines_are_read_unwatched() -> None:
    found: list[str] = []
    detector = Detector([matcher()])
    thread = threading.Thread(
        target=lambda: found.extend(read(Watchdog(), detector, "bad 192.0.2.1")[0])
    )
    thread.start()
    thread.join(10)
    assert found == ["192.0.2.1"]


def test_a_tick_that_comes_late_does_no_harm() -> None:
    read(Watchdog(), Detector([matcher()]), "bad 192.0.2.1")
    signal.raise_signal(signal.SIGVTALRM)


def test_the_pipeline_tells_and_others_go_on() -> None:
    async def play() -> tuple[Stage, int]:
        stage = Stage()
        hostile = matcher(**EVIL_FAILREGEX)
        stage.pipeline = Pipeline(
            stage.source,
            [JailWatch(hostile)],
            jails=stage.jails,
            enforcing=stage.enforcing,
            resolver=stage.pipeline._resolver,
            emit=stage.tell,
            clock=lambda: stage.now,
        )
        await stage.open()
        stage.source.write(f"{HOSTILE}\n".encode() * 10 + b"bad 198.51.100.7\n")
        turns = 0
        while not stage.heard(FailureFound):
            await asyncio.sleep(0)
            turns += 1
            assert turns < 1_000_000
        stage.now = Instant(stage.now + 10_000)
        stage.source.write(b"bad 198.51.100.8\n")
        await stage.until(lambda: stage.heard(FailureFound) == 2)
        await stage.close()
        return stage, turns

    stage, turns = asyncio.run(play())
    assert turns >= 3
    stopped = [each for each in stage.told if isinstance(each, LineTimedOut)]
    assert 3 <= len(stopped) <= 6
    assert stopped[0].text() == (
        f'[j] failregex 1 took too long on 2001 characters, the line is skipped: "{"x" * 200}"'
    )
    held = next(each for each in stage.told if isinstance(each, RuleQuarantined))
    assert (
        "failregex 1 takes too long: lines above 1000 characters are skipped until" in held.text()
    )
    assert stage.heard(RuleReleased) == 1


def test_lines_short_enough_for_a_rule_in_quarantine_are_watched_still() -> None:
    made = matcher(**EVIL_FAILREGEX)
    detector = Detector([made])
    watchdog = Watchdog()
    for length in (2_000, 900, 400, 200, 100):
        lines = ["x" * length, "bad 192.0.2.1"] * 20
        assert read(watchdog, detector, *lines)[0] == ["192.0.2.1"] * 20
    (rule,) = made.quarantine.in_force
    assert rule.name == "failregex 1"
    assert rule.limit == 0


LINES = st.text(st.sampled_from("xyb ad192.0.2.1:\\"), max_size=40)


@settings(deadline=None)
@given(st.lists(LINES, max_size=30))
def test_lines_without_offence_are_read_as_if_nobody_watched(lines: list[str]) -> None:
    lines += ["bad 192.0.2.1", "xy 192.0.2.2"]
    rules: dict[str, object] = {
        "failregex": (Regex("^x*y* <HOST>$"), Regex("^bad <HOST>"), Regex("b.*a.*<HOST>"))
    }
    unwatched = Detector([matcher(**rules)]).feed(batch(*lines), NOW)
    watchdog, detector = Watchdog(Seconds(1000)), Detector([matcher(**rules)])
    rest: Batch | None = batch(*lines)
    watched = []
    while rest is not None:  # a turn ends early on a slow machine
        watched += watchdog.feed(detector, rest, NOW)
        rest = detector.rest
    assert watched == unwatched
    assert len(unwatched) >= 2
