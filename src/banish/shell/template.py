"""Puts the parameters of an action into its commands; pure.

Parameters (``<name>``, ``<port>``: what the administrator wrote) are put into the
text, tags within tags, as Fail2Ban does (``substituteRecursiveTags`` in
helpers.py, 1.0.2). Values of a ban are not (`banish.shell.script`).
"""

import contextlib
import re
from collections.abc import Mapping

from banish.errors import ActionError
from banish.shell.script import LAYOUT, Script, scripts

ROUNDS_LIMIT = 25
"""How deep tags may stand in tags (``MAX_TAG_REPLACE_COUNT`` in Fail2Ban)."""

SCRIPT_LIMIT_CHARACTERS = 100_000
"""Longest script: the kernel takes no argument beyond 131,072 bytes (MAX_ARG_STRLEN)."""

_TAG = re.compile(r"<([^ <>]+)>")
_COMMAND = re.compile(r"action\w+")
_ALWAYS_LATE = frozenset({"matches", "ipmatches", "ipjailmatches"})


class ActionTemplate:
    """The commands of one action."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        """Take *properties* (`banish.model.settings.ActionSettings`)."""
        self._properties = properties
        self._commands = [name for name in properties if _COMMAND.fullmatch(name)]
        self._done: dict[str, dict[str, Script]] = {}
        self.is_conditional = any("?family=" in name for name in properties)
        """Whether something differs between IPv4 and IPv6."""

    def script(self, option: str, family: str = "") -> Script:
        """Return the command *option*, such as ``actionban``, for ``inet4``, ``inet6`` or any ("").

        Raises:
            ActionError: Its tags never end, or it grows beyond all bounds.

        """
        if family not in self._done:
            texts: dict[str, str] = {}
            for name in self._commands:
                with contextlib.suppress(ActionError):
                    texts[name] = self._expand(name, family)
            self._done[family] = scripts(texts)
        found = self._done[family].get(option)
        return Script(self._expand(option, family)) if found is None else found

    def _value(self, name: str, family: str) -> str | None:
        if name in _ALWAYS_LATE:
            return None
        found = self._properties.get(f"{name}?family={family}") if family else None
        return self._properties.get(name, LAYOUT.get(name)) if found is None else found

    def _expand(self, option: str, family: str) -> str:
        def put(match: re.Match[str]) -> str:
            found = self._value(match[1], family)
            return match[0] if found is None else found

        text = self._value(option, family) or ""
        for _ in range(ROUNDS_LIMIT):
            before, text = text, _TAG.sub(put, text)
            if text == before:
                return text
            if len(text) > SCRIPT_LIMIT_CHARACTERS:
                break
        raise ActionError(
            f"{option} cannot be worked out: its tags refer to themselves, or it is too long",
            cure="look at the tags <...> in its file of action.d",
            retry=False,
        )
