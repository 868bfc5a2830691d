"""Where log lines go."""

import io
import logging
import os
import socket
import stat
import sys
from pathlib import Path

import pytest

from banish.errors import ConfigError
from banish.telemetry.events import NOTICE
from banish.telemetry.lines import LogRun
from banish.telemetry.targets import FileTarget, StreamTarget, SyslogTarget, open_target


def line(text: str, level: int = NOTICE) -> LogRun:
    return LogRun(1_700_000_000.0, "banish.actions", level, (text,))


def plain(run: LogRun) -> str:
    return "".join(f"{text}\n" for text in run.texts)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_piped_output_is_exactly_the_classic_format(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    open_target("STDOUT", pid=9).write([line("[sshd] Ban 192.0.2.1")])
    stamp, rest = out.getvalue()[:24], out.getvalue()[24:]
    assert stamp.endswith(",000 ")
    assert rest == "banish.actions          [9]: NOTICE  [sshd] Ban 192.0.2.1\n"


def test_sysout_has_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    open_target("SYSOUT", pid=9).write([line("x")])
    assert out.getvalue() == "banish.actions          [9]: NOTICE  x\n"


def test_a_terminal_gets_short_lines_coloured_unless_told_not_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", coloured := Terminal())
    open_target("stderr").write([line("x")])
    assert "\x1b[" in coloured.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", bare := Terminal())
    open_target("STDERR").write([line("x")])
    assert bare.getvalue().endswith(" x\n")
    assert "\x1b" not in bare.getvalue()


def test_options_in_brackets_shape_the_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", out := io.StringIO())
    open_target("STDOUT[datetime=off, padding=off]", pid=9).write([line("x")])
    open_target('STDOUT[format="%(levelname)s %(message)s"]', pid=9).write([line("y")])
    assert out.getvalue() == "banish.actions[9]: NOTICE x\nNOTICE y\n"


@pytest.mark.parametrize(
    "spec", ["STDOUT[colour=on]", "STDOUT[datetime]", "SYSLOG[facility=MOON]", "", "/no/such/dir/x"]
)
def test_a_target_that_cannot_be_is_refused_with_a_cure(spec: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_target(spec)
    assert caught.value.where == "logtarget"
    assert caught.value.cure


def test_a_stream_that_cannot_say_a_letter_escapes_it() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    StreamTarget(stream, plain).write([line("ä")])
    assert stream.buffer.getvalue() == b"\\xe4\n"


def test_a_closed_stream_is_an_error_of_the_machine() -> None:
    stream = io.StringIO()
    target = StreamTarget(stream, plain)
    stream.close()
    with pytest.raises(OSError, match="closed"):
        target.write([line("x")])


def test_a_file_is_appended_to_and_not_for_all_to_read(tmp_path: Path) -> None:
    path = tmp_path / "banish.log"
    path.write_text("old\n")
    path.unlink()
    target = FileTarget(path, plain)
    target.write([line("a"), line("b")])
    target.write([line("c")])
    target.close()
    assert path.read_text() == "a\nb\nc\n"
    assert not stat.S_IMODE(path.stat().st_mode) & stat.S_IRWXO


def test_a_rotated_file_is_left_without_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "banish.log"
    target = FileTarget(path, plain)
    target.write([line("before")])
    path.rename(tmp_path / "banish.log.1")
    target.write([line("after")])
    target.close()
    assert (tmp_path / "banish.log.1").read_text() == "before\n"
    assert path.read_text() == "after\n"


def test_a_pipe_nobody_reads_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        FileTarget(tmp_path / "pipe", plain).write([line("x")])


def syslog_at(path: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(path))
    server.settimeout(5)
    return server


def test_syslog_gets_priority_tag_and_level(tmp_path: Path) -> None:
    with syslog_at(tmp_path / "log") as server:
        target = open_target("SYSLOG", syslog_socket=str(tmp_path / "log"), pid=9)
        target.write([line("[sshd] Ban 192.0.2.1"), line("odd", logging.WARNING)])
        target.close()
        assert server.recv(999) == b"<29>banish.actions[9]: NOTICE [sshd] Ban 192.0.2.1"
        assert server.recv(999) == b"<28>banish.actions[9]: WARNING odd"


def test_syslog_facility_can_be_chosen(tmp_path: Path) -> None:
    with syslog_at(tmp_path / "log") as server:
        spec = "SYSLOG[facility=LOCAL7]"
        target = open_target(spec, syslog_socket=str(tmp_path / "log"), pid=9)
        target.write([line("x", logging.INFO)])
        target.close()
        assert server.recv(999).startswith(b"<190>")


def test_syslog_is_found_again_after_its_restart(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with syslog_at(path):
        target = SyslogTarget(str(path), 3, 9)
        target.write([line("x")])
    path.unlink()
    with syslog_at(path) as server:
        target.write([line("y")])
        target.close()
        assert server.recv(999).endswith(b"NOTICE y")


def test_no_syslog_is_said_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no syslog listens"):
        open_target("SYSLOG", syslog_socket=str(tmp_path / "nothing"))
