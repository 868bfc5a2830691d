"""``banish status --watch``: a real process, at a terminal and piped."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.testing.operations import MemoryOperations, serving

_ENVIRONMENT = {k: v for k, v in os.environ.items() if k not in ("LINES", "COLUMNS")}
"""Without what says how large somebody else's terminal is."""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    with serving(tmp_path / "banish.sock", MemoryOperations(("sshd", "web"))):
        yield tmp_path


def watching(state: Path, *words: str, output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        # Whoever runs the tests in the background ignores Ctrl-C, and so would this program.
        [
            *("env", "--default-signal=INT", sys.executable, "-m", "banish"),
            *("status", "--every", "0.1", "--state", str(state), *words),
        ],
        stdout=output,
        env={**_ENVIRONMENT, "TERM": "xterm"},
    )


def test_json_is_one_document_a_line_until_ctrl_c(state: Path) -> None:
    process = watching(state, "--json", output=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as lines:
        documents = [json.loads(next(lines)) for _ in range(3)]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) in (0, 1)
    assert [[jail["name"] for jail in each["jails"]] for each in documents] == [["sshd", "web"]] * 3


def test_piped_the_drawings_follow_each_other(state: Path) -> None:
    process = watching(state, output=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as lines:
        firsts = 0
        for _, line in zip(range(200), lines, strict=False):
            assert b"\x1b" not in line
            firsts += line.startswith(b"banish ")
            if firsts == 3:
                break
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert firsts == 3


@pytest.mark.parametrize("height", [40, 4])
def test_on_a_terminal_it_is_drawn_in_place_and_never_higher_than_that(
    state: Path, height: int
) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", height, 80, 0, 0))
    process = watching(state, output=theirs)
    os.close(theirs)
    shown = b""
    while shown.count(b"\x1b[H") < 3:
        shown += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    process.wait(30)
    os.close(ours)
    first = shown.split(b"\x1b[H")[1]
    assert first.startswith(b"\x1b[1mbanish ")
    assert first.endswith(b"\x1b[J")
    if height == 4:
        assert first.count(b"\n") == 3, first
    else:
        assert b"sshd" in first


def test_a_server_that_goes_is_shown_as_gone(tmp_path: Path) -> None:
    with serving(tmp_path / "banish.sock", MemoryOperations(("sshd",))):
        process = watching(tmp_path, output=subprocess.PIPE)
        assert process.stdout is not None
        assert next(process.stdout).startswith(b"banish ")
    with process.stdout as lines:
        assert any(b"no server answers" in line for _, line in zip(range(500), lines, strict=False))
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 1


@pytest.mark.parametrize("text", ["0", "nan", "-1", "x"])
def test_a_pause_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "banish", "status", "--every", text, "--state", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "--every" in done.stderr
