"""Debian's own ``fail2ban-client``, unmodified, as scripts and panels call it on our server."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.compat.both_servers import Ours, our_server, write_tree

Call = Callable[..., Awaitable[tuple[int, str]]]
"""Calls the client with words, and returns its exit code and what it printed."""


def with_client(
    package: Path, tmp_path: Path, scene: Callable[[Call, Ours, Path], Awaitable[None]]
) -> None:
    """Play *scene* with a client for a server of its own, whose tree is given."""
    tree = write_tree(tmp_path)
    program = package / "usr/bin/fail2ban-client"
    env = {
        "PYTHONPATH": str(package / "usr/lib/python3/dist-packages"),
        "PATH": "/usr/bin:/bin",
        "TZ": os.environ.get("TZ", ""),
    }

    async def play() -> None:
        async with our_server(tree, tmp_path / "ours") as ours:
            socket = str(ours.wire.path)

            async def call(*words: str) -> tuple[int, str]:
                command = [sys.executable, "-W", "ignore", str(program), "-c", str(tree)]
                done = await asyncio.to_thread(
                    subprocess.run,
                    [*command, "-s", socket, "-p", str(tmp_path / "f.pid"), *words],
                    env=env,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                return done.returncode, done.stdout.strip()

            await scene(call, ours, tree)

    asyncio.run(play())


def test_what_scripts_call_is_answered_with_the_same_exit_codes(
    stock_package: Path, tmp_path: Path
) -> None:
    async def scene(call: Call, ours: Ours, tree: Path) -> None:
        assert await call("ping") == (0, "Server replied: pong")
        assert await call("set", "web", "banip", "203.0.113.1") == (0, "1")
        assert await call("get", "web", "banip") == (0, "203.0.113.1")
        assert await call("set", "web", "unbanip", "203.0.113.1") == (0, "1")
        code, text = await call("status", "gone")
        assert (code, text) == (255, "Sorry but the jail 'gone' does not exist")
        assert (await call("nonsense"))[0] == 255
        assert await call("flushlogs") == (0, "logs: rolled over")

    with_client(stock_package, tmp_path, scene)


def test_a_reload_by_the_client_follows_the_files_and_keeps_bans(
    stock_package: Path, tmp_path: Path
) -> None:
    async def scene(call: Call, ours: Ours, tree: Path) -> None:
        jails = tree / "jail.conf"
        await call("set", "web", "banip", "203.0.113.1")
        jails.write_text(jails.read_text().replace("bantime = 1h", "bantime = 2h"))
        assert await call("reload") == (0, "OK")
        assert await call("get", "web", "bantime") == (0, "7200")
        assert await call("get", "web", "banip") == (0, "203.0.113.1")
        assert await call("reload", "--unban", "web") == (0, "OK")
        assert await call("get", "web", "banip") == (0, "")
        assert await call("restart", "mail") == (0, "OK")

    with_client(stock_package, tmp_path, scene)


def test_a_value_that_empties_fail2bans_server_leaves_ours_as_it_is(
    stock_package: Path, tmp_path: Path
) -> None:
    async def scene(call: Call, ours: Ours, tree: Path) -> None:
        jails = tree / "jail.conf"
        await call("set", "web", "banip", "203.0.113.1")
        jails.write_text(jails.read_text().replace("bantime = 1h", "bantime = 5 lightyears"))
        await call("reload")
        assert await ours.ask(["status"]) == [
            ("Number of jail", 3),
            ("Jail list", "mail, quiet, web"),
        ]
        assert await ours.ask(["get", "web", "banip"]) == ["203.0.113.1"]

    with_client(stock_package, tmp_path, scene)


def test_a_client_makes_a_jail_and_takes_it_away(stock_package: Path, tmp_path: Path) -> None:
    async def scene(call: Call, ours: Ours, tree: Path) -> None:
        assert await call("add", "new", "polling") == (0, "Added jail new")
        code, text = await call("set", "new", "addfailregex", "^bad <HOST>$")
        assert code == 0
        assert "`- [0]: ^bad <HOST>$" in text
        assert await call("start", "new") == (0, "Jail started")
        assert await call("stop", "new") == (0, "Jail stopped")
        assert (await call("status", "new"))[0] == 255
        assert await call("stop") == (0, "Shutdown successful")
        assert ours.is_stopping

    with_client(stock_package, tmp_path, scene)
