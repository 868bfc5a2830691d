import asyncio
import threading

import pytest

from banish.resolve.workers import Workers


def test_a_result_or_an_error_comes_back() -> None:
    def fail() -> int:
        raise OSError("no")

    async def play() -> None:
        workers = Workers(1)
        assert await workers.run(lambda: 7) == 7
        with pytest.raises(OSError, match="no"):
            await workers.run(fail)
        assert await workers.run(lambda: 8) == 8

    asyncio.run(play())


def test_a_call_that_hangs_keeps_its_place_until_it_ends() -> None:
    async def play() -> None:
        workers, release = Workers(1), threading.Event()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await workers.run(release.wait)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await workers.run(lambda: True)
        release.set()
        async with asyncio.timeout(10):
            assert await workers.run(lambda: True)

    asyncio.run(play())


def test_where_no_thread_can_be_had_the_place_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def play() -> None:
        workers = Workers(1)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(OSError, match="thread"):
                await workers.run(lambda: 1)
        assert await workers.run(lambda: 2) == 2

    asyncio.run(play())
