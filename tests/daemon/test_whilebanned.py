"""The log says that somebody banned fails only after it has said that they are banned."""

import asyncio

import pytest

from banish.daemon import enforcing, firewall
from banish.daemon.whilebanned import WhileBanned, in_order
from banish.errors import EnforceError
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, FailedWhileBanned, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit
from banish.telemetry.events import BanEnded, BannedSubjectFailed, BanStarted, Event, PartFailed
from tests.daemon.stage import ATTACKER, NOW, Stage, fails, hears, logs, play

ONE, OTHER = parse_subject("192.0.2.1"), parse_subject("192.0.2.2")


def order(stage: Stage) -> list[str]:
    kinds = (BanStarted, BanEnded, BannedSubjectFailed)
    return [event.text().partition("] ")[2] for event in stage.told if isinstance(event, kinds)]


def failed(subject: Subject = ONE, times: int = 1) -> FailedWhileBanned:
    return FailedWhileBanned("j", subject, times, subject)


def test_a_ban_is_reported_before_a_failure_of_the_same_block_that_follows_it() -> None:
    stage = play(Stage(), logs(*[ATTACKER] * 4), hears(BannedSubjectFailed, 1))
    assert order(stage) == [f"Ban {ATTACKER}", f"{ATTACKER} already banned"]


def test_while_the_firewall_fails_only_reports_of_its_new_bans_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enforcing, "WRITE_PAUSE", Seconds(0.01))

    async def run() -> Stage:
        stage = Stage()
        await stage.open()
        stage.source.write(fails(*["192.0.2.1"] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        monkeypatch.setattr(firewall, "FIRST_RETRY", Seconds(0.3))
        stage.enforcer.fail_next(EnforceError("no table"), times=2)
        stage.source.write(fails(*[ATTACKER] * 7))
        await stage.until(lambda: stage.heard(PartFailed) == 1)
        stage.source.write(fails("192.0.2.1"))
        await stage.until(lambda: stage.heard(BannedSubjectFailed) == 1)
        assert order(stage) == ["Ban 192.0.2.1", "192.0.2.1 already banned"]
        await stage.until(lambda: stage.heard(BannedSubjectFailed) == 2)
        await stage.close()
        return stage

    stage = asyncio.run(run())
    assert order(stage)[2:] == [f"Ban {ATTACKER}", f"{ATTACKER} already banned"]
    last = [event for event in stage.told if isinstance(event, BannedSubjectFailed)][-1]
    assert last.times == 1 + stage.policy.settings.maxretry


def test_a_crash_before_the_commit_loses_neither_the_ban_nor_the_failure_after_it() -> None:
    first = Stage(text=fails(*[ATTACKER] * 4))

    async def crash() -> None:
        first.pipeline.resume({})
        reading = asyncio.ensure_future(first.pipeline.run())  # nobody carries anything out
        await first.until(lambda: bool(first.policy.bans))
        reading.cancel()

    asyncio.run(crash())
    assert order(first) == []
    again = play(Stage(first.store, fails(*[ATTACKER] * 4)), hears(BannedSubjectFailed, 1))
    assert order(again) == [f"Ban {ATTACKER}", f"{ATTACKER} already banned"]


def test_what_waits_for_one_ban_is_added_up_and_reported_once() -> None:
    told: list[Event] = []
    reported: set[Subject] = {OTHER}
    waiting = WhileBanned(lambda _jail, subject: subject in reported, emit=told.append)
    waiting.report([failed(), failed(OTHER), failed(times=3)])
    waiting.release()
    assert told == [BannedSubjectFailed("j", OTHER, 1, OTHER)]
    reported.add(ONE)
    waiting.release()
    waiting.release()
    assert told[1:] == [BannedSubjectFailed("j", ONE, 4, ONE)]


def test_a_ban_ends_in_a_later_group_than_the_report_of_a_failure_before_its_end() -> None:
    ban = Ban("j", ONE, NOW, Instant(NOW + 60))
    start = Commit(NOW, (StartBan(ban),), while_banned=(failed(),))
    between = Commit(NOW, while_banned=(failed(OTHER),))
    end = Commit(NOW, (EndBan(ban, "operator"),))
    assert list(in_order([start, between, end])) == [[start, between], [end]]
    assert list(in_order([end, start])) == [[end, start]]
    assert list(in_order([])) == []
