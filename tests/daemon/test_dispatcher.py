"""Orders for actions: in line, bounded, and never in anybody else's way."""

import asyncio
from collections.abc import Awaitable, Callable

from banish.daemon.dispatcher import ActionDispatcher
from banish.daemon.orders import Order
from banish.daemon.worker import END_TRIES, ActionWorker
from banish.enforce.command.action import ShellAction
from banish.enforce.command.shell import Outcome
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import EndBan, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import ActionSettings
from banish.shell.script import Filled
from banish.telemetry.events import (
    BannedSubjectFailed,
    Event,
    NotificationsDropped,
    PartFailed,
    PartRecovered,
    WarningGiven,
)
from tests.compat.stock_actions import Nothing

NOW = Instant(1_790_000_000)

KEEPS = {
    "actionstart": "start",
    "actionban": "ban <ip>",
    "actionunban": "unban <ip>",
    "actionstop": "stop",
}
TELLS = {"actionban": "tell <ip>"}


def ban(address: str, since: float = NOW) -> Ban:
    return Ban("web", parse_subject(address), Instant(since), Instant(since + 600))


ONE, TWO = ban("192.0.2.1"), ban("192.0.2.2")


class Stage:
    """Actions with a shell that writes down, and fails or hangs where it is told to."""

    def __init__(self, *properties: dict[str, str], limit: int = 1_000) -> None:
        self.said: list[str] = []
        self.told: list[Event] = []
        self.now = NOW
        self.fails: set[str] = set()
        self.hangs: dict[str, asyncio.Event] = {}
        self._news = asyncio.Event()
        self.acting = ActionDispatcher(
            {
                "web": [
                    ShellAction(
                        "web",
                        ActionSettings(f"a{n}", actname=f"a{n}", way="commands", properties=own),
                        run=self.run,
                        facts=Nothing(),
                        clock=lambda: self.now,
                    )
                    for n, own in enumerate(properties)
                ],
                "quiet": [],
            },
            emit=self.tell,
            clock=lambda: self.now,
            limit=limit,
        )
        self.tasks: list[asyncio.Task[None]] = []

    @property
    def worker(self) -> ActionWorker:
        return next(self.acting.workers)

    def tell(self, event: Event) -> None:
        self.told.append(event)
        self._news.set()

    def heard(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.told)

    async def run(self, filled: Filled, _limit: Seconds) -> Outcome:
        text = filled.script
        for name, value in filled.values:
            text = text.replace(f'"${{{name}}}"', value)
        self.said.append(text)
        self._news.set()
        if text in self.hangs:
            await self.hangs[text].wait()
        return Outcome(int(text in self.fails))

    def start(self) -> None:
        self.tasks = [asyncio.create_task(worker.run()) for worker in self.acting.workers]

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_so():
                self._news.clear()
                await self._news.wait()

    async def settle(self) -> None:
        """Return once the actions are done with what they were about."""
        for worker in self.acting.workers:
            if worker._busy is not None:
                await asyncio.wait({worker._busy})
            assert worker.is_idle

    async def finish(self, *, keep: bool = False) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.acting.finish(keep=keep)


def play(part: Callable[[], Awaitable[None]]) -> None:
    async def do() -> None:
        await part()

    asyncio.run(do())


def test_decisions_become_commands_in_their_order() -> None:
    stage = Stage(KEEPS | {"actionprolong": "longer <ip>"})

    async def part() -> None:
        stage.start()
        stage.acting.restore([TWO])
        stage.acting.act([StartBan(ONE), ProlongBan(ONE), EndBan(ONE, "expired")])
        stage.acting.act([StartBan(Ban("other", ONE.subject, NOW, None))])
        await stage.until(lambda: "unban 192.0.2.1" in stage.said)
        await stage.finish()

    play(part)
    assert stage.said == [
        "start", "ban 192.0.2.2", "ban 192.0.2.1", "longer 192.0.2.1", "unban 192.0.2.1",
        "unban 192.0.2.2", "stop",
    ]  # fmt: skip
    assert stage.told == []


