"""``banish reload`` and ``banish confirm``: what they ask for and what they print."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.cli import main
from banish.model.instant import Instant, Seconds
from banish.model.reload import JailDifference, OptionDifference, ReloadReport, ReloadWish
from banish.model.settings import Place, Problem
from banish.testing.operations import NOON, MemoryOperations, serving

Captured = pytest.CaptureFixture[str]

SPOILT = Problem(
    "error", "there is no filter nosuch", Place("/etc/x/jail.local", 7), "filter",
    "did you mean sshd?", "web", stops=True,
)  # fmt: skip
REPORT = ReloadReport(
    jails=(
        JailDifference("sshd", "changed", (OptionDifference("maxretry", "5", "3"),)),
        JailDifference("mail", "started", (OptionDifference("maxretry", "", "3"),)),
        JailDifference("ftp", "stopped"),
        JailDifference("web", "kept"),
        JailDifference("dns", "unchanged"),
    ),
    server=(OptionDifference("loglevel", "INFO", "DEBUG"),),
    later=(OptionDifference("dbfile", "/a", ""),),
    problems=(SPOILT,),
)


@pytest.fixture
def operations() -> MemoryOperations:
    return MemoryOperations(("sshd", "web"))


@pytest.fixture
def state(tmp_path: Path, operations: MemoryOperations) -> Iterator[str]:
    with serving(tmp_path / "banish.sock", operations):
        yield str(tmp_path)


def test_every_flag_reaches_the_server(state: str, operations: MemoryOperations) -> None:
    words = ["--dry-run", "--confirm", "60s", "--restart", "--unban"]
    assert main(["reload", "--state", state]) == 0
    assert main(["reload", "web", *words, "--state", state]) == 0
    assert operations.wishes == [
        ReloadWish(),
        ReloadWish("web", dry_run=True, confirm=Seconds(60), restart=True, unban=True),
    ]


def test_what_changed_is_shown_and_a_kept_jail_is_1(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.report = REPORT
    assert main(["reload", "--state", state]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "sshd changed",
        "    maxretry: 5 -> 3",
        "mail started",
        "ftp stopped",
        "web keeps its old settings: the new ones have an error",
        "    /etc/x/jail.local:7: filter: there is no filter nosuch; jail web does not run",
        "        did you mean sshd?",
        "Server options",
        "    loglevel: INFO -> DEBUG",
        "Server options that take effect at the next start",
        "    dbfile: /a -> (not set)",
        "1 jail unchanged",
    ]


def test_a_dry_run_speaks_of_what_would_be(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.report = ReloadReport(REPORT.jails[:1])
    assert main(["reload", "--dry-run", "--state", state]) == 0
    assert capsys.readouterr().out == "sshd changes\n    maxretry: 5 -> 3\n"
    operations.report = ReloadReport((JailDifference("dns", "unchanged"),))
    assert main(["reload", "--dry-run", "--state", state]) == 0
    assert capsys.readouterr().out == "Nothing would change.\n"
    assert main(["reload", "--state", state]) == 0
    assert capsys.readouterr().out == "Nothing changed.\n"


def test_the_way_to_keep_a_reload_on_trial_can_be_pasted(
    state: str, operations: MemoryOperations, capsys: Captured
) -> None:
    operations.report = ReloadReport(confirm_until=Instant(NOON + 60))
    assert main(["reload", "--confirm", "60s", "--state", state]) == 0
    assert f"unless you keep this: banish confirm --state {state}\n" in capsys.readouterr().out
    assert main(["confirm", "--state", state]) == 0
    assert capsys.readouterr().out == "The configuration stays.\n"
    assert main(["-q", "confirm", "--state", state]) == 0
    assert main(["-q", "reload", "--state", state]) == 0
    assert capsys.readouterr().out == ""
    assert operations.confirmations == 2


def test_scripts_read_the_same(state: str, operations: MemoryOperations, capsys: Captured) -> None:
    operations.report = REPORT
    assert main(["reload", "--json", "--state", state]) == 1
    said = json.loads(capsys.readouterr().out)
    assert [(jail["jail"], jail["outcome"]) for jail in said["jails"]] == [
        ("sshd", "changed"), ("mail", "started"), ("ftp", "stopped"), ("web", "kept"),
        ("dns", "unchanged"),
    ]  # fmt: skip
    assert said["server"] == [{"option": "loglevel", "before": "INFO", "after": "DEBUG"}]
    assert said["problems"][0]["cure"] == "did you mean sshd?"
    assert said["confirm_until"] is None
    assert said["dry_run"] is False


def test_a_time_that_is_none_is_wrong_usage(state: str, capsys: Captured) -> None:
    assert main(["reload", "--confirm", "soon", "--state", state]) == 2
    assert "--confirm" in capsys.readouterr().err


def test_a_jail_that_is_not_there_is_wrong_usage(state: str) -> None:
    assert main(["reload", "nosuch", "--state", state]) == 2
