import asyncio

import pytest

from banish.errors import EnforceError
from banish.model.address import Subject
from banish.ports import Enforcer
from banish.testing.memory_enforcer import ScriptedEnforcer
from tests.enforce.contract import (
    ATTACKER,
    NOW,
    SSHD,
    ChangingJails,
    EnforcerContract,
    Firewall,
    ban,
    end,
    held,
    play,
    start,
)


class RememberedFirewall:
    def __init__(self) -> None:
        self.enforcer = ScriptedEnforcer()

    def lift(self, jail: str, subject: Subject) -> None:
        self.enforcer.meddle(jail=jail, subject=subject)

    def slip_in(self, jail: str, subject: Subject) -> None:
        self.enforcer.slip_in(jail, subject)

    def destroy(self) -> None:
        self.enforcer.meddle()

    def others(self) -> str:
        return "a dictionary has no others"

    def shows(self, subject: Subject) -> bool:
        return any(subject in bans for bans in self.enforcer.bans.values())

    def again(self) -> Enforcer:
        return self.enforcer


class TestMemoryEnforcer(ChangingJails, EnforcerContract):
    @pytest.fixture
    def firewall(self) -> Firewall:
        return RememberedFirewall()


def test_a_call_told_to_fail_changes_nothing_and_the_next_one_works() -> None:
    firewall = RememberedFirewall()
    memory = firewall.enforcer

    async def script(_: Firewall) -> None:
        memory.fail_next(EnforceError("no room"))
        with pytest.raises(EnforceError, match="no room"):
            await memory.apply([start(ATTACKER)], NOW)
        assert (await held(memory))["sshd"] == frozenset()
        memory.fail_next(times=2)
        for _time in range(2):
            with pytest.raises(EnforceError, match="asked to fail"):
                await memory.start([SSHD], [ban()], NOW)
        await memory.apply([start(ATTACKER)], NOW)
        assert memory.bans == {"sshd": {ATTACKER: NOW + 600}, "web": {}}
        assert (memory.starts, memory.batches) == (1, 1)

    play(firewall, script)


def test_a_stranger_can_empty_one_jail() -> None:
    firewall = RememberedFirewall()

    async def script(_: Firewall) -> None:
        await firewall.enforcer.apply([start(ATTACKER), start(ATTACKER, jail="web")], NOW)
        firewall.enforcer.meddle(jail="sshd")
        assert await held(firewall.enforcer) == {"sshd": frozenset(), "web": {ATTACKER}}
        await firewall.enforcer.apply([end(ATTACKER, "web")], NOW)

    play(firewall, script)


def test_with_keep_the_bans_stay_in_force() -> None:
    memory = ScriptedEnforcer("dry run")
    assert memory.name == "dry run"

    async def script() -> None:
        await memory.start([SSHD], [ban()], NOW)
        await memory.stop(keep=True)
        assert memory.bans == {"sshd": {ATTACKER: NOW + 600}}
        await memory.stop(keep=False)
        assert memory.bans == {}

    asyncio.run(script())