def test_a_hanging_action_delays_no_other() -> None:
    stage = Stage(TELLS, KEEPS)

    async def part() -> None:
        stage.hangs["tell 192.0.2.1"] = asyncio.Event()
        stage.start()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.until(lambda: "ban 192.0.2.2" in stage.said)
        assert stage.said.count("tell 192.0.2.1") == 1
        assert "tell 192.0.2.2" not in stage.said
        stage.hangs["tell 192.0.2.1"].set()
        await stage.until(lambda: "tell 192.0.2.2" in stage.said)
        await stage.finish()

    play(part)


def test_a_command_that_runs_when_the_server_stops_is_waited_for() -> None:
    stage = Stage(KEEPS)

    async def part() -> None:
        stage.hangs["ban 192.0.2.1"] = asyncio.Event()
        stage.start()
        stage.acting.act([StartBan(ONE)])
        await stage.until(lambda: "ban 192.0.2.1" in stage.said)
        ending = asyncio.create_task(stage.finish())
        await asyncio.sleep(0)
        stage.hangs["ban 192.0.2.1"].set()
        await ending

    play(part)
    assert stage.said == ["start", "ban 192.0.2.1", "unban 192.0.2.1", "stop"]


def test_actions_stop_in_reverse_and_flush_rather_than_unban() -> None:
    stage = Stage(
        KEEPS | {"actionstop": "stop 1"}, KEEPS | {"actionstop": "stop 2", "actionflush": "flush"}
    )

    async def part() -> None:
        stage.start()
        stage.acting.act([StartBan(ONE)])
        await stage.until(lambda: stage.said.count("ban 192.0.2.1") == 2)
        await stage.finish()

    play(part)
    assert stage.said[-4:] == ["unban 192.0.2.1", "flush", "stop 2", "stop 1"]


def test_bans_that_all_end_at_once_are_flushed_where_that_can_be() -> None:
    stage = Stage(KEEPS | {"actionflush": "flush"}, KEEPS)

    async def part() -> None:
        stage.start()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.until(lambda: stage.said.count("ban 192.0.2.2") == 2)
        await stage.settle()
        stage.acting.act([EndBan(ONE, "operator"), EndBan(TWO, "operator")])
        await stage.until(lambda: "flush" in stage.said and "unban 192.0.2.2" in stage.said)
        await stage.settle()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.until(lambda: stage.said.count("ban 192.0.2.2") == 4)
        await stage.settle()
        stage.acting.act([EndBan(ONE, "operator")])
        await stage.until(lambda: stage.said.count("unban 192.0.2.1") == 3)
        await stage.finish()

    play(part)
    assert stage.said.count("flush") == 2  # the second at the end


def test_what_actions_did_is_known_for_a_while() -> None:
    stage = Stage(KEEPS, TELLS)
    stage.fails = {"tell 192.0.2.1"}

    async def part() -> None:
        stage.start()
        stage.acting.act([StartBan(ONE), StartBan(TWO), EndBan(ONE, "operator")])
        await stage.until(
            lambda: "unban 192.0.2.1" in stage.said and "tell 192.0.2.2" in stage.said
        )
        await stage.finish()

    play(part)
    did = [
        (result.action, result.kind, result.trouble) for result in stage.acting.results(ONE.subject)
    ]
    what = "actionban for 192.0.2.1 failed with exit code 1; the command: tell <ip>"
    assert sorted(did) == [
        ("a0", "ban", ""),
        ("a0", "unban", ""),
        ("a1", "ban", what),
        ("a1", "unban", ""),
    ]
    assert stage.acting.results(parse_subject("192.0.2.9")) == ()


def test_bans_that_are_to_stay_stay() -> None:
    stage = Stage(KEEPS, TELLS | {"actionstart": "open", "actionstop": "close"})

    async def part() -> None:
        stage.start()
        stage.acting.act([StartBan(ONE)])
        await stage.until(lambda: {"ban 192.0.2.1", "tell 192.0.2.1"} <= set(stage.said))
        await stage.finish(keep=True)

    play(part)
    assert stage.said[-1] == "close"
    assert not {"unban 192.0.2.1", "stop"} & set(stage.said)


