import asyncio

from banish.daemon.supervisor import Supervisor
from banish.errors import SourceError
from banish.model.instant import Seconds
from banish.telemetry.events import Event, PartFailed, PartRecovered


def test_a_part_that_fails_is_started_again_and_the_others_go_on() -> None:
    told: list[Event] = []
    runs: list[str] = []

    async def play() -> None:
        done = asyncio.Event()

        def tell(event: Event) -> None:
            told.append(event)
            if isinstance(event, PartRecovered):
                done.set()

        supervisor = Supervisor(tell, first_pause=Seconds(0))

        async def failing() -> None:
            runs.append("failing")
            if len(runs) == 1:
                raise SourceError("no log")
            if len(runs) == 2:
                raise ZeroDivisionError

        async def steady() -> None:
            await asyncio.Event().wait()

        supervisor.start("steady", steady)
        supervisor.start("failing", failing)
        async with asyncio.timeout(5):
            await done.wait()
        await supervisor.stop()

    asyncio.run(play())
    assert runs == ["failing"] * 3
    first, bug, over = told
    assert first == PartFailed(part="failing", what="no log")
    assert isinstance(bug, PartFailed)
    assert "ZeroDivisionError" in bug.what
    assert over == PartRecovered(part="failing")


def test_a_stopped_part_has_ended_when_stop_returns() -> None:
    ended: list[str] = []

    async def play() -> None:
        supervisor = Supervisor(lambda _: None)

        async def part() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append("part")

        supervisor.start("part", part)
        await asyncio.sleep(0)
        await supervisor.stop("part", "unknown")

    asyncio.run(play())
    assert ended == ["part"]
