"""Jails that read nothing, or do not understand what they read, are told."""

import asyncio

import pytest

from banish.daemon.silence import DAY, Silence, _zone_cure, health_for, waits_for
from banish.model.instant import Instant
from banish.model.status import NOT_STARTED, Absent, SourceHealth, SourceState
from banish.sources.presence import GONE_CURE
from banish.telemetry.events import WarningGiven
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
    silence.look_for_logs()
    silence.look_for_logs()
    assert whats(stage) == [("jail j", "watches nothing: no file matches /a.log; correct logpath")]
    stage.now = Instant(stage.now + DAY)
    silence.look_for_logs()
    assert len(whats(stage)) == 2
    monkeypatch.setattr(stage.source, "health", lambda: health("log", "reading"))
    silence.look_for_logs()
    monkeypatch.setattr(stage.source, "health", lambda: waiting)
    silence.look_for_logs()  # it was there, and is gone again
    assert len(whats(stage)) == 3


GONE = Absent("/a.log", "the log /a.log was moved to /b", was_there=True, is_read_on=True)


def test_a_log_that_is_gone_is_told_once_it_was_gone_at_two_looks_and_then_once_a_day(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    silence = Silence([stage.pipeline], emit=stage.tell, clock=lambda: stage.now)

    def look(*absent: Absent) -> None:
        now = SourceHealth("/a.log", "reading", absent=absent)
        monkeypatch.setattr(stage.source, "health", lambda: now)
        silence.look_for_logs()

    for _ in range(3):
        look(GONE)  # a rotation under way at each look
        look()
    assert whats(stage) == []
    for _ in range(3):
        look(GONE)
    told = f"was moved to /b; {GONE_CURE}"
    assert whats(stage) == [("/a.log", told)]
    stage.now = Instant(stage.now + DAY)
    look(GONE)
    assert len(whats(stage)) == 2
    look()
    look(GONE)
    look(GONE)  # it came back, and is gone again
    assert len(whats(stage)) == 3


def test_a_log_that_never_was_there_beside_others_is_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    silence = Silence([stage.pipeline], emit=stage.tell, clock=lambda: stage.now)
    now = SourceHealth("/a.log", "reading", absent=(Absent("/c", "no file matches /c"),))
    monkeypatch.setattr(stage.source, "health", lambda: now)
    for _ in range(3):
        silence.look_for_logs()
    assert whats(stage) == []


def test_a_jail_none_of_whose_own_logs_is_there_waits_though_its_source_is_read() -> None:
    never = Absent("/c", "no file matches /c")
    shared = SourceHealth("/a /b /c", "reading", absent=(GONE, never))
    assert health_for(shared, ["/b", "/c"]) is shared
    assert health_for(shared, ["/a.log", "/c"]) is shared, "the old file is read on"
    assert health_for(shared, []) is shared
    waits = waits_for([health_for(shared, ["/c"])])
    assert waits.startswith("watches nothing: no file matches /c\n    correct logpath")


def test_what_a_log_says_that_is_not_understood_is_told_once_a_day() -> None:
    async def play(stage: Stage) -> None:
        silence = Silence([stage.pipeline], emit=stage.tell, clock=lambda: stage.now)
        await stage.open()
        stage.source.write(b"fail \xff\xfe\n" + b"fail 999.0.0.1\n" + fails("192.0.2.1"))
        await stage.until(lambda: stage.policy.failures_total == 1)
        for _ in range(2):
            silence.look_at_counts()
        await stage.close()

    stage = Stage()
    asyncio.run(play(stage))
    told = whats(stage)
    assert [part for part, _ in told] == ["log", "jail j"]
    assert "1 line is not valid in its character set" in told[0][1]
    assert "1 matched line names nobody who can be banned" in told[1][1]


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
    silence.look_at_counts()
    silence.look_at_counts()
    (told,) = whats(stage)
    assert told[0] == "jail j"
    assert told[1].startswith("1,234 lines say a time that is 2h ahead of the clock, and count")


def test_a_backlog_that_is_too_old_is_told_with_its_age() -> None:
    stage = Stage()
    silence = Silence([stage.pipeline], emit=stage.tell, clock=lambda: stage.now)
    counters = stage.pipeline.watches[0].matcher.counters
    counters.too_old, counters.newest_old = 5, Instant(stage.now - 7_200)
    silence.look_at_counts()
    (told,) = whats(stage)
    assert "older than findtime and do not count, the newest by 2h; written while" in told[1]
    assert "logtimezone = UTC" in told[1]
