"""What actions did is undone, whenever the server was killed and whatever ran out meanwhile."""

import asyncio
from collections.abc import Sequence

import pytest

from banish.daemon import actionrecord
from banish.daemon.actionrecord import ActionRecord, ActionRecords
from banish.daemon.dispatcher import ActionDispatcher
from banish.daemon.orders import Order, OrderQueue
from banish.daemon.worker import END_TRIES
from banish.enforce.command.action import ShellAction
from banish.enforce.command.shell import Outcome
from banish.errors import StoreError
from banish.model.actionban import ActionBan
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import ActionSettings
from banish.shell.script import Filled
from banish.telemetry.events import Event, PartFailed, PartRecovered, WarningGiven
from banish.testing.memory_store import MemoryStore
from tests.compat.stock_actions import Nothing

pytestmark = pytest.mark.slow

NOW = Instant(1_790_000_000)
KEEPS = {"actionban": "ban <ip>", "actionunban": "unban <ip>"}


def ban(address: str, since: float = NOW, jail: str = "web") -> Ban:
    return Ban(jail, parse_subject(address), Instant(since), Instant(since + 600))


ONE, TWO, THREE = ban("192.0.2.1"), ban("192.0.2.2"), ban("2001:db8::1")


class Server:
    """A server's actions on a host that outlives it; it can be killed at any moment."""

    def __init__(
        self,
        store: MemoryStore,
        host: set[str],
        *,
        properties: dict[str, str] | None = None,
        killed_at: int = -1,
        now: float = NOW,
        limit: int = 1_000,
        names: Sequence[str] = ("own",),
    ) -> None:
        self.host = host
        self.told: list[Event] = []
        self.said: list[str] = []
        self.fails: set[str] = set()
        self.moments = 0
        self.killed_at = killed_at
        self.killed = asyncio.Event()
        self.store = store
        write = store.write_actions

        async def write_actions(changes: Sequence[ActionBan]) -> None:
            await self.moment()
            await MemoryStore.write_actions(store, changes)
            await self.moment()

        del write
        store.write_actions = write_actions  # type: ignore[method-assign]
        self.acting = ActionDispatcher(
            {
                "web": [
                    ShellAction(
                        "web",
                        ActionSettings(
                            name, actname=name, way="commands", properties=properties or KEEPS
                        ),
                        run=self.run,
                        facts=Nothing(),
                        clock=lambda: NOW,
                    )
                    for name in names
                ]
            },
            emit=self.told.append,
            clock=lambda: Instant(now),
            limit=limit,
            store=lambda: store,
        )
        self.tasks: list[asyncio.Task[None]] = []

    async def moment(self) -> None:
        self.moments += 1
        if self.moments == self.killed_at:
            self.killed.set()
        if self.killed.is_set():
            await asyncio.Event().wait()

    async def run(self, filled: Filled, _limit: Seconds) -> Outcome:
        await self.moment()
        text = filled.script
        for name, value in filled.values:
            text = text.replace(f'"${{{name}}}"', value)
        self.said.append(text)
        word, _, address = text.partition(" ")
        if word == "ban":
            self.host.add(address)
        elif word == "unban":
            self.host.discard(address)
        await self.moment()
        return Outcome(int(text in self.fails))

    async def start(self, in_force: Sequence[Ban]) -> None:
        memory = await self.store.load(NOW)
        self.acting.restore(in_force, memory.action_bans)
        self.tasks = [asyncio.create_task(worker.run()) for worker in self.acting.workers]

    async def settle(self) -> None:
        """Return once the actions have done all, or the server was killed."""
        quiet = 0
        while quiet < 20 and not self.killed.is_set():
            await asyncio.sleep(0)
            quiet = quiet + 1 if all(w.is_idle for w in self.acting.workers) else 0

    async def kill(self) -> None:
        workers = list(self.acting.workers)
        busy = [worker._busy for worker in workers if worker._busy is not None]
        for task in (*self.tasks, *busy):
            task.cancel()
        await asyncio.gather(*self.tasks, *busy, return_exceptions=True)

    async def stop(self, *, keep: bool = False) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.acting.finish(keep=keep)


