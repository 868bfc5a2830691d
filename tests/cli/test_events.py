"""``banish events``: JSON Lines for scripts, log lines for people."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from banish.cli import main
from banish.model.address import parse_subject
from banish.telemetry.events import BanStarted, JailStarted
from banish.testing.operations import MemoryOperations, serving


@pytest.fixture
def operations() -> MemoryOperations:
    return MemoryOperations()


def listening(state: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "banish", "events", "--state", str(state), *words],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("is_json", [True, False])
def test_what_happened_and_what_happens_is_printed(
    tmp_path: Path, operations: MemoryOperations, is_json: bool
) -> None:
    operations.emitter(JailStarted("sshd"))
    operations.emitter(JailStarted("web"))
    with serving(tmp_path / "banish.sock", operations):
        process = listening(tmp_path, "--since", "1", *["--json"] * is_json)
        assert process.stdout is not None
        assert operations.loop is not None
        try:
            first = process.stdout.readline()
            operations.loop.call_soon_threadsafe(
                operations.emitter, BanStarted("sshd", parse_subject("192.0.2.1"))
            )
            second = process.stdout.readline()
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    if is_json:
        assert json.loads(first)["fields"] == {"jail": "web"}
        ban = json.loads(second)
        assert (ban["id"], ban["kind"], ban["level"]) == (3, "BanStarted", "NOTICE")
        assert ban["text"] == "[sshd] Ban 192.0.2.1"
    else:
        assert first.rstrip().endswith("Jail 'web' started")
        assert second.rstrip().endswith("[sshd] Ban 192.0.2.1")


def test_a_kind_that_is_none_is_wrong_usage(tmp_path: Path, operations: MemoryOperations) -> None:
    with serving(tmp_path / "banish.sock", operations):
        assert main(["events", "--kind", "Nothing", "--state", str(tmp_path)]) == 2
