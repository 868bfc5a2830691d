"""From words to verbs, from errors to exit codes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from banish import __version__
from banish.cli import bans, main
from banish.cli.dispatch import VERBS, build_parser
from banish.errors import ConfigError, SourceError


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"banish {__version__}\n"


def test_no_verb_shows_the_help_and_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "verbs:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["dance"], ["status", "--nosuch"], ["ban", "sshd"], ["bans", "x"]]
)
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert "usage: banish" in capsys.readouterr().err


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    out = capsys.readouterr().out
    assert "example" in out
    assert f"banish {verb}" in out


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "etc", "-s", "sock", "--state", "dir", "-vv", "status"],
        ["status", "-c", "etc", "-s", "sock", "--state", "dir", "-vv"],
        ["-c", "etc", "-v", "status", "-s", "sock", "--state=dir", "-v"],
    ],
)
def test_global_flags_stand_before_or_after_the_verb(words: list[str]) -> None:
    options = build_parser(words).parse_args(words)
    assert (options.config, options.socket, options.state) == ("etc", "sock", "dir")
    assert options.louder + options.louder_after == 2


def test_a_flags_value_is_not_taken_for_the_verb() -> None:
    words = ["-c", "check", "bans", "--jail", "status"]
    options = build_parser(words).parse_args(words)
    assert (options.verb, options.config, options.jail) == ("bans", "check", "status")


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            ConfigError("no such thing", where="a:1", cure="write it"),
            2,
            "banish: a:1: no such thing\n    write it\n",
        ),
        (SourceError("\x1b[2J\udcff"), 1, "banish: \\x1b[2J\\udcff\n"),
        (SourceError("gone", cure="wait"), 1, "banish: gone\n    wait\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_become_exit_codes_and_words_without_traceback(
    error: BaseException,
    code: int,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(options: object) -> int:
        raise error

    monkeypatch.setattr(bans, "run", fail)
    assert main(["bans"]) == code
    assert capsys.readouterr().err == text


def test_a_closed_pipe_is_silent(tmp_path: Path) -> None:
    script = (
        "import sys; from banish.cli import bans, main\n"
        "bans.run = lambda options: print('x' * 100_000) or 0\n"
        "sys.exit(main(['bans']))"
    )
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys; from banish.cli import main; main(['--help'])\n"
        "heavy = {'asyncio', 'rich', 'msgspec', 'sqlite3', 'hyperscan', 'logging'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, timeout=30
    )
    assert done.stderr == b""
    assert done.returncode == 0
    assert time.perf_counter() - started < 10


def test_python_dash_m_works() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "banish", "--version"], capture_output=True, check=False, timeout=30
    )
    assert done.stdout.decode() == f"banish {__version__}\n"
