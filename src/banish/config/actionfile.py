"""One action of a jail and its file: what is known from the file alone."""

import re
from pathlib import PurePath

from banish.config import commands, kinds
from banish.config.definition import Definition
from banish.config.interpolate import Lookup, Merged
from banish.config.merge import Library
from banish.config.problem import FaultError, shown
from banish.config.pythonfiles import PythonFile, read_python_file
from banish.config.text import Text
from banish.model.settings import (
    Place,
)

_BY_PORT = frozenset({
    "bsd-ipfw", "firewallcmd-allports", "firewallcmd-ipset", "firewallcmd-multiport",
    "firewallcmd-new", "firewallcmd-rich-logging", "firewallcmd-rich-rules", "ipfw", "iptables",
    "iptables-allports", "iptables-ipset", "iptables-ipset-proto4", "iptables-ipset-proto6",
    "iptables-ipset-proto6-allports", "iptables-multiport", "iptables-multiport-log",
    "iptables-new", "iptables-xt_recent-echo", "nftables", "nftables-allports",
    "nftables-multiport", "pf", "shorewall-ipset-proto6",
})  # fmt: skip
"""Actions that close the jail's ports in the host's firewall (Fail2Ban's, 0.8 to 1.1)."""

_BY_HOST = frozenset({
    "apf", "csf", "ipfilter", "npf", "osx-afctl", "osx-ipfw", "shorewall",
    "symbiosis-blacklist-allports", "ufw",
})  # fmt: skip
"""Actions that close every port in the host's firewall."""

NATIVE = _BY_PORT | _BY_HOST
"""The actions that are carried out natively, whether the tree has a file for them or not."""

_LIKE_NATIVE = re.compile(r"(?:iptables|nftables|firewallcmd|firewalld|shorewall)[-_].*")
"""Names of files that may only choose among what an action of `NATIVE` does."""

_PARTS = frozenset({"firewallcmd-common", "iptables-common", "iptables-blocktype"})
"""Files that the files of `NATIVE` include."""

_LETS_IN = re.compile(r"\b(return|accept|allow)\b", re.IGNORECASE)


Spec = tuple[str, dict[str, Text], Place]


class ActionFile:
    """One action of a jail, with its file if there is one."""

    def __init__(self, library: Library, spec: Spec, jail_name: str, jail: Lookup) -> None:
        name, arguments, place = spec
        self.name = name
        self.place = place
        self.written = arguments
        """Its arguments as they are written, without those that every action has."""
        self.arguments = commands.named(name, jail_name, arguments, place)
        self.jail = jail
        self.is_script = name.endswith(".py")
        merged = None if self.is_script else _file(library, name)
        self.has_file = merged is not None or (
            self.is_script and library.tree.find(f"action.d/{name}") is not None
        )
        self.definition = None
        if merged is not None:
            self.definition = Definition(merged, self.arguments, jail, read_for="action")

    def read_script(self, library: Library) -> PythonFile:
        """Return what is known of its Python file.

        Raises:
            FaultError: It is not there, or no action.

        """
        path = library.tree.find(f"action.d/{self.name}")
        if path is None:
            raise FaultError(f"there is no action {shown(self.name)}", self.place)
        return read_python_file(str(path), self.place)

    def get(self, option: str) -> Text | None:
        """Return an option as the action has it, from arguments or file."""
        if self.definition is not None:
            return self.definition.get(option)
        return self.arguments.get(option)

    def word(self, option: str) -> str:
        """Return an option as one word in lower case; empty if it is not set."""
        value = self.get(option)
        return value.text.strip().lower() if value else ""

    @property
    def is_by_port(self) -> bool:
        """Whether it closes the jail's ports in the host's firewall."""
        return self.name in _BY_PORT or (
            self.name not in _BY_HOST and _LIKE_NATIVE.fullmatch(self.name) is not None
        )

    @property
    def is_native(self) -> bool:
        """Whether our own enforcer can do what it does."""
        if self.name not in NATIVE and not (self.is_by_port and self.has_file):
            return False
        if self.name not in NATIVE and any(map(self._is_of_operator, commands.COMMANDS)):
            return False
        return not _LETS_IN.search(self.word("blocktype")) and not self.is_rewritten

    def _is_of_operator(self, command: str) -> bool:
        """Whether *command* is set by a file that does not come with Fail2Ban."""
        value = self.get(command)
        name = PurePath(value.place.path).stem if value is not None else "iptables"
        return name not in NATIVE and name not in _PARTS

    @property
    def has_commands(self) -> bool:
        """Whether it says what to run at a ban."""
        return self.definition is not None and self.definition.sets("actionban")

    @property
    def kind(self) -> Text | None:
        """The kind that its file names; with commands, only one that there is.

        A file written for Fail2Ban may call something of its own ``kind``.

        Raises:
            FaultError: A value refers to what is not there, or to itself.

        """
        named = self.definition.get("kind") if self.definition is not None else None
        if named is None or not named.text.strip():
            return None
        return None if self.has_commands and not kinds.exists(named) else named

    @property
    def is_rewritten(self) -> bool:
        """Whether the operator has put commands of his own in place of the packaged ones.

        That is what a ``.local`` file or the action's arguments say; an edited
        ``.conf`` cannot be distinguished from another release of it.
        """
        for option in commands.COMMANDS:
            if option in self.arguments:
                return True
            value = self.get(option)
            if value is not None and value.place.path.endswith(".local"):
                return True
        return False


OWN = "banish-"
"""Before the name of an action of ours, where the tree has another of that name."""


def _file(library: Library, name: str) -> Merged | None:
    """Return what the file of the action *name* says, or None if there is none.

    A tree of Fail2Ban's stands alone, but our own kinds of action can be had there,
    too: by their names, or as ``banish-mail`` where it has a ``mail`` of its own.
    """
    merged = library.read(f"action.d/{name}")
    if merged is None:
        merged = library.read_own(f"action.d/{name.removeprefix(OWN)}")
        if merged is not None and "kind" not in merged.sections.get("Definition", {}):
            return None
    return merged
