"""The options of the server that clients read and set."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.port import ServerPort
from banish.control.fail2ban.words import shown_span, to_number, to_span
from banish.errors import ConfigError, RequestError
from banish.model.settings import ServerSettings
from banish.telemetry.lines import parse_level


class ServerOption(msgspec.Struct, frozen=True):
    """One option of the server: how it is read and shown."""

    read: Callable[[str], object]
    show: Callable[[Any], Value] = lambda value: value
    can_get: bool = True


def _to_level(text: str) -> str:
    level = text.strip().upper()
    try:
        parse_level(level)
    except ConfigError as error:
        raise CommandError("ValueError", f"Invalid log level {level!r}") from error
    return level


def _show_dbfile(path: str) -> Value:
    return None if path.lower() == "none" else path


SERVER_OPTIONS: Mapping[str, ServerOption] = {
    "loglevel": ServerOption(_to_level, str.upper),
    "logtarget": ServerOption(str.strip),
    "syslogsocket": ServerOption(str.strip),
    "dbfile": ServerOption(str.strip, _show_dbfile),
    "dbmaxmatches": ServerOption(lambda text: to_number(text, 0, "dbmaxmatches")),
    "dbpurgeage": ServerOption(to_span, shown_span),
    "allowipv6": ServerOption(str.strip, can_get=False),
}
"""Every such option by its name, which is that of its field in `ServerSettings`."""

_THREADS = {"stacksize": 0}
"""What ``get thread`` answers: banish has no threads whose stack could be set."""


def get(port: ServerPort, option: str) -> Value:
    """Return what ``get`` answers for *option* of the server.

    Raises:
        CommandError: Clients cannot read that.

    """
    if option == "thread":
        return dict(_THREADS)
    known = SERVER_OPTIONS.get(option)
    if known is None or not known.can_get:
        raise CommandError("IndexError", "list index out of range")
    return known.show(getattr(port.server(), option))


def set_thread(value: Value) -> Value:
    """Return *value*, options of threads, and leave it alone."""
    if not isinstance(value, dict):
        raise CommandError("AttributeError", "thread takes a table such as {'stacksize': 0}")
    return value


async def set_(port: ServerPort, option: str, text: str) -> Value:
    """Set *option* of the server, one of `SERVER_OPTIONS`; return its value."""
    known = SERVER_OPTIONS[option]
    settings: ServerSettings = msgspec.structs.replace(port.server(), **{option: known.read(text)})
    if settings != port.server():
        try:
            await port.change_server(settings)
        except ConfigError as error:
            if option == "logtarget":
                raise CommandError("Exception", "Failed to change log target") from error
            raise CommandError("ValueError", error.what) from error
        except RequestError as error:
            raise CommandError("Exception", f"{error.what}: {error.cure}") from error
    return known.show(getattr(port.server(), option))
