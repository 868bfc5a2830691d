"""How ``fail2ban-client`` prints the answers to its commands, to the letter.

Scripts, exporters and panels read these texts: tabs, trees and blanks are Fail2Ban's
(client/beautifier.py, 1.0.2 and 1.1). What has no text of its own is printed as Python shows it.
"""

from collections.abc import Callable, Sequence
from typing import Any

from banish.control.fail2ban.answers import CommandError, Value

_LISTS = {
    "logpath": ("Current monitored log file(s):", "No file is currently monitored"),
    "ignoreip": (
        "These IP addresses/networks are ignored:",
        "No IP address/network is ignored",
    ),
    "failregex": (
        "The following regular expression are defined:",
        "No regular expression is defined",
    ),
    "ignoreregex": (
        "The following regular expression are defined:",
        "No regular expression is defined",
    ),
}
"""What stands above a list, and what is said of an empty one."""

_LIST_COMMANDS = {
    f"{verb}{option}": option
    for option, verbs in {
        "logpath": ("", "add", "del"),
        "ignoreip": ("", "add", "del"),
        "failregex": ("", "add", "del"),
        "ignoreregex": ("", "add", "del"),
    }.items()
    for verb in verbs
}


def text_of(command: Sequence[str], value: Value) -> str:
    """Return what is printed for *value*, the answer to *command*."""
    first = command[0]
    if first in _OF_FIRST:
        return _OF_FIRST[first](command, value)
    if first in ("get", "set", "multi-set") and len(command) > 1:
        if command[1] in _OF_SERVER:
            return _OF_SERVER[command[1]](value)
        if len(command) > 2:
            return _of_jail(command, value)
    return _plain(value)


def error_text(error: CommandError) -> str:
    """Return what is printed for an answer with code 1."""
    match error.kind:
        case "UnknownJailException":
            return f"Sorry but the jail '{error.text}' does not exist"
        case "DuplicateJailException":
            return f"The jail '{error.text}' already exists"
        case "IndexError":
            return "Sorry but the command is invalid"
        case _:
            return error.text


def _plain(value: Value) -> str:
    return value if isinstance(value, str) else str(value)


def _tree(lines: Sequence[str]) -> list[str]:
    return [f"|- {line}" for line in lines[:-1]] + [f"`- {line}" for line in lines[-1:]]


def _below(title: str, value: Value) -> str:
    return f"{title}\n`- {value}"


# -- commands of one word -----------------------------------------------------------------


def _echo(_command: Sequence[str], value: Value) -> str:
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else _plain(value)


def _status(command: Sequence[str], value: Value) -> str:
    words = [word for word in command[1:] if word != "--all"]
    if "--all" in command:
        return _all_jails(value)
    if not words:
        (_, number), (_, names) = value[0], value[1]
        return f"Status\n|- Number of jail:\t{number}\n`- Jail list:\t{names}"
    if words[1:2] == ["stats"]:
        return _plain(value)
    return "\n".join([f"Status for the jail: {words[0]}", *_jail_tree(value)])


def _all_jails(value: Value) -> str:
    (_, number), (_, names), jails = value
    lines = ["Status", f"|- Number of jail:\t{number}", f"|- Jail list:\t{names}"]
    lines.append("`- Status for the jails:")
    for name, parts in jails.items():
        lines.append(f"   |- Jail: {name}")
        lines += [f"   |  {line}" for line in _jail_tree(parts)]
    return "\n".join(lines)


def _jail_tree(parts: Value) -> list[str]:
    lines: list[str] = []
    for number, (title, entries) in enumerate(parts, 1):
        is_last = number == len(parts)
        lines.append(f"{'`' if is_last else '|'}- {title}")
        for at, (name, found) in enumerate(entries, 1):
            edge = "`" if at == len(entries) else "|"
            shown = " ".join(map(str, found)) if isinstance(found, list | tuple) else found
            lines.append(f"{' ' if is_last else '|'}  {edge}- {name}:\t{shown}")
    return lines