def texts(*bans: Ban) -> set[str]:
    return {each.subject.text for each in bans}


STEPS: list[tuple[list[Decision], set[str]]] = [
    ([StartBan(ONE), StartBan(TWO)], texts(ONE, TWO)),
    ([EndBan(ONE, "expired"), StartBan(THREE)], texts(TWO, THREE)),
    ([StartBan(ban("192.0.2.1", NOW + 5)), EndBan(TWO, "operator")], texts(ONE, THREE)),
    ([EndBan(THREE, "expired")], texts(ONE)),
]


@pytest.mark.parametrize("goes_on", [(), (ONE,), (TWO, THREE), (ONE, TWO, THREE)])
@pytest.mark.parametrize("limit", [1_000, 1])
def test_a_kill_at_any_moment_leaves_nobody_out_whose_ban_is_over(
    goes_on: tuple[Ban, ...], limit: int
) -> None:
    async def play(killed_at: int, killed_again_at: int) -> bool:
        store, host = MemoryStore(), set[str]()
        first = Server(store, host, killed_at=killed_at, limit=limit)
        await first.start(())
        for decisions, _ in STEPS:
            first.acting.act(decisions)
            if killed_at % 2:
                await first.settle()
        await first.settle()
        was_killed = first.killed.is_set()
        await first.kill()
        # A second run is killed, too, while it still undoes what the first one left.
        second = Server(store, host, killed_at=killed_again_at, limit=limit)
        await second.start(goes_on)
        await second.settle()
        await second.kill()
        third = Server(store, host, limit=limit)
        await third.start(goes_on)
        await third.settle()
        await third.acting._record.flush()
        assert host == texts(*goes_on)
        assert {one.ban.subject for one in store.action_bans.values()} == {
            each.subject for each in goes_on
        }
        assert not third.told
        await third.kill()
        return was_killed

    for again in (1, 2, 3, 5, 8):
        killed_at = 1
        while asyncio.run(play(killed_at, again)):
            killed_at += 1
        assert killed_at > 10


def test_without_a_kill_each_step_leaves_who_is_banned_and_the_record_says_so() -> None:
    async def play() -> None:
        store, host = MemoryStore(), set[str]()
        server = Server(store, host)
        await server.start(())
        for decisions, expected in STEPS:
            server.acting.act(decisions)
            await server.settle()
            assert host == expected
            assert {one.ban.subject.text for one in store.action_bans.values()} == expected
        await server.stop()
        assert host == set()
        assert store.action_bans == {}

    asyncio.run(play())


@pytest.mark.parametrize("keep", [True, False])
def test_bans_that_run_out_after_a_clean_stop_are_ended_at_the_next_start(keep: bool) -> None:
    async def play() -> list[str]:
        store, host = MemoryStore(), set[str]()
        first = Server(store, host)
        await first.start(())
        first.acting.act([StartBan(ONE), StartBan(TWO)])
        await first.settle()
        await first.stop(keep=keep)
        assert host == (texts(ONE, TWO) if keep else set())
        second = Server(store, host)
        await second.start([TWO])
        await second.settle()
        assert host == texts(TWO)
        await second.stop(keep=True)
        return second.said

    assert asyncio.run(play()) == (["unban 192.0.2.1"] if keep else []) + ["ban 192.0.2.2"]


def test_an_action_that_is_not_told_of_restored_bans_ends_them_all_the_same() -> None:
    """``norestored``: it banned in an earlier run, so it is to unban in this one."""

    async def play() -> list[str]:
        store, host = MemoryStore(), set[str]()
        norestored = KEEPS | {"norestored": "true"}
        first = Server(store, host, properties=norestored)
        await first.start(())
        first.acting.act([StartBan(ONE), StartBan(TWO)])
        await first.settle()
        await first.kill()
        second = Server(store, host, properties=norestored)
        await second.start([ONE])
        await second.settle()
        assert host == texts(ONE)
        second.acting.act([EndBan(ONE, "expired")])
        await second.settle()
        assert host == set()
        await second.stop()
        return second.said

    assert asyncio.run(play()) == ["unban 192.0.2.2", "unban 192.0.2.1"]


