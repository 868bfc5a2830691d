"""Scripts run apart from us, for as long as they may and no longer."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from banish.enforce.command import shell
from banish.errors import ActionError
from banish.model.instant import Seconds
from banish.shell.script import Filled

LONG = Seconds(20)


def run(script: str, *, limit: Seconds = LONG, **values: str) -> shell.Outcome:
    return asyncio.run(shell.run(Filled(script, tuple(values.items())), limit))


def test_a_script_tells_its_exit_code_and_what_it_wrote() -> None:
    outcome = run('echo "$x"; echo no >&2; exit 3', x="é\udc80 $(id)")
    assert outcome == shell.Outcome(3, "é\ufffd $(id)\nno\n")
    assert not outcome.is_good
    assert run("cat").is_good
    assert run("kill -KILL $$").code == -signal.SIGKILL


def test_no_value_is_seen_in_the_process_list_or_inherited() -> None:
    outcome = run("tr '\\0' ' ' < /proc/$$/cmdline; env; printf '%s' \"$x\" | wc -c", x="hunter2")
    assert "/bin/sh -c" in outcome.output
    assert "hunter2" not in outcome.output
    assert outcome.output.endswith("7\n")


def test_only_the_beginning_of_much_output_is_kept() -> None:
    outcome = run("head -c 3000000 /dev/zero | tr '\\0' x")
    assert outcome.is_good
    assert outcome.output == "x" * shell.OUTPUT_LIMIT_BYTES


def test_a_script_that_takes_too_long_ends_with_all_it_started(tmp_path: Path) -> None:
    started = time.monotonic()
    script = (
        "trap '' TERM; sh -c 'trap \"\" TERM; echo $$ > inner; sleep 60' & echo begun; sleep 60"
    )
    outcome = run(f"cd {tmp_path}; {script}", limit=Seconds(0.3))
    assert outcome == shell.Outcome(None, "begun\n")
    assert time.monotonic() - started < 10
    inner = int((tmp_path / "inner").read_text())
    ends(inner)


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def ends(process: int) -> None:
    until = time.monotonic() + 10
    while is_running(process):
        assert time.monotonic() < until


def test_a_program_left_in_the_background_delays_nothing(tmp_path: Path) -> None:
    started = time.monotonic()
    outcome = run(f"sleep 30 & echo $! > {tmp_path}/left; echo done")
    assert outcome == shell.Outcome(0, "done\n")
    assert time.monotonic() - started < 10
    left = int((tmp_path / "left").read_text())
    assert is_running(left)
    os.kill(left, signal.SIGKILL)


def test_a_script_is_of_a_session_of_its_own() -> None:
    session = run("cut -d' ' -f6 /proc/self/stat").output.strip()
    assert session != str(os.getsid(0))


def test_a_cancelled_script_is_killed(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def play() -> int:
        task = asyncio.create_task(shell.run(Filled(f"echo $$ > {fifo}; exec sleep 60"), LONG))
        process = int(await asyncio.to_thread(fifo.read_text))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return process

    ends(asyncio.run(play()))


def test_a_shell_that_cannot_be_started_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "SHELL", "/nowhere/sh")
    with pytest.raises(ActionError, match="cannot be started"):
        run("true")


def test_no_more_scripts_run_at_once_than_may(tmp_path: Path) -> None:
    running = most = 0

    async def count(filled: Filled, limit: Seconds) -> shell.Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return shell.Outcome(0)

    async def play() -> None:
        run = shell.gate(count, 3)
        await asyncio.gather(*(run(Filled("true"), LONG) for _ in range(10)))

    asyncio.run(play())
    assert most == 3


def test_no_descriptor_stays_open() -> None:
    async def play() -> tuple[int, int]:
        await shell.run(Filled("true"), LONG)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            await shell.run(Filled("echo a; exit 1"), LONG)
        return before, len(os.listdir("/proc/self/fd"))

    before, after = asyncio.run(play())
    assert after == before
