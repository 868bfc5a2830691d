"""``fail2ban-client`` where it needs no server."""

import ast
import pprint
from pathlib import Path

import pytest

from banish.cli import main
from banish.cli.fail2ban.programs import COMPATIBLE

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1d12h", "129600"),
        ("1d12", "86412"),
        ("10 minutes", "600"),
        ("1m 30s", "90"),
        ("1h-10m", "3000"),
        ("-1", "-1"),
        ("1.5h", "5400.0"),
        ("1h/2", "1800.0"),
        ("1mo", "2629800.0"),
        ("2 years", "63115200.0"),
        ("90 MIN", "5400"),
    ],
)
def test_durations_are_printed_as_fail2ban_prints_them(
    text: str, shown: str, capsys: Captured
) -> None:
    assert main(["fail2ban-client", "--str2sec", text]) == 0
    assert capsys.readouterr().out == f"{shown}\n"


@pytest.mark.parametrize("text", ["", "5 lightyears", "1/0", "__import__('os')"])
def test_what_is_no_duration_is_an_error(text: str, capsys: Captured) -> None:
    assert main(["fail2ban-client", "--str2sec", text]) == 255
    assert capsys.readouterr().out.startswith("ERROR: ")


def test_the_version_is_that_of_fail2ban_whose_behaviour_is_meant(capsys: Captured) -> None:
    assert main(["fail2ban-client", "-V"]) == 0
    assert capsys.readouterr().out == f"{COMPATIBLE}\n"
    assert main(["fail2ban-client", "--version"]) == 0
    assert capsys.readouterr().out.startswith(f"Fail2Ban v{COMPATIBLE} (banish ")


@pytest.mark.parametrize("words", [[], ["--bogus"], ["-q"], ["-c"]])
def test_nothing_to_do_shows_the_usage_and_fails(words: list[str], capsys: Captured) -> None:
    assert main(["fail2ban-client", *words]) == 255
    assert capsys.readouterr().out.startswith("Usage: fail2ban-client [OPTIONS] <COMMAND>\n")


def test_the_dump_is_one_list_a_line_and_tells_missing_logs_beside_it(
    tree: Path, capsys: Captured
) -> None:
    assert main(["fail2ban-client", "-c", str(tree), "-d"]) == 0
    captured = capsys.readouterr()
    commands = [ast.literal_eval(line) for line in captured.out.splitlines()]
    assert ["add", "app", "polling"] in commands
    assert commands[-1] == ["start", "app"]
    assert captured.err == "WARNING Have not found any log file for app jail\n"
    assert main(["fail2ban-client", "-c", str(tree), "-q", "-d"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("option", ["--dp", "--dump-pretty", "--dump"])
def test_the_pretty_dump_breaks_long_commands(option: str, tree: Path, capsys: Captured) -> None:
    assert main(["fail2ban-client", "-c", str(tree), "-q", "-d"]) == 0
    plain = capsys.readouterr().out
    assert main(["fail2ban-client", "-c", str(tree), "-q", option]) == 0
    commands = map(ast.literal_eval, plain.splitlines())
    pretty = "".join(f"{pprint.pformat(each, width=1000, indent=2)}\n" for each in commands)
    assert capsys.readouterr().out == pretty


def test_server_options_of_the_command_line_go_before_the_files(
    tree: Path, capsys: Captured
) -> None:
    words = ["--loglevel", "DEBUG", "--logtarget=STDOUT", "--syslogsocket", "/x", "-p", "/y"]
    assert main(["fail2ban-client", "-c", str(tree), *words, "-d"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "['set', 'syslogsocket', '/x']",
        "['set', 'loglevel', 'DEBUG']",
        "['set', 'logtarget', 'STDOUT']",
    ]


@pytest.fixture
def watched(tree: Path) -> Path:
    """The configuration, with the log that its jail watches."""
    (tree.parent / "app.log").write_text("")
    return tree


def test_a_jail_without_a_log_fails_the_test_as_it_fails_the_check(
    tree: Path, capsys: Captured
) -> None:
    assert main(["fail2ban-client", "-c", str(tree), "-t"]) == 255
    assert "[app] watches nothing" in capsys.readouterr().err
    assert main(["check", "-c", str(tree)]) == 1
    assert "[app] watches nothing" in capsys.readouterr().out


def test_a_right_configuration_passes_the_test(watched: Path, capsys: Captured) -> None:
    assert main(["fail2ban-client", "-c", str(watched), "-t"]) == 0
    assert capsys.readouterr().out == "OK: configuration test is successful\n"


def test_a_wrong_configuration_is_told_with_file_and_line(tree: Path, capsys: Captured) -> None:
    (tree / "jail.local").write_text("[app]\nbantime = 5 lightyears\n")
    assert main(["fail2ban-client", "-c", str(tree), "--test"]) == 255
    captured = capsys.readouterr()
    assert f"ERROR {tree}/jail.local:2: bantime: " in captured.err
    assert captured.err.endswith("ERROR: test configuration failed\n")
    assert captured.out == ""


def test_warnings_of_the_test_are_told_to_those_who_ask(watched: Path, capsys: Captured) -> None:
    (watched / "jail.local").write_text("[app]\nbantimes = 5m\n")
    assert main(["fail2ban-client", "-c", str(watched), "-t"]) == 0
    assert "bantimes" not in capsys.readouterr().err
    assert main(["fail2ban-client", "-c", str(watched), "-v", "-t"]) == 0
    assert f"WARNING {watched}/jail.local:2: " in capsys.readouterr().err


def test_dump_and_test_together_do_both(watched: Path, capsys: Captured) -> None:
    assert main(["fail2ban-client", "-c", str(watched), "-d", "-t"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["['start', 'app']", "OK: configuration test is successful"]


def test_the_test_before_a_command_is_a_test_first(watched: Path, capsys: Captured) -> None:
    words = ["-c", str(watched), "-s", str(watched / "no.sock"), "-t", "ping"]
    assert main(["fail2ban-client", *words]) == 255
    said = capsys.readouterr()
    assert said.out == "OK: configuration test is successful\n"
    assert "Is fail2ban running?" in said.err


def test_a_jail_that_cannot_be_leaves_the_others(tree: Path, capsys: Captured) -> None:
    (tree / "jail.local").write_text("[web]\nenabled = true\nfilter = none\n")
    assert main(["fail2ban-client", "-c", str(tree), "-q", "-d"]) == 0
    commands = [ast.literal_eval(line) for line in capsys.readouterr().out.splitlines()]
    (error,) = [command for command in commands if command[0] == "config-error"]
    assert error[1].startswith("Jail 'web' skipped, because of wrong configuration: ")
    assert "jail.local:3" in error[1]
    assert [command for command in commands if command[0] == "start"] == [["start", "app"]]


def test_no_jail_that_can_be_is_a_failure(tree: Path, capsys: Captured) -> None:
    (tree / "jail.local").write_text("[app]\nfilter = none\n")
    assert main(["fail2ban-client", "-c", str(tree), "-q", "-d"]) == 255
    assert "config-error" in capsys.readouterr().out
