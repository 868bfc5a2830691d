"""What a server offers and can protect without."""

import asyncio
import os
from pathlib import Path

from banish.daemon.supervisor import Supervisor
from banish.daemon.upkeep import PidFile, Upkeep
from banish.errors import OperatorError, StoreError
from banish.telemetry.events import Event, PartFailed, PartRecovered


def test_a_trouble_is_told_once_and_its_end_too() -> None:
    told: list[Event] = []
    upkeep = Upkeep(told.append)
    error: Exception | None = OperatorError("no room", cure="make some")

    async def ensure() -> None:
        if error is not None:
            raise error

    upkeep.keep("thing", ensure)

    async def play() -> None:
        nonlocal error
        await upkeep.look()
        await upkeep.look()
        assert upkeep.troubles == {"thing": "no room\n    make some"}
        error = OSError(28, "No space left on device")
        await upkeep.look()
        error = None
        await upkeep.look()
        await upkeep.look()

    asyncio.run(play())
    assert upkeep.troubles == {}
    assert [type(each) for each in told] == [PartFailed, PartFailed, PartRecovered]


def test_a_pid_file_is_written_again_when_removed_and_never_taken_from_another(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run" / "banish.pid"
    file = PidFile(path)

    async def play() -> None:
        await file.ensure()
        assert path.read_text() == f"{os.getpid()}\n"
        path.unlink()
        await file.ensure()
        assert path.read_text() == f"{os.getpid()}\n"
        path.write_text("1\n")
        await file.ensure()
        assert path.read_text() == "1\n"

    asyncio.run(play())
    file.remove()
    assert path.read_text() == "1\n"


def test_a_part_of_the_start_that_fails_is_trouble_and_the_start_goes_on() -> None:
    told: list[Event] = []
    supervisor = Supervisor(told.append)

    async def fails() -> None:
        raise StoreError("no disk")

    async def has_a_bug() -> None:
        raise AssertionError("a bug")

    async def works() -> None:
        pass

    async def play() -> None:
        assert not await supervisor.run_once("a", fails)
        assert not await supervisor.run_once("b", has_a_bug)
        assert await supervisor.run_once("c", works)

    asyncio.run(play())
    assert supervisor.troubles["a"] == "no disk"
    assert "report it" in supervisor.troubles["b"]
    assert [type(each) for each in told] == [PartFailed, PartFailed]
