import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from banish.daemon.pipeline import JailWatch, Pipeline
from banish.detect.matcher import Matcher
from banish.errors import RequestError
from banish.model.address import parse_subject
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import FilePosition, Fingerprint
from banish.model.settings import UseDns
from banish.telemetry.events import (
    BannedSubjectFailed,
    BanStarted,
    FailureExempted,
    FailureFound,
    WarningGiven,
)
from tests.daemon.stage import ATTACKER, Stage, fails, hears, logs, play


def test_a_name_counts_for_each_of_its_addresses_and_an_unknown_one_is_told() -> None:
    stage = play(
        Stage(names={"bad.example": [ATTACKER, "2001:db8::7"]}),
        logs("gone.example", *["bad.example"] * 3),
        hears(BanStarted, 2),
    )
    assert {subject.text for subject in stage.policy.bans} == {ATTACKER, "2001:db8::7"}
    assert [h.what for h in stage.told if isinstance(h, WarningGiven)] == [
        "cannot resolve gone.example"
    ]


def test_everything_that_becomes_of_a_failure_is_told() -> None:
    stage = play(
        Stage(ignoreip=("192.0.2.0/24",)), logs("192.0.2.1", *[ATTACKER] * 4), hears(BanStarted, 1)
    )
    assert stage.heard(FailureExempted) == 1
    assert stage.heard(FailureFound) == 4
    assert stage.heard(BannedSubjectFailed) == 1


