"""Calls that hang are left alone, by whoever waits and by the end of the process."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from banish.blocking import LoneThread, call_within, wait_within
from banish.model.instant import Seconds


def fail() -> None:
    raise ValueError("as it is")


def test_what_a_call_returns_or_raises_comes_through() -> None:
    assert call_within(Seconds(30), lambda: 7) == 7
    assert asyncio.run(wait_within(Seconds(30), lambda: 7)) == 7
    with pytest.raises(ValueError, match="as it is"):
        call_within(Seconds(30), fail)
    with pytest.raises(ValueError, match="as it is"):
        asyncio.run(wait_within(Seconds(30), fail))


def test_a_call_that_hangs_is_waited_for_no_longer_than_the_limit() -> None:
    end = threading.Event()
    with pytest.raises(TimeoutError):
        call_within(Seconds(0.01), end.wait)
    with pytest.raises(TimeoutError):
        asyncio.run(wait_within(Seconds(0.01), end.wait))
    end.set()


def test_calls_of_one_thread_run_in_their_order_and_to_their_end() -> None:
    thread = LoneThread("test")
    done: list[object] = []
    gate = threading.Event()
    first = thread.submit(lambda: done.append(gate.wait(30)))
    second = thread.submit(done.append, 2)
    cancelled = thread.submit(done.append, 3)
    assert cancelled.cancel()
    thread.shutdown()
    assert not second.done()
    gate.set()
    second.result(30)
    assert first.done()
    assert done == [True, 2]


def test_the_process_ends_though_a_call_hangs() -> None:
    script = (
        "import asyncio, threading; from banish.blocking import *; gate = threading.Event()\n"
        "LoneThread('x').submit(gate.wait)\n"
        "async def main():\n"
        "    try:\n"
        "        await wait_within(0.01, gate.wait)\n"
        "    except TimeoutError:\n"
        "        print('left')\n"
        "asyncio.run(main())"
    )
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert ended.stdout == "left\n"
    assert time.monotonic() - began < 30