def test_a_stop_lets_in_even_those_whom_this_run_was_not_told_of_again() -> None:
    async def play() -> None:
        store, host = MemoryStore(), set[str]()
        first = Server(store, host)
        await first.start(())
        first.acting.act([StartBan(ONE)])
        await first.settle()
        await first.kill()
        second = Server(store, host)
        second.acting.restore([ONE], (await store.load(NOW)).action_bans)
        await second.acting.finish(keep=False)
        assert host == set()
        assert store.action_bans == {}

    asyncio.run(play())


def test_an_action_that_is_gone_is_named_with_whom_it_left_out_and_ends_them_later() -> None:
    async def play() -> None:
        store, host = MemoryStore(), set[str]()
        first = Server(store, host, names=("own", "other"))
        await first.start(())
        first.acting.act([StartBan(ONE), StartBan(TWO)])
        await first.settle()
        await first.kill()
        assert len(store.action_bans) == 4
        second = Server(store, host)
        await second.start(())
        await second.settle()
        await second.stop(keep=True)
        (warned,) = second.told
        assert isinstance(warned, WarningGiven)
        assert "action other of web: this action is no longer configured" in warned.text()
        assert "may still block 192.0.2.1, 192.0.2.2" in warned.text()
        third = Server(store, host, names=("other",))
        await third.start(())
        await third.settle()
        await third.stop(keep=True)
        assert third.told == []
        assert store.action_bans == {}

        # Whoever lifted its bans by hand is not told of it for ever.
        await first.store.write_actions([ActionBan("other", ONE)])
        for after, warnings in ((0, 1), (6, 1), (8, 0)):
            later = Server(store, host, now=NOW + after * 86_400)
            await later.start(())
            await later.settle()
            await later.stop()
            assert len(later.told) == warnings
        assert store.action_bans == {}

    asyncio.run(play())


@pytest.mark.parametrize("until", [None, NOW + 600])
def test_a_ban_that_ran_out_long_ago_is_ended_all_the_same(until: float | None) -> None:
    async def play() -> None:
        store, host = MemoryStore(), texts(ONE)
        old = Ban("web", ONE.subject, NOW, None if until is None else Instant(until))
        await store.write_actions([ActionBan("own", old)])
        server = Server(store, host, now=NOW + 365 * 86_400)
        await server.start(())
        await server.settle()
        await server.stop()
        assert (host, store.action_bans) == (set(), {})

    asyncio.run(play())


def test_what_cannot_be_ended_is_told_in_two_lines_and_is_no_trouble() -> None:
    """After a restart of the host, rules of iptables are gone by themselves."""

    async def play() -> Server:
        store, host = MemoryStore(), set[str]()
        bans = [ban(f"192.0.2.{n}") for n in range(50)]
        first = Server(store, host)
        await first.start(())
        first.acting.act([StartBan(each) for each in bans])
        await first.settle()
        await first.kill()
        second = Server(store, host)
        second.fails = {f"unban {each.subject}" for each in bans}
        await second.start(())
        await second.settle()
        assert second.acting.trouble("web") == ""
        worker = second.acting._jails["web"][0]
        for _ in range(END_TRIES + 2):  # each time that the pause is over
            worker._put_missed()
            worker._has_news.set()
            await second.settle()
        assert len(second.said) == 2 * 50 * END_TRIES  # a command that fails runs once more
        await second.stop()
        # The next start tries again, and a week later nobody does.
        third = Server(store, host)
        third.fails = second.fails
        await third.start(())
        await third.settle()
        assert len(third.said) == 2 * 50
        await third.kill()
        fourth = Server(store, host, now=NOW + 8 * 86_400)
        await fourth.start(())
        await fourth.settle()
        await fourth.stop()
        assert (fourth.said, fourth.told, store.action_bans) == ([], [], {})
        return second

    first, second = asyncio.run(play()).told
    assert isinstance(first, WarningGiven)
    assert "a ban of an earlier run could not be ended" in first.text()
    assert "49 more bans of an earlier run could not be ended" in second.text()


