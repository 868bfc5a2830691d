import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import pytest

from banish.daemon import enforcing, firewall, recorder
from banish.enforce.fold import FirewallContents
from banish.errors import EnforceError, StoreError
from banish.model.address import Subject, name_subject, parse_subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement
from banish.model.snapshot import Commit, JailChanges, Memory, Tally
from banish.ports import Store
from banish.telemetry.events import (
    BanEnded,
    BanStarted,
    FailureFound,
    FirewallRepaired,
    PartFailed,
    PartRecovered,
)
from banish.testing.memory_enforcer import ScriptedEnforcer
from banish.testing.memory_store import MemoryStore
from tests.daemon.stage import ATTACKER, NOW, Stage, fails


def on(stage_play: Callable[[Stage], Awaitable[None]], **options: object) -> Stage:
    """Play on a fresh stage and return it."""

    async def play() -> Stage:
        stage = Stage(**options)  # type: ignore[arg-type]
        await stage.open()
        await stage_play(stage)
        return stage

    return asyncio.run(play())


def test_firewall_then_ledger_then_position() -> None:
    async def play(stage: Stage) -> None:
        stage.source.write(fails(ATTACKER, ATTACKER, ATTACKER))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        assert stage.banned() == {ATTACKER}
        await stage.close()

    stage = on(play)
    deciding = [commit for commit in stage.store.commits if commit.decisions]
    assert len(deciding) == 1
    (place,) = deciding[0].positions.values()
    assert place.offset == len(fails(ATTACKER) * 3)  # type: ignore[union-attr]


def test_a_firewall_that_refuses_once_is_rebuilt_with_everything_wanted() -> None:
    async def play(stage: Stage) -> None:
        stage.source.write(fails(*["192.0.2.1"] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        stage.enforcer.fail_next()
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 2)
        assert stage.banned() == {ATTACKER, "192.0.2.1"}
        truth = stage.enforcing.firewall_status()
        assert (truth.wanted, truth.enforced, truth.repairs, truth.trouble) == (2, 2, 1, "")
        await stage.close()

    assert on(play).heard(FirewallRepaired) == 1


def test_while_the_firewall_fails_bans_stay_wanted_and_are_in_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enforcing, "WRITE_PAUSE", Seconds(0.01))
    monkeypatch.setattr(firewall, "FIRST_RETRY", Seconds(0.01))

    async def play(stage: Stage) -> None:
        stage.enforcer.fail_next(EnforceError("no table"), times=3)
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(PartFailed) == 1)
        assert stage.enforcing.firewall_status().trouble == "no table"
        assert stage.enforcing.firewall_status().enforced is None
        assert stage.heard(BanStarted) == 0
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        assert stage.banned() == {ATTACKER}
        await stage.close()

    stage = on(play)
    assert stage.heard(PartRecovered) == 1
    assert [type(d) for c in stage.store.commits for d in c.decisions] == [StartBan]


def test_a_ban_that_would_end_at_a_wrong_time_is_given_its_own_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: dict[str, dict[Subject, float | None]] = {"j": {parse_subject(ATTACKER): 1.0}}
    read = ScriptedEnforcer.read

    async def read_with_times(enforcer: ScriptedEnforcer) -> FirewallContents:
        held, times = await read(enforcer), left.copy()
        left.clear()  # from the repair on all is well
        return msgspec.structs.replace(held, left=times)

    monkeypatch.setattr(ScriptedEnforcer, "read", read_with_times)

    async def play(stage: Stage) -> None:
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        batches = stage.enforcer.batches
        stage.enforcer.meddle(jail="j", subject=parse_subject("192.0.2.99"))
        await stage.until(lambda: stage.heard(FirewallRepaired) == 1)
        assert stage.enforcer.batches == batches + 1
        await stage.close()

    stage = on(play)
    (repaired,) = [told for told in stage.told if isinstance(told, FirewallRepaired)]
    assert repaired.mistimed == 1
    assert stage.enforcing.firewall_status().repairs == 1


def test_a_foreign_flush_is_noticed_and_healed() -> None:
    async def play(stage: Stage) -> None:
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        stage.enforcer.meddle()
        await stage.until(lambda: stage.heard(FirewallRepaired) == 1)
        assert stage.banned() == {ATTACKER}
        stage.enforcer.meddle(jail="j", subject=parse_subject(ATTACKER))
        await stage.until(lambda: stage.heard(FirewallRepaired) == 2)
        assert stage.banned() == {ATTACKER}
        await stage.close()

    on(play)


