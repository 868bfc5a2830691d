"""One Python action of one jail: its process, started again when it has ended.

A file of ``action.d`` ending in ``.py`` has a class ``Action`` that Fail2Ban makes
with the jail's arguments and calls in its own process. Here it runs in one of its
own: what hangs, crashes or fills memory there takes nothing down with it.

After a crash the process is started again when it is needed next, after a pause
that doubles from one crash to the next, and all bans that it held are put back.
"""

import asyncio
import logging

from banish.enforce.lifecycle import ActionLifecycle, Step, family_of
from banish.enforce.python.mapping import ASKED_TAGS
from banish.enforce.python.messages import Call, Load, OrderDone, OrderLogged, Scalar, Verb, clean
from banish.enforce.python.process import Process, ProcessEndedError
from banish.errors import ActionError
from banish.model.ban import Ban
from banish.model.instant import Seconds
from banish.model.settings import ActionSettings
from banish.ports import BanFacts, Clock
from banish.shell.script import Values
from banish.telemetry.events import ActionLogged, ActionWarned, Emit

FIRST_PAUSE = Seconds(1)
"""How long after the first crash the process is not started again."""

LONGEST_PAUSE = Seconds(300)

TEXT_LIMIT_CHARACTERS = 65_536
"""Longest value of a tag, cut at its beginning since the newest lines stand at the end."""

_AT_HAND = frozenset({
    "ip", "family", "ip-rev", "fid", "failures", "time", "bantime", "bancount", "matches",
    "restored", "raw-ticket",
})  # fmt: skip
_NUMBERS = frozenset({
    "failures", "time", "bantime", "bancount", "restored", "ipfailures", "ipjailfailures",
    "jail.banned", "jail.banned_total", "jail.found", "jail.found_total",
})  # fmt: skip


class PythonAction(ActionLifecycle):
    """Implements `banish.ports.Action` by a file in Python."""

    def __init__(
        self,
        jail: str,
        settings: ActionSettings,
        *,
        facts: BanFacts,
        emit: Emit,
        clock: Clock,
        first_pause: Seconds = FIRST_PAUSE,
    ) -> None:
        super().__init__(jail, settings, facts=facts, clock=clock)
        self._emit = emit
        self._process: Process | None = None
        self._loaded = OrderDone()
        self._is_started = False
        self._first_pause = first_pause
        self._pause = Seconds(0)
        self._not_before = 0.0
        self._ended_by = ""

    # -- what a jail asks ---------------------------------------------------------

    async def start(self) -> None:
        """Load the file and start its action.

        Raises:
            ActionError: The file, its arguments or its code are at fault.

        """
        self._is_started = True
        if await self._ready():
            await self._call("start")

    def adopt(self, ban: Ban) -> None:
        """Hold *ban*, which an earlier run of the server carried out."""
        if self.settings.keeps_out:
            super().adopt(ban)

    async def check(self) -> None:
        """Have the action look whether all is as it should be, if it knows how.

        Raises:
            ActionError: As `start`.

        """
        await self._make_ready()
        if self._has("consistencyCheck"):
            await self._call("check")

    async def flush(self) -> bool:
        """Have the action let everybody in, if it knows how.

        Raises:
            ActionError: As `start`.

        """
        if self._process is None or not self._has("flush"):
            return False
        done = await self._call("flush")
        if done.result:
            self.held.clear()
        return done.result

    async def stop(self) -> None:
        """Stop the action and end its process.

        Raises:
            ActionError: Its code failed; the process has ended all the same.

        """
        self._is_started = False
        self.held.clear()
        process = self._process
        if process is None:
            return
        try:
            if process.is_running:
                await self._call("stop")
        finally:
            self._process = None
            await process.end()

    # -- calls --------------------------------------------------------------------

    async def _step(self, step: Step, ban: Ban, *, restored: bool) -> bool:
        await self._make_ready()
        if restored and self._loaded.norestored:
            return False
        if step in ("ban", "reban") or self._has(step):
            await self._call(step, ban, restored=restored)
        return self.settings.keeps_out

    def _has(self, verb: str) -> bool:
        return verb in self._loaded.verbs

    async def _make_ready(self) -> None:
        """See that the process is there, started as it was before."""
        if await self._ready() and self._is_started:
            self.needs_rebans = bool(self.held)
            await self._call("start")

    async def _ready(self) -> bool:
        """See that the process is there; tell whether it is a new one."""
        if self._process is not None:
            if self._process.is_running:
                return False
            process, self._process = self._process, None
            await process.end()
            self._fail("has ended")
        now = asyncio.get_running_loop().time()
        if now < self._not_before:
            raise self._broken(
                f"its process {self._ended_by}; it is started again in "
                f"{self._not_before - now:.0f} s"
            )
        self._process = await Process.start(self._heard)
        options = self.settings.options
        order = Load(
            str(options["path"]),
            self.jail,
            self.settings.actname,
            {
                name: clean(value)
                for name, value in self.settings.arguments.items()
                if name != "actname"
            },
            int(str(options.get("bantime", -1))),
        )
        try:
            self._loaded = await self._do(order, None)
        except ActionError:
            process, self._process = self._process, None
            if process is not None:
                await process.end()
                self._fail("could not load it")
            raise
        return True

    def _fail(self, how: str) -> None:
        """Take note that the process is gone, and let some time pass before the next."""
        self._ended_by = how
        self._pause = Seconds(min(max(self._pause * 2, self._first_pause), LONGEST_PAUSE))
        self._not_before = asyncio.get_running_loop().time() + self._pause

    async def _call(
        self, verb: Verb, ban: Ban | None = None, *, restored: bool = False
    ) -> OrderDone:
        info: dict[str, Scalar] = {}
        captures: dict[str, str] = {}
        if ban is not None:
            info = _typed(await self._values(_AT_HAND, family_of(ban), ban, restored=restored))
            captures = {name: clean(text) for name, text in ban.tags}
        done = await self._do(Call(verb, info, captures), ban, what=verb)
        if ban is not None:
            self._pause = Seconds(0)
        return done

    async def _do(self, order: Load | Call, ban: Ban | None, *, what: str = "") -> OrderDone:
        process = self._process
        assert process is not None
        whom = f" of {ban.subject}" if ban is not None else ""
        prefix = f"{what}{whom}: " if what else ""

        async def tell(tag: str) -> Scalar:
            if tag not in ASKED_TAGS:
                return ""
            family = "" if ban is None else family_of(ban)
            found = _typed(await self._values(frozenset({tag}), family, ban))
            return found.get(tag, "")

        try:
            return await process.do(order, tell, self.settings.timeout)
        except ActionError as error:
            raise self._broken(f"{prefix}{error.what}", error.cure) from error
        except ProcessEndedError as error:
            self._process = None
            self._fail(str(error))
            what = f"{prefix}its process {error}"
            raise self._broken(what, "see what its code waits for or ends by") from error

    def _broken(self, what: str, cure: str = "") -> ActionError:
        return ActionError(f"{self.settings.name}: {what}", cure=cure)

    def _heard(self, said: OrderLogged) -> None:
        kind = ActionLogged if said.level < logging.WARNING else ActionWarned
        what = " ".join(said.text.split())
        self._emit(kind(jail=self.jail, action=self.settings.actname, what=what))


def _typed(found: Values) -> dict[str, Scalar]:
    """Return the values as Fail2Ban's own types: numbers where it has numbers."""
    return {
        tag: int(value.text) if tag in _NUMBERS else clean(value.text[-TEXT_LIMIT_CHARACTERS:])
        for tag, value in found.items()
    }
