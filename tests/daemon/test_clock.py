"""A server whose clock is set while it runs."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from banish.daemon.jails import Jails
from banish.daemon.pipeline import JailWatch
from banish.detect.matcher import Matcher
from banish.model.instant import Instant, Seconds
from banish.model.record import FilePosition
from banish.model.settings import Regex
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.telemetry.events import BanEnded, BanStarted, ClockSet, FailureFound
from banish.testing.memory_store import MemoryStore
from tests.daemon.stage import ATTACKER, Stage, fails


@pytest.mark.parametrize("by", [7_200, -7_200])
def test_the_kernel_holds_a_ban_as_long_as_it_was_given(by: float) -> None:
    steady = 1_000.0

    async def play(stage: Stage) -> None:
        nonlocal steady
        stage.policy = JailPolicy(stage.settings, ExemptList(()))
        stage.jails = stage.pipeline._jails = Jails(
            {"j": stage.policy},
            emit_every=stage.tell_every,
            on_due=lambda: None,
            steady=lambda: Seconds(steady),
        )
        await stage.open()
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)

        async def goes_by(span: float, step: float = 0) -> None:
            nonlocal steady
            steady += span
            stage.now = Instant(stage.now + span + step)
            commit = stage.jails.tick(stage.now)
            if commit is not None:
                await stage.enforcing.carry_out(commit)

        await goes_by(10, by)
        assert stage.heard(ClockSet) == 1
        assert stage.banned() == {ATTACKER}
        await goes_by(49)
        assert (stage.banned(), stage.heard(BanEnded)) == ({ATTACKER}, 0)
        await goes_by(1)
        assert (stage.banned(), stage.heard(BanEnded)) == (set(), 1)
        await stage.close()

    asyncio.run(play(Stage()))


def test_the_step_is_told_in_words() -> None:
    text = ClockSet(Seconds(-7_200), 1_234).text()
    assert text.startswith("clock set back by 2h: 1,234 bans")


def dated(stage: Stage, ahead: float, ago: float, address: str, times: int = 1) -> bytes:
    """Return failures of *ago* seconds ago, their times *ahead* of the clock."""
    at = datetime.fromtimestamp(stage.now - ago + ahead, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S} fail {address}\n".encode() * times


def in_another_zone(store: MemoryStore | None = None, text: bytes = b"") -> Stage:
    stage = Stage(store, text)
    settings = msgspec.structs.replace(
        stage.settings.filter,
        failregex=(Regex("^ ?fail <HOST>$"),),
        datepattern=Regex("^%Y-%m-%dT%H:%M:%S"),
        logtimezone="UTC",
    )
    watch = JailWatch(Matcher("j", settings, stage.settings.findtime))
    stage.pipeline.watches = (watch,)
    return stage


@pytest.mark.parametrize("ahead", [7_200, -18_000])
def test_a_backlog_in_another_zone_counts_as_was_seen_while_the_log_was_live(ahead: float) -> None:
    other = "192.0.2.9"

    async def play() -> set[str]:
        first = in_another_zone()
        await first.open()
        await first.source.placed()
        for _ in range(3):
            first.source.write(dated(first, ahead, 0, "192.0.2.1"))
        await first.until(lambda: first.heard(FailureFound) == 3)
        await first.close()
        lines = dated(first, ahead, 0, "192.0.2.1") * 3
        lines += dated(first, ahead, 30, ATTACKER, 3) + dated(first, ahead, 700, other, 3)
        second = in_another_zone(first.store, lines)
        await second.open()
        await second.until(lambda: second.heard(BanStarted) >= 2)
        found = second.banned()
        await second.close()
        return found

    assert asyncio.run(play()) == {"192.0.2.1", ATTACKER}


def test_a_log_whose_times_are_right_again_is_read_as_written() -> None:
    async def play() -> float:
        stage = in_another_zone()
        await stage.open()
        await stage.source.placed()
        stage.source.write(dated(stage, 7_200, 0, "192.0.2.1", 3))
        await stage.until(lambda: stage.heard(FailureFound) == 3)
        stage.source.write(dated(stage, 0, 0, "192.0.2.2"))
        await stage.until(lambda: stage.heard(FailureFound) == 4)
        await stage.close()
        (position,) = (await stage.store.load(stage.now)).positions.values()
        assert isinstance(position, FilePosition)
        return position.ahead

    assert asyncio.run(play()) == 0
