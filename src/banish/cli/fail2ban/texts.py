"""What ``fail2ban-client`` prints of an answer: the value as text, in the form of its command.

The shapes are read by scripts, so they are Fail2Ban's to the letter: a tab after each colon of
a status, trees of ``|-`` and ```-`` (seen with 1.0.2 and 1.1.0).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_LEVELS = {50: "CRITICAL", 40: "ERROR", 30: "WARNING", 25: "NOTICE", 20: "INFO", 10: "DEBUG"}

_OS_ERRORS = frozenset({"OSError", "FileNotFoundError", "PermissionError", "IsADirectoryError"})


def text_of(command: Sequence[str], value: Any, *, is_utf8: bool = True) -> str:
    """Return what is printed for *value*, the answer to *command*.

    A value of another shape than the command's answers have is printed as Python writes it.
    """
    try:
        return _text_of(command, value, is_utf8=is_utf8)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return str(value)


def error_text(error: Any) -> str:
    """Return what is printed for *error*, the value of an answer with code 1.

    An exception has its ``kind``, the name of its class, and ``args``.
    """
    kind: str | None = getattr(error, "kind", None)
    if kind is None:
        return str(error)
    args: tuple[Any, ...] = error.args
    match kind:
        case "UnknownJailException" if args:
            return f"Sorry but the jail {str(args[0])!r} does not exist"
        case "DuplicateJailException" if args:
            return f"The jail {str(args[0])!r} already exists"
        case "IndexError":
            return "Sorry but the command is invalid"
        case "KeyError" if len(args) == 1:
            return repr(args[0])
        case _ if kind in _OS_ERRORS and len(args) > 1:
            place = f": {args[2]!r}" if len(args) > 2 else ""
            return f"[Errno {args[0]}] {args[1]}{place}"
    return str(args[0]) if len(args) == 1 else str(args) if args else ""


def _text_of(command: Sequence[str], value: Any, *, is_utf8: bool) -> str:
    whole = _WHOLE.get(command[0])
    if whole is not None:
        return whole(command, value)
    if command[0] in ("stats", "statistics"):
        return _statistics(value, is_utf8=is_utf8)
    if command[0] not in ("get", "set", "multi-set"):
        return str(value)
    if len(command) > 1 and command[1] in _OF_SERVER:
        return _OF_SERVER[command[1]](value)
    if len(command) > 2 and command[2] in _LISTS:
        return _LISTS[command[2]](value)
    if len(command) > 2 and command[0] == "get":
        jail, what = command[1:3]
        if what == "actions":
            if not value:
                return f"No actions for jail {jail}"
            return f"The jail {jail} has the following actions:\n{', '.join(value)}"
        if what in ("actionproperties", "actionmethods"):
            kind = what.removeprefix("action")
            if not value:
                return f"No {kind} for jail {jail} action {command[3]}"
            head = f"The jail {jail} action {command[3]} has the following {kind}:"
            return f"{head}\n{', '.join(value)}"
        if what == "banip" and isinstance(value, list):
            between = command[3] if len(command) > 3 else " "
            return ("\n" if between == "--with-time" else between).join(map(str, value))
    return str(value)


def _started(_command: Sequence[str], value: Any) -> str:
    return "Jail started" if value is None else str(value)


def _stopped(command: Sequence[str], value: Any) -> str:
    if value is not None:
        return str(value)
    return "Jail stopped" if len(command) > 1 else "Shutdown successful"


def _level(value: Any) -> str:
    return f"Current logging level is {_LEVELS.get(value, str(value))!r}"


def _headed(head: str) -> Callable[[Any], str]:
    return lambda value: f"{head}:\n`- {value}"


def _database(head: str, unit: str) -> Callable[[Any], str]:
    def text(value: Any) -> str:
        return "Database currently disabled" if value is None else f"{head}:\n`- {value}{unit}"

    return text


def _files(value: Any) -> str:
    if not value:
        return _no(value, "No file is currently monitored")
    return "\n".join(["Current monitored log file(s):", *_tree(value)])


def _matches(value: Any) -> str:
    if not value:
        return _no(value, "No journal match filter set")
    return "Current match filter:\n" + " + ".join(" ".join(each) for each in value)


def _encoding(value: Any) -> str:
    return f"Current log encoding is set to:\n{value}"


def _date_pattern(value: Any) -> str:
    if value is None:
        said = "Not set/required"
    elif value[0] is None:
        said = str(value[1])
    else:
        said = f"{value[0]} ({value[1]})"
    return f"Current date pattern set to: {said}"


def _exempt(value: Any) -> str:
    if not value:
        return _no(value, "No IP address/network is ignored")
    return "\n".join(["These IP addresses/networks are ignored:", *_tree(value)])


def _regexes(value: Any) -> str:
    if not value:
        return _no(value, "No regular expression is defined")
    numbered = [f"[{at}]: {each}" for at, each in enumerate(value)]
    return "\n".join(["The following regular expression are defined:", *_tree(numbered)])


def _no(value: Any, text: str) -> str:
    """Return *text* for an empty list."""
    return text if isinstance(value, list | tuple) else str(value)


def _tree(rows: Sequence[Any]) -> list[str]:
    return [f"{'`-' if at == len(rows) else '|-'} {row}" for at, row in enumerate(rows, 1)]


_WHOLE: dict[str, Callable[[Sequence[str], Any], str]] = {
    "ping": lambda _command, value: f"Server replied: {value}",
    "echo": lambda _command, value: " ".join(map(str, value)),
    "start": _started,
    "stop": _stopped,
    "add": lambda _command, value: f"Added jail {value}",
    "flushlogs": lambda _command, value: f"logs: {value}",
    "status": lambda command, value: "\n".join(_status(command, value)),
}

_OF_SERVER: dict[str, Callable[[Any], str]] = {
    "loglevel": _level,
    "logtarget": _headed("Current logging target is"),
    "syslogsocket": _headed("Current syslog socket is"),
    "dbfile": _database("Current database file is", ""),
    "dbpurgeage": _database("Current database purge age is", "seconds"),
}

_LISTS: dict[str, Callable[[Any], str]] = {
    **dict.fromkeys(("logpath", "addlogpath", "dellogpath"), _files),
    **dict.fromkeys(("journalmatch", "addjournalmatch", "deljournalmatch"), _matches),
    **dict.fromkeys(("ignoreip", "addignoreip", "delignoreip"), _exempt),
    **dict.fromkeys(("failregex", "addfailregex", "delfailregex"), _regexes),
    **dict.fromkeys(("ignoreregex", "addignoreregex", "delignoreregex"), _regexes),
    "logencoding": _encoding,
    "datepattern": _date_pattern,
}


def _status(command: Sequence[str], value: Any) -> list[str]:
    if len(command) < 2:
        return ["Status", *_branches(value)]
    if command[1] != "--all":
        return [f"Status for the jail: {command[1]}", *_branches(value)]
    pairs = [pair for pair in value if not isinstance(pair, Mapping)]
    jails = next((each for each in value if isinstance(each, Mapping)), {})
    if jails:
        pairs.append(("Status for the jails", [(f"Jail: {jail}", jails[jail]) for jail in jails]))
    return ["Status", *_branches(pairs)]


def _branches(pairs: Sequence[Any]) -> list[str]:
    """Return the tree of *pairs* of a name and a value, or a name and more pairs."""
    lines: list[str] = []
    for at, (name, value) in enumerate(pairs, 1):
        fork, rail = ("`- ", "   ") if at == len(pairs) else ("|- ", "|  ")
        if isinstance(value, list) and value and isinstance(value[0], tuple | list):
            lines.append(f"{fork}{name}{':' if name == 'Status for the jails' else ''}")
            lines += [rail + line for line in _branches(value)]
        else:
            text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            lines.append(f"{fork}{name}:\t{text}")
    return lines


_LINES = tuple("║│═╬╩╟─╫")
_ASCII_LINES = tuple("||-+++-+")


def _statistics(value: Mapping[str, Any], *, is_utf8: bool) -> str:
    """Return the table of failures and bans of all jails."""
    if not value:
        return "No jails found."
    wall, thin, floor, cross, foot, left, dash, middle = _LINES if is_utf8 else _ASCII_LINES
    names = max(8, *map(len, value))
    backends = max(8, *(len(row[0]) for row in value.values()))
    widths = [
        [max(3, *(len(str(row[part][at])) for row in value.values())) for at in (0, 1)]
        for part in (1, 2)
    ]
    whole = [sum(pair) + 3 for pair in widths]

    def row(name: str, backend: str, *cells: str) -> str:
        return f" {wall} ".join([name.ljust(names), backend.ljust(backends), *cells])

    def numbers(pairs: Sequence[Sequence[object]]) -> list[str]:
        return [
            f" {thin} ".join(str(each).rjust(width) for each, width in zip(pair, wide, strict=True))
            for pair, wide in zip(pairs, widths, strict=True)
        ]

    def rule(joint: str) -> str:
        parts = [names + 1, backends + 2, whole[0] + 2, whole[1] + 2]
        return joint.join(floor * width for width in parts)

    titles = [title.ljust(width) for title, width in zip(("Filter", "Actions"), whole, strict=True)]
    between = f"{left}{dash * (whole[0] + 2)}{middle}{dash * (whole[1] + 2)}"
    return "\n".join(
        [
            row("", "", *titles),
            f"{'Jail'.ljust(names)} {wall} {'Backend'.ljust(backends)} {between}",
            row("", "", *numbers((("cur", "tot"), ("cur", "tot")))),
            rule(cross),
            *(row(name, each[0], *numbers(each[1:])) for name, each in value.items()),
            rule(foot),
        ]
    )
