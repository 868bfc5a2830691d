"""Every command of the protocol, asked of Debian's server and of ours with the same history.

Answers must be equal. Where they are not, the command names a row of docs/compatibility.md,
and then they must differ, so that the page stays short and true. Of errors the kind counts,
which is what clients look at; the sentences are our own.
"""

import asyncio
import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.compat.both_servers import (
    Original,
    Ours,
    Raised,
    client_texts,
    original_server,
    our_server,
    write_tree,
)

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"

WAIT_SECONDS = 30

SAME = Path(__file__).with_name("fail2ban_commands.txt")
"""Commands that both servers answer alike, one a line, in this order."""

DIFFERENT = {
    "version": "`version`",
    "stats": "what Debian's 1.0.2 lacks",
    "statistic": "what Debian's 1.0.2 lacks",
    "statistics": "what Debian's 1.0.2 lacks",
    "status --all": "what Debian's 1.0.2 lacks",
    "status quiet stats": "what Debian's 1.0.2 lacks",
    "add quiet polling": "what Debian's 1.0.2 lacks",
    "get dbfile": "`get dbfile`",
    "get quiet failregex": "`get JAIL failregex`",
    "set quiet addfailregex '^foo <HOST>$'": "`get JAIL failregex`",
    "set quiet prefregex '^x <F-CONTENT>.*</F-CONTENT>$'": "`get JAIL failregex`",
    "get quiet actionproperties quiet": "`actionproperties`",
    "get quiet actionmethods quiet": "`actionproperties`",
    "set mail banip word": "`set JAIL banip`",
    "set mail banip 127.0.0.1": "`set JAIL banip`",
    "set mail banip 192.0.2.99": "`set JAIL banip`",
    "set mail attempt 192.0.2.99": "`set JAIL attempt`",
    "set mail unbanip 2001:0db8:5:0::30": "`set JAIL unbanip`",
    "set mail unbanip 198.51.100.0/24": "`set JAIL unbanip`",
    "set mail findtime -5": "a value that makes no sense",
    "set mail findtime 5x": "a value that makes no sense",
    "set mail maxretry 0": "a value that makes no sense",
    "set dbpurgeage x": "a value that makes no sense",
    "set mail bantime.formula 'ban.Time * ('": "a value that makes no sense",
    "set mail bantime.factor word": "a value that makes no sense",
    "set mail bantime.foo 1": "a value that makes no sense",
    "set mail addignoreip 300.1.1.1/99": "a value that makes no sense",
    "set mail datepattern '(('": "a value that makes no sense",
    "set dbmaxmatches 5": "`set dbmaxmatches`",
    "set allowipv6 yes": "`set dbmaxmatches`",
    "reload --if-exists nosuch": "`reload` on the wire",
    "reload nosuch": "`reload` on the wire",
}
"""Commands whose answers differ, in this order, and the row of the page that says why."""

SINCE_1_1 = ("`version`", "what Debian's 1.0.2 lacks")
"""Rows of which a server of 1.1 answers as ours does."""


def sorted_out(value: Any) -> Any:
    """Return *value* as it is compared: of errors the kind, of exempt addresses the set."""
    if isinstance(value, Raised):
        return f"raises {value.name}"
    return value


def comparable(command: Sequence[str], value: Any) -> Any:
    if isinstance(value, list) and any(word.endswith("ignoreip") for word in command):
        return sorted(value)
    return sorted_out(value)


async def both(command: Sequence[str], theirs: Original, ours: Ours) -> tuple[Any, Any]:
    """Return both answers to *command*, sent to both servers in the same bytes."""
    their = await asyncio.to_thread(theirs.ask, command)
    our = await asyncio.to_thread(ours.wire.ask, command)
    return comparable(command, their), comparable(command, our)


