"""One filter or action file with its arguments: what each of its options comes to.

An option is taken from the arguments (``sshd[mode=ddos]``), else from ``[Init]``,
else from ``[Definition]``, else from ``[DEFAULT]``. The options of the jail go
before the last two. ``<known/option>`` is what ``[Init]`` says whatever the
arguments say (Fail2Ban: ``DefinitionInitConfigReader`` in client/configreader.py).
"""

import re
from collections.abc import Mapping

from banish.config.interpolate import Lookup, Merged, Scope, Tags
from banish.config.text import Text

_SECTION_OPTION = re.compile(r"([\w\-]+)/([^\s>]+)")


class Definition:
    """The options of one filter or action as they are in effect."""

    def __init__(self, merged: Merged, arguments: Mapping[str, Text], jail: Lookup) -> None:
        """Look at *merged* with *arguments*; *jail* gives the options of the jail."""
        self._merged = merged
        self._arguments = arguments
        self._jail = jail
        self._main = Scope(merged, "Definition", over=self._outer)
        self._init = Scope(merged, "Init")
        self._init_names = frozenset(self._init.names())
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

    def names(self) -> list[str]:
        """Return every option that the arguments or the file set."""
        return list(dict.fromkeys([*self._arguments, *self._init.names(), *self._main.names()]))

    def _outer(self, name: str) -> Text | None:
        given = self._arguments.get(name)
        return given if given is not None else self._jail(name)

    def _raw(self, name: str) -> Text | None:
        """Return the value of the tag *name* before other tags are put into it."""
        given = self._arguments.get(name)
        if given is not None:
            return given
        if name in self._init_names:
            return self._init.get(name)
        match = _SECTION_OPTION.fullmatch(name)
        if match is None:
            return self._main.get(name.lower())
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
        value = self._main.raw(option)
        if value is not None and value.previous is not None:
            return self._main.finish(value.previous, option)
        return self._main.get(option)
