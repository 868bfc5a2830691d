"""Signals, and word to systemd."""

import subprocess
import sys

import pytest

FLOOD = """
import asyncio, os, signal, sys, threading, time
from banish.daemon import watchdog
from banish.daemon.host import on_signals

async def main():
    stopped, reopened = asyncio.Event(), asyncio.Event()
    with on_signals(stopped.set, reopened.set):
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
    with on_signals(stopped.set, lambda: None):
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
