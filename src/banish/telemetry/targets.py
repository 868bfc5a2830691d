"""Where log lines go: a stream, a file that may be rotated, syslog or the journal.

A target is written by one thread, the log's own, so it may wait: a stalled
terminal or a full disk delays the log, never a ban.
"""

import contextlib
import os
import re
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TextIO

from banish.errors import ConfigError
from banish.telemetry.datagrams import DatagramSocket
from banish.telemetry.journal import JOURNAL_SOCKET, JournalTarget
from banish.telemetry.jsonlines import json_format
from banish.telemetry.lines import (
    LogFormat,
    LogRun,
    classic_format,
    custom_format,
    harmless,
    level_name,
    severity_of,
    short_format,
)

FILE_MODE = 0o640
"""Logs name attackers and users: readable for the group (adm), not for all."""

FACILITIES = {
    "KERN": 0,
    "USER": 1,
    "MAIL": 2,
    "DAEMON": 3,
    "AUTH": 4,
    "SYSLOG": 5,
    "LPR": 6,
    "NEWS": 7,
    "UUCP": 8,
    "CRON": 9,
    "AUTHPRIV": 10,
    "FTP": 11,
} | {f"LOCAL{number}": 16 + number for number in range(8)}
"""RFC 5424, 6.2.1; names as in syslog(3)."""

SYSLOG_SOCKETS = ("/dev/log", "/run/systemd/journal/dev-log", "/var/run/log")


class LogTarget(Protocol):
    """Takes log lines; used by one thread."""

    def write(self, runs: Sequence[LogRun]) -> None:
        """Write the lines of *runs* in order.

        Raises:
            OSError: Some of them are lost.

        """
        ...

    def reopen(self) -> None:
        """Let go of the file and open it again by its name.

        Raises:
            OSError: It cannot be opened; the next `write` tries again.

        """
        ...

    def close(self) -> None:
        """Let go; may be called twice."""
        ...


class StreamTarget:
    """Standard output or standard error; not closed, since it is not ours."""

    def __init__(self, stream: TextIO, form: LogFormat) -> None:
        self._stream = stream
        self._form = form

    def write(self, runs: Sequence[LogRun]) -> None:
        """Write and flush."""
        encoding = self._stream.encoding or "utf-8"
        text = "".join(map(self._form, runs))
        try:
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self._stream.flush()
        except ValueError as error:  # the stream was closed under us
            raise OSError(str(error)) from error

    def reopen(self) -> None:
        """Do nothing: a stream has no name to open it by."""

    def close(self) -> None:
        """Do nothing."""


class FileTarget:
    """A file, followed by its name: rotated with or without a signal, we write to the new one."""

    def __init__(self, path: str | Path, form: LogFormat) -> None:
        self._path = Path(path)
        self._form = form
        self._file: int | None = None

    def write(self, runs: Sequence[LogRun]) -> None:
        """Append all lines with one write, so lines of two processes do not mix."""
        if self._file is not None and self._is_moved():
            self.close()
        if self._file is None:
            self.reopen()
        assert self._file is not None
        block = "".join(map(self._form, runs))
        view = memoryview(block.encode("utf-8", "backslashreplace"))
        while view:
            view = view[os.write(self._file, view) :]

    def _is_moved(self) -> bool:
        assert self._file is not None
        try:
            named = self._path.stat()
        except OSError:
            return True
        return not os.path.samestat(named, os.fstat(self._file))

    def reopen(self) -> None:
        """Open the file anew, creating it where it is not there."""
        self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        file = os.open(self._path, flags, FILE_MODE)
        if stat.S_ISREG(os.fstat(file).st_mode):
            os.set_blocking(file, True)
        self._file = file

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


class SyslogTarget:
    """The host's syslog, by datagrams (RFC 3164's form, as libc's syslog(3) writes it)."""

    def __init__(self, path: str, facility: int, pid: int, form: LogFormat | None = None) -> None:
        """Send level and text, or what *form* makes of each line."""
        self._form = form
        self._facility = facility
        self._pid = pid
        self._socket = DatagramSocket(path)

    def write(self, runs: Sequence[LogRun]) -> None:
        """Send each line as one message; after a loss of the socket tries once more."""
        for run in runs:
            head = f"<{self._facility * 8 + severity_of(run.level)}>{run.origin}[{self._pid}]: "
            for text in self._bodies(run):
                self._socket.send((head + text).encode("utf-8", "backslashreplace"))

    def _bodies(self, run: LogRun) -> Sequence[str]:
        if self._form is not None:
            return self._form(run).splitlines()
        level = level_name(run.level)
        return [f"{level} {harmless(text)}" for text in run.texts]

    def reopen(self) -> None:
        """Connect anew."""
        self._socket.reopen()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


