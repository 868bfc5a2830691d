"""The server's verb: what the command line hands on."""

from pathlib import Path

import pytest

from banish.cli import main
from banish.daemon import app, host
from banish.daemon.app import RunOptions


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[RunOptions]:
    heard: list[RunOptions] = []

    def run(options: RunOptions) -> int:
        heard.append(options)
        return 0

    monkeypatch.setattr(app, "run", run)
    return heard


def test_every_flag_reaches_the_server(asked: list[RunOptions], tree: Path) -> None:
    words = ["-v", "run", "--dry-run", "-c", str(tree), "-s", "/s", "--state", "/st", "-v"]
    assert main(words) == 0
    assert asked == [
        RunOptions(config=tree, socket=Path("/s"), state=Path("/st"), dry_run=True, verbosity=2)
    ]


def test_without_flags_the_hosts_own_configuration_counts(
    asked: list[RunOptions], tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import banish.config

    monkeypatch.setattr(banish.config, "find_root", lambda: tree)
    assert main(["run", "-q"]) == 0
    assert asked == [RunOptions(config=tree, verbosity=-1)]


def test_a_c_library_without_mallopt_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    host.keep_memory()