async def until_both(command: Sequence[str], wanted: str, theirs: Original, ours: Ours) -> Any:
    """Return the answer of both servers once it holds *wanted*."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        answers = await both(command, theirs, ours)
        if answers[0] == answers[1] and wanted in repr(answers[0]):
            return answers[0]
        assert time.monotonic() < end, answers
        await asyncio.sleep(0.1)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_every_command_is_answered_as_by_debians_server_or_the_page_says_why(
    stock_package: Path, tmp_path: Path
) -> None:
    asyncio.run(compare_answers(stock_package, tmp_path))


async def compare_answers(stock_package: Path, tmp_path: Path) -> None:
    tree = write_tree(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    wrong: list[str] = []
    with original_server(stock_package, tree, tmp_path / "theirs") as theirs:
        async with our_server(tree, tmp_path / "ours") as ours:
            for line in SAME.read_text().splitlines():
                their, our = await both(shlex.split(line), theirs, ours)
                if their != our:
                    wrong.append(f"{line}\n    theirs: {their!r}\n    ours:   {our!r}")
            bans = ["2001:db8:5::30", "198.51.100.0/24", "198.51.100.5"]
            await both(["set", "mail", "banip", *bans], theirs, ours)
            is_newer = not str(await asyncio.to_thread(theirs.ask, ["version"])).startswith("1.0.")
            for line, row in DIFFERENT.items():
                if f"| {row}" not in page:
                    wrong.append(f"{row}: not on the page")
                their, our = await both(shlex.split(line), theirs, ours)
                if their == our and not (is_newer and row in SINCE_1_1):
                    wrong.append(f"{line}: the same, {our!r}; yet the page says: {row}")
    assert not wrong, "\n".join(wrong)


def in_general(text: str) -> str:
    """Return *text* without what differs by when it was asked, and its lines in one order."""
    timeless = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    return "\n".join(sorted(line.lstrip("|`- ") for line in timeless.splitlines()))


OUR_OWN_WORDS = (
    "Exception",
    "ValueError",
    "KeyError",
    "TypeError",
    "LookupError",
    "AttributeError",
    "FileNotFoundError",
    "RegexException",
)


async def compare_texts(stock_package: Path, tmp_path: Path) -> None:
    tree, lines = write_tree(tmp_path), SAME.read_text().splitlines()
    lines = [line for line in lines if line != "help"]  # which the client answers itself
    with original_server(stock_package, tree, tmp_path / "theirs") as theirs:
        their = await asyncio.to_thread(client_texts, stock_package, tree, theirs.path, lines)
    async with our_server(tree, tmp_path / "ours") as ours:
        our = await asyncio.to_thread(client_texts, stock_package, tree, ours.wire.path, lines)
    async with our_server(tree, tmp_path / "again") as again:
        answers = [await again.ask(shlex.split(line)) for line in lines]
    wrong = [
        f"{line}\n    theirs: {theirs!r}\n    ours:   {ours!r}"
        for line, theirs, ours, answer in zip(lines, their, our, answers, strict=True)
        if in_general(theirs) != in_general(ours)
        and not (isinstance(answer, Raised) and answer.name in OUR_OWN_WORDS)
    ]
    assert not wrong, "\n".join(wrong)


def test_debians_own_client_prints_the_same_of_both_servers(
    stock_package: Path, tmp_path: Path
) -> None:
    asyncio.run(compare_texts(stock_package, tmp_path))


def test_both_servers_count_the_same_log_the_same_and_follow_a_new_regex(
    stock_package: Path, tmp_path: Path
) -> None:
    asyncio.run(compare_counts(stock_package, tmp_path))


async def compare_counts(stock_package: Path, tmp_path: Path) -> None:
    tree = write_tree(tmp_path)

    def write(*lines: str) -> None:
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        with (tmp_path / "web.log").open("a") as log:
            log.writelines(f"{now} {line}\n" for line in lines)

    with original_server(stock_package, tree, tmp_path / "theirs") as theirs:
        async with our_server(tree, tmp_path / "ours") as ours:
            write("bad login from 203.0.113.7", "bad user x from 203.0.113.7")
            status = await until_both(["status", "web"], "('Total failed', 2)", theirs, ours)
            assert status[0][1][0] == ("Currently failed", 1)
            write("bad login from 203.0.113.7", "bad login from 203.0.113.8")
            status = await until_both(["status", "web"], "('Total failed', 4)", theirs, ours)
            assert status[1][1][2] == ("Banned IP list", ["203.0.113.7"])
            await until_both(["banned", "203.0.113.7"], "quiet", theirs, ours)
            await both(["set", "web", "addfailregex", r"^\s*worse from <HOST>$"], theirs, ours)
            write("worse from 203.0.113.9")
            await until_both(["status", "web"], "('Total failed', 5)", theirs, ours)
            await both(["set", "web", "maxretry", "1"], theirs, ours)
            write("worse from 203.0.113.10")
            await until_both(["get", "web", "banned"], "203.0.113.10", theirs, ours)
            for jail in ("web", "mail", "quiet"):
                theirs_timed, ours_timed = await both(
                    ["get", jail, "banip", "--with-time"], theirs, ours
                )
                assert theirs_timed == ours_timed
