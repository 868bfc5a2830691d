"""Foreign changes at every moment of a look, and what is said of the kernel meanwhile."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from banish.daemon import repairs
from banish.daemon.firewall import Firewall
from banish.daemon.repairs import Repairs
from banish.enforce.fold import FirewallContents
from banish.errors import DisturbedError, EnforceError
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, StartBan
from banish.model.instant import Instant
from banish.model.settings import Enforcement
from banish.telemetry.events import Event, FirewallRepaired, PartFailed, PartRecovered
from banish.testing.memory_enforcer import ScriptedEnforcer

pytestmark = pytest.mark.slow

NOW = Instant(1_790_000_000)
BANS = [Ban("j", parse_subject(f"192.0.2.{n}"), NOW, None) for n in range(200)]


class Meddled(ScriptedEnforcer):
    """Memory that a stranger flushes at chosen calls: before and after each read and apply."""

    def __init__(self, flushes: Sequence[int] = (), *, how: str = "jail") -> None:
        super().__init__()
        self.flushes = set(flushes)
        self.how = how
        self.moment = 0
        self.on_moment: Callable[[], None] = lambda: None
        self.changed_by_whom = ""

    @property
    def changed_by(self) -> str:
        return self.changed_by_whom

    async def _moment(self) -> None:
        self.on_moment()
        if self.moment in self.flushes:
            match self.how:
                case "all":
                    self.meddle()
                case "jail":
                    self.meddle(jail="j")
                case _:
                    self.meddle(jail="j", subject=BANS[7].subject)
        self.moment += 1
        for _ in range(3):  # the watch takes its turn
            await asyncio.sleep(0)

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        await self._moment()
        await super().start(jails, bans, now)
        await self._moment()

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        await self._moment()
        await super().apply(batch, now)
        await self._moment()

    async def read(self) -> FirewallContents:
        await self._moment()
        found = await super().read()
        await self._moment()
        return found


class Stage:
    """A firewall, its watch, and what is told."""

    def __init__(self, enforcer: ScriptedEnforcer) -> None:
        self.told: list[Event] = []
        self.enforcer = enforcer
        self.firewall = Firewall(
            enforcer, emit=self.told.append, clock=lambda: NOW, on_done=lambda _: None
        )

    async def watch(self) -> None:
        while True:
            await self.firewall.wait_for_doubt()

    def heard(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.told)


def play(enforcer: ScriptedEnforcer, script: Callable[[Stage], object]) -> Stage:
    async def run() -> Stage:
        stage = Stage(enforcer)
        await stage.firewall.begin([Enforcement("j")], BANS)
        watch = asyncio.ensure_future(stage.watch())
        await asyncio.sleep(0)
        try:
            await script(stage)  # type: ignore[misc]
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        return stage

    return asyncio.run(run())


@pytest.mark.parametrize("how", ["jail", "all", "one"])
@pytest.mark.parametrize("first", range(8))
@pytest.mark.parametrize("apart", [1, 2, 3, 4, 5])
def test_two_foreign_changes_at_any_distance_are_healed_at_once_and_never_hidden(
    how: str, first: int, apart: int
) -> None:
    """Two flushes 3.6 ms apart left 0 of 200 bans for a minute, and status said 200 of 200."""
    enforcer = Meddled(how=how)
    seen: list[tuple[int | None, int]] = []

    async def script(stage: Stage) -> None:
        enforcer.moment = 0
        enforcer.flushes = {first, first + apart}
        enforcer.meddle(jail="j")

        def glance() -> None:
            seen.append((stage.firewall.status().enforced, len(enforcer.bans["j"])))

        enforcer.on_moment = glance
        for _ in range(first + apart + 3):
            await asyncio.sleep(0)
            await stage.firewall.look_after()
        assert len(enforcer.bans["j"]) == 200
        truth = stage.firewall.status()
        assert (truth.wanted, truth.enforced) == (200, 200)
        assert stage.firewall.due_in > 50

    play(enforcer, script)
    assert all(enforced in (None, held) or held == 200 for enforced, held in seen)


def test_what_was_written_is_not_said_to_stand_in_the_kernel_before_it_is_read() -> None:
    async def script(stage: Stage) -> None:
        assert stage.firewall.status().enforced is None
        await stage.firewall.look()
        assert stage.firewall.status().enforced == 200
        extra = Ban("j", parse_subject("198.51.100.1"), NOW, None)
        await stage.firewall.apply([StartBan(extra)])
        truth = stage.firewall.status()
        assert (truth.wanted, truth.enforced) == (200, 200)  # of the moment when it was read
        stage.enforcer.meddle(jail="j")
        for _ in range(3):
            await asyncio.sleep(0)
        truth = stage.firewall.status()
        assert (truth.wanted, truth.enforced) == (201, None)
        assert truth.trouble == "another program changed memory, and it is not read back yet"
        await stage.firewall.look_after()
        truth = stage.firewall.status()
        assert (truth.wanted, truth.enforced, truth.repairs) == (201, 201, 1)

    play(ScriptedEnforcer(), script)


def test_bans_that_no_firewall_holds_are_not_among_the_wanted() -> None:
    async def script(stage: Stage) -> None:
        others = [
            Ban("j", parse_subject("alice"), NOW, None),
            Ban("by-action", parse_subject("198.51.100.1"), NOW, None),
        ]
        await stage.firewall.apply([StartBan(ban) for ban in others])
        await stage.firewall.look()
        truth = stage.firewall.status()
        assert (truth.wanted, truth.enforced) == (200, 200)
        await stage.firewall.apply([EndBan(ban, "expired") for ban in (*others, BANS[0])])
        await stage.firewall.look()
        truth = stage.firewall.status()
        assert (truth.wanted, truth.enforced) == (199, 199)
        assert truth.repairs == 0

    play(ScriptedEnforcer(), script)


def test_a_ban_whose_end_is_on_its_way_is_neither_missed_nor_foreign() -> None:
    over = Ban("j", parse_subject("198.51.100.1"), NOW, NOW)

    async def script(stage: Stage) -> None:
        await stage.firewall.apply([StartBan(over)])
        stage.enforcer.slip_in("j", over.subject)
        await stage.firewall.look()
        assert stage.firewall.status().repairs == 0
        assert over.subject in stage.enforcer.bans["j"]
        await stage.firewall.apply([EndBan(over, "expired")])
        assert over.subject not in stage.enforcer.bans["j"]

    play(ScriptedEnforcer(), script)


def test_many_bans_are_compared_in_a_thread_with_the_same_outcome(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("banish.daemon.firewall.THREAD_ABOVE", 10)

    async def script(stage: Stage) -> None:
        stage.enforcer.meddle(jail="j")
        await stage.firewall.look()
        assert len(stage.enforcer.bans["j"]) == 200
        assert stage.firewall.status().enforced == 200

    assert play(ScriptedEnforcer(), script).heard(FirewallRepaired) == 1


def test_what_never_reads_as_written_is_not_written_without_end() -> None:
    class Forgetful(ScriptedEnforcer):
        async def read(self) -> FirewallContents:
            found = await super().read()
            return FirewallContents({"j": found.subjects["j"] - {BANS[0].subject}}, is_whole=True)

    enforcer = Forgetful()

    async def script(stage: Stage) -> None:
        for _ in range(3):
            await stage.firewall.look()
        assert stage.firewall.due_in > 0
        truth = stage.firewall.status()
        assert (truth.wanted, truth.enforced) == (200, 199)

    play(enforcer, script)
    assert enforcer.batches == 9


@pytest.mark.parametrize("how", ["all", "jail"])
def test_a_thousand_flushes_are_repaired_each_and_told_in_a_few_lines(how: str) -> None:
    enforcer = Meddled(how=how)
    enforcer.changed_by_whom = "nft (pid 7)"

    async def script(stage: Stage) -> None:
        for _ in range(1_000):
            if how == "all":
                enforcer.meddle()
            else:
                enforcer.meddle(jail="j")
            for _ in range(3):
                await asyncio.sleep(0)
            await stage.firewall.look_after()
            assert len(enforcer.bans["j"]) == 200
        assert stage.firewall.status().repairs == 1_000
        assert "nft (pid 7)" in stage.firewall.status().trouble

    stage = play(enforcer, script)
    assert stage.heard(FirewallRepaired) == repairs.FREE_REPAIRS
    assert stage.heard(PartFailed) == 1
    assert len(stage.told) == 200 + repairs.FREE_REPAIRS + 1


def test_a_table_that_is_gone_at_each_ban_is_built_anew_and_told_in_a_few_lines() -> None:
    async def script(stage: Stage) -> None:
        for n in range(300):
            stage.enforcer.meddle()
            ban = Ban("j", parse_subject(f"198.51.{n // 250}.{n % 250}"), NOW, None)
            assert await stage.firewall.apply([StartBan(ban)]) is None
            assert len(stage.enforcer.bans["j"]) == 201 + n

    stage = play(ScriptedEnforcer(), script)
    assert stage.heard(PartFailed) == 1
    assert stage.heard(PartRecovered) == 0


def test_a_repair_that_is_disturbed_is_tried_again_at_the_next_sign() -> None:
    async def script(stage: Stage) -> None:
        stage.enforcer.meddle()
        stage.enforcer.fail_next(DisturbedError("changed meanwhile"), times=2)
        for _ in range(3):
            await asyncio.sleep(0)
        await stage.firewall.look_after()
        assert stage.firewall.status().trouble == "changed meanwhile"
        assert stage.firewall.status().enforced is None
        assert stage.firewall.due_in > 0
        stage.enforcer.meddle()
        for _ in range(3):
            await asyncio.sleep(0)
        assert stage.firewall.due_in <= 0
        await stage.firewall.look_after()
        assert (stage.firewall.status().enforced, stage.firewall.status().trouble) == (200, "")

    stage = play(ScriptedEnforcer(), script)
    assert stage.heard(PartFailed) == 0


def test_an_error_is_told_when_the_repair_fails_and_again_when_it_works() -> None:
    async def script(stage: Stage) -> None:
        stage.enforcer.fail_next(EnforceError("no rights"), times=2)
        await stage.firewall.look()
        assert stage.firewall.status().trouble == "no rights"
        stage.firewall._retry_at = 0.0
        await stage.firewall.look_after()
        assert stage.firewall.status().enforced == 200

    stage = play(ScriptedEnforcer(), script)
    assert [type(told) for told in stage.told[200:]] == [
        PartFailed,
        FirewallRepaired,
        PartRecovered,
    ]


class TestRepairs:
    def repairs(self) -> tuple[Repairs, list[Event]]:
        told: list[Event] = []
        enforcer = Meddled()
        return Repairs(enforcer, emit=told.append), told

    def test_sums_are_told_further_and_further_apart_and_lose_nothing(self) -> None:
        one, told = self.repairs()
        for second in range(86_400):
            one.note(FirewallRepaired(2, 0, rebuilt=False), float(second))
            one.look(float(second))
        repaired = [each for each in told if isinstance(each, FirewallRepaired)]
        assert len(told) < 40
        assert one.count == 86_400
        one.look(86_400.0 + repairs.QUIET_SPAN)
        repaired = [each for each in told if isinstance(each, FirewallRepaired)]
        assert sum(each.times for each in repaired) == 86_400
        assert sum(each.missing for each in repaired) == 2 * 86_400
        assert isinstance(told[-1], PartRecovered)
        assert one.trouble == ""
        assert "firewall repaired 61 times: 122 bans added back" in repaired[5].text()

    def test_what_was_not_told_yet_is_told_when_the_server_stops(self) -> None:
        one, told = self.repairs()
        for second in range(20):
            one.note(FirewallRepaired(2, 0, rebuilt=False), second / 100)
        one.finish()
        one.finish()
        repaired = [each for each in told if isinstance(each, FirewallRepaired)]
        assert sum(each.times for each in repaired) == one.count == 20

    def test_repairs_now_and_then_are_told_one_by_one_and_are_no_trouble(self) -> None:
        one, told = self.repairs()
        for second in range(0, 3_600, 20):
            one.note(FirewallRepaired(2, 0, rebuilt=False), float(second))
            one.look(float(second))
        assert len(told) == 180
        assert one.trouble == ""

    def test_repairs_that_are_undone_while_they_are_made_are_trouble_too(self) -> None:
        one, told = self.repairs()
        for second in range(100):
            one.note_vain(second / 100)
        assert [type(each) for each in told] == [PartFailed]
        one.look(10_000)
        assert [type(each) for each in told] == [PartFailed, PartRecovered]
