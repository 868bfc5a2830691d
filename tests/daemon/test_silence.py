"""Jails that read nothing, or do not understand what they read, are told."""

import asyncio

import pytest

from banish.daemon.silence import DAY, Silence, waits_for
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
