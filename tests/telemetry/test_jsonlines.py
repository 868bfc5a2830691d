"""The log as JSON Lines."""

import json
import logging
import math
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.address import parse_subject
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.telemetry.emitter import Emitter
from banish.telemetry.events import (
    Event,
    FailureFound,
    FailuresFound,
    JailStarted,
    SourceChanged,
    WarningGiven,
)
from banish.telemetry.jsonlines import json_format
from banish.telemetry.lines import LogLine, LogRun, run_of
from banish.telemetry.logs import Log
from banish.telemetry.stream import streamed_event
from banish.telemetry.targets import FileTarget, open_target

NOON = Instant(1_700_000_000.5)
ATTACKER = parse_subject("192.0.2.1")
HOSTILE = '\n\r\x0b\x0c\x1b\x7f\x85\u2028\u2029"\\\ud800{}'
TEXTS = st.text(st.one_of(st.characters(), st.sampled_from(HOSTILE)))


def logged(path: Path, *events: Event, limit: int = 1_000) -> list[dict[str, object]]:
    target = open_target(str(path / "log"), is_json=True)
    log = Log(target, wants_events=True, limit=limit)
    Emitter(log, clock=lambda: NOON).every(events)
    log.close()
    return [json.loads(line) for line in (path / "log").read_text().splitlines()]


def shown(event: Event) -> dict[str, object]:
    """Return *event* as ``banish events --json`` prints it, but for the number."""
    streamed = streamed_event(1, NOON, event)
    return {
        "time": "2023-11-14T22:13:20+00:00",
        "kind": streamed.kind,
        "level": streamed.level,
        "text": streamed.text,
        "fields": streamed.fields,
    }


def test_an_event_reads_as_subscribers_get_it(tmp_path: Path) -> None:
    events = [
        SourceChanged("/var/log/auth.log", "rotated"),
        WarningGiven(part="mail", what="a\nb"),
        FailureFound("sshd", ATTACKER, NOON),
    ]
    assert logged(tmp_path, *events) == [shown(event) for event in events]


def test_failures_that_come_together_are_a_line_each(tmp_path: Path) -> None:
    found = [Failure("sshd", ATTACKER, Instant(at)) for at in (NOON, NOON + 1)]
    expected = [shown(FailureFound("sshd", ATTACKER, each.at)) for each in found]
    assert logged(tmp_path, FailuresFound("sshd", found)) == expected
    (tmp_path / "log").unlink()
    first, dropped = logged(tmp_path, FailuresFound("sshd", found), limit=1)
    assert (first, dropped["kind"]) == (expected[0], "Message")


def test_a_line_without_an_event_is_a_message() -> None:
    line = json_format()(run_of(LogLine(NOON, "asyncio", logging.ERROR, "Task x")))
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20+00:00",
        "kind": "Message",
        "level": "ERROR",
        "text": "Task x",
        "fields": {"logger": "asyncio"},
    }


def test_a_number_that_json_cannot_write_is_null() -> None:
    event = FailureFound("sshd", ATTACKER, Instant(math.inf))
    line = json_format()(LogRun(math.nan, "x", 20, ("y",), (event,)))
    assert json.loads(line)["fields"]["at"] is None
    assert json.loads(line)["time"] is None


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS)))
def test_a_text_stays_in_its_own_line_and_field(said: list[tuple[str, str, str]]) -> None:
    texts = [text for text, _, _ in said]
    events = [SourceChanged(source, what) for _, source, what in said]
    block = json_format()(LogRun(NOON, "banish.filter", 20, texts, events))
    lines = block.splitlines()
    assert block.isascii()
    assert block.count("\n") == len(lines) == len(said)
    for line, (text, source, what) in zip(lines, said, strict=True):
        pairs = json.loads(line, object_pairs_hook=list)
        fields = [("source", source), ("what", what)]
        assert [name for name, _ in pairs] == ["time", "kind", "level", "text", "fields"]
        assert pairs[3:] == [("text", text), ("fields", fields)]


@given(TEXTS, TEXTS)
def test_a_message_stays_in_its_own_line(origin: str, text: str) -> None:
    (line,) = json_format()(LogRun(NOON, origin, 20, (text,))).splitlines()
    document = json.loads(line)
    assert (document["text"], document["fields"]) == (text, {"logger": origin})


def test_options_of_the_target_do_not_change_json(tmp_path: Path) -> None:
    path = tmp_path / "log"
    target = open_target(f'{path}[format="%(message)s"]', is_json=True)
    target.write([LogRun(NOON, "x", 20, ("y",))])
    target.close()
    assert json.loads(path.read_text())["text"] == "y"


@pytest.mark.parametrize("spec", ["SYSLOG", "SYSTEMD-JOURNAL"])
def test_syslog_gets_the_object_as_its_message(tmp_path: Path, spec: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.settimeout(5)
        where = str(tmp_path / "log")
        target = open_target(spec, syslog_socket=where, pid=9, is_json=True)
        target.write([LogRun(NOON, "x", 20, ("a\nb", "c"))])
        target.close()
        for text in ("a\nb", "c"):
            head, _, body = server.recv(999).decode().partition(" ")
            assert head == "<30>x[9]:"
            assert json.loads(body)["text"] == text


def test_the_format_changes_between_two_lines(tmp_path: Path) -> None:
    log = Log(open_target(str(tmp_path / "before"), pid=9))
    emit = Emitter(log, clock=lambda: NOON)
    emit(JailStarted("a"))
    log.wants_events = True
    log.change_target(FileTarget(tmp_path / "after", json_format()))
    emit(JailStarted("b"))
    log.close()
    assert (tmp_path / "before").read_text().endswith(": INFO    Jail 'a' started\n")
    assert json.loads((tmp_path / "after").read_text()) == shown(JailStarted("b"))
