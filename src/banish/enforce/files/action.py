"""An action of one jail that shuts subjects out by lines of a file (`banish.ports.Action`).

A first ban is written at once; what follows within a moment is written together.
What an earlier run left stands until the bans in force have had time to be put back.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from banish.addon.declare import ActionContext
from banish.enforce.command import shell
from banish.enforce.command.shell import Run
from banish.enforce.files.blocks import Form
from banish.enforce.files.denyfile import EVERY_SERVICE, DenyFile
from banish.errors import ActionError, EnforceError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Seconds
from banish.model.settings import ActionSettings
from banish.shell.script import Filled

GATHER_PAUSE = Seconds(0.2)
"""Edits are at least so far apart; bans in between are written together."""

LEFTOVER_SPAN = Seconds(10)
"""How long after the start the lines of an earlier run stand."""

RETRY_PAUSE = Seconds(5)


class FileOptions(msgspec.Struct, frozen=True):
    """What is the same for every file."""

    file: str
    services: str = EVERY_SERVICE
    """What the banned are shut out from, where the file can say."""
    reload: str = ""
    """A shell command to run after each change; empty: none is needed."""


class FileAction:
    """One jail's part of one file. One task uses it."""

    def __init__(
        self,
        jail: str,
        settings: ActionSettings,
        options: FileOptions,
        *,
        file: DenyFile,
        run: Run,
        time: Callable[[], float] | None = None,
    ) -> None:
        """Prepare; nothing is read or written before `start`.

        Args:
            jail: Whose action it is.
            settings: The action as written.
            options: The same, in types.
            file: The file, one for all actions that write it.
            run: Runs a script.
            time: Tells the time in seconds, as the event loop does by default.

        """
        self.jail = jail
        self.settings = settings
        self.held: dict[Subject, Ban] = {}
        self.needs_rebans = False
        self.was_repaired = False
        self._options = options
        self._file = file
        self._run = run
        self._label = f"{jail} {settings.actname}"
        self._time = time or (lambda: asyncio.get_running_loop().time())
        self._leftover: frozenset[Subject] = frozenset()
        self._leftover_until = 0.0
        self._is_started = False
        self._needs_reload = False
        self._written_at = float("-inf")
        self._due: float | None = None

    @property
    def due(self) -> float | None:
        """When what was put off is to be written."""
        return self._due

    async def start(self) -> None:
        """Find what an earlier run left.

        Raises:
            ActionError: The file cannot be read.

        """
        if self._is_started:
            return
        services = self._options.services
        try:
            self._leftover = await asyncio.to_thread(self._file.expect, self._label, services)
        except EnforceError as error:
            raise _explained(error) from error
        self._is_started = True
        span = LEFTOVER_SPAN if self._leftover else GATHER_PAUSE
        # Then at the latest what jails that are gone have left is taken out, too.
        self._due = self._leftover_until = self._time() + span

    async def ban(self, ban: Ban, *, restored: bool = False) -> None:
        """Write the line of a subject, unless others follow at once.

        Raises:
            ActionError: The file cannot be written.

        """
        del restored
        await self.start()
        if _target(ban) is None:
            return
        known = self.held.get(ban.subject)
        self.held[ban.subject] = ban
        if known is not None and _target(known) == _target(ban):
            return
        try:
            await self._change()
        except ActionError:
            if known is None:
                del self.held[ban.subject]
            raise

    async def reban(self, ban: Ban) -> None:
        """Do as `ban` does, though the subject may be held already.

        Raises:
            ActionError: The file cannot be written.

        """
        self.held.pop(ban.subject, None)
        await self.ban(ban)

    async def prolong(self, ban: Ban, *, restored: bool = False) -> None:
        """Take note of another end; a line has none."""
        del restored
        if ban.subject in self.held:
            self.held[ban.subject] = ban

    def adopt(self, ban: Ban) -> None:
        """Do nothing: the file says what an earlier run wrote."""

    async def unban(self, ban: Ban) -> None:
        """Take the line of a subject out.

        Raises:
            ActionError: The file cannot be written; it is tried again by `tick`.

        """
        target = _target(ban)
        if target is not None:
            self._leftover -= {target}
            self.held.pop(ban.subject, None)
            await self._change()

    async def check(self) -> None:
        """Write all lines anew if any is missing.

        Raises:
            ActionError: The file cannot be written.

        """
        await self._write()

    async def flush(self) -> bool:
        """Take all lines out.

        Raises:
            ActionError: The file cannot be written.

        """
        self.held.clear()
        self._leftover = frozenset()
        await self._write()
        return True

    async def stop(self) -> None:
        """Take all lines out, if that is not done.

        Raises:
            ActionError: The file cannot be written.

        """
        await self.flush()

    async def tick(self) -> None:
        """Write what was put off.

        Raises:
            ActionError: The file cannot be written; it is tried again.

        """
        if self._time() >= self._leftover_until:
            self._leftover = frozenset()
        await self._write()

    async def _change(self) -> None:
        soonest = self._written_at + GATHER_PAUSE
        if self._time() < soonest:
            self._due = soonest if self._due is None else min(self._due, soonest)
        else:
            await self._write()

    async def _write(self) -> None:
        targets = {target for ban in self.held.values() if (target := _target(ban)) is not None}
        try:
            changed = await asyncio.to_thread(
                self._file.write, {self._label: targets | self._leftover}
            )
            self._needs_reload = self._needs_reload or changed
            self._written_at = self._time()
            if self._needs_reload and self._options.reload:
                await self._reload()
            self._needs_reload = False
        except EnforceError as error:
            self._due = self._time() + RETRY_PAUSE
            raise _explained(error) from error
        except ActionError:
            self._due = self._time() + RETRY_PAUSE
            raise
        self._due = self._leftover_until if self._leftover else None

    async def _reload(self) -> None:
        outcome = await self._run(Filled(self._options.reload), self.settings.timeout)
        if not outcome.is_good:
            said = " ".join(outcome.output.split())[:300]
            how = "took too long" if outcome.code is None else f"failed with {outcome.code}"
            raise ActionError(
                f"{self._options.reload} {how}{f'; it wrote: {said}' if said else ''}",
                cure="run it by hand to see what is wrong",
            )


def _target(ban: Ban) -> Subject | None:
    """Return the address or network to shut out; None where there is none."""
    if ban.subject.is_enforceable:
        return ban.subject
    return ban.address


def _explained(error: EnforceError) -> ActionError:
    return ActionError(error.what, cure=error.cure, retry=error.retry)


def file_action(context: ActionContext, options: FileOptions, form: Form) -> FileAction:
    """Return an action of one jail; of one file there is one `DenyFile` for the whole server.

    With two, each would take out what the other wrote.
    """
    place = os.path.realpath(options.file)
    file = context.shared.setdefault(f"deny file {place}", DenyFile(Path(options.file), form))
    assert isinstance(file, DenyFile)
    return FileAction(context.jail, context.settings, options, file=file, run=shell.run)
