"""The life of an action, with a shell that only writes down."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from banish.enforce.command.action import ShellAction
from banish.enforce.command.shell import Outcome
from banish.errors import ActionError
from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.settings import ActionSettings
from banish.shell.script import Filled
from tests.compat.stock_actions import Nothing

NOW = Instant(1_790_000_000)

PLAIN = {
    "actionstart": "start",
    "actionban": "ban <ip> <restored>",
    "actionunban": "unban <ip>",
    "actionflush": "flush",
    "actionstop": "stop",
}

BOTH = {
    "actionstart": "start <t>",
    "actionban": "ban <t> <ip>",
    "actionunban": "unban <t> <ip>",
    "actionstop": "stop <t>",
    "t": "4",
    "t?family=inet6": "6",
}


class Player:
    """An action whose commands are written down; those in *fails* fail, each as often as told."""

    def __init__(self, properties: dict[str, str], *, has_ipv6: bool = True) -> None:
        self.said: list[str] = []
        self.fails: dict[str, int] = {}
        self.code: int | None = 1
        self.action = ShellAction(
            "web",
            ActionSettings("own", actname="own", properties=properties, timeout=Seconds(9)),
            run=self.run,
            facts=Nothing(),
            clock=lambda: NOW,
            has_ipv6=has_ipv6,
        )

    async def run(self, filled: Filled, limit: Seconds) -> Outcome:
        """Write the script down as it would read with its values."""
        assert limit == Seconds(9)
        text = filled.script
        for name, value in filled.values:
            text = text.replace(f'"${{{name}}}"', value)
        self.said.append(text)
        left = self.fails.get(text, 0)
        self.fails[text] = left - 1
        return Outcome(self.code, "oh\nno") if left > 0 else Outcome(0)

    def does(self, *works: Callable[[], Awaitable[object]]) -> list[str]:
        """Return what the action ran for *works*."""
        self.said.clear()

        async def do() -> None:
            for work in works:
                await work()

        asyncio.run(do())
        return list(self.said)


def ban(address: str, **changes: object) -> Ban:
    return Ban("web", parse_subject(address), NOW, Instant(NOW + 60), **changes)  # type: ignore[arg-type]


ONE, TWO, SIX = ban("192.0.2.1"), ban("192.0.2.2"), ban("2001:db8::1")


def test_an_action_starts_bans_unbans_and_stops() -> None:
    player = Player(PLAIN)
    act = player.action
    assert player.does(act.start) == ["start"]
    assert player.does(lambda: act.ban(ONE), lambda: act.ban(SIX, restored=True)) == [
        "ban 192.0.2.1 0",
        "ban 2001:db8::1 1",
    ]
    assert set(act.held) == {ONE.subject, SIX.subject}
    assert player.does(lambda: act.unban(ONE)) == ["unban 192.0.2.1"]
    assert player.does(act.flush) == ["flush"]
    assert not act.held
    assert player.does(act.stop) == ["stop"]
    assert player.does(act.stop) == []


def test_an_action_of_two_families_starts_each_when_it_is_needed() -> None:
    player = Player(BOTH)
    act = player.action
    assert player.does(act.start) == []
    assert player.does(lambda: act.ban(ONE), lambda: act.ban(TWO)) == [
        "start 4", "ban 4 192.0.2.1", "ban 4 192.0.2.2",
    ]  # fmt: skip
    assert player.does(lambda: act.unban(SIX)) == []
    assert player.does(lambda: act.ban(SIX)) == ["start 6", "ban 6 2001:db8::1"]
    assert player.does(act.stop) == ["stop 4", "stop 6"]


@pytest.mark.parametrize(
    ("has_ipv6", "expected"), [(True, ["start 4", "start 6"]), (False, ["start 4"])]
)
def test_an_action_may_want_to_start_at_once(has_ipv6: bool, expected: list[str]) -> None:
    player = Player(BOTH | {"actionstart_on_demand": "false"}, has_ipv6=has_ipv6)
    assert player.does(player.action.start) == expected


def test_a_plain_action_may_want_to_start_when_it_is_needed() -> None:
    player = Player(PLAIN | {"actionstart_on_demand": "true"})
    assert player.does(player.action.start) == []
    assert player.does(lambda: player.action.ban(ONE)) == ["start", "ban 192.0.2.1 0"]


def test_what_two_families_share_runs_once() -> None:
    player = Player(BOTH | {"actionstart": "start", "actionflush": "flush"})
    act = player.action
    assert player.does(lambda: act.ban(ONE), lambda: act.ban(SIX)) == [
        "start", "ban 4 192.0.2.1", "ban 6 2001:db8::1",
    ]  # fmt: skip
    assert player.does(act.flush) == ["flush"]


def test_an_identifier_is_of_no_family() -> None:
    player = Player(BOTH)
    bob = Ban("web", Subject("bob", SubjectKind.ID), NOW, None)
    assert player.does(lambda: player.action.ban(bob)) == ["start 4", "ban 4 bob"]


def test_a_command_that_fails_runs_once_more() -> None:
    player = Player(PLAIN)
    player.fails["ban 192.0.2.1 0"] = 1
    assert player.does(lambda: player.action.ban(ONE)) == [
        "start", "ban 192.0.2.1 0", "ban 192.0.2.1 0",
    ]  # fmt: skip


def test_a_check_runs_only_after_a_failure_and_leads_to_a_new_start() -> None:
    player = Player(PLAIN | {"actioncheck": "check"})
    act = player.action
    player.does(act.start, lambda: act.ban(ONE))
    assert "check" not in player.said
    player.fails |= {"ban 192.0.2.2 0": 1, "check": 1, "stop": 1}
    assert player.does(lambda: act.ban(TWO)) == [
        "ban 192.0.2.2 0", "check", "stop", "start", "check", "ban 192.0.2.2 0",
    ]  # fmt: skip
    assert act.needs_rebans
    assert player.does(lambda: act.reban(ONE)) == ["ban 192.0.2.1 1"]


def test_a_repair_goes_before_a_new_start() -> None:
    player = Player(
        PLAIN | {"actioncheck": "check", "actionrepair": "repair", "actionreban": "re <ip>"}
    )
    act = player.action
    player.fails |= {"ban 192.0.2.2 0": 1, "check": 1}
    player.does(lambda: act.ban(ONE))
    assert player.does(lambda: act.ban(TWO)) == [
        "ban 192.0.2.2 0", "check", "repair", "check", "ban 192.0.2.2 0",
    ]  # fmt: skip
    assert act.was_repaired
    assert not act.needs_rebans
    assert player.does(lambda: act.reban(ONE)) == ["re 192.0.2.1"]


def test_a_repair_that_fails_fails_the_ban() -> None:
    player = Player(PLAIN | {"actioncheck": "check", "actionrepair": "repair"})
    player.fails |= {"ban 192.0.2.1 0": 9, "check": 9, "repair": 9}
    with pytest.raises(ActionError):
        player.does(lambda: player.action.ban(ONE))
    assert player.said[-1] == "repair"


@pytest.mark.parametrize("repairs", [False, True])
def test_an_unban_repairs_only_where_that_is_wanted(repairs: bool) -> None:
    wanted = {"actionrepair_on_unban": "true"} if repairs else {}
    player = Player(PLAIN | {"actioncheck": "check", "actionrepair": "repair"} | wanted)
    act = player.action
    player.does(lambda: act.ban(ONE))
    player.fails |= {"unban 192.0.2.1": 1, "check": 1}
    if repairs:
        assert player.does(lambda: act.unban(ONE))[-1] == "unban 192.0.2.1"
    else:
        with pytest.raises(ActionError):
            player.does(lambda: act.unban(ONE))
    assert ("repair" in player.said) == repairs


def test_a_check_by_itself_starts_a_broken_action_anew_or_tells() -> None:
    player = Player(PLAIN | {"actioncheck": "check"})
    act = player.action
    player.does(act.start, lambda: act.ban(ONE))
    assert player.does(act.check) == ["check", "check"]
    player.fails["check"] = 9
    with pytest.raises(ActionError, match="cannot be restored"):
        player.does(act.check)


def test_a_prolonged_ban_is_told_to_an_action_that_cares() -> None:
    longer = ban("192.0.2.1", failures=9)
    player = Player(PLAIN | {"actionprolong": "longer <ip> <bantime>"})
    assert player.does(lambda: player.action.prolong(longer)) == ["longer 192.0.2.1 60"]
    player = Player(PLAIN)
    player.does(lambda: player.action.ban(ONE))
    assert player.does(lambda: player.action.prolong(longer)) == []
    assert player.action.held[ONE.subject] == longer


def test_an_action_reloads_what_is_started() -> None:
    player = Player(PLAIN | {"actionreload": "reload"})
    assert player.does(player.action.reload) == []
    assert player.does(player.action.start, player.action.reload) == ["start", "reload"]


def test_an_action_without_a_flush_says_so() -> None:
    player = Player({"actionban": "ban"})
    assert asyncio.run(player.action.flush()) is False
    assert player.does(player.action.start, player.action.stop) == []


def test_a_flush_that_fails_keeps_what_it_could_not_flush() -> None:
    player = Player(PLAIN)
    player.does(lambda: player.action.ban(ONE))
    player.fails["flush"] = 1
    with pytest.raises(ActionError):
        player.does(player.action.flush)
    assert ONE.subject in player.action.held


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (1, "failed with exit code 1"),
        (127, "not installed"),
        (126, "chmod"),
        (-9, "signal 9"),
        (143, "signal 15"),
        (None, "longer than 9 s"),
    ],
)
def test_a_failure_tells_what_whom_how_and_the_cure(code: int | None, says: str) -> None:
    player = Player(PLAIN)
    player.code = code
    player.fails["ban 192.0.2.1 0"] = 2
    with pytest.raises(ActionError) as failed:
        player.does(lambda: player.action.ban(ONE))
    text = str(failed.value)
    assert says in text
    assert "actionban for 192.0.2.1" in text
    assert "it wrote: oh; no" in text
    assert "the command: ban <ip> <restored>" in text
    assert failed.value.cure


def test_the_end_of_a_ban_knows_what_its_beginning_knew() -> None:
    player = Player({"actionban": "ban", "actionunban": "unban <F-USER>"})
    act = player.action
    player.does(
        lambda: act.ban(ban("192.0.2.1", tags=(("user", "bob"),), evidence=(Evidence("x"),)))
    )
    assert player.does(lambda: act.unban(ONE)) == ["unban bob"]
