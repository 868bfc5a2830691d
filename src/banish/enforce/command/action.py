"""The life of one action of one jail: started, banning and unbanning, checked, stopped.

It goes as in Fail2Ban (``CommandAction`` in server/action.py, 1.0.2): an action
that differs between IPv4 and IPv6 starts for each when the first ban needs it,
a check runs only after a command has failed, and a failed check leads to a repair
or to a new start, after which the command is tried once more. Where Fail2Ban waits
for a subject to fail again until it puts a lost ban back, we put all bans back as
soon as the action was started anew.
"""

import contextlib
from collections.abc import Callable, Sequence

import msgspec

from banish.enforce.command.shell import Run
from banish.enforce.lifecycle import ActionLifecycle, Step, family_of
from banish.errors import ActionError
from banish.model.ban import Ban
from banish.model.settings import ActionSettings
from banish.ports import BanFacts, Clock
from banish.shell.script import Script
from banish.shell.template import ActionTemplate

SHOWN_CHARACTERS = 600
"""How much of a failed command is shown, and as much of what it wrote."""

_HINTS = {
    126: "a file in it may not be executed: chmod +x it",
    127: "a program in it is not installed: install it, or see that PATH has its folder",
}


class _State(msgspec.Struct):
    """How the action stands for one family."""

    is_started: bool = False
    has_bans: bool = False
    was_started: bool = False
    """Whether an earlier run of the server started it, and nobody knows how it stands."""