def test_a_restored_ban_is_not_told_to_who_does_not_want_it() -> None:
    stage = Stage(TELLS | {"norestored": "true"})

    async def part() -> None:
        stage.start()
        stage.acting.restore([ONE])
        stage.acting.act([StartBan(TWO)])
        await stage.until(lambda: bool(stage.said))
        await stage.finish()

    play(part)
    assert stage.said == ["tell 192.0.2.2"]


def test_a_failure_is_told_once_and_shown_until_it_is_over() -> None:
    stage = Stage(TELLS)

    async def part() -> None:
        stage.fails = {"tell 192.0.2.1", "tell 192.0.2.2"}
        stage.start()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.until(lambda: stage.heard(WarningGiven) == 1)
        assert stage.heard(PartFailed) == 1
        assert stage.acting.trouble("web").startswith("action a0 of web: actionban for 192.0.2.2")
        stage.fails.clear()
        stage.acting.act([StartBan(ONE)])
        await stage.until(lambda: stage.heard(PartRecovered) == 1)
        assert stage.acting.trouble("web") == ""
        await stage.finish()

    play(part)


def test_a_ban_that_an_action_missed_is_tried_again_until_it_ends() -> None:
    stage = Stage(KEEPS)

    async def part() -> None:
        worker = stage.worker
        worker._retry_pause = Seconds(0.001)
        stage.fails = {"ban 192.0.2.1", "ban 192.0.2.2"}
        stage.start()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.until(lambda: stage.said.count("ban 192.0.2.2") >= 4)
        stage.acting.act([EndBan(TWO, "expired")])
        stage.fails.clear()
        await stage.until(lambda: stage.heard(PartRecovered) == 1)
        assert list(worker.action.held) == [ONE.subject]
        assert len(worker) == 0
        await stage.finish()

    play(part)


def test_a_ban_that_an_action_missed_is_tried_again_though_it_was_prolonged() -> None:
    stage = Stage(KEEPS)

    async def part() -> None:
        worker = stage.worker
        worker._retry_pause = Seconds(0.001)
        stage.fails = {"ban 192.0.2.1"}
        stage.start()
        stage.acting.act([StartBan(ONE)])
        await stage.until(lambda: stage.said.count("ban 192.0.2.1") >= 2)
        stage.acting.act([ProlongBan(ONE)])
        tried = stage.said.count("ban 192.0.2.1")
        await stage.until(lambda: stage.said.count("ban 192.0.2.1") >= tried + 3)
        assert stage.heard(PartRecovered) == 0
        stage.fails.clear()
        await stage.until(lambda: stage.heard(PartRecovered) == 1)
        assert list(worker.action.held) == [ONE.subject]
        await stage.finish()

    play(part)


def test_an_end_that_failed_is_tried_again_until_the_subject_is_unbanned() -> None:
    """No descriptor was left for the command at that moment; later there is one."""
    stage = Stage(KEEPS)

    async def part() -> None:
        worker = stage.worker
        worker._retry_pause = Seconds(0.001)
        stage.start()
        stage.acting.act([StartBan(ONE)])
        await stage.until(lambda: "ban 192.0.2.1" in stage.said)
        stage.fails = {"unban 192.0.2.1"}
        stage.acting.act([EndBan(ONE, "expired")])
        await stage.until(lambda: stage.said.count("unban 192.0.2.1") >= 4)
        assert stage.heard(PartFailed) == 1
        stage.fails.clear()
        await stage.until(lambda: stage.heard(PartRecovered) == 1)
        assert (list(worker.action.held), len(worker)) == ([], 0)
        assert stage.heard(WarningGiven) == 0
        await stage.finish()

    play(part)


