"""Which command does what: the first word, missing words, errors, who only reads."""

import asyncio

import pytest

from banish.control.fail2ban.answers import CommandError
from banish.control.fail2ban.commands import COMMANDS, Fail2BanCommands, role_for
from banish.errors import ConfigError
from banish.model.instant import Seconds
from banish.model.settings import JailSettings, ServerSettings
from banish.testing.fail2banport import MemoryPort
from tests.control.fail2ban.asking import ROOT, SSHD, Asked


def refusal(ask: Asked, command: object) -> tuple[str, str]:
    with pytest.raises(CommandError) as caught:
        ask(command)  # type: ignore[arg-type]
    return caught.value.kind, caught.value.text


def test_ping_takes_further_words_and_answers_pong() -> None:
    assert Asked()(["ping", "100"]) == "pong"


def test_words_may_be_bytes_and_numbers() -> None:
    ask = Asked()
    assert ask([b"get", b"sshd", b"maxretry"]) == 5
    assert ask(["set", "sshd", "maxretry", 7]) == 7
    assert ask(["set", "sshd", "ignoreself", False]) is False


def test_the_version_is_the_newest_that_strict_clients_know_or_the_one_that_is_set() -> None:
    ask = Asked()
    assert ask("version") == "1.1.0"
    ask.port.server_settings = ServerSettings(fail2banversion="1.0.2")
    assert ask("version") == "1.0.2"


@pytest.mark.parametrize("command", [[], ["get"], ["set"], ["set", "sshd"], ["sleep"], ["start"]])
def test_a_command_that_lacks_words_is_an_index_error(command: list[str]) -> None:
    assert refusal(Asked(), command)[0] == "IndexError"


def test_an_unknown_command_is_invalid() -> None:
    assert refusal(Asked(), "nonsense a") == ("Exception", "Invalid command")


@pytest.mark.parametrize("command", [["get", [1], "x"], [["ping"]], ["status", {"a": 1}]])
def test_a_word_that_is_no_text_is_refused(command: list[object]) -> None:
    assert refusal(Asked(), command)[0] in ("TypeError", "UnknownJailException")


@pytest.mark.parametrize(
    "command",
    ["status no", "get no findtime", "set no findtime 5", "start no", "stop no", "reload no"],
)
def test_a_jail_that_does_not_exist_is_named(command: str) -> None:
    assert refusal(Asked(), command) == ("UnknownJailException", "no")


def test_stop_without_a_jail_stops_the_server() -> None:
    ask = Asked()
    assert ask("stop") is None
    assert ask.port.stops == 1


def test_stop_with_all_ends_every_jail_and_not_the_server() -> None:
    ask = Asked()
    ask("stop --all")
    assert (ask.port.settings, ask.port.stops) == ({}, 0)


@pytest.mark.parametrize(
    ("role", "commands"),
    [
        ("read", ["ping", "status", "status sshd", "stats", "banned", "version", "echo x"]),
        ("read", ["get sshd banip --with-time", "get sshd failregex", "get loglevel"]),
        ("operate", ["unban --all", "set sshd banip 192.0.2.1", "set sshd unbanip 192.0.2.1"]),
        ("operate", ["set sshd attempt 192.0.2.1", "flushlogs", "sleep 1"]),
        ("configure", ["stop", "reload", "restart sshd", "add x", "start x", "set sshd"]),
        ("configure", ["set sshd bantime 1", "set loglevel banip", "multi-set sshd addaction x"]),
        ("configure", ["set thread banip", "nonsense", "get sshd action mail password"]),
    ],
)
def test_each_command_takes_a_role(role: str, commands: list[str]) -> None:
    assert {line: role_for(list(line.split())) for line in commands} == dict.fromkeys(
        commands, role
    )


def test_what_is_no_text_takes_the_highest_role() -> None:
    assert role_for([["ping"]]) == role_for([]) == role_for(["get", {}]) == "configure"
    assert role_for([b"set", b"sshd", b"bantime"]) == "configure"
    assert {command.role for command in COMMANDS.values()} == {"read", "operate", "configure"}


def test_a_change_that_makes_no_sense_is_a_value_error_and_names_the_reason() -> None:
    ask = Asked()
    ask.port.trouble = ConfigError("it makes no sense")
    assert refusal(ask, "set sshd bantime 5m") == ("ValueError", "it makes no sense")
    assert refusal(ask, "set sshd addfailregex (") == ("RegexException", "it makes no sense")


def test_threads_take_a_table_and_nothing_else() -> None:
    ask = Asked()
    assert ask(["set", "thread", {"stacksize": 32}]) == {"stacksize": 32}
    assert ask("get thread") == {"stacksize": 0}
    assert refusal(ask, "set thread 32")[0] == "AttributeError"


def test_options_of_the_server_are_set_by_their_fields() -> None:
    ask = Asked()
    assert ask("set dbpurgeage 2d") == 172_800
    assert ask.port.server_settings.dbpurgeage == Seconds(172_800)
    assert ask("set loglevel debug") == "DEBUG"
    assert refusal(ask, "set loglevel loud") == ("ValueError", "Invalid log level 'LOUD'")


def test_no_database_reads_as_none() -> None:
    ask = Asked()
    ask("set dbfile None")
    assert ask("get dbfile") is None


def test_a_log_that_cannot_be_written_is_said_so() -> None:
    ask = Asked()
    ask.port.trouble = ConfigError("no such folder")
    assert refusal(ask, "set logtarget /no/x") == ("Exception", "Failed to change log target")
    assert refusal(ask, "set dbpurgeage 9d") == ("ValueError", "no such folder")


@pytest.mark.parametrize("seconds", ["nan", "-1", "inf", "1e9", "x"])
def test_sleep_is_bounded(seconds: str) -> None:
    assert refusal(Asked(), ["sleep", seconds])[0] == "ValueError"


class SlowPort(MemoryPort):
    """A server that lets others have their turn before it changes."""

    async def change_jail(self, settings: JailSettings) -> None:
        await asyncio.sleep(0)
        await super().change_jail(settings)


def test_stop_waits_for_no_change_that_hangs() -> None:
    class HangingPort(MemoryPort):
        async def change_jail(self, settings: JailSettings) -> None:
            await asyncio.Event().wait()

    port = HangingPort(SSHD)
    commands = Fail2BanCommands(port)

    async def change_and_stop() -> None:
        change = asyncio.ensure_future(commands.answer(["set", "sshd", "maxretry", "9"], ROOT))
        await asyncio.sleep(0)
        await asyncio.wait_for(commands.answer(["stop"], ROOT), 5)
        change.cancel()

    asyncio.run(change_and_stop())
    assert port.stops == 1


def test_of_two_clients_that_change_a_jail_at_once_neither_loses() -> None:
    port = SlowPort(SSHD)
    commands = Fail2BanCommands(port)

    async def both() -> None:
        await asyncio.gather(
            commands.answer(["set", "sshd", "maxretry", "9"], ROOT),
            commands.answer(["set", "sshd", "findtime", "5m"], ROOT),
            commands.answer(["set", "sshd", "addignoreip", "192.0.2.7"], ROOT),
        )

    asyncio.run(both())
    changed = port.settings["sshd"]
    assert (changed.maxretry, changed.findtime) == (9, Seconds(300))
    assert changed.ignoreip[-1] == "192.0.2.7"
