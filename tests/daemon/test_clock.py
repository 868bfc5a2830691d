"""A server whose clock is set while it runs."""

import asyncio

import pytest

from banish.daemon.jails import Jails
from banish.model.instant import Instant, Seconds
from banish.policy.ignore import IgnoreList
from banish.policy.jail import JailPolicy
from banish.telemetry.happenings import BanEnded, BanStarted, ClockSet
from tests.daemon.stage import ATTACKER, Stage, fails


@pytest.mark.parametrize("by", [7_200, -7_200])
def test_the_kernel_holds_a_ban_as_long_as_it_was_given(by: float) -> None:
    steady = 1_000.0

    async def play(stage: Stage) -> None:
        nonlocal steady
        stage.policy = JailPolicy(stage.settings, IgnoreList(()))
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