def test_a_store_that_fails_stops_no_ban_and_gets_everything_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(stage: Stage) -> None:
        stage.store.trouble = StoreError("no room")
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(PartFailed) == 1)
        assert stage.banned() == {ATTACKER}
        assert stage.enforcing.store_trouble == "no room"
        stage.source.write(fails("192.0.2.1"))
        await stage.until(lambda: stage.heard(FailureFound) == 4)
        stage.store.trouble = None
        await stage.close()

    stage = on(play)
    assert stage.enforcing.store_trouble == ""
    memory = asyncio.run(stage.store.load(NOW))
    assert [ban.subject.text for ban in memory.jails["j"].bans] == [ATTACKER]
    assert list(memory.jails["j"].tallies) == [parse_subject("192.0.2.1")]


def test_what_is_asked_by_hand_is_done_when_the_answer_comes() -> None:
    async def play(stage: Stage) -> None:
        subject = parse_subject("192.0.2.9")
        await stage.enforcing.carry_out(stage.jails.ban("j", [subject], stage.now, None))
        assert stage.banned() == {"192.0.2.9"}
        await stage.enforcing.carry_out(stage.jails.unban(None, None, stage.now))
        assert stage.banned() == set()
        stage.enforcer.fail_next(times=2)
        with pytest.raises(EnforceError, match="asked to fail"):
            await stage.enforcing.carry_out(stage.jails.ban("j", [subject], stage.now, None))
        await stage.close()

    on(play)


@pytest.mark.parametrize("whom", [None, ATTACKER])
def test_an_unban_of_somebody_not_banned_yet_outlives_a_restart(whom: str | None) -> None:
    async def play() -> int:
        first = Stage(text=fails(*[ATTACKER] * 2))
        await first.open()
        await first.until(lambda: first.heard(FailureFound) == 2)
        subjects = None if whom is None else [parse_subject(whom)]
        await first.enforcing.carry_out(first.jails.unban(subjects, None, first.now))
        await first.crash()
        second = Stage(first.store, text=fails(*[ATTACKER] * 2))
        await second.open()
        second.source.write(fails(ATTACKER))
        await second.until(lambda: second.heard(FailureFound) == 1)
        await second.close()
        return second.heard(BanStarted)

    assert asyncio.run(play()) == 0


def test_an_expired_ban_is_lifted_and_told() -> None:
    async def play(stage: Stage) -> None:
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        stage.now = Instant(NOW + 60)
        commit = stage.jails.tick(stage.now)
        assert commit is not None
        await stage.enforcing.put(commit)
        await stage.until(lambda: stage.heard(BanEnded) == 1)
        assert stage.banned() == set()
        assert stage.jails.tick(stage.now) is None
        await stage.close()

    on(play)


