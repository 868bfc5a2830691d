"""Opens the server's log where the configuration wants it, however slow its disk is."""

import contextlib
import sys

from banish.blocking import call_within
from banish.errors import ConfigError
from banish.model.instant import Seconds
from banish.model.settings import ServerSettings
from banish.telemetry.lines import parse_level
from banish.telemetry.logs import Log
from banish.telemetry.targets import LateTarget, LogTarget, open_target

TARGET_LIMIT = Seconds(2)
"""How long the log is waited for; its disk may hang, and it is opened later then."""


def open_log_target(server: ServerSettings) -> LogTarget:
    """Return what the log goes to; one that cannot be opened now is opened later."""

    def open_it() -> LogTarget:
        return open_target(
            server.logtarget, syslog_socket=server.syslogsocket, is_json=is_json(server)
        )

    try:
        return call_within(TARGET_LIMIT, open_it)
    except (ConfigError, TimeoutError):
        return LateTarget(open_it)


def open_log(server: ServerSettings, verbosity: int) -> Log:
    """Open the log; lines that its target does not take go to standard error."""
    target = open_log_target(server)
    level = level_of(server.loglevel, verbosity)
    fallback = _open_fallback(server, target)
    return Log(target, level, fallback=fallback, wants_events=wants_events(server))


def follow_log(log: Log, server: ServerSettings) -> None:
    """Have *log* written where, and in the format, that *server* says by now."""
    target = open_log_target(server)
    log.wants_events = wants_events(server)
    log.change_target(target, _open_fallback(server, target))


def _open_fallback(server: ServerSettings, target: LogTarget) -> LogTarget | None:
    if isinstance(target, LateTarget) or not is_stream(server.logtarget):
        with contextlib.suppress(ConfigError):  # standard error may be closed
            return open_target("STDERR", is_json=is_json(server))
    return None


def is_json(server: ServerSettings) -> bool:
    """Whether every line of the log is a JSON object."""
    return server.logformat == "json"


def wants_events(server: ServerSettings) -> bool:
    """Whether the log needs the events behind its lines."""
    return is_json(server) or _word(server.logtarget) == "SYSTEMD-JOURNAL"


def is_stream(logtarget: str) -> bool:
    """Whether the log goes to standard output or standard error."""
    return _word(logtarget) in ("STDOUT", "STDERR", "SYSOUT")


def _word(logtarget: str) -> str:
    return logtarget.partition("[")[0].strip().upper()


def say(text: str) -> None:
    """Write *text* to standard error, if it is open."""
    with contextlib.suppress(OSError, ValueError, AttributeError):  # it may be closed
        sys.stderr.write(text)


def level_of(name: str, verbosity: int) -> int:
    """Return the level of lines that are written, ten lower for each step of *verbosity*."""
    return max(parse_level(name) - 10 * verbosity, 1)