def test_a_ban_that_begins_anew_takes_the_place_of_an_end_that_failed() -> None:
    async def play() -> None:
        store, host = MemoryStore(), set[str]()
        await store.write_actions([ActionBan("own", ONE)])
        server = Server(store, host)
        server.fails = {"unban 192.0.2.1"}
        await server.start(())
        await server.settle()
        server.acting.act([StartBan(ban("192.0.2.1", NOW + 5))])
        await server.settle()
        server.acting._jails["web"][0]._put_missed()
        await server.settle()
        assert host == texts(ONE)
        await server.kill()

    asyncio.run(play())


def test_a_failed_end_is_trouble_and_is_tried_once_more_at_the_next_start() -> None:
    async def play() -> None:
        store, host = MemoryStore(), set[str]()
        first = Server(store, host)
        await first.start(())
        first.acting.act([StartBan(ONE)])
        await first.settle()
        first.fails = {"unban 192.0.2.1"}
        first.acting.act([EndBan(ONE, "expired")])
        await first.settle()
        assert [type(each) for each in first.told] == [PartFailed]
        await first.kill()
        second = Server(store, host)
        await second.start(())
        await second.settle()
        assert second.said == ["unban 192.0.2.1"]
        assert second.told == []
        await second.stop()

    asyncio.run(play())


def test_an_end_that_failed_among_the_ends_of_all_is_tried_again() -> None:
    """A command cannot be started while the process has no descriptor left."""

    async def play() -> Server:
        store, host = MemoryStore(), set[str]()
        server = Server(store, host)
        await server.start(())
        worker = server.acting._jails["web"][0]
        server.acting.act([StartBan(ONE), StartBan(TWO)])
        await server.settle()
        server.fails = {"unban 192.0.2.1"}
        server.acting.act([EndBan(ONE, "expired"), EndBan(TWO, "expired")])
        await server.settle()
        assert server.acting.trouble("web")
        server.fails = set()
        worker._put_missed()  # the pause is over
        worker._has_news.set()
        await server.settle()
        assert server.acting.trouble("web") == ""
        await worker._record.flush()
        assert store.action_bans == {}
        await server.stop()
        return server

    server = asyncio.run(play())
    assert server.said.count("unban 192.0.2.2") == 1
    assert [type(each) for each in server.told] == [PartFailed, PartRecovered]


@pytest.mark.parametrize("order", ["ban", "flush"])
def test_a_new_ban_takes_the_place_of_an_end_that_failed_and_a_flush_does_not(order: str) -> None:
    async def play() -> None:
        store, host = MemoryStore(), set[str]()
        server = Server(store, host)
        await server.start(())
        worker = server.acting._jails["web"][0]
        server.acting.act([StartBan(ONE), StartBan(TWO)])
        await server.settle()
        server.fails = {"unban 192.0.2.1"}
        server.acting.act([EndBan(ONE, "expired")])
        await server.settle()
        server.fails = set()
        if order == "ban":
            server.acting.act([StartBan(ban("192.0.2.1", NOW + 5))])
        else:
            worker.put(Order("flush", TWO))
        await server.settle()
        worker._put_missed()
        worker._has_news.set()
        await server.settle()
        assert host == (texts(ONE, TWO) if order == "ban" else set())
        assert worker._tries == {}
        await server.kill()

    asyncio.run(play())


def test_a_flush_takes_all_off_the_record() -> None:
    async def play() -> None:
        store, host = MemoryStore(), set[str]()
        server = Server(store, host, properties=KEEPS | {"actionflush": "flush"})
        await server.start(())
        server.acting.act([StartBan(ONE), StartBan(TWO)])
        await server.settle()
        server.acting.act([EndBan(ONE, "expired"), EndBan(TWO, "expired")])
        await server.settle()
        assert server.said[-1] == "flush"
        assert store.action_bans == {}
        await server.stop()

    asyncio.run(play())


