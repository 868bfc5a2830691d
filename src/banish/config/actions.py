"""What a jail's actions come to: which ports of which protocols a ban closes.

Fail2Ban bans by running the commands of its action files. Here the firewall is
nftables, in process, for every jail; of the actions that ban in a firewall only
the meaning is taken: ``port``, ``protocol``, ``type``, ``blocktype``, from their
arguments or from their files. Actions that do something else (mail, reports) are
not carried out, and that is told.
"""

import re
from collections.abc import Mapping

import msgspec

from banish.config.arguments import parse_specs
from banish.config.definition import Definition
from banish.config.interpolate import Lookup
from banish.config.merge import Library
from banish.config.ports import merge_ports, parse_ports, parse_protocols
from banish.config.problem import FaultError, did_you_mean, shown
from banish.config.text import Text, single
from banish.model.settings import (
    ActionSettings,
    BlockType,
    Enforcement,
    Place,
    PortRange,
)

_BY_PORT = re.compile(
    r"iptables(-.*)?|nftables(-.*)?|firewallcmd-.*|firewalld.*|pf|ipfw|bsd-ipfw|shorewall-ipset-.*"
)
"""Actions that close the jail's ports in the host's firewall."""

_BY_HOST = re.compile(
    r"ufw|shorewall|route|hostsdeny|apf|csf|npf|ipfilter|osx-afctl|osx-ipfw|symbiosis-.*|blocklist"
)
"""Actions that close every port of the host."""

_TELLS = re.compile(
    r"(send)?mail(-.*)?|smtp(\.py)?|abuseipdb|blocklist_de|dshield|mynetwatchman|ipthreat|complain"
    r"|xarf-.*|apprise|badips.*|dummy|telegram.*|slack.*|discord.*|ntfy.*|pushover.*|gotify.*"
)
"""Actions that tell somebody and ban nobody."""

_LETS_IN = re.compile(r"\b(return|accept|allow)\b", re.IGNORECASE)

_NATIVE_CURE = "bans are carried out in nftables by banish itself; this action does nothing here"


class Actions(msgspec.Struct, frozen=True):
    """The actions of one jail."""

    settings: tuple[ActionSettings, ...]
    enforcement: Enforcement | None


class _Ban(msgspec.Struct, frozen=True):
    """What one action closes; no ports: every port, no protocols: every protocol."""

    ports: tuple[PortRange, ...]
    protocols: tuple[str, ...]
    blocktype: BlockType


class _Action:
    """One action of a jail, with its file if there is one."""

    def __init__(
        self, library: Library, name: str, arguments: Mapping[str, Text], place: Place, jail: Lookup
    ) -> None:
        self.name = name
        self.place = place
        self.arguments = arguments
        self.is_script = name.endswith(".py")
        merged = None if self.is_script else library.read(f"action.d/{name}")
        self.has_file = merged is not None or (
            self.is_script and library.tree.find(f"action.d/{name}") is not None
        )
        self._definition = None
        if merged is not None:
            self._definition = Definition(merged, arguments, jail, read_for="action")

    def get(self, option: str) -> Text | None:
        """Return an option as the action has it, from arguments or file."""
        if self._definition is not None:
            return self._definition.get(option)
        return self.arguments.get(option)

    def word(self, option: str) -> str:
        """Return an option as one word in lower case; empty if it is not set."""
        value = self.get(option)
        return value.text.strip().lower() if value else ""