def _start(command: Sequence[str], value: Value) -> str:
    return "Jail started" if len(command) > 1 else _plain(value)


def _stop(command: Sequence[str], _value: Value) -> str:
    return "Jail stopped" if len(command) > 1 else "Shutdown successful"


def _stats(_command: Sequence[str], value: Value) -> str:
    """Return a table of all jails, as Fail2Ban 1.1.1 has one."""
    if not value:
        return "No jails found."
    rows = [
        (name, str(backend), *map(str, failed), *map(str, banned))
        for name, (backend, failed, banned) in value.items()
    ]
    heads = ("Jail", "Backend", "Failed", "Total", "Banned", "Total")
    widths = [max(len(row[at]) for row in [heads, *rows]) for at in range(len(heads))]

    def line(row: Sequence[str]) -> str:
        cells = [
            text.ljust(width) if at < 2 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        return " | ".join(cells).rstrip()

    rule = "-+-".join("-" * width for width in widths)
    return "\n".join([line(heads), rule, *map(line, rows)])


_OF_FIRST: dict[str, Callable[[Sequence[str], Value], str]] = {
    "ping": lambda _command, value: f"Server replied: {value}",
    "echo": _echo,
    "status": _status,
    "stats": _stats,
    "statistic": _stats,
    "statistics": _stats,
    "flushlogs": lambda _command, value: f"logs: {value}",
    "add": lambda _command, value: f"Added jail {value}",
    "start": _start,
    "stop": _stop,
}


# -- options of the server ------------------------------------------------------------------


def _database(value: Value) -> str:
    if value is None:
        return "Database currently disabled"
    return _below("Current database file is:", value)


_OF_SERVER: dict[str, Callable[[Any], str]] = {
    "loglevel": lambda value: f"Current logging level is {value!r}",
    "logtarget": lambda value: _below("Current logging target is:", value),
    "syslogsocket": lambda value: _below("Current syslog socket is:", value),
    "dbfile": _database,
    "dbpurgeage": lambda value: (
        "Database currently disabled"
        if value is None
        else _below("Current database purge age is:", f"{value}seconds")
    ),
}


# -- options of a jail ------------------------------------------------------------------------


def _of_jail(command: Sequence[str], value: Value) -> str:
    jail, option, *rest = command[1:]
    if option in _LIST_COMMANDS:
        return _list_text(_LIST_COMMANDS[option], value)
    match option:
        case "logencoding":
            return f"Current log encoding is set to:\n{value}"
        case "journalmatch" | "addjournalmatch" | "deljournalmatch":
            if not value:
                return "No journal match filter set"
            return "Current match filter:\n" + " + ".join(map(" ".join, value))
        case "datepattern":
            return f"Current date pattern set to: {_pattern(value)}"
        case "banip" if command[0] == "get":
            return _banned(rest, value)
        case "actions":
            if not value:
                return f"No actions for jail {jail}"
            return f"The jail {jail} has the following actions:\n{', '.join(value)}"
        case "actionproperties" | "actionmethods":
            what = option.removeprefix("action")
            action = rest[0] if rest else ""
            if not value:
                return f"No {what} for jail {jail} action {action}"
            title = f"The jail {jail} action {action} has the following {what}:"
            return f"{title}\n{', '.join(value)}"
        case _:
            return _plain(value)


def _list_text(option: str, value: Value) -> str:
    title, empty = _LISTS[option]
    if not value:
        return empty
    lines = [str(each) for each in value]
    if option.endswith("regex"):
        lines = [f"[{number}]: {line}" for number, line in enumerate(lines)]
    return "\n".join([title, *_tree(lines)])


def _pattern(value: Value) -> str:
    if value is None:
        return "Not set/required"
    pattern, name = value
    return f"{pattern} ({name})" if pattern else f"{name}"


def _banned(rest: Sequence[str], value: Value) -> str:
    if not isinstance(value, list | tuple):
        return _plain(value)
    separator = rest[0] if rest else " "
    return ("\n" if separator == "--with-time" else separator).join(map(str, value))
