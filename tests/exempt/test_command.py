import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from banish.exempt.command import (
    OUTPUT_LIMIT_BYTES,
    ExemptCommands,
    IgnoreCommand,
    reversed_address,
)
from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.failure import Evidence, Failure, KnownDetails
from banish.model.instant import Instant, Seconds
from banish.model.settings import CacheRule, FilterSettings, JailSettings, Settings
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.resolve.reverse import ReverseResolver
from banish.shell.fitting import VALUE_LIMIT_BYTES
from banish.telemetry.events import Event, WarningGiven

T = TypeVar("T")
ATTACKER = parse_subject("192.0.2.1")


def failed(subject: str | Subject = ATTACKER, **tags: str | tuple[str, ...]) -> Failure:
    if isinstance(subject, str):
        subject = parse_subject(subject)
    return Failure("j", subject, Instant(1_000.7), details=KnownDetails(tags=tags))


class Asking:
    """A command, asked in a loop of its own."""

    def __init__(
        self,
        command: str,
        *,
        cache: CacheRule | None = None,
        limit: float = 20,
        bantime: Seconds | None = None,
    ) -> None:
        self.jail = JailSettings(
            "j", FilterSettings("f"), ignorecommand=command, ignorecache=cache, bantime=bantime
        )
        self.limit = Seconds(limit)
        self.told: list[Event] = []

    def play(self, script: Callable[[IgnoreCommand], Awaitable[T]], at_once: int = 8) -> T:
        async def run() -> T:
            command = IgnoreCommand(
                self.jail,
                names=ReverseResolver(lambda address: f"host-of-{address}.example"),
                gate=asyncio.Semaphore(at_once),
                emit=self.told.append,
                limit=self.limit,
                short_limit=self.limit,
            )
            return await asyncio.wait_for(script(command), 30)

        return asyncio.run(run())

    def ask(self, *failures: Failure) -> list[bool]:
        async def all_of(command: IgnoreCommand) -> list[bool]:
            return [await command.exempts(failure) for failure in failures]

        return self.play(all_of)

    def warnings(self) -> list[str]:
        return [told.what for told in self.told if isinstance(told, WarningGiven)]


def test_exit_code_0_exempts_and_1_does_not() -> None:
    asking = Asking('[ "<ip>" = 192.0.2.1 ]')
    assert asking.ask(failed("192.0.2.1"), failed("192.0.2.2")) == [True, False]
    assert not asking.told


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (
            "echo sorry >&2; exit 3",
            "exit code 3, so nobody is exempt by it (0 is yes, 1 is no): sorry",
        ),
        ("/nonexistent/program <ip>", "exit code 127"),
        ("kill -9 $$", "ended by signal 9"),
        ("grep '<F-USER>' /dev/null", "not run, so nobody is exempt by it: the value of <F-USER>"),
        ("if", "exit code 2"),
    ],
)
def test_anything_else_is_trouble_that_is_told_and_exempts_nobody(command: str, told: str) -> None:
    asking = Asking(command)
    assert asking.ask(failed(user="a;b"), failed(user="a;b")) == [False, False]
    (what,) = asking.warnings()
    assert told in what


@pytest.mark.parametrize(
    "command",
    [
        'printf "%s" <F-USER> | sh',
        'u=<F-USER>; printf "%s" "$u" | sh',
        'echo "<F-USER>" | sudo sh',
        "sh -c '<F-USER>'",
        'sort "<F-USER>"',
        "<F-USER>",
    ],
)
def test_a_user_name_that_would_be_run_is_not_and_exempts_nobody(
    command: str, tmp_path: Path
) -> None:
    asking = Asking(f"cd {tmp_path}; {command}")
    users = ("--output=canary", "touch canary", "$(touch canary)", "touch\tcanary\ntrue")
    assert asking.ask(*(failed(user=user) for user in users)) == [False] * len(users)
    assert not list(tmp_path.iterdir())
    assert "not run, so nobody is exempt by it: the value of <F-USER>" in asking.warnings()[0]