def test_evidence_gives_way_before_decisions_do() -> None:
    async def play(stage: Stage) -> None:
        stage.source.write(fails(*[ATTACKER] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        await stage.close()

    (commit,) = [commit for commit in on(play).store.commits if commit.decisions]
    kept = recorder.without_evidence_past([commit] * 5, 2)
    decisions = [decision for each in kept for decision in each.decisions]
    assert len(kept) == 1
    assert len(decisions) == 5
    assert [bool(decision.ban.evidence) for decision in decisions] == [False] * 3 + [True] * 2
    assert recorder.without_evidence_past([commit], 2) == [commit]


def test_a_crash_at_any_step_repeats_work_and_counts_nothing_twice() -> None:
    text = fails(*[ATTACKER] * 2, *["192.0.2.1"] * 2, ATTACKER, *["192.0.2.1"] * 3)

    async def play(cut: int) -> tuple[Memory, Stage]:
        store = MemoryStore()
        first = Stage(store, text[:cut])
        await first.open()
        for _ in range(cut % 7):
            await asyncio.sleep(0)
        await first.crash()
        second = Stage(store, text)
        await second.open()
        await second.until(lambda: second.heard(BanStarted) == 2)
        await second.until(lambda: second.policy.failures_total >= 8)
        await second.close()
        return await store.load(NOW), second

    for cut in range(len(text) + 1):
        memory, _ = asyncio.run(play(cut))
        jail = memory.jails["j"]
        assert {ban.subject.text for ban in jail.bans} == {ATTACKER, "192.0.2.1"}
        assert jail.bans_total == 2
        assert jail.failures_total == 8


@pytest.mark.parametrize(("limit", "least"), [("QUEUE_LIMIT", 2), ("TALLIES_LIMIT", 2)])
def test_a_full_queue_makes_the_source_wait_and_loses_no_step(
    monkeypatch: pytest.MonkeyPatch, limit: str, least: int
) -> None:
    monkeypatch.setattr(enforcing, limit, least)

    async def play() -> Stage:
        stage = Stage()
        stage.enforcing.use_store(stage.store)
        source = asyncio.ensure_future(stage.pipeline.run())
        for number in range(9):
            stage.source.write(fails(f"192.0.2.{number}"))
            for _ in range(20):
                await asyncio.sleep(0)
        assert stage.policy.failures_total == 3
        source.cancel()
        await asyncio.gather(source, return_exceptions=True)
        await stage.close()
        return stage

    assert len(asyncio.run(play()).store.commits) == 3


def test_steps_that_hold_more_than_may_wait_are_carried_out_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enforcing, "TALLIES_LIMIT", 1)

    async def play(stage: Stage) -> None:
        for number in range(5):
            attacker = f"198.51.100.{number}"
            others = [f"192.0.2.{10 * number + n}" for n in range(9)]
            stage.source.write(fails(*others, *[attacker] * 3))
            await stage.until(lambda: attacker in stage.banned())  # noqa: B023
        await stage.close()

    assert on(play).policy.failures_total == 5 * (9 + 3)


def test_a_ban_does_not_wait_until_there_is_room() -> None:
    async def play() -> tuple[int, set[str]]:
        stage = Stage()
        stage.enforcing.use_store(stage.store)
        await stage.enforcing.begin([Enforcement("j")], [])
        before = stage.enforcer.batches
        subjects = [name_subject(f"t{n}") for n in range(enforcing.TALLIES_LIMIT + 1)]
        tallies = dict.fromkeys(subjects, Tally((stage.now,)))
        changes = (JailChanges("j", tallies),)
        flood = asyncio.ensure_future(stage.enforcing.put(Commit(at=stage.now, changes=changes)))
        banned = stage.jails.ban("j", [parse_subject(ATTACKER)], stage.now, None)
        ban = asyncio.ensure_future(stage.enforcing.put(banned))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not flood.done()
        assert not ban.done()
        run = asyncio.ensure_future(stage.enforcing.run())
        async with asyncio.timeout(10):
            await asyncio.gather(flood, ban)
        found = stage.enforcer.batches - before, stage.banned()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        await stage.enforcing.finish(keep=True)
        return found

    assert asyncio.run(play()) == (1, {ATTACKER})


def test_the_ledger_hears_of_ends_too() -> None:
    async def play(stage: Stage) -> None:
        subject = parse_subject(ATTACKER)
        await stage.enforcing.carry_out(stage.jails.ban("j", [subject], stage.now, None))
        await stage.enforcing.carry_out(stage.jails.unban([subject], "j", stage.now))
        await stage.close()

    decisions = [d for c in on(play).store.commits for d in c.decisions]
    assert [type(decision) for decision in decisions] == [StartBan, EndBan]


def test_a_database_that_comes_back_brings_its_bans_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(enforcing, "WRITE_PAUSE", Seconds(0.01))

    async def play() -> Stage:
        first = Stage(text=fails(*[ATTACKER] * 3))
        await first.open()
        await first.until(lambda: first.heard(BanStarted) == 1)
        await first.close()
        second = Stage(first.store)
        await second.open(with_store=False)
        second.source.write(fails(*["192.0.2.1"] * 3))
        await second.until(lambda: second.heard(BanStarted) == 2)
        assert second.banned() == {ATTACKER, "192.0.2.1"}
        await second.close()
        return second

    stage = asyncio.run(play())
    memory = asyncio.run(stage.store.load(NOW))
    assert {ban.subject.text for ban in memory.jails["j"].bans} == {ATTACKER, "192.0.2.1"}
    assert memory.jails["j"].bans_total == 2


def test_many_restored_bans_are_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(firewall, "REPORTED_LIMIT", 1)

    async def play() -> Stage:
        first = Stage(text=fails(*[ATTACKER] * 3, *["192.0.2.1"] * 3))
        await first.open()
        await first.until(lambda: first.heard(BanStarted) == 2)
        await first.close()
        second = Stage(first.store)
        await second.open()
        assert second.banned() == {ATTACKER, "192.0.2.1"}
        await second.close()
        return second

    assert asyncio.run(play()).heard(BanStarted) == 0


def test_many_changed_windows_are_written_without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crowd that fails once each must not pile up in memory until the pause is over."""
    monkeypatch.setattr(recorder, "WRITE_PAUSE", Seconds(3_600))
    monkeypatch.setattr(recorder, "TALLIES_LIMIT", 5)

    async def play() -> tuple[int, int]:
        record, store = a_record()
        await record.write()
        record.add([changed(1)])
        await record.write()  # from now on the pause counts
        due = []
        for count in (4, 1):
            record.add([changed(count)])
            due.append(record.is_due)
        await record.write()
        record.add([changed(4)])
        due.append(record.is_due)
        assert due == [False, True, False]
        return len(store.commits), len(due)

    assert asyncio.run(play()) == (3, 3)


def test_decisions_that_follow_each_other_fast_are_written_together_but_not_the_operators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder, "WRITE_PAUSE", Seconds(3_600))
    monkeypatch.setattr(recorder, "DECISIONS_PAUSE", Seconds(1_800))
    ban = Ban("j", parse_subject(ATTACKER), NOW, None)
    end = Commit(at=NOW, decisions=(EndBan(ban, "operator"),))

    async def play() -> list[float]:
        record, _ = a_record()
        due: list[float] = [record.due_in]
        record.add([changed(1)])
        await record.write()  # from now on the pauses count
        for commits, at_once in (([changed(1)], False), ([end], False), ([], True)):
            record.add(commits, at_once=at_once)
            due.append(record.due_in)
        assert record.is_due
        await record.write()
        record.add([changed(1)])
        due.append(record.due_in)
        return due

    nothing, change, decision, wanted, again = asyncio.run(play())
    assert nothing == float("inf")
    assert 1_800 < change <= 3_600
    assert 0 < decision <= 1_800
    assert wanted <= 0
    assert 1_800 < again <= 3_600


def a_record() -> tuple[recorder.Recorder, MemoryStore]:
    """Return a record with an open store."""

    async def open_store() -> Store:
        return store

    async def ignore(_: Memory) -> None:
        return None

    store = MemoryStore()
    record = recorder.Recorder(open_store, emit=lambda _: None, clock=lambda: NOW, on_memory=ignore)
    record.store = store
    return record, store


def changed(count: int) -> Commit:
    """Return a step in which *count* addresses failed."""
    tallies = {parse_subject(f"192.0.2.{n}"): Tally((NOW,)) for n in range(count)}
    return Commit(at=NOW, changes=(JailChanges("j", tallies),))


def test_a_firewall_that_fails_for_a_moment_at_the_start_is_tried_again() -> None:
    async def script(stage: Stage) -> None:
        stage.enforcer.fail_next(EnforceError("no memory"))
        await stage.enforcing.begin([Enforcement("j")], [])
        assert stage.enforcing.firewall_status().trouble == "no memory"
        stage.enforcer.fail_next(EnforceError("no right", retry=False))
        with pytest.raises(EnforceError):
            await stage.enforcing.begin([Enforcement("j")], [])

    asyncio.run(script(Stage()))


class HangingStore(MemoryStore):
    """A store on a disk that hangs until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()

    async def commit(self, commits: Sequence[Commit]) -> None:
        await self.gate.wait()
        await super().commit(commits)


def test_a_disk_that_hangs_holds_up_no_ban_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "PATIENCE", 0.01)
    monkeypatch.setattr(recorder, "HANG_LIMIT", 0.1)
    store = HangingStore()

    async def play(stage: Stage) -> None:
        stage.source.write(fails(*["192.0.2.1"] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        await stage.until(lambda: stage.heard(PartFailed) == 1)
        assert "not answered" in stage.enforcing.store_trouble
        for number in range(2, 9):
            stage.source.write(fails(*[f"192.0.2.{number}"] * 3))
            await stage.until(lambda count=number: stage.heard(BanStarted) == count)  # type: ignore[misc]
        assert store.commits == []
        store.gate.set()
        await stage.until(lambda: stage.heard(PartRecovered) == 1)
        await stage.close()
        decided = [each for commit in store.commits for each in commit.decisions]
        assert len([each for each in decided if isinstance(each, StartBan)]) == 8
        assert stage.heard(PartFailed) == 1

    on(play, store=store)


def test_a_server_stops_though_its_disk_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "PATIENCE", 0.01)
    monkeypatch.setattr(recorder, "HANG_LIMIT", 0.1)
    store = HangingStore()

    async def play(stage: Stage) -> None:
        stage.source.write(fails(*["192.0.2.1"] * 3))
        await stage.until(lambda: stage.heard(BanStarted) == 1)
        await stage.crash()
        await stage.enforcing.finish(keep=False)
        assert not store.is_closed
        store.gate.set()

    on(play, store=store)
