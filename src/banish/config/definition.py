"""One filter or action file with its arguments: what each of its options comes to.

An option is taken from the arguments (``sshd[mode=ddos]``), else from ``[Init]``,
else from ``[Definition]``, else from ``[DEFAULT]``. The options of the jail go
before the last two. ``<known/option>`` is what ``[Init]`` says whatever the
arguments say (Fail2Ban: ``DefinitionInitConfigReader`` in client/configreader.py).
"""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from banish.config.interpolate import Lookup, Merged, Scope, Tags
from banish.config.options import FILTER_OPTIONS
from banish.config.text import Text

_SECTION_OPTION = re.compile(r"([\w\-]+)/([^\s>]+)")


_REPLACED = ""
"""Stands for no section: the key of the scope of replaced values."""

EARLY_OPTIONS = frozenset({"enabled", "backend", "filter"})
"""The options of a jail that its filter sees when it is read first."""

Pass = Literal["action", "known", "filter"]
"""What a file is read for. Fail2Ban reads a filter twice, and remembers some of it:

- *action*: arguments and the options of the jail go before the file.
- *known*, the first reading of a filter, for ``known/`` values of its jail: of the
  jail only `EARLY_OPTIONS` are seen, and options that no filter has to have see
  neither these nor the arguments where they say ``%(option)s``.
- *filter*, the second: ``[Init]`` goes before ``[Definition]`` too, but for tags
  that are not of ``[Definition]``, which stay as they were the first time.
"""


class Definition:
    """The options of one filter or action as they are in effect."""

    def __init__(
        self, merged: Merged, arguments: Mapping[str, Text], jail: Lookup, *, read_for: Pass
    ) -> None:
        """Look at *merged* with *arguments*; *jail* gives the options of the jail."""
        self._merged = merged
        self._arguments = arguments
        self._jail = jail
        self._read_for = read_for
        self._init = Scope(merged, "Init")
        self._init_names = frozenset(self._init.names())
        self._main = Scope(merged, "Definition", over=self._over)
        self._own_names = frozenset(self._main.names())
        self._early = Scope(merged, "Definition", over=self._over_early)
        self._alone = Scope(merged, "Definition")
        self._others: dict[str, Scope] = {}
        self._tags = Tags(self._raw)

    def get(self, option: str) -> Text | None:
        """Return the value of *option* with everything put in, or None if nobody sets it.

        Raises:
            FaultError: A value refers to what is not there, or to itself.

        """
        return self._tags.get(option)

    def sets(self, option: str) -> bool:
        """Whether the arguments or ``[Definition]`` itself set *option*."""
        return bool(self._arguments.get(option)) or option in self._main.names()

    def raw(self, option: str) -> Text | None:
        """Return the value of *option* before tags are put into it, or None if nobody sets it.

        Raises:
            FaultError: A value refers to what is not there, or to itself.

        """
        return self._raw(option)

    def given(self) -> list[str]:
        """Return the options that go before ``[Definition]``: the arguments', then ``[Init]``'s."""
        return list(dict.fromkeys([*self._arguments, *self._init.names()]))

    def names(self) -> list[str]:
        """Return every option that the arguments or the file set."""
        return list(dict.fromkeys([*self._arguments, *self._init.names(), *self._main.names()]))

    def _over(self, name: str) -> Text | None:
        given = self._arguments.get(name)
        if given is None and self._read_for == "filter":
            option = name.removeprefix("known/")
            given = self._init.get(option) if option in self._init_names else None
        return given if given is not None else self._jail(name)

    def _over_early(self, name: str) -> Text | None:
        given = self._arguments.get(name)
        if given is None and (self._read_for == "action" or name in EARLY_OPTIONS):
            given = self._jail(name)
        return given

    def _raw(self, name: str) -> Text | None:
        """Return the value of the tag *name* before other tags are put into it."""
        given = self._arguments.get(name)
        if given is not None:
            return given
        if name in self._init_names:
            return self._init.get(name)
        if name in FILTER_OPTIONS:
            return (self._early if self._read_for == "known" else self._main).get(name)
        if name in self._own_names:
            return (self._alone if self._read_for == "known" else self._main).get(name)
        match = _SECTION_OPTION.fullmatch(name)
        if match is None:
            return self._early.get(name.lower())
        section, option = match[1], match[2].lower()
        if section.lower() == "known":
            return self._known(option)
        if section.lower() != "default" and section not in self._merged.sections:
            return None
        scope = self._others.get(section)
        if scope is None:
            scope = self._others[section] = Scope(self._merged, section)
        return scope.get(option)

    def _known(self, option: str) -> Text | None:
        if option in self._init_names:
            return self._init.get(option)
        if "Definition" in self._merged.renewed:
            value = self._replaced().get(option)
            if value is not None:
                return value
        return self._early.get(option)

    def _replaced(self) -> Scope:
        """Return the options of ``[Definition]`` as they were before a later file set them."""
        scope = self._others.get(_REPLACED)
        if scope is None:
            own = self._merged.sections["Definition"]
            before = {name: value.previous for name, value in own.items() if value.previous}
            merged = msgspec.structs.replace(self._merged, sections={"Definition": before})
            scope = self._others[_REPLACED] = Scope(merged, "Definition")
        return scope