def test_a_name_that_is_none_or_a_pattern_exempts_nobody(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("alice\n")
    asking = Asking(f'grep -q "^<F-USER>$" {tmp_path}/list')
    users = ("alice", ".*", "", "a.*", "^", "bob")
    assert asking.ask(*(failed(user=user) for user in users)) == [True] + [False] * 5
    asking = Asking(f"[ <ip> = 192.0.2.1 ] && grep -qF -- <F-USER> {tmp_path}/list")
    assert asking.ask(failed(user="alice"), failed(user="")) == [True, False]


def test_no_value_is_seen_in_the_process_list(tmp_path: Path) -> None:
    asking = Asking(f"tr '\\0' ' ' </proc/$$/cmdline >{tmp_path}/seen; [ <F-USER> = hunter''2 ]")
    assert asking.ask(failed(user="hunter2")) == [True]
    assert "hunter2" not in (tmp_path / "seen").read_text()


def test_a_shell_that_cannot_be_started_is_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asyncio, "create_subprocess_exec", refuse)
    asking = Asking("true")
    before = os.listdir("/proc/self/fd")
    assert asking.ask(failed()) == [False]
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert asking.warnings() == ["cannot be run: Permission denied"]


def test_a_command_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    asking = Asking(f"sleep 600 & echo $! $$ >{pids}; wait", limit=0.5)
    assert asking.ask(failed()) == [False]
    assert "no answer in time" in asking.warnings()[0]
    child, shell = (int(pid) for pid in pids.read_text().split())
    until = time.monotonic() + 10
    while any(is_running(pid) for pid in (child, shell)):
        assert time.monotonic() < until
        time.sleep(0.01)  # another process ends when the kernel gets to it


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    asking = Asking(f"sleep 600 & echo $! >{pid}; exit 0")
    assert asking.ask(failed()) == [True]
    os.kill(int(pid.read_text()), signal.SIGKILL)


def test_output_without_end_is_bounded() -> None:
    asking = Asking("head -c 3000000 /dev/zero | tr '\\0' x; exit 9")
    assert asking.ask(failed()) == [False]
    assert len(asking.warnings()[0]) < OUTPUT_LIMIT_BYTES + 200


