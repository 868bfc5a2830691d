"""What monitoring tools and panels read, taken from our answers.

Clients in Go read the values; everybody else reads what ``fail2ban-client`` prints of them:
Debian's own, unmodified, and ours. Each pattern is that of the tool.
"""

import ast
import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from banish.control.fail2ban.answers import CommandError
from banish.control.fail2ban.bridge import Fail2BanBridge
from banish.control.fail2ban.port import JailCounts
from tests.control.fail2ban.asking import Asked

Printed = Callable[[str], str]
"""Returns what ``fail2ban-client`` prints for a command."""


@pytest.fixture
def ask() -> Asked:
    """A server whose jail sshd has had 75 failures and has 25 bans."""
    asked = Asked()
    asked.port.counted["sshd"] = JailCounts(failed=3, failed_total=75)
    asked(["set", "sshd", "banip", *(f"203.0.113.{n}" for n in range(1, 26))])
    asked("set nginx banip 192.0.2.1 2001:db8::1")
    return asked


@pytest.fixture(params=["Debian's client", "our client"])
def printed(ask: Asked, request: pytest.FixtureRequest, tmp_path: Path) -> Printed:
    """What a client program prints of the answers that it gets over Fail2Ban's socket."""
    (tmp_path / "fail2ban.conf").write_text("[Definition]\n")
    (tmp_path / "jail.conf").write_text("[DEFAULT]\n")
    program: list[str] = [sys.executable, "-m", "banish", "fail2ban-client"]
    env = {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}
    if request.param == "Debian's client":
        package: Path = request.getfixturevalue("stock_package")
        program = [sys.executable, "-W", "ignore", str(package / "usr/bin/fail2ban-client")]
        env["PYTHONPATH"] = str(package / "usr/lib/python3/dist-packages")

    def call(socket: Path, words: list[str]) -> str:
        done = subprocess.run(
            [*program, "-c", str(tmp_path), "-s", str(socket), *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    async def ask_over_the_wire(words: list[str]) -> str:
        bridge = Fail2BanBridge(tmp_path / "f.sock", ask.commands, lambda _: None)
        await bridge.start()
        try:
            return await asyncio.to_thread(call, bridge.path, words)
        finally:
            await bridge.close()

    return lambda line: asyncio.run(ask_over_the_wire(line.split()))


def shell(script: str, text: str) -> str:
    """Return what *script* makes of *text*."""
    done = subprocess.run(
        ["/bin/sh", "-c", script], input=text, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


# -- values over the socket ------------------------------------------------------------------


def is_small(value: Any) -> bool:
    """Whether *value* is an int that a pickle of protocol 2 writes in four bytes."""
    return type(value) is int and -(2**31) <= value < 2**31


def test_the_prometheus_exporter_reads_ping_status_and_options(ask: Asked) -> None:
    assert ask(["ping", "100"]) == "pong"
    overview = ask(["status"])
    assert type(overview) is list
    assert all(type(each) is tuple for each in overview)
    assert overview[1][1].split(", ") == ["nginx", "sshd"]
    for jail in overview[1][1].split(", "):
        status = ask(["status", jail])
        assert type(status) is list
        for part in status:
            assert type(part) is tuple
            assert type(part[1]) is list
            assert is_small(part[1][0][1])
            assert is_small(part[1][1][1])
        for option in ("bantime", "findtime", "maxretry"):
            assert is_small(ask(["get", jail, option])), option
    assert type(ask(["version"])) is str


def test_the_prometheus_exporter_asks_for_a_jail_without_a_name_where_there_is_none() -> None:
    asked = Asked()
    asked("stop --all")
    assert asked(["status"])[1][1].split(",") == [""]
    with pytest.raises(CommandError) as caught:
        asked(["status", ""])
    assert caught.value.kind == "UnknownJailException"


def test_the_dashboard_reads_keys_in_their_order_and_every_line_of_a_ban(ask: Asked) -> None:
    assert ask(["version"]) in ("0.11.1", "0.11.2", "1.0.1", "1.0.2", "1.1.0")
    overview = ask(["status"])
    assert [key for key, _ in overview] == ["Number of jail", "Jail list"]
    names = overview[1][1].split(", ")
    assert len(names) == overview[0][1]
    at = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    line = re.compile(rf"^(\S+)[ \t]+({at}) \+ (-?\d+) = ({at})$")
    for jail in names:
        failures, actions = ask(["status", jail])
        assert (failures[0], actions[0]) == ("Filter", "Actions")
        assert [key for key, _ in failures[1]][:2] == ["Currently failed", "Total failed"]
        assert [key for key, _ in actions[1]][:2] == ["Currently banned", "Total banned"]
        bans = ask(["get", jail, "banip", "--with-time"])
        assert len(bans) == actions[1][0][1]
        assert all(line.match(each) for each in bans), bans
    assert ask(["get", "nginx", "banip", "--with-time"])[0].endswith("+ -1 = 9999-12-31 23:59:59")


# -- what the client prints ------------------------------------------------------------------


def after(text: str, label: str) -> list[str]:
    """Return what stands behind *label* in each line that has it."""
    return [line.partition(label)[2] for line in text.splitlines() if label in line]


def test_fail2ban_ui_reads_jails_bans_ping_and_reload(printed: Printed) -> None:
    (names,) = after(printed("status"), "Jail list:")
    assert [name.strip() for name in names.split(",")] == ["nginx", "sshd"]
    (bans,) = after(printed("status sshd"), "IP list:")
    assert len(bans.split()) == 25
    assert "pong" in printed("ping").lower()
    assert printed("reload").strip() == "OK"


def test_telegraf_reads_jails_and_counts(printed: Printed) -> None:
    (names,) = after(printed("status"), "Jail list:")
    assert names.strip().split(", ") == ["nginx", "sshd"]
    status = printed("status sshd")
    assert [int(text.strip()) for text in after(status, "Currently failed:")] == [3]
    assert [int(text.strip()) for text in after(status, "Currently banned:")] == [25]


def test_netdata_reads_jails_and_counts_and_knows_a_jail_that_is_gone(printed: Printed) -> None:
    (names,) = after(printed("status"), "Jail list:")
    assert names.replace(",", "").split() == ["nginx", "sshd"]
    status = printed("status sshd")
    assert after(status, "Currently failed:")
    assert after(status, "Currently banned:")
    assert printed("status gone").startswith("Sorry but the jail")


def test_munin_reads_jails_and_counts_by_how_lines_begin(printed: Printed) -> None:
    lines = printed("status").splitlines()[1:]
    assert [line for line in lines if line.startswith("`- Jail list:")]
    basic = printed("status sshd basic").splitlines()
    assert "   |- Currently banned:\t25" in basic
    cymru = printed("status sshd cymru").splitlines()
    for begin in (
        "   |- Banned ASN list:", "   |- Banned Country list:", "   `- Banned RIR list:",
    ):  # fmt: skip
        assert [line for line in cymru if line.startswith(begin)], begin


def test_nagios_reads_what_stands_behind_tabs(printed: Printed) -> None:
    found = re.search(r"^.*Jail list:\t+(.*)", printed("status"), re.MULTILINE)
    assert found is not None
    assert found[1] == "nginx, sshd"
    found = re.search(r"^.*Currently banned:\t+(.*)", printed("status sshd"), re.MULTILINE)
    assert found is not None
    assert found[1] == "25"


def test_cacti_reads_the_same_columns(printed: Printed) -> None:
    status = printed("status sshd")
    assert shell("awk '/Total failed:/ {print $5}'", status) == "75"
    assert shell("awk '/Total banned:/ {print $4}'", status) == "25"


@pytest.mark.parametrize(
    ("script", "of", "wanted"),
    [
        (r"grep 'Jail list:' | sed 's/^.*:\W\+//'", "status", "nginx, sshd"),
        ("grep 'Jail list:' | cut -f2", "status", "nginx, sshd"),
        ("grep 'Currently banned:' | grep -Eo '[0-9]+'", "status sshd", "25"),
        ("grep 'Currently failed:' | cut -f2", "status sshd", "3"),
    ],
)
def test_zabbix_reads_jails_and_counts_by_shell(
    printed: Printed, script: str, of: str, wanted: str
) -> None:
    assert shell(script, printed(of)) == wanted


def test_checkmk_reads_the_whole_block_of_a_jail_that_reads_the_journal(printed: Printed) -> None:
    assert printed("status nginx").splitlines() == [
        "Status for the jail: nginx",
        "|- Filter",
        "|  |- Currently failed:\t0",
        "|  |- Total failed:\t0",
        "|  `- Journal matches:\t_SYSTEMD_UNIT=nginx.service + _COMM=nginx",
        "`- Actions",
        "   |- Currently banned:\t2",
        "   |- Total banned:\t2",
        "   `- Banned IP list:\t192.0.2.1 2001:db8::1",
    ]


def pairs(value: Sequence[dict[str, list[str]]]) -> dict[str, list[str]]:
    return {name: bans for each in value for name, bans in each.items()}


def test_scripts_read_banned_as_one_line_of_python(printed: Printed) -> None:
    text = printed("banned")
    assert text.count("\n") == 1
    assert "'nginx': ['192.0.2.1', '2001:db8::1']" in text
    assert len(pairs(ast.literal_eval(text))["sshd"]) == 25
    assert printed("banned 192.0.2.1 192.0.2.7").strip() == "[['nginx'], []]"
