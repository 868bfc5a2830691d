"""Whatever words come, a command is answered by a plain value or refused, and nothing breaks."""

import asyncio
import contextlib
import random

import pytest

from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.commands import COMMANDS, role_for
from banish.control.fail2ban.jailverbs import GETS, SETS
from banish.control.fail2ban.lists import JAIL_LISTS
from banish.control.fail2ban.options import JAIL_OPTIONS
from banish.control.fail2ban.serveroptions import SERVER_OPTIONS
from banish.control.roles import ROLES
from tests.control.fail2ban.asking import ROOT, Asked

VERBS = [
    *COMMANDS, *SERVER_OPTIONS, *JAIL_OPTIONS, *GETS, *SETS, *JAIL_LISTS,
    *(verb + name for verb in ("add", "del") for name in JAIL_LISTS),
]  # fmt: skip

WORDS = [
    "sshd", "nginx", "x", "--all", "stats", "short", "script", "iptables", "actionban", "timeout",
    "on", "--with-time", "--report-absent", "192.0.2.1", "2001:db8::/32", "300.1.1.1/9",
    "file:/x", "host.example", "", "-1", "0", "5m", "1e400", "nan", "9" * 5_000, "(", "[", "%",
    "^a <HOST>$", "%Y", "{DATE}", "\0", "\n", "\N{SNOWMAN}", "\ud800", "auto", "systemd",
    "/etc/passwd", "/etc/*", "**", "1/0", "key='<ip>'",
]  # fmt: skip

ODD: list[Value] = [
    None, 5, -3, 2.5, float("nan"), True, [], ["a"], {}, {"a": 1}, b"x", b"\xff", (1, 2), {1, 2},
    [[[["x"]]]], 10**30,
]  # fmt: skip


def is_plain(value: Value) -> bool:
    match value:
        case dict():
            return all(is_plain(each) for item in value.items() for each in item)
        case list() | tuple() | set():
            return all(map(is_plain, value))
        case _:
            return value is None or isinstance(value, str | bytes | int | float)


async def ask_anything(seed: int, times: int) -> None:
    drawn, ask = random.Random(seed), Asked()
    for _ in range(times):
        command: list[Value] = []
        if drawn.random() < 0.6:
            command = [drawn.choice(["set", "get", "multi-set"]), drawn.choice(["sshd", "nginx"])]
        for _ in range(drawn.randrange(5)):
            kind = drawn.random()
            command.append(drawn.choice(VERBS if kind < 0.5 else WORDS if kind < 0.92 else ODD))
        if command[:1] == ["sleep"]:
            continue
        assert role_for(command) in ROLES
        with contextlib.suppress(CommandError):
            assert is_plain(await ask.commands.answer(list(command), ROOT)), command


@pytest.mark.parametrize("seed", range(4))
def test_any_words_are_answered_or_refused(seed: int) -> None:
    asyncio.run(ask_anything(seed, 1_000))