def test_stopping_kills_the_command_too(tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    async def stop(command: IgnoreCommand) -> None:
        task = asyncio.ensure_future(command.exempts(failed()))
        while not pid.exists():  # noqa: ASYNC110 - another process makes it
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    Asking(f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 600").play(stop)
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


def test_only_so_many_run_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "running"
    asking = Asking(f"mkdir {folder} || exit 9; sleep 0.02; rmdir {folder}; exit 1")

    async def many(command: IgnoreCommand) -> Sequence[bool]:
        return await asyncio.gather(
            *(command.exempts(failed(user=str(n), ip=f"192.0.2.{n}")) for n in range(5))
        )

    asking.jail = JailSettings(
        "j", FilterSettings("f"), ignorecommand=asking.jail.ignorecommand + " <F-USER>"
    )
    assert asking.play(many, at_once=1) == [False] * 5
    assert not asking.told


def test_failures_that_the_command_cannot_tell_apart_share_one_run(tmp_path: Path) -> None:
    asking = Asking(f"echo <ip> >>{tmp_path}/asked; sleep 0.05")

    async def many(command: IgnoreCommand) -> Sequence[bool]:
        failures = [failed("192.0.2.1"), failed("192.0.2.1", user="x"), failed("192.0.2.2")]
        return await asyncio.gather(*(command.exempts(failure) for failure in failures))

    assert asking.play(many) == [True] * 3
    assert sorted((tmp_path / "asked").read_text().split()) == ["192.0.2.1", "192.0.2.2"]


def test_answers_are_kept_by_the_key_of_ignorecache(tmp_path: Path) -> None:
    asking = Asking(f"echo <F-USER> >>{tmp_path}/asked; exit 1", cache=CacheRule("<F-USER>"))
    failures = [failed(user="a"), failed("192.0.2.9", user="a"), failed(user="b")]
    assert asking.ask(*failures) == [False] * 3
    assert (tmp_path / "asked").read_text().split() == ["a", "b"]


def test_trouble_is_not_kept_as_an_answer(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    asking = Asking(f"[ -e {mark} ] && exit 0; touch {mark}; exit 7", cache=CacheRule())
    assert asking.ask(failed(), failed()) == [False, True]


def test_without_ignorecache_every_failure_is_asked_about(tmp_path: Path) -> None:
    asking = Asking(f"echo x >>{tmp_path}/asked")
    assert asking.ask(failed(), failed()) == [True, True]
    assert (tmp_path / "asked").read_text().split() == ["x", "x"]


def values_of(command: str, tmp_path: Path, failure: Failure, **jail: Seconds | None) -> str:
    out = tmp_path / "out"
    asking = Asking(f"printf '%s|' {command} >{out}", **jail)  # type: ignore[arg-type]
    assert asking.ask(failure) == [True], asking.warnings()
    return out.read_text("utf-8", "surrogateescape")


def test_a_command_gets_what_is_known_of_the_failure(tmp_path: Path) -> None:
    failure = Failure(
        "j", Subject("web-7", SubjectKind.ID), Instant(1_000.7), attempts=3,
        details=KnownDetails(
            (Evidence("one\0"), Evidence("two")),
            {"user": "it's $(me)", "users": ("a", "b"), "alt_user": "c"},
        ),
        address=parse_subject("192.0.2.1"),
    )  # fmt: skip
    tags = (
        "<ip> <fid> <family> <ip-rev> <ip-host> <failures> <time> <bantime> <bancount> <restored>"
        " <jail.name> <matches> <F-USER> <F-USERS> <F-ALT-USER> <F-NONE> <ipmatches>"
    )
    assert values_of(tags, tmp_path, failure) == (
        "192.0.2.1|web-7|inet4|1.2.0.192.|host-of-192.0.2.1.example|3|1001|-1|0|0|j"
        "|one\ntwo|it's $(me)|a b|c|||"
    )
    told = values_of("<bantime> <family> <ip-host>", tmp_path, failed("bob"), bantime=Seconds(60))
    assert told == "60|||"
    assert values_of("<sh-hostname> <fq-hostname>", tmp_path, failed()).count("|") == 2


def test_values_of_any_length_and_character_pass(tmp_path: Path) -> None:
    told = values_of("<F-USER>", tmp_path, failed(user="\N{SNOWMAN}\udcff" * 100_000))
    assert told.endswith("\N{SNOWMAN}\udcff\N{SNOWMAN}\udcff|")
    assert len(told.encode("utf-8", "surrogateescape")) <= VALUE_LIMIT_BYTES + 1


def test_trouble_is_told_again_after_a_while_with_how_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asking = Asking("exit 5")

    async def often(command: IgnoreCommand) -> None:
        for _ in range(3):
            await command.exempts(failed())
        command._report_at = 0
        await command.exempts(failed())

    asking.play(often)
    first, second = asking.warnings()
    assert second == f"{first} (2 times more since)"


def test_reversed_addresses_are_as_dns_lists_want_them() -> None:
    assert reversed_address(parse_subject("2001:db8::1")).startswith("1.0.0.0.")
    assert reversed_address(parse_subject("2001:db8::1")).endswith("8.b.d.0.1.0.0.2.")
    assert reversed_address(parse_subject("bob")) == ""
    assert reversed_address(parse_subject("192.0.2.0/24")) == ""


FRIEND = parse_subject("198.51.100.9")


def of(jail: str, subject: str, at: float = 1_000) -> Failure:
    return Failure(jail, parse_subject(subject), Instant(at))


def test_commands_are_asked_about_what_would_count_and_nothing_else(tmp_path: Path) -> None:
    command = f'echo <ip> >>{tmp_path}/asked; [ "<ip>" = {FRIEND} ]'
    asking = JailSettings("asking", FilterSettings("f"), ignorecommand=command, maxretry=1)
    silent = JailSettings("silent", FilterSettings("f"))
    failures = [
        of("asking", FRIEND.text),
        of("silent", FRIEND.text),
        of("asking", "192.0.2.1"),
        of("asking", "192.0.2.2"),
        of("asking", "192.0.2.3", at=1),
        of("asking", "192.0.2.9"),
        of("unknown", "192.0.2.9"),
    ]

    async def ask() -> Sequence[Failure]:
        policies = {
            "asking": JailPolicy(asking, ExemptList(["192.0.2.1"])),
            "silent": JailPolicy(silent, ExemptList()),
        }
        policies["asking"].judge(of("asking", "192.0.2.2"), Instant(1_000))
        settings = Settings("/", jails=(asking, silent))
        told: list[Event] = []

        def would_count(failure: Failure, now: Instant) -> bool:
            return policies[failure.jail].would_count(failure, now)

        commands = ExemptCommands(settings, would_count, emit=told.append)
        assert await commands.ask(failures[1:2], Instant(1_000)) == failures[1:2]
        return await commands.ask(failures, Instant(1_000))

    answers = asyncio.run(ask())
    assert [answer.subject for answer in answers] == [failure.subject for failure in failures]
    assert [answer.exempt_by for answer in answers] == ["ignorecommand"] + [""] * 6
    assert sorted((tmp_path / "asked").read_text().split()) == ["192.0.2.9", FRIEND.text]