def test_an_end_that_always_fails_is_given_up_after_some_tries() -> None:
    stage, commands = Stage(KEEPS), 2 * END_TRIES  # a command that fails runs once more

    async def part() -> None:
        worker = stage.worker
        worker._retry_pause = Seconds(0)
        stage.fails = {"unban 192.0.2.1"}
        stage.start()
        stage.acting.act([StartBan(ONE), EndBan(ONE, "expired")])
        await stage.until(lambda: stage.said.count("unban 192.0.2.1") == commands)
        await stage.settle()
        assert len(worker) == 0
        assert stage.acting.trouble("web") != ""
        await stage.finish()
        assert stage.said.count("unban 192.0.2.1") == commands

    play(part)


def test_a_ban_anew_takes_the_place_of_its_failed_end() -> None:
    stage = Stage(KEEPS)

    async def part() -> None:
        worker = stage.worker
        stage.fails = {"unban 192.0.2.1"}
        stage.start()
        stage.acting.act([StartBan(ONE), EndBan(ONE, "expired")])
        await stage.until(lambda: stage.said.count("unban 192.0.2.1") == 2)
        await stage.settle()
        stage.acting.act([StartBan(ONE)])
        await stage.until(lambda: stage.said.count("ban 192.0.2.1") == 2)
        await stage.settle()
        assert (list(worker.action.held), len(worker)) == ([ONE.subject], 0)
        await stage.finish()

    play(part)


def test_an_end_that_failed_is_tried_once_more_as_the_server_stops() -> None:
    stage = Stage(KEEPS)

    async def part() -> None:
        stage.fails = {"unban 192.0.2.1"}
        stage.start()
        stage.acting.act([StartBan(ONE), EndBan(ONE, "expired")])
        await stage.until(lambda: stage.said.count("unban 192.0.2.1") == 2)
        await stage.settle()
        stage.fails.clear()
        await stage.finish()
        assert stage.said.count("unban 192.0.2.1") == 3

    play(part)


def test_after_a_new_start_all_bans_are_put_back() -> None:
    stage = Stage(KEEPS | {"actioncheck": "check"})

    async def part() -> None:
        stage.start()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.until(lambda: "ban 192.0.2.2" in stage.said)
        stage.said.clear()
        stage.now = Instant(NOW + 10)
        stage.acting.hear(BannedSubjectFailed(jail="web", subject=ban("192.0.2.9").subject))
        # Somebody inside what is banned; the action knows it by what it banned.
        inside = ban("192.0.2.9").subject
        seen = BannedSubjectFailed(jail="web", subject=inside, holder=ONE.subject)
        stage.acting.hear(WarningGiven(part="x", what="y"))
        fails = iter([1, 0])
        run = stage.run

        async def once(filled: Filled, limit: Seconds) -> Outcome:
            outcome = await run(filled, limit)
            return Outcome(next(fails, 0)) if filled.script == "check" else outcome

        action = stage.worker.action
        assert isinstance(action, ShellAction)
        action._run = once
        stage.acting.hear(seen)
        stage.acting.hear(seen)  # not so soon after the first
        await stage.until(lambda: "ban 192.0.2.2" in stage.said)
        await stage.finish()

    play(part)
    assert stage.said[:4] == ["check", "stop", "start", "check"]
    again = [text for text in stage.said[4:] if text != "check"]
    assert again[:2] == ["ban 192.0.2.1", "ban 192.0.2.2"]


def test_a_fresh_ban_is_not_doubted() -> None:
    stage = Stage(KEEPS | {"actioncheck": "check"})

    async def part() -> None:
        stage.start()
        stage.acting.act([StartBan(ONE)])
        await stage.until(lambda: "ban 192.0.2.1" in stage.said)
        stage.acting.hear(BannedSubjectFailed(jail="web", subject=ONE.subject))
        await stage.finish()

    play(part)
    assert "check" not in stage.said


