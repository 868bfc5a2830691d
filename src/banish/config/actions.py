"""What a jail's actions come to, and which way each of them is carried out.

An action that closes ports in this host's firewall is carried out *natively*: of
it only the meaning is taken (``port``, ``protocol``, ``type``, ``blocktype``, from
its arguments or its file), and our own enforcer does the rest. An action whose file
names a ``kind`` is carried out by a part of banish made for it
(`banish.config.kinds`). Every other action, and with ``nativeactions = false``
every action that has commands, is run *as commands*, exactly as its file has them
(`banish.config.commands`).
"""

from collections.abc import Mapping

import msgspec

from banish.config import commands, kinds
from banish.config.actionfile import NATIVE, ActionFile
from banish.config.arguments import parse_specs
from banish.config.interpolate import Lookup
from banish.config.merge import Library
from banish.config.ports import merge_ports, parse_ports, parse_protocols
from banish.config.problem import FaultError, did_you_mean, shown
from banish.config.pythonfiles import check_arguments
from banish.config.scripts import check_action
from banish.config.text import Text
from banish.config.tidy import tidied
from banish.config.values import to_bool, to_duration
from banish.model.instant import Seconds
from banish.model.settings import (
    ActionSettings,
    ActionWay,
    BlockType,
    Enforcement,
    OptionValue,
    PortRange,
)

_BANTIME = 600
"""Seconds, where the jail does not say."""


class Actions(msgspec.Struct, frozen=True):
    """The actions of one jail."""

    settings: tuple[ActionSettings, ...]
    enforcement: Enforcement | None


class _Ban(msgspec.Struct, frozen=True):
    """What one action closes; no ports: every port, no protocols: every protocol."""

    ports: tuple[PortRange, ...]
    protocols: tuple[str, ...]
    blocktype: BlockType
    written: Mapping[str, str] = {}
    """The jail's ``port`` and ``protocol`` as written; mistakes in them are options already."""


class _Outcome(msgspec.Struct, frozen=True):
    """What one action comes to."""

    way: ActionWay
    ban: _Ban | None = None
    properties: Mapping[str, str] = {}
    timeout: Seconds = commands.TIMEOUT
    kind: str = ""
    options: Mapping[str, OptionValue] = {}
    keeps_out: bool = False


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
    wanted = options("nativeactions")
    may_be_native = wanted is None or to_bool(wanted, "nativeactions", library.problems)
    settings: list[ActionSettings] = []
    bans: list[_Ban] = []
    names = _Names()
    for spec in parse_specs(text):
        action = ActionFile(library, spec, jail, options)
        try:
            outcome = _outcome(library, action, own, variables=named, may_be_native=may_be_native)
        except FaultError as fault:
            outcome = _instead(library, action, own, fault)
        settings.append(
            ActionSettings(
                action.name,
                {option: value.text for option, value in action.written.items()},
                action.place,
                outcome.way,
                names.unique(action.arguments["actname"].text),
                outcome.properties,
                outcome.timeout,
                outcome.kind,
                outcome.options,
                outcome.keeps_out,
            )
        )
        if outcome.ban is not None:
            bans.append(outcome.ban)
    if not settings:
        what = f"[{jail}] has no action: failures are counted, and nobody is banned"
        library.problems.warn(what, text.place, option="action", cure="delete the line to ban")
    return Actions(tuple(settings), _enforce(jail, bans) if bans else None)


def _instead(library: Library, action: ActionFile, own: _Ban, fault: FaultError) -> _Outcome:
    """Tell what is wrong with *action*, and return what is done in its place."""
    is_teller = _is_teller(library, action)
    instead = "nobody is notified by it" if is_teller else "its bans close the jail's ports"
    what = f"{action.name}: {fault.what}; {instead}"
    library.problems.warn(what, fault.place or action.place, option="action", cure=fault.cure)
    # A banning action would not work in Fail2Ban either; its ban still can.
    return _Outcome("none") if is_teller else _Outcome("native", own)


def _is_teller(library: Library, action: ActionFile) -> bool:
    """Whether the file of *action* is one that tells of bans and keeps nobody out."""
    try:
        if action.is_script:
            return not action.read_script(library).keeps_out
        named = action.kind
    except FaultError:
        return action.name == "smtp.py"
    return named is not None and not kinds.keeps_out(named)


