"""Keeps what a server offers and can protect without: control socket, pid file, log.

Each is made at the start and looked at every few seconds. One that cannot be
made is trouble, which `status`, the log and standard error name; it is tried
again for as long as the server runs. None of them ends the start: bans go on.
"""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from banish.errors import OperatorError
from banish.model.instant import Seconds
from banish.telemetry.events import Emit, PartFailed, PartRecovered

LOOK_PAUSE = Seconds(2)
"""A look at all of them costs a handful of stat(2)."""

Ensure = Callable[[], Awaitable[None]]
"""Makes one of them if it is missing.

Raises:
    OperatorError: It cannot be made now.
    OSError: The same.

"""


class Upkeep:
    """What is kept, by name; `run` is its task."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._kept: dict[str, Ensure] = {}
        self.troubles: dict[str, str] = {}
        """Why those that are missing at the moment cannot be made, and the cure."""

    def keep(self, name: str, ensure: Ensure) -> None:
        """Look after *name* from the next `look` on."""
        self._kept[name] = ensure

    async def look(self) -> None:
        """Make what is missing, as far as it can be made."""
        for name, ensure in self._kept.items():
            try:
                await ensure()
            except (OperatorError, OSError) as error:
                self._note_trouble(name, str(error))
            else:
                self._note_well(name)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_PAUSE)
            await self.look()

    def _note_trouble(self, name: str, what: str) -> None:
        if self.troubles.get(name) != what:
            self.troubles[name] = what
            self._emit(PartFailed(part=name, what=what))

    def _note_well(self, name: str) -> None:
        if self.troubles.pop(name, None) is not None:
            self._emit(PartRecovered(part=name))


class PidFile:
    """A file that holds our process id."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_written = False

    async def ensure(self) -> None:
        """Write the file, unless it has been and is there still.

        Raises:
            OperatorError: It cannot be written.

        """
        if self._is_written and self.path.exists():
            return
        try:
            self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            self.path.write_text(f"{os.getpid()}\n", encoding="ascii")
        except OSError as error:
            raise OperatorError(
                f"the pid file cannot be written: {error.strerror}",
                where=str(self.path),
                cure="run as root, or choose another place: --state DIR, or pidfile in banish.conf",
            ) from error
        self._is_written = True

    def remove(self) -> None:
        """Take the file away if it is ours."""
        with contextlib.suppress(OSError, ValueError):
            if self.path.read_text(encoding="ascii").strip() == str(os.getpid()):
                self.path.unlink()