def read_actions(
    library: Library, jail: str, text: Text | None, options: Lookup, named: Lookup
) -> Actions:
    """Return what the ``action`` of *jail* comes to.

    *text* is None where no file sets it: then the jail's own ``port`` and
    ``protocol`` are closed. *options* gives the jail's options, *named* also its
    free variables such as ``port``.

    Raises:
        FaultError: It is not written as actions are.

    """
    own = _own_ban(library, named)
    if text is None:
        return Actions((), _enforce(jail, [own]))
    settings: list[ActionSettings] = []
    bans: list[_Ban] = []
    for name, arguments, place in parse_specs(text):
        plain = {option: value.text for option, value in arguments.items()}
        settings.append(ActionSettings(name, plain, place))
        action = _Action(library, name, {"name": single(jail, place), **arguments}, place, options)
        try:
            ban = _ban_of(library, action, own)
        except FaultError as fault:
            # The action would not work in Fail2Ban either; its ban still can.
            library.problems.warn(
                f"{name}: {fault.what}; its bans close the jail's ports",
                fault.place or place,
                option="action",
                cure=fault.cure,
            )
            ban = own
        if ban is not None:
            bans.append(ban)
    if not settings:
        what = f"[{jail}] has no action: failures are counted, and nobody is banned"
        library.problems.warn(what, text.place, option="action", cure="delete the line to ban")
    return Actions(tuple(settings), _enforce(jail, bans) if bans else None)


def _own_ban(library: Library, named: Lookup) -> _Ban:
    """Return the ban that the jail's own ``port`` and ``protocol`` ask for."""
    ports, protocols = named("port"), named("protocol")
    return _Ban(
        parse_ports(ports, library.problems) if ports and ports.text.strip() else (),
        parse_protocols(protocols, library.problems) if protocols else ("tcp",),
        "reject",
    )


def _ban_of(library: Library, action: _Action, own: _Ban) -> _Ban | None:
    """Return what *action* closes, or None where it bans nobody; tell what is left undone."""
    if _TELLS.fullmatch(action.name):
        _tell(library, action, "is not carried out in this release: nobody is told of bans")
        return None
    by_port = _BY_PORT.fullmatch(action.name) is not None
    by_host = not by_port and _BY_HOST.fullmatch(action.name) is not None
    if not by_port and not by_host:
        if action.has_file:
            _tell(library, action, "is not carried out in this release: nftables bans in its place")
        else:
            names = [
                name.removeprefix("action.d/").removesuffix(".conf")
                for name in library.tree.match("action.d", ".conf")
            ]
            cure = did_you_mean(action.name, names) or "correct the name"
            what = f"there is no action {shown(action.name)}: nftables bans in its place"
            library.problems.warn(what, action.place, option="action", cure=cure)
        return own
    blocktype = action.word("blocktype")
    if _LETS_IN.search(blocktype):
        _tell(library, action, "lets its subjects in rather than keep them out: not carried out")
        return None
    kind: BlockType = "drop" if "drop" in blocktype or "blackhole" in blocktype else "reject"
    if by_host:
        return _Ban((), (), kind)
    protocols, ports = action.get("protocol"), action.get("port")
    return _Ban(
        _ports(library, action, ports, own),
        parse_protocols(protocols, library.problems) if protocols else own.protocols,
        kind,
    )


def _ports(
    library: Library, action: _Action, ports: Text | None, own: _Ban
) -> tuple[PortRange, ...]:
    # As written, since <allports> is a tag in some action files (pf, firewallcmd-ipset).
    written = [action.arguments.get(option) for option in ("type", "actiontype")]
    kinds = [text.text.strip().strip("<>") for text in written if text] or [action.word("type")]
    if "allports" in kinds or "allports" in action.name:
        return ()
    if ports is None or not ports.text.strip():
        return own.ports
    return parse_ports(ports, library.problems)


def _tell(library: Library, action: _Action, what: str) -> None:
    library.problems.warn(
        f"{shown(action.name)} {what}", action.place, option="action", cure=_NATIVE_CURE
    )


def _enforce(jail: str, bans: list[_Ban]) -> Enforcement:
    """Return one enforcement that closes all that *bans* close."""
    every_protocol = any(not ban.protocols for ban in bans)
    protocols = [protocol for ban in bans for protocol in ban.protocols]
    every_port = every_protocol or any(not ban.ports for ban in bans)
    ports = [port for ban in bans for port in ban.ports]
    return Enforcement(
        jail,
        () if every_protocol else tuple(dict.fromkeys(protocols)),
        () if every_port else merge_ports(ports),
        "drop" if all(ban.blocktype == "drop" for ban in bans) else "reject",
    )
