"""The commands of Fail2Ban on a live server, of which only the firewall is left out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from banish.control.fail2ban.answers import Value
from banish.errors import ConfigError
from banish.model.instant import Seconds
from banish.model.settings import Escalation
from tests.compat.both_servers import Ours, Raised, our_server, write_tree

Scene = Callable[[Ours, Path], Awaitable[None]]

WAIT_SECONDS = 20


def on_stage(tmp_path: Path, scene: Scene) -> None:
    """Play *scene* on a server of its own, whose files are in *tmp_path*."""
    tree = write_tree(tmp_path)

    async def play() -> None:
        async with our_server(tree, tmp_path / "state") as server:
            await scene(server, tmp_path)

    asyncio.run(play())


async def until(server: Ours, command: list[object], is_so: Callable[[Value], bool]) -> Value:
    """Return the answer to *command* once *is_so*."""
    end = time.monotonic() + WAIT_SECONDS
    while not is_so(answer := await server.ask(command)):
        assert time.monotonic() < end, answer
        await asyncio.sleep(0.05)
    return answer


def write(log: Path, *lines: str) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S")
    with log.open("a") as file:
        file.writelines(f"{now} {line}\n" for line in lines)


async def banned(server: Ours, jail: str) -> Value:
    return await server.ask(["get", jail, "banned"])


def test_attempts_ban_whoever_fails_too_often_and_nobody_exempt(tmp_path: Path) -> None:
    async def scene(server: Ours, _: Path) -> None:
        assert await server.ask(["set", "web", "attempt", "203.0.113.1", "a", "b"]) == 1
        assert await banned(server, "web") == []
        assert await server.ask(["set", "web", "attempt", "203.0.113.1"]) == 1
        assert await banned(server, "web") == ["203.0.113.1"]
        assert await server.ask(["set", "web", "attempt", "192.0.2.99", "a", "b", "c"]) == 0
        refused = await server.ask(["set", "web", "attempt", "host.example"])
        assert isinstance(refused, Raised)
        assert await banned(server, "web") == ["203.0.113.1"]

    on_stage(tmp_path, scene)


def test_a_jail_made_by_commands_reads_its_log_and_bans_until_it_is_stopped(tmp_path: Path) -> None:
    async def scene(server: Ours, root: Path) -> None:
        log = root / "new.log"
        log.touch()
        for command in (
            ["add", "new", "polling"],
            ["set", "new", "addlogpath", str(log), "tail"],
            ["set", "new", "addfailregex", r"^\s*worse <HOST>$"],
            ["set", "new", "maxretry", "1"],
            ["start", "new"],
        ):
            assert not isinstance(await server.ask(command), Raised), command
        assert (await server.ask(["status", "new"]))[0][1][2] == ("File list", [str(log)])
        write(log, "worse 203.0.113.5")
        await until(server, ["banned", "203.0.113.5"], lambda jails: jails == [["new"]])
        await server.ask(["stop", "new"])
        assert await server.ask(["status"]) == [
            ("Number of jail", 3),
            ("Jail list", "mail, quiet, web"),
        ]

    on_stage(tmp_path, scene)


def test_options_count_at_once_and_counts_stay(tmp_path: Path) -> None:
    async def scene(server: Ours, root: Path) -> None:
        write(root / "web.log", "bad login from 203.0.113.7", "bad login from 203.0.113.7")
        await until(server, ["status", "web"], lambda status: status[0][1][1][1] == 2)
        await server.ask(["set", "web", "maxretry", "4"])
        write(root / "web.log", "bad login from 203.0.113.7")
        await until(server, ["banned", "203.0.113.7"], lambda jails: "mail" in jails[0])
        assert await banned(server, "web") == []
        write(root / "web.log", "bad login from 203.0.113.7")
        await until(server, ["banned", "203.0.113.7"], lambda jails: "web" in jails[0])

    on_stage(tmp_path, scene)


def test_whoever_becomes_exempt_is_unbanned(tmp_path: Path) -> None:
    async def scene(server: Ours, _: Path) -> None:
        assert await server.ask(["set", "web", "banip", "203.0.113.1", "203.0.113.2"]) == 2
        await server.ask(["set", "web", "addignoreip", "203.0.113.1"])
        await until(server, ["get", "web", "banned"], lambda bans: bans == ["203.0.113.2"])

    on_stage(tmp_path, scene)


def test_a_formula_that_is_none_changes_nothing_whoever_asks_for_it(tmp_path: Path) -> None:
    async def scene(server: Ours, _: Path) -> None:
        web = server.port.jails()["web"]
        escalation = Escalation(increment=True, formula="ban.Time * (")
        bad = msgspec.structs.replace(web, findtime=Seconds(5), escalation=escalation)
        with pytest.raises(ConfigError, match="not a formula"):
            await server.port.change_jail(bad)
        assert server.port.jails()["web"] == web
        assert await server.ask(["set", "web", "maxretry", "9"]) == 9

    on_stage(tmp_path, scene)


def test_a_log_is_added_by_pattern_and_files_are_named_as_they_open(tmp_path: Path) -> None:
    async def scene(server: Ours, root: Path) -> None:
        (root / "extra.log").touch()
        await server.ask(["set", "web", "addlogpath", str(root / "ex*.log")])
        files = [str(root / "web.log"), str(root / "extra.log")]
        await until(server, ["get", "web", "logpath"], lambda found: found == files)
        write(root / "extra.log", *["bad login from 203.0.113.4"] * 3)
        await until(server, ["get", "web", "banned"], lambda bans: bans == ["203.0.113.4"])
        assert await server.ask(["set", "web", "dellogpath", str(root / "ex*.log")]) == files[:1]

    on_stage(tmp_path, scene)


def test_an_idle_jail_reads_on_where_it_was_left(tmp_path: Path) -> None:
    async def scene(server: Ours, root: Path) -> None:
        for jail in ("web", "mail", "quiet"):
            assert await server.ask(["set", jail, "idle", "on"]) is True
        write(root / "web.log", *["bad login from 203.0.113.3"] * 3)
        await asyncio.sleep(0)
        assert await server.ask(["banned"]) == [{"web": []}, {"mail": []}, {"quiet": []}]
        for jail in ("web", "mail", "quiet"):
            assert await server.ask(["set", jail, "idle", "off"]) is False
        await until(server, ["banned", "203.0.113.3"], lambda jails: len(jails[0]) == 3)

    on_stage(tmp_path, scene)


def test_a_reload_follows_the_files_and_names_a_jail_that_cannot(tmp_path: Path) -> None:
    async def scene(server: Ours, root: Path) -> None:
        jails = root / "conf" / "jail.conf"
        await server.ask(["set", "web", "banip", "203.0.113.1"])
        jails.write_text(jails.read_text().replace("bantime = 1h", "bantime = 2h"))
        assert await server.ask(["reload", "--all", [], [["add", "web", "auto"]]]) == "OK"
        assert await server.ask(["get", "web", "bantime"]) == 7_200
        jails.write_text(
            jails.read_text().replace("[quiet]", "[quiet]\nprefregex = (").replace("2h", "3h")
        )
        refused = await server.ask(["reload"])
        assert isinstance(refused, Raised)
        assert str(refused.args[0]).startswith("Errors in jail 'quiet'")
        assert await server.ask(["get", "web", "bantime"]) == 10_800
        assert (await server.ask(["status"]))[0] == ("Number of jail", 3)
        assert await banned(server, "web") == ["203.0.113.1"]
        assert await server.ask(["reload", "web"]) == "OK"
        assert await server.ask(["reload", "--unban", "web"]) == "OK"
        assert await banned(server, "web") == []

    on_stage(tmp_path, scene)


def test_the_log_moves_at_run_time_and_is_opened_anew(tmp_path: Path) -> None:
    async def scene(server: Ours, root: Path) -> None:
        other = root / "other.log"
        assert await server.ask(["set", "logtarget", str(other)]) == str(other)
        await server.ask(["set", "web", "banip", "203.0.113.1"])
        end = time.monotonic() + WAIT_SECONDS
        while "[web] Ban 203.0.113.1" not in other.read_text():
            assert time.monotonic() < end
            await asyncio.sleep(0.05)
        assert await server.ask(["flushlogs"]) == "rolled over"
        assert await server.ask(["set", "logtarget", "STDERR"]) == "STDERR"
        assert await server.ask(["flushlogs"]) == "flushed"

    on_stage(tmp_path, scene)


@pytest.mark.parametrize("option", ["dbfile", "syslogsocket", "allowipv6"])
def test_what_needs_a_restart_is_refused_and_stays(tmp_path: Path, option: str) -> None:
    async def scene(server: Ours, _: Path) -> None:
        refused = await server.ask(["set", option, "no"])
        assert isinstance(refused, Raised)
        assert "restart" in str(refused.args[0])

    on_stage(tmp_path, scene)


def test_stop_ends_the_server(tmp_path: Path) -> None:
    async def scene(server: Ours, _: Path) -> None:
        assert await server.ask(["stop"]) is None
        assert server.is_stopping

    on_stage(tmp_path, scene)
