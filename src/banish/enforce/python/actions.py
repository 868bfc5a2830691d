"""``fail2ban.server.action`` as Python actions know it: the classes that they inherit from.

Facts from server/action.py of Fail2Ban 1.0.2: an action is made with its jail, its
name and its arguments as keywords; ``reban`` bans again unless it says otherwise.
"""

import logging
from collections.abc import Mapping
from typing import Any

from banish.enforce.python.running import SHELL, Utils
from banish.shell.fitting import FittedValue
from banish.shell.template import ActionTemplate

REQUIRED = ("start", "stop", "ban", "reban", "unban")
"""What every action can be asked to do."""


class ActionBase:
    """What Python actions inherit from: each part does nothing until it is overridden."""

    def __init__(self, jail: Any, name: str) -> None:
        self._jail = jail
        self._name = name
        self._logSys = logging.getLogger(f"fail2ban.{type(self).__name__}")

    @property
    def _prolongable(self) -> bool:
        """Whether the action wants to hear that a ban lasts longer."""
        return False

    def start(self) -> None:
        """Make ready."""

    def stop(self) -> None:
        """Undo what `start` did."""

    def ban(self, aInfo: Any) -> None:  # noqa: N803 - the names that actions use
        """Take note of a ban."""

    def reban(self, aInfo: Any) -> Any:  # noqa: N803
        """Ban again a subject that another program had unbanned."""
        return self.ban(aInfo)

    def unban(self, aInfo: Any) -> None:  # noqa: N803
        """Take note of the end of a ban."""


class CommandAction(ActionBase):
    """An action made of commands, for actions in Python that add to it.

    The tags of a ban reach the shell by its environment, as in banish's own
    `banish.shell.script`.
    """

    actionstart = actionstop = actionban = actionreban = actionunban = ""
    actioncheck = actionrepair = actionflush = actionreload = actionprolong = ""
    timeout: float = 60

    def _run(self, option: str, info: Mapping[str, Any] | None = None) -> None:
        found = info if info is not None else {}
        properties = {
            key: str(getattr(self, key))
            for key in dir(self)
            if not key.startswith("_") and not callable(getattr(self, key))
        }
        script = ActionTemplate(properties).script(option, str(found.get("family", "")))
        if script.is_blank:
            return
        values = {tag: FittedValue(str(found.get(tag, ""))) for tag in script.tags}
        filled = script.fill(values)
        is_good, _, wrote, code = Utils.executeCmd(
            [SHELL, "-c", filled.text, "sh"],
            timeout=self.timeout,
            shell=False,
            output=True,
            varsDict=filled.environment,
        )
        if not is_good:
            shown = wrote.decode("utf-8", "replace").strip()[:600]
            raise RuntimeError(f"{option} ended with {code}: {shown}")

    def start(self) -> None:
        """Run ``actionstart``."""
        self._run("actionstart")

    def stop(self) -> None:
        """Run ``actionstop``."""
        self._run("actionstop")

    def ban(self, aInfo: Any) -> None:  # noqa: N803
        """Run ``actionban``."""
        self._run("actionban", aInfo)

    def reban(self, aInfo: Any) -> None:  # noqa: N803
        """Run ``actionreban``, or without one ``actionban``."""
        self._run("actionreban" if self.actionreban else "actionban", aInfo)

    def unban(self, aInfo: Any) -> None:  # noqa: N803
        """Run ``actionunban``."""
        self._run("actionunban", aInfo)

    @property
    def _prolongable(self) -> bool:
        return bool(self.actionprolong)

    def prolong(self, aInfo: Any) -> None:  # noqa: N803
        """Run ``actionprolong``."""
        self._run("actionprolong", aInfo)

    def flush(self) -> bool:
        """Run ``actionflush``; tell whether there is one."""
        self._run("actionflush")
        return bool(self.actionflush)

    def consistencyCheck(self) -> bool:  # noqa: N802
        """Run ``actioncheck``."""
        self._run("actioncheck")
        return True

    @staticmethod
    def executeCmd(realCmd: Any, timeout: float = 60, **kwargs: Any) -> Any:  # noqa: N802, N803
        """Run a command; see `Utils.executeCmd`."""
        return Utils.executeCmd(realCmd, timeout, **kwargs)
