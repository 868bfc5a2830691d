"""What stands where the firewall would when no jail needs it."""

import asyncio

from banish.enforce.unused import UnusedEnforcer
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import StartBan
from banish.model.instant import Instant
from banish.model.settings import Enforcement
from banish.testing.memory_enforcer import ScriptedEnforcer

NOW = Instant(1_790_000_000)
BAN = Ban("sshd", parse_subject("192.0.2.1"), NOW, None)


def test_what_an_earlier_run_left_is_taken_away_once() -> None:
    async def play() -> None:
        real = ScriptedEnforcer()
        await real.start([Enforcement("sshd")], [BAN], NOW)
        unused = UnusedEnforcer(real)
        await unused.start([], [BAN], NOW)
        assert real.bans == {}
        await unused.start([], [BAN], NOW)
        assert real.starts == 2
        await unused.apply([StartBan(BAN)], NOW)
        assert not (await unused.read()).subjects
        await unused.stop(keep=False)

    asyncio.run(play())


def test_a_firewall_that_may_not_be_touched_is_no_trouble() -> None:
    async def play() -> None:
        real = ScriptedEnforcer()
        real.fail_next()
        unused = UnusedEnforcer(real)
        await unused.start([], [], NOW)
        assert unused.name == "actions alone"
        assert (await unused.read()).is_whole

    asyncio.run(play())