class _Names:
    """Gives each action of a jail a name of its own."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """Return *name*, with a number behind it if it was given before."""
        found = name
        while found in self._given:
            self._given[name] += 1
            found = f"{name}-{self._given[name]}"
        self._given[found] = 1
        return found


def _outcome(
    library: Library, action: ActionFile, own: _Ban, *, variables: Lookup, may_be_native: bool
) -> _Outcome:
    """Return what *action* comes to; tell what of it is left undone."""
    named = action.kind
    if (
        action.definition is not None
        and named is not None
        and not action.is_rewritten
        and (may_be_native or not action.has_commands)
    ):
        options = kinds.read_kind(action.definition, named, library.problems)
        return _Outcome(
            "built-in", None, {}, options.timeout, options.kind, options.options, options.keeps_out
        )
    if action.definition is not None and not (may_be_native and action.is_native):
        found = dict(commands.properties(action.definition))
        misplaced = action.definition.raw("timeout")
        if misplaced is not None and "timeout" not in found:
            what = "has no effect in [Definition] of an action, as in Fail2Ban"
            cure = "move the line to [Init]"
            library.problems.warn(what, misplaced.place, option="timeout", cure=cure)
        check_action(found, library.problems)
        return _Outcome(
            "commands",
            None,
            {option: value.text for option, value in found.items()},
            commands.time_limit(found, library.problems),
        )
    if not action.is_script and action.is_native:
        return _Outcome("native", _ban_of(library, action, own))
    if not action.has_file:
        _report_absent(library, action, variables)
        return _Outcome("native", own)
    file = action.read_script(library)
    given = {name: value for name, value in action.written.items() if name != "actname"}
    check_arguments(file, action.name, given, action.place)
    of_file: dict[str, OptionValue] = {"path": file.path, "bantime": _bantime(action.jail)}
    return _Outcome("python", None, {}, commands.TIMEOUT, "python", of_file, file.keeps_out)


def _report_absent(library: Library, action: ActionFile, variables: Lookup) -> None:
    """Tell that there is no such action, where its name is written."""
    option, place = "action", action.place
    for variable in ("banaction", "banaction_allports"):
        try:
            text = variables(variable)
        except FaultError:
            continue
        if text is not None and text.text.strip().partition("[")[0] == action.name:
            option, place = variable, text.place
            break
    files = library.tree.match("action.d", ".conf")
    names = [name.removeprefix("action.d/").removesuffix(".conf") for name in files]
    what = f"there is no action {shown(action.name)}: nftables bans in its place"
    cure = did_you_mean(action.name, [*names, *sorted(NATIVE)]) or "correct the name"
    library.problems.error(what, place, option=option, cure=cure)


def _bantime(jail: Lookup) -> int:
    """Return the bantime of *jail* in whole seconds; its mistakes are reported elsewhere."""
    text = jail("bantime")
    if text is None:
        return _BANTIME
    try:
        return int(to_duration(text))
    except FaultError:
        plain = tidied(text)
    try:
        return int(to_duration(plain)) if plain is not None else _BANTIME
    except FaultError:
        return _BANTIME


def _own_ban(library: Library, named: Lookup) -> _Ban:
    """Return the ban that the jail's own ``port`` and ``protocol`` ask for."""
    ports, protocols = named("port"), named("protocol")
    return _Ban(
        parse_ports(ports, library.problems) if ports and ports.text.strip() else (),
        parse_protocols(protocols, library.problems) if protocols else ("tcp",),
        "reject",
        {"port": ports.text if ports else "", "protocol": protocols.text if protocols else ""},
    )


def _ban_of(library: Library, action: ActionFile, own: _Ban) -> _Ban:
    """Return what the native *action* closes."""
    blocktype = action.word("blocktype")
    kind: BlockType = "drop" if "drop" in blocktype or "blackhole" in blocktype else "reject"
    if not action.is_by_port:
        return _Ban((), (), kind)
    protocols, ports = action.get("protocol"), action.get("port")
    is_own = protocols is None or protocols.text.strip() == own.written["protocol"].strip()
    return _Ban(
        _ports(library, action, ports, own),
        parse_protocols(protocols, library.problems) if protocols and not is_own else own.protocols,
        kind,
    )


def _ports(
    library: Library, action: ActionFile, ports: Text | None, own: _Ban
) -> tuple[PortRange, ...]:
    # As written, since <allports> is a tag in some action files (pf, firewallcmd-ipset).
    written = [action.arguments.get(option) for option in ("type", "actiontype")]
    kinds = [text.text.strip().strip("<>") for text in written if text] or [action.word("type")]
    if "allports" in kinds or "allports" in action.name:
        return ()
    if ports is None or ports.text.strip() in ("", own.written["port"].strip()):
        return own.ports
    return parse_ports(ports, library.problems)


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
