"""The log in systemd's journal."""

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.errors import ConfigError
from banish.model.address import parse_subject
from banish.model.instant import Instant
from banish.telemetry.emitter import Emitter
from banish.telemetry.events import FailureFound, SourceChanged
from banish.telemetry.journal import VALUE_LIMIT_BYTES, JournalTarget, encode
from banish.telemetry.lines import LogRun
from banish.telemetry.logs import Log
from banish.telemetry.targets import open_target

NOON = Instant(1_700_000_000.5)
HOSTILE = "\n\r\0\x1b\x7f\x85\u2028=\ud800"
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from(HOSTILE)))


def parsed(datagram: bytes) -> list[tuple[str, str]]:
    """Read *datagram* as journald does, by the protocol's own description."""
    fields = []
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(rest[:8], "little")
            value, end, rest = rest[8 : 8 + size], rest[8 + size : 9 + size], rest[9 + size :]
            assert (len(value), end) == (size, b"\n")
        fields.append((name.decode("ascii"), value.decode()))
        datagram = rest
    return fields


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "socket"))
        server.settimeout(5)
        yield server


def entry(journal: socket.socket) -> dict[str, str]:
    fields = parsed(journal.recv(1_000_000))
    assert len(fields) == len(dict(fields))
    return dict(fields)


def test_an_event_has_fields_beside_its_message(tmp_path: Path, journal: socket.socket) -> None:
    target = open_target("SYSTEMD-JOURNAL", journal_socket=str(tmp_path / "socket"), pid=9)
    log = Log(target, wants_events=True)
    Emitter(log, clock=lambda: NOON)(FailureFound("sshd", parse_subject("192.0.2.1"), NOON))
    log.close()
    fields = entry(journal)
    event = json.loads(fields.pop("BANISH_EVENT"))
    assert fields.pop("MESSAGE").startswith("INFO [sshd] Found 192.0.2.1 - ")
    assert fields == {
        "PRIORITY": "6",
        "SYSLOG_IDENTIFIER": "banish.filter",
        "SYSLOG_FACILITY": "3",
        "SYSLOG_PID": "9",
        "BANISH_KIND": "FailureFound",
        "BANISH_JAIL": "sshd",
        "BANISH_SUBJECT": "192.0.2.1",
    }
    assert event["kind"] == "FailureFound"


def test_a_line_without_an_event_is_a_message(tmp_path: Path, journal: socket.socket) -> None:
    target = JournalTarget(str(tmp_path / "socket"), 3, 9)
    target.write([LogRun(NOON, "asyncio", logging.ERROR, ("a\nb",))])
    target.close()
    fields = entry(journal)
    assert (fields["MESSAGE"], fields["PRIORITY"]) == ("ERROR a\\nb", "3")
    assert fields["BANISH_KIND"] == "Message"
    assert "BANISH_EVENT" not in fields


def test_the_message_is_the_object_where_the_log_is_json(
    tmp_path: Path, journal: socket.socket
) -> None:
    where = str(tmp_path / "socket")
    target = open_target("SYSTEMD-JOURNAL", journal_socket=where, is_json=True)
    long = "\x1b" * VALUE_LIMIT_BYTES
    target.write([LogRun(NOON, "x", 20, ("y", long), (None, SourceChanged(long, long)))])
    target.close()
    assert json.loads(entry(journal)["MESSAGE"])["text"] == "y"
    cut = entry(journal)
    assert long.startswith(json.loads(cut["MESSAGE"])["text"])
    assert cut["MESSAGE"] == cut["BANISH_EVENT"]


def test_the_longest_line_fits_a_datagram(tmp_path: Path, journal: socket.socket) -> None:
    target = JournalTarget(str(tmp_path / "socket"), 3, 9)
    long = "\u00e4" * 200_000
    event = FailureFound(long, parse_subject("192.0.2.1"), NOON)
    target.write([LogRun(NOON, "x", 20, (long,), (event,))])
    target.close()
    fields = entry(journal)
    assert all(len(value.encode()) <= VALUE_LIMIT_BYTES for value in fields.values())
    assert long.startswith(fields["BANISH_JAIL"])


def test_a_journal_is_found_again_after_its_restart(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    target = JournalTarget(str(path), 3, 9)
    for text in ("x", "y"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(str(path))
            target.write([LogRun(NOON, "x", 20, (text,))])
            assert entry(server)["MESSAGE"] == f"INFO {text}"
        path.unlink()
    target.close()


def test_without_a_journal_syslog_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("banish.telemetry.targets.SYSLOG_SOCKETS", (str(tmp_path / "log"),))
    with pytest.raises(ConfigError, match="no syslog listens on this host"):
        open_target("SYSTEMD-JOURNAL", journal_socket=str(tmp_path / "nothing"))


@given(st.lists(TEXTS))
def test_a_value_stays_in_its_own_field(values: list[str]) -> None:
    fields = {f"FIELD_{number}": value for number, value in enumerate(values)}
    expected = [
        (name, value.encode("utf-8", "backslashreplace").decode()) for name, value in fields.items()
    ]
    assert parsed(encode(fields)) == expected