class LateTarget:
    """Stands in for a target that cannot be opened, and opens it as soon as it can be."""

    def __init__(self, open_it: Callable[[], LogTarget]) -> None:
        """Call *open_it* for each block of lines until it raises ConfigError no more."""
        self._open = open_it
        self._target: LogTarget | None = None

    def write(self, runs: Sequence[LogRun]) -> None:
        """Write *runs* if the target can be opened by now."""
        self._opened().write(runs)

    def reopen(self) -> None:
        """Open the target, or open it anew."""
        self._opened().reopen()

    def close(self) -> None:
        """Let go of it if it was ever opened."""
        if self._target is not None:
            self._target.close()

    def _opened(self) -> LogTarget:
        if self._target is None:
            try:
                self._target = self._open()
            except ConfigError as error:
                raise OSError(str(error)) from error
        return self._target


_WITH_OPTIONS = re.compile(r"\s*([^\[]*?)\s*(?:\[(.*)\])?\s*", re.DOTALL)
_OPTION = re.compile(r"""\s*(\w+)\s*=\s*("[^"]*"|'[^']*'|[^,\]"']*)\s*(?:,|$)""")
_KNOWN_OPTIONS = ("facility", "datetime", "padding", "format")


def _split(spec: str) -> tuple[str, Mapping[str, str]]:
    found = _WITH_OPTIONS.fullmatch(spec)
    name, inner = (found[1], found[2] or "") if found else (spec, "")
    options: dict[str, str] = {}
    at = 0
    while at < len(inner):
        option = _OPTION.match(inner, at)
        if option is None or option[1] not in _KNOWN_OPTIONS:
            raise ConfigError(
                f'"{spec}" is not a log target',
                where="logtarget",
                cure="STDOUT, STDERR, SYSOUT, SYSLOG or a file, with options such as "
                '[facility=DAEMON, datetime=on, padding=on, format="..."]',
            )
        options[option[1]] = option[2].strip().strip("\"'")
        at = option.end()
    return name, options


def _is_on(text: str) -> bool:
    return text.strip().lower() in ("1", "on", "true", "yes")


def open_target(
    spec: str,
    *,
    syslog_socket: str = "auto",
    journal_socket: str = JOURNAL_SOCKET,
    pid: int | None = None,
    is_json: bool = False,
) -> LogTarget:
    """Return the target that *spec* names, as in Fail2Ban's ``logtarget``.

    On a terminal, standard output and error speak in short and in colour
    (without, where ``NO_COLOR`` is set); piped, in the classic format exactly.
    *is_json*: every target gets JSON Lines, whatever its options say of the format.

    Raises:
        ConfigError: *spec* is not a target, or its file or socket cannot be opened.

    """
    pid = os.getpid() if pid is None else pid
    name, options = _split(spec)
    word = name.upper()
    form = classic_format(
        pid,
        timed=_is_on(options.get("datetime", "off" if word == "SYSOUT" else "on")),
        padded=_is_on(options.get("padding", "on")),
    )
    if "format" in options:
        form = custom_format(options["format"], pid)
    if is_json:
        form = json_format()
    if word in ("STDOUT", "STDERR", "SYSOUT"):
        stream: TextIO | None = sys.stderr if word == "STDERR" else sys.stdout
        if stream is None:  # started with it closed
            raise ConfigError(
                f"{word} is closed", where="logtarget", cure="set logtarget = SYSLOG or a file"
            )
        if word != "SYSOUT" and not options and not is_json and stream.isatty():
            form = short_format(coloured=not os.environ.get("NO_COLOR"))
        return StreamTarget(stream, form)
    if word in ("SYSLOG", "SYSTEMD-JOURNAL"):
        facility = options.get("facility", "DAEMON")
        own_form = form if is_json else None
        if word == "SYSTEMD-JOURNAL" and syslog_socket == "auto":
            journal = JournalTarget(journal_socket, _facility(facility), pid, own_form)
            with contextlib.suppress(OSError):  # no journal: whoever listens to syslog
                journal.reopen()
                return journal
        return _open_syslog(_facility(facility), syslog_socket, pid, own_form)
    if not name:
        raise ConfigError(
            "no log target", where="logtarget", cure="STDOUT, STDERR, SYSLOG or a file"
        )
    target = FileTarget(name, form)
    try:
        target.reopen()
    except OSError as error:
        raise ConfigError(
            f"{name}: {error.strerror}",
            where="logtarget",
            cure="make its directory, or set logtarget = STDERR or SYSLOG",
        ) from error
    return target


def _facility(facility: str) -> int:
    number = FACILITIES.get(facility.upper().removeprefix("LOG_"))
    if number is None:
        raise ConfigError(
            f'"{facility}" is not a syslog facility',
            where="logtarget",
            cure="one of " + ", ".join(FACILITIES),
        )
    return number


def _open_syslog(facility: int, path: str, pid: int, form: LogFormat | None) -> LogTarget:
    for candidate in SYSLOG_SOCKETS if path == "auto" else (path,):
        target = SyslogTarget(candidate, facility, pid, form)
        with contextlib.suppress(OSError):
            target.reopen()
            return target
    raise ConfigError(
        "no syslog listens " + ("on this host" if path == "auto" else f"at {path}"),
        where="logtarget",
        cure="start a syslog daemon, or set logtarget = STDERR or a file",
    )
