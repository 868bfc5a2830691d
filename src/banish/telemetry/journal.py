"""The log in systemd's journal, with fields of its own beside the message.

Each line is one datagram of the Native Journal Protocol
(https://systemd.io/JOURNAL_NATIVE_PROTOCOL/): a field is ``NAME=value`` and a line
end, or, where the value holds a control character, the name, a line end, the value's
length as 64 bits in little endian, the value, and a line end. So no value can begin
a second field. ``MESSAGE`` reads as in syslog, and is always one line.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat

from banish.telemetry.datagrams import DatagramSocket
from banish.telemetry.events import Event
from banish.telemetry.fields import fields_of
from banish.telemetry.jsonlines import MESSAGE, json_format
from banish.telemetry.lines import LogFormat, LogRun, harmless, level_name, severity_of

JOURNAL_SOCKET = "/run/systemd/journal/socket"

VALUE_LIMIT_BYTES = 16_384
"""Longer values are cut. The largest datagram stays far below what Linux lets a socket
send by default (212,992 bytes, net.core.wmem_default)."""

SHORT_TEXT = 1_000
"""Characters of text that stay of a JSON object that would be longer than a value may be."""


class JournalTarget:
    """The journal of this host."""

    def __init__(self, path: str, facility: int, pid: int, form: LogFormat | None = None) -> None:
        """Send level and text as the message, or with *form* the JSON object."""
        self._facility = facility
        self._pid = pid
        self._is_json = form is not None
        self._json = json_format()
        self._socket = DatagramSocket(path)

    def write(self, runs: Sequence[LogRun]) -> None:
        """Send each line as one datagram."""
        for run in runs:
            for text, event in zip(run.texts, chain(run.events, repeat(None)), strict=False):
                self._socket.send(encode(self._fields(run, text, event)))

    def _fields(self, run: LogRun, text: str, event: Event | None) -> Mapping[str, str]:
        document = self._json(run._replace(texts=(text,), events=(event,))).rstrip("\n")
        if len(document) > VALUE_LIMIT_BYTES:
            short = text[:SHORT_TEXT]
            document = self._json(run._replace(texts=(short,), events=())).rstrip("\n")
        found = {
            "MESSAGE": document if self._is_json else f"{level_name(run.level)} {harmless(text)}",
            "PRIORITY": str(severity_of(run.level)),
            "SYSLOG_IDENTIFIER": run.origin,
            "SYSLOG_FACILITY": str(self._facility),
            "SYSLOG_PID": str(self._pid),
            "BANISH_KIND": MESSAGE if event is None else type(event).__name__,
        }
        if event is not None:
            said = fields_of(event)
            for name in ("jail", "subject"):
                value = said.get(name)
                if isinstance(value, str) and value:
                    found[f"BANISH_{name.upper()}"] = value
            found["BANISH_EVENT"] = document
        return found

    def reopen(self) -> None:
        """Connect anew."""
        self._socket.reopen()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def encode(fields: Mapping[str, str]) -> bytes:
    """Return *fields* as one datagram; values above `VALUE_LIMIT_BYTES` are cut."""
    return b"".join(_parts(fields))


def _parts(fields: Mapping[str, str]) -> Iterable[bytes]:
    for name, text in fields.items():
        value = text.encode("utf-8", "backslashreplace")
        if len(value) > VALUE_LIMIT_BYTES:
            value = value[:VALUE_LIMIT_BYTES].decode("utf-8", "ignore").encode()
        if text.isprintable():
            yield name.encode() + b"=" + value + b"\n"
        else:
            yield name.encode() + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"
