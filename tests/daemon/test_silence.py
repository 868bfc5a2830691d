"""Jails that read nothing, or do not understand what they read, are told."""

import asyncio

import pytest

from banish.daemon.silence import DAY, Silence, _zone_cure, waits_for
from banish.model.instant import Instant
from banish.model.status import NOT_STARTED, SourceHealth, SourceState
from banish.telemetry.happenings import WarningGiven
from tests.daemon.stage import Stage, fails


def health(name: str, state: SourceState, detail: str = "") -> SourceHealth:
    return SourceHealth(name, state, detail)


def test_a_jail_all_of_whose_logs_are_missing_waits() -> None:
    waiting = health("/a.log", "waiting", "no file matches /a.log; correct logpath")
    assert waits_for([waiting]) == "watches nothing: no file matches /a.log\n    correct logpath"
    assert waits_for([waiting, health("/b.log", "reading")]) == ""
    assert waits_for([waiting, health("/b.log", "failing", "no right")]) == ""
    assert waits_for([health("/a.log", "waiting", NOT_STARTED)]) == ""
    assert waits_for([]) == ""


def whats(stage: Stage) -> list[tuple[str, str]]:
    return [(each.part, each.what) for each in stage.told if isinstance(each, WarningGiven)]


def test_a_jail_that_waits_is_told_at_once_and_then_once_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    silence = Silence([stage.pipeline], emit=stage.tell, clock=lambda: stage.now)
    waiting = health("log", "waiting", "no file matches /a.log; correct logpath")
    monkeypatch.setattr(stage.source, "health", lambda: waiting)
    silence.look()
    silence.look()
    assert whats(stage) == [("jail j", "watches nothing: no file matches /a.log; correct logpath")]
    stage.now = Instant(stage.now + DAY)
    silence.look()
    assert len(whats(stage)) == 2
    monkeypatch.setattr(stage.source, "health", lambda: health("log", "reading"))
    silence.look()
    monkeypatch.setattr(stage.source, "health", lambda: waiting)
    silence.look()  # it was there, and is gone again
    assert len(whats(stage)) == 3


def test_what_a_log_says_that_is_not_understood_is_told_once_a_day() -> None:
    async def play(stage: Stage) -> None:
        silence = Silence([stage.pipeline], emit=stage.tell, clock=lambda: stage.now)
        await stage.open()
        stage.source.write(b"fail \xff\xfe\n" + b"fail 999.0.0.1\n" + fails("192.0.2.1"))
        await stage.until(lambda: stage.policy.failures_total == 1)
        for _ in range(2):
            silence.look()
        await stage.close()

    stage = Stage()
    asyncio.run(play(stage))
    told = whats(stage)
    assert [part for part, _ in told] == ["log", "jail j"]
    assert "1 lines are not valid in its character set" in told[0][1]
    assert "1 matched lines name nobody who can be banned" in told[1][1]


@pytest.mark.parametrize(
    ("off", "zone", "cure"),
    [
        (7_200, "UTC", "set logtimezone = UTC+0200"),
        (-7_230, "UTC+0100", "set logtimezone = UTC-0100"),
        (19_800.5, "UTC", "set logtimezone = UTC+0530"),
        (-3_600, "Europe/Prague", "set logtimezone = UTC+0000"),
        (300, "UTC", "correct the clock, or the delay, of what writes the log"),
        (90_000_000, "UTC", "correct the clock, or the delay, of what writes the log"),
    ],
)
def test_the_cure_for_times_that_are_off_names_the_zone(off: float, zone: str, cure: str) -> None:
    assert _zone_cure(off, zone, Instant(1_767_225_600)) == cure  # a winter's day


def test_lines_in_another_zone_are_told_once_a_day() -> None:
    stage = Stage()
    silence = Silence([stage.pipeline], emit=stage.tell, clock=lambda: stage.now)
    counters = stage.pipeline.watches[0].matcher.counters
    counters.retimed, counters.off_by = 1_234, 7_200.5
    silence.look()
    silence.look()
    (told,) = whats(stage)
    assert told[0] == "jail j"
    assert told[1].startswith("1,234 lines say a time that is 2h ahead of the clock, and count")


def test_a_backlog_that_is_too_old_is_told_with_its_age() -> None:
    stage = Stage()
    silence = Silence([stage.pipeline], emit=stage.tell, clock=lambda: stage.now)
    counters = stage.pipeline.watches[0].matcher.counters
    counters.too_old, counters.newest_old = 5, Instant(stage.now - 7_200)
    silence.look()
    (told,) = whats(stage)
    assert "older than findtime and do not count, the newest by 2h; written while" in told[1]
    assert "logtimezone = UTC" in told[1]