def test_a_repair_puts_the_subject_back_that_was_seen() -> None:
    stage = Stage(KEEPS | {"actioncheck": "check", "actionrepair": "repair"})

    async def part() -> None:
        stage.start()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.until(lambda: "ban 192.0.2.2" in stage.said)
        stage.said.clear()
        stage.now = Instant(NOW + 10)
        stage.fails = {"check"}
        stage.acting.hear(BannedSubjectFailed(jail="web", subject=ONE.subject))
        await stage.until(lambda: "ban 192.0.2.1" in stage.said)
        await stage.finish()

    play(part)
    assert "repair" in stage.said


def test_too_many_notifications_are_dropped_and_counted() -> None:
    stage = Stage(TELLS, limit=3)

    async def part() -> None:
        stage.acting.act([StartBan(ban(f"192.0.2.{n}")) for n in range(10)])
        stage.start()
        await stage.until(lambda: stage.heard(NotificationsDropped) == 1)
        await stage.finish()

    play(part)
    assert len(stage.said) == 3
    assert [each.count for each in stage.told if isinstance(each, NotificationsDropped)] == [7]


def test_an_action_that_keeps_out_loses_no_ban() -> None:
    stage = Stage(KEEPS, limit=3)

    async def part() -> None:
        many = [ban(f"192.0.2.{n}") for n in range(100)]
        stage.acting.act([StartBan(each) for each in many])
        stage.acting.act([EndBan(each, "expired") for each in many[10:90]])
        stage.start()
        await stage.until(lambda: "ban 192.0.2.99" in stage.said)
        assert len(stage.worker.action.held) == 20
        await stage.finish()

    play(part)
    assert len([text for text in stage.said if text.startswith("ban")]) == 20


def test_what_was_not_told_in_time_is_counted_at_the_end() -> None:
    stage = Stage(TELLS)

    async def part() -> None:
        stage.hangs["tell 192.0.2.1"] = asyncio.Event()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.worker.drain(Seconds(0.01))

    play(part)
    assert stage.told[-1].text() == (
        "action a0 of web: 1 orders were not carried out before the server stopped"
    )


def test_a_server_that_stops_waits_for_no_hanging_command() -> None:
    stage = Stage(KEEPS)

    async def part() -> None:
        for command in ("ban 192.0.2.1", "unban 192.0.2.2", "stop"):
            stage.hangs[command] = asyncio.Event()
        worker = stage.worker
        await worker.action.ban(TWO)
        worker.put(Order("ban", ONE))
        await worker.drain(Seconds(0.01))
        await worker.release(Seconds(0.01))
        await worker.stop(Seconds(0.01))

    play(part)
    assert [each.text().partition(": ")[2] for each in stage.told] == [
        "a command ran still after 0.01 s and was killed, as the server stops",
        "1 bans stay in place: there was no time to end them",
        "it did not stop in time and was left as it is",
    ]


def test_a_flush_that_fails_is_followed_by_a_check() -> None:
    stage = Stage(KEEPS | {"actionflush": "flush", "actioncheck": "check"})

    async def part() -> None:
        stage.fails = {"flush"}
        await stage.worker.action.ban(ONE)
        await stage.worker.release()

    play(part)
    assert stage.said[-2:] == ["check", "unban 192.0.2.1"]


def test_the_end_of_all_bans_is_no_proof_that_an_action_works_which_banned_nobody() -> None:
    stage = Stage(KEEPS)

    async def part() -> None:
        stage.fails = {"ban 192.0.2.1", "ban 192.0.2.2"}
        stage.start()
        stage.acting.act([StartBan(ONE), StartBan(TWO)])
        await stage.until(lambda: stage.heard(WarningGiven) == 1)
        stage.worker.put(Order("flush", ONE))
        await stage.worker.drain()
        for task in stage.tasks:
            task.cancel()
        await asyncio.gather(*stage.tasks, return_exceptions=True)

    play(part)
    assert stage.heard(PartFailed) == 1
    assert stage.heard(PartRecovered) == 0
    assert stage.worker.trouble


def test_a_jail_is_enforced_by_an_action_that_undoes_what_it_does() -> None:
    assert Stage(KEEPS).acting.enforces("web")
    assert not Stage(TELLS).acting.enforces("web")
    assert not Stage(TELLS).acting.enforces("quiet")
