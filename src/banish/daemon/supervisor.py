"""The one place where tasks are born, and where a bug is caught.

Each part runs in its own task. When a part fails, it alone is started again,
after a pause that doubles up to a minute; everything else goes on. A part that
ran well for a while begins again with a short pause.
"""

import asyncio
import traceback
from collections.abc import Awaitable, Callable

from banish.errors import BanishError
from banish.model.instant import Seconds
from banish.telemetry.events import Emit, PartFailed, PartRecovered

FIRST_PAUSE = Seconds(0.5)
LONGEST_PAUSE = Seconds(60)
HEALTHY_AFTER = Seconds(30)
"""A part that ran this long counts as recovered."""


class Supervisor:
    """Runs named parts for ever and starts each again when it fails."""

    def __init__(self, emit: Emit, *, first_pause: Seconds = FIRST_PAUSE) -> None:
        self._emit = emit
        self._first_pause = first_pause
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.troubles: dict[str, str] = {}
        """What each part that is down at the moment failed with."""

    def start(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        """Run *part* under *name* until `stop`; a part that returns is done."""
        assert name not in self._tasks, name
        self._tasks[name] = asyncio.create_task(self._keep_running(name, part), name=name)

    async def run_once(self, name: str, part: Callable[[], Awaitable[None]]) -> bool:
        """Run *part* once; tell whether it did not fail. `start` may run it again later."""
        try:
            await part()
        except BanishError as error:
            self._note_trouble(name, str(error))
        except Exception as error:  # noqa: BLE001 - what is not the firewall must not end the start
            self._note_trouble(name, _bug(error))
        else:
            return True
        return False

    async def _keep_running(self, name: str, part: Callable[[], Awaitable[None]]) -> None:
        loop = asyncio.get_running_loop()
        pause = self._first_pause
        while True:
            began = loop.time()
            # A part that is well again says so itself, unless it just keeps running.
            healed = loop.call_later(HEALTHY_AFTER, self._note_healthy, name)
            try:
                await part()
            except BanishError as error:
                self._note_trouble(name, str(error))
            except Exception as error:  # noqa: BLE001 - a bug stops its own task only
                self._note_trouble(name, _bug(error))
            else:
                self._note_healthy(name)
                return
            finally:
                healed.cancel()
            if loop.time() - began >= HEALTHY_AFTER:
                pause = self._first_pause
            await asyncio.sleep(pause)
            pause = min(Seconds(pause * 2), LONGEST_PAUSE)

    def _note_trouble(self, name: str, what: str) -> None:
        self.troubles[name] = what
        self._emit(PartFailed(part=name, what=what))

    def _note_healthy(self, name: str) -> None:
        if self.troubles.pop(name, None) is not None:
            self._emit(PartRecovered(part=name))

    async def stop(self, *names: str) -> None:
        """End the named parts, or all of them, and wait until they have ended."""
        chosen = names or tuple(self._tasks)
        tasks = [self._tasks.pop(name) for name in chosen if name in self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _bug(error: Exception) -> str:
    place = "".join(traceback.format_exception(error)[-3:]).strip()
    return f"this is a bug in banish, please report it:\n{place}"
