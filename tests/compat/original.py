"""Runs Fail2Ban's own programs from its unpacked package, many command lines in one process."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

_STREAMS = """
import json, logging, sys
logging.disable(logging.CRITICAL)
from fail2ban.client.configurator import Configurator
root, names = json.load(sys.stdin)
answers = []
for name in names:
    reader = Configurator(force_enable=name is not None)
    reader.setBaseDir(root)
    reader.readAll()
    usable = reader.getOptions(name, {})
    reader.convertToProtocol(allow_no_files=True)
    answers.append([bool(usable), reader.getConfigStream()])
json.dump(answers, sys.stdout)
"""

_REGEXES = """
import contextlib, io, json, sys
from fail2ban.client.fail2banregex import exec_command_line
answers = []
for words in json.load(sys.stdin):
    out, code = io.StringIO(), 0
    with contextlib.redirect_stdout(out):
        try:
            exec_command_line(words)
        except SystemExit as done:
            code = done.code
    answers.append([code, out.getvalue()])
json.dump(answers, sys.stdout)
"""


def ask(package: Path, script: str, question: object) -> Any:
    """Return what *script* answers to *question*, run beside the Fail2Ban of *package*."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        input=json.dumps(question),
        env={
            "PYTHONPATH": str(package / "usr/lib/python3/dist-packages"),
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "ImportError" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"Fail2Ban does not run here: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr[-1_000:]
    return json.loads(done.stdout)


def original_streams(
    package: Path, root: Path, jails: Sequence[str | None]
) -> list[tuple[bool, list[Any]]]:
    """Return the commands with each of *jails* alone switched on; None: as the files have it."""
    return [(usable, stream) for usable, stream in ask(package, _STREAMS, [str(root), jails])]


def original_regexes(package: Path, lines: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """Return exit code and output of ``fail2ban-regex`` for each command line."""
    return [(code, out) for code, out in ask(package, _REGEXES, lines)]
