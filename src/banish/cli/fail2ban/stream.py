"""The commands that Fail2Ban's client would send its server for a configuration.

``fail2ban-client -d`` prints them, and many tools read them there. Our server
gets nothing this way: the commands are made from what the configuration comes
to, for those tools and to compare with Fail2Ban, command by command.

Order and shape are those of Fail2Ban (client/fail2banreader.py, jailreader.py,
filterreader.py and actionreader.py, 1.0.2): the server's options, then for each
jail its filter, its own options, its logs and its actions, and at the end the
starts. Values are as the files have them, durations not worked out, numbers and
booleans in the few options that Fail2Ban types. We differ where something is
wrong: Fail2Ban gives up on a reference that leads nowhere and sends nothing at
all, here only its jail is left out, as for a filter that is missing.
"""

import glob
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from banish import __version__
from banish.cli.fail2ban.stream_actions import action_commands
from banish.config import builtin_tree
from banish.config.interpolate import Merged, Scope
from banish.config.jails import JailSection, has_journal
from banish.config.load import NOT_JAILS
from banish.config.merge import Library, constants
from banish.config.options import FILTER_OPTIONS
from banish.config.problem import FaultError, Problems
from banish.config.search import open_tree
from banish.config.text import Text
from banish.config.values import TRUE_WORDS
from banish.model.settings import Place

Command = list[object]
"""One command, as Fail2Ban's server takes it: words, numbers, lists."""


class Stream(msgspec.Struct, frozen=True):
    """All commands of a configuration."""

    commands: list[Command]
    warnings: list[str]
    """What Fail2Ban's client would say beside them."""
    is_usable: bool
    """Whether at least one jail is right, or none is wrong."""


_SERVER_DEFAULTS = {
    "syslogsocket": "auto",
    "loglevel": "INFO",
    "logtarget": "/var/log/fail2ban.log",
    "allowipv6": "auto",
    "dbfile": "/var/lib/fail2ban/fail2ban.sqlite3",
    "dbmaxmatches": None,
    "dbpurgeage": "1d",
}
"""The server's options in the order they are sent, and what counts where no file sets them."""

_JAIL_OPTIONS = (
    "maxretry", "maxmatches", "findtime", "bantime", "bantime.increment", "bantime.factor",
    "bantime.formula", "bantime.multipliers", "bantime.maxtime", "bantime.rndtime",
    "bantime.overalljails", "ignorecommand", "ignoreself", "ignoreip", "ignorecache",
    "logtimezone", "logencoding",
)  # fmt: skip
"""The options of a jail in the order they are sent."""

_FILTER_OPTIONS = (
    "usedns", "prefregex", "ignoreregex", "failregex", "maxlines", "datepattern", "journalmatch",
)  # fmt: skip
"""The options of a filter in the order they are read."""

_NUMBERS = frozenset({"maxretry", "maxmatches", "maxlines", "dbmaxmatches", "stacksize"})
_FLAGS = frozenset({"bantime.increment", "bantime.overalljails", "ignoreself"})


def read_stream(root: Path | None, overrides: Mapping[str, str] | None = None) -> Stream:
    """Return the commands for the configuration in *root*; None is the built-in one.

    *overrides* are server options that the command line sets.

    Raises:
        ConfigError: *root* does not exist or cannot be read.

    """
    library = Library(open_tree(root, builtin_tree()), Problems())
    commands = list(_server_commands(library, overrides or {}))
    warnings: list[str] = []
    started: list[Command] = []
    wrong = 0
    merged = library.read("jail")
    for jail in () if merged is None else _jails(library, merged):
        try:
            commands += _jail_commands(jail, warnings)
        except FaultError as fault:
            where = f"{fault.place}: " if fault.place else ""
            why = f"because of wrong configuration: {where}{fault.what}"
            commands.append(["config-error", f"Jail '{jail.name}' skipped, {why}"])
            wrong += 1
        else:
            started.append(["start", jail.name])
    return Stream([*commands, *started], warnings, bool(started) or not wrong)


def _jails(library: Library, merged: Merged) -> Iterator[JailSection]:
    merged.defaults.update(constants(__version__, str(library.tree.top)))
    for name in merged.sections:
        if name not in NOT_JAILS:
            jail = JailSection(library, merged, name)
            if jail.is_enabled:
                yield jail


def _server_commands(library: Library, overrides: Mapping[str, str]) -> Iterator[Command]:
    merged = library.read("fail2ban") or library.read("banish")
    if merged is not None and "Thread" in merged.sections:
        stacksize = Scope(merged, "Thread").get("stacksize")
        if stacksize is not None:
            yield ["set", "thread", {"stacksize": _typed("stacksize", stacksize.text)}]
    scope = Scope(merged, "Definition") if merged is not None else None
    for option, default in _SERVER_DEFAULTS.items():
        value: object = overrides.get(option)
        if value is None and scope is not None and (text := scope.get(option)) is not None:
            value = _typed(option, text.text)
        if value is None:
            value = default
        if value is not None:
            yield ["set", option, value]


