"""Signals, and word to systemd."""

import asyncio
import configparser
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.daemon.host import heartbeat

UNIT = Path(__file__).parents[2] / "share" / "systemd" / "banish.service"

FLOOD = """
import asyncio, os, signal, sys, threading, time
from banish.daemon import watchdog
from banish.daemon.host import on_signals

async def main():
    stopped, reopened = asyncio.Event(), asyncio.Event()
    both = dict.fromkeys((signal.SIGTERM, signal.SIGINT), stopped.set)
    with on_signals(both | dict([(signal.SIGHUP, reopened.set)])):
        assert watchdog._install()
        await asyncio.sleep(0)
        for _ in range(1000):  # ticks of a turn of the loop in which 69 logs had theirs
            signal.raise_signal(signal.SIGVTALRM)
        by_thread = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGHUP))
        by_thread.start()
        by_thread.join()
        os.kill(os.getpid(), signal.{name})
        await asyncio.wait_for(reopened.wait(), 10)
        await asyncio.wait_for(stopped.wait(), 10)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    print("stopped")

asyncio.run(main())
"""

IDLE = """
import asyncio, os, signal, threading
from banish.daemon.host import on_signals

async def main():
    stopped = asyncio.Event()
    with on_signals(dict.fromkeys((signal.SIGTERM, signal.SIGINT), stopped.set)):
        # The kernel may hand a signal to any thread; the loop sleeps without end meanwhile.
        signal.pthread_sigmask(signal.SIG_BLOCK, [])
        def send():
            signal.pthread_kill(threading.get_ident(), signal.{name})
        threading.Timer(0.1, send).start()
        await asyncio.wait_for(stopped.wait(), 10)
    print("stopped")

asyncio.run(main())
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("script", [FLOOD, IDLE], ids=["flood of ticks", "idle, another thread"])
def test_no_signal_is_lost_and_nothing_is_said_of_a_full_pipe(script: str, name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", script.replace("{name}", name)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("stopped\n", "")


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "20000")
        monkeypatch.delenv("WATCHDOG_PID", raising=False)
        yield channel


def beats(channel: socket.socket) -> int:
    count = 0
    try:
        while channel.recv(100) == b"WATCHDOG=1":
            count += 1
    except BlockingIOError:
        pass
    return count


def test_a_loop_that_turns_tells_so_and_one_that_hangs_does_not(systemd: socket.socket) -> None:
    async def play() -> None:
        beating = asyncio.create_task(heartbeat())
        loop = asyncio.get_running_loop()
        heard, end = 0, loop.time() + 10
        while heard < 3:
            await asyncio.sleep(0.001)
            heard += beats(systemd)
            assert loop.time() < end
        beats(systemd)
        time.sleep(0.2)  # noqa: ASYNC251 - the loop hangs
        assert beats(systemd) == 0
        beating.cancel()

    asyncio.run(play())


@pytest.mark.parametrize(
    ("name", "value"),
    [("WATCHDOG_USEC", ""), ("WATCHDOG_USEC", "0"), ("WATCHDOG_USEC", "x"), ("WATCHDOG_PID", "1")],
)
def test_nobody_who_did_not_ask_is_told(
    systemd: socket.socket, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    asyncio.run(asyncio.wait_for(heartbeat(), 10))
    assert beats(systemd) == 0


def test_the_unit_starts_a_failed_or_hung_server_again_and_bounds_it() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(UNIT)
    assert unit["Unit"]["StartLimitIntervalSec"] == "0"
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert service["Restart"] == "on-failure"
    for name in ("WatchdogSec", "TimeoutStartSec", "MemoryHigh", "LimitNOFILE", "RestartSec"):
        assert service[name]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "banish.service"
    # The program need not be installed for its unit to be right.
    unit.write_text(UNIT.read_text().replace("/usr/bin/banish", sys.executable))
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    ours = [line for line in checked.stderr.splitlines() if "banish" in line]
    assert (checked.returncode, ours) == (0, [])


@pytest.mark.skipif(shutil.which("systemctl") is None, reason="needs systemctl")
def test_fail2bans_name_is_ours_while_the_unit_is_enabled_and_comes_back(tmp_path: Path) -> None:
    system = tmp_path / "usr/lib/systemd/system"
    system.mkdir(parents=True)
    shutil.copy(UNIT, system)
    other = system / "fail2ban.service"
    other.write_text("[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n")
    link = tmp_path / "etc/systemd/system/fail2ban.service"

    def systemctl(*words: str) -> None:
        subprocess.run(
            ["systemctl", f"--root={tmp_path}", "--quiet", *words],
            check=True,
            capture_output=True,
            timeout=60,
        )

    systemctl("enable", "banish")
    assert os.readlink(link) == "/usr/lib/systemd/system/banish.service"
    systemctl("disable", "banish")
    assert not link.is_symlink()
    assert other.exists()