class ShellAction(ActionLifecycle):
    """One action, carried out by its commands. One task uses it; nothing runs side by side."""

    def __init__(
        self,
        jail: str,
        settings: ActionSettings,
        *,
        run: Run,
        facts: BanFacts,
        clock: Clock,
        has_ipv6: bool = True,
    ) -> None:
        super().__init__(jail, settings, facts=facts, clock=clock)
        self._run = run
        self._template = ActionTemplate(settings.properties)
        self._states: dict[str, _State] = {}
        self._executed: dict[str, dict[str, str]] = {}
        is_conditional = self._template.is_conditional
        self._families = (
            (("inet4", "inet6") if has_ipv6 else ("inet4",)) if is_conditional else ("",)
        )
        said = settings.properties.get("actionstart_on_demand")
        self._is_lazy = is_conditional if said is None else said == "true"

    # -- what a jail asks ---------------------------------------------------------

    async def start(self) -> None:
        """Make ready, unless that is done family by family as they are needed.

        Raises:
            ActionError: A command failed.

        """
        if not self._is_lazy:
            await self._start(self._families)

    def adopt(self, ban: Ban) -> None:
        """Hold *ban*, which an earlier run of the server carried out."""
        state = self._state(family_of(ban))
        state.has_bans = state.was_started = True
        super().adopt(ban)

    async def flush(self) -> bool:
        """Let everybody in at once; tell whether there is a command for it and it worked.

        Raises:
            ActionError: As `start`.

        """
        if not self.settings.command("actionflush"):
            return False
        families = [name for name, state in self._states.items() if state.has_bans]

        def after(family: str, *, is_good: bool) -> None:
            if is_good:
                self._states[family].has_bans = False

        await self._operate("actionflush", families, after)
        self.held.clear()
        return True

    async def stop(self) -> None:
        """Undo what `start` did.

        Raises:
            ActionError: As `start`.

        """
        families = [
            name for name, state in self._states.items() if state.is_started or state.was_started
        ]
        self._states.clear()
        self.held.clear()
        await self._stop(families)

    async def reload(self) -> None:
        """Tell the action that the configuration was read again.

        Raises:
            ActionError: As `start`.

        """
        families = [name for name, state in self._states.items() if state.is_started]
        await self._operate("actionreload", families, _nothing)

    async def check(self) -> None:
        """See whether all is still as `start` left it, and repair it if not.

        Raises:
            ActionError: It cannot be repaired.

        """
        for family, state in list(self._states.items()):
            if state.is_started and not await self._is_sane(family, may_repair=True):
                state.is_started = state.has_bans = False
                self._forget("actionstart", family)
                raise self._broken("actioncheck", "its environment cannot be restored")

    # -- starting and stopping ----------------------------------------------------

    def _state(self, family: str) -> _State:
        return self._states.setdefault(family, _State())

    async def _start(self, families: Sequence[str]) -> None:
        def after(family: str, *, is_good: bool) -> None:
            if is_good:
                self._forget("actionstop", family)
                self._state(family).is_started = True

        await self._operate("actionstart", families, after)

    async def _stop(self, families: Sequence[str]) -> None:
        def after(family: str, *, is_good: bool) -> None:
            if is_good:
                self._forget("actionstart", family)

        await self._operate("actionstop", families, after)

    async def _operate(
        self, option: str, families: Sequence[str], after: "Callable[..., None]"
    ) -> None:
        """Run a command that concerns nobody in particular for each of *families*.

        A command that says the same for two families runs once.
        """
        failed: ActionError | None = None
        for family in families:
            script = self._template.script(option, family)
            said = self._said(option, family)
            done = self._executed.setdefault(option, {})
            is_good = True
            if not script.is_blank and said not in [
                text for other, text in done.items() if other != family
            ]:
                try:
                    await self._execute(option, script, family)
                except ActionError as error:
                    failed, is_good = failed or error, False
            after(family, is_good=is_good)
            if is_good:
                done[family] = said
            else:
                self._forget(option, family)
        if failed is not None:
            raise failed

    def _forget(self, option: str, family: str) -> None:
        """Let a command run again for *family* and for all for whom it says the same."""
        done = self._executed.get(option, {})
        said = self._said(option, family)
        for other in [other for other, text in done.items() if text == said]:
            del done[other]

    def _said(self, option: str, family: str) -> str:
        """Return what the command *option* says for *family*, to tell it from another's."""
        return self._template.script(option, family).text.replace("<family>", family)

    # -- banning ------------------------------------------------------------------

    async def _step(self, step: Step, ban: Ban, *, restored: bool) -> bool:
        if step == "prolong":
            await self._process("actionprolong", ban, restored=restored)
            return True
        family = family_of(ban)
        if step == "unban":
            state = self._states.get(family)
            if state is not None and state.has_bans:
                await self._process("actionunban", ban)
            return False
        families = [family] if self._is_lazy else self._families
        if not any(self._state(each).is_started for each in families):
            # What the start failed at may be there already, so the ban is tried all the same.
            with contextlib.suppress(ActionError):
                await self._start(families)
        has_own = step == "reban" and self.settings.command("actionreban")
        await self._process("actionreban" if has_own else "actionban", ban, restored=restored)
        state = self._state(family)
        state.is_started = state.has_bans = True
        return True

    async def _process(self, command: str, ban: Ban, *, restored: bool = False) -> None:
        """Run a command for *ban*; if it fails, check, repair, and run it once more."""
        family = family_of(ban)
        script = self._template.script(command, family)
        try:
            await self._execute(command, script, family, ban, restored=restored)
        except ActionError:
            if self.settings.command("actioncheck"):
                is_unban = command == "actionunban"
                may_repair = not is_unban or self.settings.flag("actionrepair_on_unban")
                if is_unban and family not in self._states:
                    raise
                if not await self._is_sane(family, may_repair=may_repair):
                    raise
            await self._execute(command, script, family, ban, restored=restored)

    async def _is_sane(self, family: str, *, may_repair: bool) -> bool:
        """Whether the action's check is passed, if need be after a repair."""
        if await self._passes(family):
            return True
        if not may_repair:
            return False
        repair = self._template.script("actionrepair", family)
        state = self._state(family)
        if not repair.is_blank:
            state.is_started = await self._works("actionrepair", repair, family)
            self.was_repaired = True
            return state.is_started and await self._passes(family)
        state.is_started = state.has_bans = False
        # Half of it is gone already: what counts is whether it starts.
        with contextlib.suppress(ActionError):
            await self._stop([family])
        self._forget("actionstart", family)
        await self._start([family])
        self.needs_rebans = bool(self.held)
        return await self._passes(family)

    async def _passes(self, family: str) -> bool:
        check = self._template.script("actioncheck", family)
        return check.is_blank or await self._works("actioncheck", check, family)

    async def _works(self, option: str, script: Script, family: str) -> bool:
        try:
            await self._execute(option, script, family)
        except ActionError:
            return False
        return True

    # -- commands -----------------------------------------------------------------

    async def _execute(
        self, option: str, script: Script, family: str, ban: Ban | None = None, *,
        restored: bool = False,
    ) -> None:  # fmt: skip
        if script.is_blank:
            return
        found = await self._values(script.tags, family, ban, restored=restored)
        outcome = await self._run(script.fill(found), self.settings.timeout)
        if outcome.is_good:
            return
        if outcome.code is None:
            how = f"took longer than {self.settings.timeout:g} s and was killed"
            cure = "see what it waits for, or give the action a longer timeout"
        elif outcome.code < 0 or outcome.code > 128:
            number = -outcome.code if outcome.code < 0 else outcome.code - 128
            how, cure = f"was killed by signal {number}", ""
        else:
            how, cure = f"failed with exit code {outcome.code}", _HINTS.get(outcome.code, "")
        whom = f" for {ban.subject}" if ban is not None else ""
        raise self._broken(f"{option}{whom}", how, script.text, outcome.output, cure)

    def _broken(
        self, command: str, how: str, text: str = "", output: str = "", cure: str = ""
    ) -> ActionError:
        what = f"{command} {how}"
        if output.strip():
            what += f"; it wrote: {_shown(output)}"
        if text:
            what += f"; the command: {_shown(text)}"
        return ActionError(what, cure=cure or "run the command by hand to see what is wrong")


def _nothing(_family: str, *, is_good: bool) -> None:
    del is_good


def _shown(text: str) -> str:
    """Return *text* on one line, and not all of a long one."""
    line = "; ".join(part.strip() for part in text.strip().splitlines() if part.strip())
    return line if len(line) <= SHOWN_CHARACTERS else f"{line[:SHOWN_CHARACTERS]}..."