def test_the_banned_are_told_of_at_once_and_then_by_maxretry() -> None:
    stage = play(Stage(), logs(*[ATTACKER] * 12), hears(FailureFound, 12))
    maxretry = stage.policy.settings.maxretry
    again = [told.times for told in stage.told if isinstance(told, BannedSubjectFailed)]
    assert again == [1] + [maxretry] * ((12 - maxretry - 1) // maxretry)


def test_what_is_kept_of_the_banned_who_go_on_is_forgotten_with_the_ban() -> None:
    async def play() -> Stage:
        stage = Stage()
        await stage.open()
        stage.source.write(fails(*[ATTACKER] * 12))
        await stage.until(lambda: stage.heard(BannedSubjectFailed) == 3)
        assert [len(kept) for kept in stage.jails._again.values()] == [1]
        stage.jails.unban(None, None, Instant(0))
        await stage.close()
        return stage

    stage = asyncio.run(play())
    assert [len(kept) for kept in stage.jails._again.values()] == [0]


def test_a_failure_that_is_marked_exempt_is_not_counted_and_the_reason_is_given() -> None:
    async def exempt(failures: Sequence[Failure], _now: Instant) -> Sequence[Failure]:
        return [
            msgspec.structs.replace(failure, exempt_by="ignorecommand")
            if failure.subject.text == "192.0.2.1"
            else failure
            for failure in failures
        ]

    async def play() -> Stage:
        stage = Stage()
        stage.pipeline._exempt = exempt
        await stage.open()
        stage.source.write(fails(*["192.0.2.1", ATTACKER] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        await stage.close()
        return stage

    stage = asyncio.run(play())
    assert stage.policy.exempt_total == 3
    assert {h.by for h in stage.told if isinstance(h, FailureExempted)} == {"ignorecommand"}
    assert {subject.text for subject in stage.policy.bans} == {ATTACKER}


def test_lines_that_bring_the_part_down_twice_are_stepped_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play() -> Stage:
        stage = Stage(text=fails("192.0.2.1"))
        judge, calls = stage.jails.judge, []

        def failing(*words: object) -> object:
            calls.append(words)
            if len(calls) <= 2:
                raise ZeroDivisionError
            return judge(*words)  # type: ignore[arg-type]

        monkeypatch.setattr(stage.jails, "judge", failing)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await stage.pipeline.run()
        await stage.open()
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        await stage.close()
        return stage

    stage = asyncio.run(play())
    assert any("skipped lines" in h.what for h in stage.told if isinstance(h, WarningGiven))
    assert stage.policy.failures_total == 3


def test_a_file_read_under_another_pattern_before_goes_on_where_it_was() -> None:
    stage = Stage()
    place = FilePosition("/var/log/x", Fingerprint(1, 2, 0, ""), 7)
    other = FilePosition("/var/log/x", Fingerprint(1, 2, 0, ""), 9)
    stage.pipeline.resume({"other\t/var/log/x": place, "log\tlog": other})
    assert stage.pipeline._positions == {"/var/log/x": place, "log": other}


@pytest.mark.parametrize(
    ("pattern", "path", "wanted"),
    [
        ("/var/log/*.log", "/var/log/auth.log", True),
        ("/var/log/*.log", "/var/log/deep/auth.log", False),
        ("/var/log/auth.log", "/var/log/auth.log", True),
        ("/var/log/[a]uth.log", "/var/log/auth.log", True),
        ("/var/log/x[1].log", "/var/log/x[1].log", True),
        ("/var/log/auth.log", "/var/log/mail.log", False),
    ],
)
def test_a_jail_gets_the_files_it_asked_for(pattern: str, path: str, wanted: bool) -> None:
    watch = JailWatch(Stage().pipeline.watches[0].matcher, (pattern,))
    assert watch.wants(path) is wanted


@pytest.mark.parametrize(
    ("usedns", "told"),
    [
        ("yes", ["none.example has no address, so its failures count against nobody"]),
        (
            "warn",
            [
                "none.example has no address, so its failures count against nobody",
                (
                    f"bad.example was looked up: {ATTACKER}; the owner of the name decides which "
                    "address it has"
                ),
            ],
        ),
    ],
)
def test_what_a_name_stands_for_is_told_once_a_day(usedns: UseDns, told: list[str]) -> None:
    async def play() -> Stage:
        stage = Stage(names={"bad.example": [ATTACKER], "none.example": []})
        (watch,) = stage.pipeline.watches
        watch.matcher.settings = msgspec.structs.replace(watch.matcher.settings, usedns=usedns)
        await stage.open()
        stage.source.write(fails("none.example", "bad.example"))
        await stage.until(lambda: stage.heard(FailureFound) == 1)
        stage.source.write(fails("none.example", "bad.example"))
        await stage.until(lambda: stage.heard(FailureFound) == 2)
        await stage.close()
        return stage

    found = [h.what for h in asyncio.run(play()).told if isinstance(h, WarningGiven)]
    assert [what.rpartition("; ")[0] for what in found] == told


def test_a_request_for_what_cannot_be_names_the_cure() -> None:
    stage = Stage()
    with pytest.raises(RequestError, match="running jails: j"):
        stage.jails.ban("nosuch", [], stage.now, None)
    with pytest.raises(RequestError, match="is not an address"):
        stage.jails.ban("j", [parse_subject("bob")], stage.now, Seconds(5))


def test_one_subject_that_cannot_be_banned_bans_none_of_them() -> None:
    stage = Stage(ignoreip=("192.0.2.1",))
    subjects = [parse_subject(ATTACKER), parse_subject("192.0.2.1")]
    with pytest.raises(RequestError, match="must not be banned"):
        stage.jails.ban("j", subjects, stage.now, None)
    assert not stage.policy.bans


def test_what_a_log_needs_is_compiled_before_its_first_line(tmp_path: Path) -> None:
    here, gone = tmp_path / "here.log", tmp_path / "gone.log"
    here.touch()
    compiled: list[tuple[str, ...]] = []
    done = asyncio.Event()
    loop: asyncio.AbstractEventLoop

    def compile_for(matchers: Sequence[Matcher]) -> None:
        compiled.append(tuple(matcher.jail for matcher in matchers))
        loop.call_soon_threadsafe(done.set)

    async def play() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        stage = Stage()
        settings = stage.settings.filter
        stage.pipeline = Pipeline(
            stage.source,
            [
                JailWatch(Matcher("a", settings, Seconds(600)), (str(here), str(gone))),
                JailWatch(
                    Matcher("b", settings, Seconds(600)), (str(gone), str(tmp_path / "*.log"))
                ),
            ],
            jails=stage.jails,
            enforcing=stage.enforcing,
            resolver=stage.pipeline._resolver,
            emit=stage.tell,
            clock=lambda: stage.now,
            prefilter=compile_for,
        )
        await stage.open()
        async with asyncio.timeout(10):
            await done.wait()
        await stage.crash()

    asyncio.run(play())
    assert compiled == [("a", "b")]


def test_no_line_is_judged_before_its_windows_are_back_and_none_is_lost() -> None:
    may_judge = asyncio.Event()

    async def play() -> None:
        stage = Stage(text=fails(ATTACKER, ATTACKER))

        async def wait() -> None:
            await may_judge.wait()

        stage.pipeline._wait = wait
        await stage.open()
        await stage.source.placed()
        stage.source.write(fails(ATTACKER))
        for _ in range(20):
            await asyncio.sleep(0)
        assert stage.policy.failing(stage.now) == 0
        may_judge.set()
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        await stage.close()

    asyncio.run(play())