def test_a_database_that_fails_holds_up_no_ban_and_gets_all_of_it_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actionrecord, "RETRY_PAUSE", Seconds(0))

    async def play() -> None:
        store, host = MemoryStore(), set[str]()
        server = Server(store, host)
        await server.start(())
        store.trouble = StoreError("no room")
        server.acting.act([StartBan(ONE), StartBan(TWO), EndBan(TWO, "expired")])
        await server.settle()
        assert host == texts(ONE)
        store.trouble = None
        server.acting.act([StartBan(THREE)])
        await server.settle()
        assert {one.ban for one in store.action_bans.values()} == {ONE, THREE}
        await server.stop()

    asyncio.run(play())


def test_a_database_that_hangs_holds_up_a_ban_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(actionrecord, "SETTLE_LIMIT", Seconds(0.01))

    class Hanging(MemoryStore):
        async def write_actions(self, changes: Sequence[ActionBan]) -> None:
            await asyncio.Event().wait()

    async def play() -> None:
        record = ActionRecords(Hanging)
        book = ActionRecord(record, "web", "own", is_kept=True)
        async with asyncio.timeout(5):
            for each in (ONE, TWO):
                await book.begin(each)
        assert ONE.subject in book
        assert TWO.subject in book

    asyncio.run(play())


def test_ends_are_written_before_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actionrecord, "ENDS_LIMIT", 3)

    async def play() -> list[int]:
        store = MemoryStore()
        book = ActionRecord(ActionRecords(lambda: store), "web", "own", is_kept=True)
        bans = [ban(f"192.0.2.{n}") for n in range(5)]
        for each in bans:
            await book.begin(each)
        left = [len(store.action_bans)]
        for each in bans:
            await book.end(each)
            left.append(len(store.action_bans))
        return left

    assert asyncio.run(play()) == [5, 5, 5, 2, 2, 2]


def test_a_database_that_comes_back_later_has_what_is_over_ended() -> None:
    async def play() -> None:
        store, host = MemoryStore(), texts(ONE, TWO, THREE)
        for each in (ONE, TWO, THREE):
            await store.write_actions([ActionBan("own", each)])
        server = Server(store, host)
        server.acting.restore(())
        server.tasks = [asyncio.create_task(worker.run()) for worker in server.acting.workers]
        server.acting.act([StartBan(THREE)])
        await server.settle()
        server.acting.adopt((await store.load(NOW)).action_bans, [ONE, THREE])
        server.acting.act([StartBan(ONE, restored=True)])
        await server.settle()
        assert host == texts(ONE, THREE)
        assert {one.ban for one in store.action_bans.values()} == {ONE, THREE}
        await server.stop()

    asyncio.run(play())


class TestLine:
    """A restored ban and its end do not cancel out: the action knows of the ban."""

    def waiting(self, *orders: Order, begun: bool = False) -> list[tuple[str, bool]]:
        line = OrderQueue(keeps_all=True, limit=0, has_begun=lambda _: begun)
        for order in orders:
            line.put(order)
        found: list[tuple[str, bool]] = []
        while (taken := line.get()) is not None:
            found.append((taken.kind, taken.restored))
        return found

    def test_a_new_ban_and_its_end_cancel_out(self) -> None:
        assert self.waiting(Order("ban", ONE), Order("unban", ONE)) == []

    def test_of_a_restored_ban_the_end_stays(self) -> None:
        orders = (Order("ban", ONE, restored=True), Order("unban", ONE))
        assert self.waiting(*orders) == [("unban", True)]
        assert self.waiting(*orders, Order("ban", ONE)) == [("unban", True), ("ban", False)]
        again = (*orders, Order("ban", ONE), Order("unban", ONE))
        assert self.waiting(*again) == [("unban", True)]

    def test_of_a_ban_that_the_action_began_once_the_end_stays(self) -> None:
        orders = (Order("ban", ONE), Order("unban", ONE))
        assert self.waiting(*orders, begun=True) == [("unban", False)]