def _jail_commands(jail: JailSection, warnings: list[str]) -> list[Command]:
    """Return all commands of *jail* but its start.

    Raises:
        FaultError: Something in the jail, its filter or its actions is wrong.

    """
    backend, logs = _set_up(jail)
    if not logs and not backend.startswith("systemd") and jail.scope.get("logpath") is not None:
        warnings.append(f"Have not found any log file for {jail.name} jail")
    stream: list[Command] = []
    _fill(stream, jail.name, _filter_values(jail))
    _fill(stream, jail.name, _own_values(jail, _FILTER_OPTIONS))
    for option, text in _own_values(jail, _JAIL_OPTIONS):
        if option == "ignoreip":
            words = [word.strip() for word in re.split(r"[ ,\n]+", text.text)]
            stream.append(["set", jail.name, "addignoreip", *filter(None, words)])
        else:
            stream.append(["set", jail.name, option, _typed(option, text.text)])
    stream += [["set", jail.name, "addlogpath", path, end] for path, end in logs]
    stream += action_commands(jail)
    return [["add", jail.name, backend], *stream]


def _set_up(jail: JailSection) -> tuple[str, list[tuple[str, str]]]:
    """Find the jail's filter; return its backend, and its logs with where to begin in each."""
    text = jail.scope.get("backend")
    backend = text.text if text else "auto"
    jail.set_filter(from_journal=backend.startswith("systemd"))
    if backend.startswith("systemd"):
        return backend, []
    logs = list(_logs(jail.scope.get("logpath")))
    may_switch = jail.scope.get("systemd_if_nologs")
    if (
        backend.startswith("auto")
        and not logs
        and (may_switch is None or may_switch.text.strip().lower() in TRUE_WORDS)
        and (match := jail.get("journalmatch")) is not None
        and match.text.strip()
        and has_journal()
    ):
        jail.set_filter(from_journal=True)
        return "systemd", []
    return backend, logs


def _logs(text: Text | None) -> Iterator[tuple[str, str]]:
    for line, _ in text.lines() if text else ():
        path, _, end = line.rpartition(" ")
        for found in glob.glob(path or line):  # noqa: PTH207 - absolute patterns, in this order
            if Path(found).exists():
                yield found, end if path else "head"


def _filter_values(jail: JailSection) -> Iterator[tuple[str, Text]]:
    """Yield the options of the jail's filter that the jail does not set itself, in their order.

    What arguments or ``[Init]`` set comes last, and comes even if the jail sets it.
    """
    definition = jail.definition
    if definition is None:
        return
    given = definition.given()
    for option in _FILTER_OPTIONS:
        if option not in given and jail.scope.get(option) is None:
            text = definition.get(option)
            if text is not None:
                yield option, text
    for option in given:
        if option in FILTER_OPTIONS and (text := definition.get(option)) is not None:
            yield option, text


def _own_values(jail: JailSection, options: tuple[str, ...]) -> Iterator[tuple[str, Text]]:
    for option in options:
        text = jail.scope.get(option)
        if text is not None:
            yield option, text


def _fill(stream: list[Command], name: str, values: Iterator[tuple[str, Text]]) -> None:
    """Add the commands for options of a filter: first what regexes are compiled with."""
    early = 0
    for option, text in values:
        match option:
            case "usedns" | "prefregex" | "maxlines":
                at = 0 if option == "usedns" else early
                stream.insert(at, ["set", name, option, _typed(option, text.text)])
                early += 1
            case "failregex" | "ignoreregex":
                regexes = [line for line in text.text.split("\n") if line]
                if len(regexes) > 1:
                    stream.append(["multi-set", name, f"add{option}", regexes])
                elif regexes:
                    stream.append(["set", name, f"add{option}", regexes[0]])
            case "journalmatch":
                for line, place in text.lines():
                    if line:
                        stream.append(["set", name, "addjournalmatch", *_words(line, place)])
            case _:
                stream.append(["set", name, option, text.text])


def _words(line: str, place: Place) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as error:
        raise FaultError(f"{json.dumps(line)} is no journal match: {error}", place) from error


def _typed(option: str, text: str) -> object:
    """Return the value of *option* as it is sent; None for a number that is none."""
    if option in _FLAGS:
        return text.lower() in TRUE_WORDS
    if option in _NUMBERS:
        try:
            return int(text)
        except ValueError:
            return None
    return text
