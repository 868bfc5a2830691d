"""A journal entry as a line."""

import pytest

from banish.model.record import LINE_LIMIT_BYTES
from banish.sources.journalentry import render


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        (
            {"_HOSTNAME": "box", "SYSLOG_IDENTIFIER": "sshd", "_PID": "7", "MESSAGE": "hello"},
            b"box sshd[7]: hello\n",
        ),
        (
            {"SYSLOG_IDENTIFIER": "su", "SYSLOG_PID": "1", "_PID": "2", "MESSAGE": "x"},
            b"su[1]: x\n",
        ),
        ({"_HOSTNAME": "box", "_COMM": "cron", "MESSAGE": "x"}, b"box cron: x\n"),
        ({"_HOSTNAME": "box", "MESSAGE": "x"}, b"box x\n"),
        ({}, b"\n"),
        ({"MESSAGE": "a\nb\r\n"}, b"a\\nb\r\\n\n"),
        ({"MESSAGE": ["first", "second"]}, b"first\n"),
        ({"_HOSTNAME": "a\nb", "MESSAGE": "x"}, b"a\\nb x\n"),
        ({"MESSAGE": "\udcff"}, b"?\n"),
    ],
)
def test_an_entry_reads_as_syslog_would_have_written_it(
    fields: dict[str, str | list[str]], line: bytes
) -> None:
    assert render(fields, 1.0) == (line, False)


def test_a_kernel_line_has_its_time_since_boot() -> None:
    fields = {"_HOSTNAME": "box", "SYSLOG_IDENTIFIER": "kernel", "MESSAGE": "IN=eth0"}
    assert render(fields, 12.5)[0] == b"box kernel: [   12.500000] IN=eth0\n"
    written = {**fields, "_SOURCE_MONOTONIC_TIMESTAMP": "3250000"}
    assert render(written, 12.5)[0] == b"box kernel: [    3.250000] IN=eth0\n"


def test_a_line_over_the_limit_is_cut_and_said_to_be() -> None:
    line, is_cut = render({"MESSAGE": "x" * (LINE_LIMIT_BYTES + 1)}, 1.0)
    assert is_cut
    assert len(line) == LINE_LIMIT_BYTES + 1
    assert render({"MESSAGE": "x" * LINE_LIMIT_BYTES}, 1.0)[1] is False
