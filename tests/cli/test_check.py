"""Checking and showing the configuration."""

import json
import sys
from pathlib import Path

import pytest

from banish.cli import main

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def log(tmp_path: Path) -> Path:
    """The log of the jail ``app``."""
    path = tmp_path / "app.log"
    path.touch()
    return path


def test_a_jail_without_its_log_is_an_error(tree: Path, log: Path, capsys: Captured) -> None:
    log.unlink()
    assert main(["check", "-c", str(tree)]) == 1
    assert f"[app] watches nothing: none of its logs exists ({log}: " in capsys.readouterr().out


def test_a_clean_configuration_is_0(tree: Path, capsys: Captured) -> None:
    assert main(["check", "-c", str(tree)]) == 0
    out = capsys.readouterr().out
    assert "jails that run: app" in out
    assert out.endswith("No problems.\n")
    assert main(["check", "-q", "-c", str(tree)]) == 0
    assert capsys.readouterr().out == ""


def test_progress_is_shown_on_a_terminal_only_and_wiped(
    tree: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["-c", str(tree), "check"])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    main(["-c", str(tree), "check"])
    shown = capsys.readouterr().err
    assert "\rfilters checked: 1 of " in shown
    assert shown.endswith("\r\x1b[K")
    main(["-q", "-c", str(tree), "check"])
    assert capsys.readouterr().err == ""


def test_what_was_found_is_kept_and_proven_anew_when_asked(
    tree: Path, verdicts: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tree / "jail.local").write_text("[app]\nfailregex = ^login of .*? from <HOST>(?:, .*)?$\n")
    main(["check", "-c", str(tree)])
    proven = capsys.readouterr().out
    assert "chooses who is banned" in proven
    (file,) = verdicts.iterdir()
    whole = file.read_text()
    file.write_text(whole.replace("chooses who is banned", "is known from before"))
    main(["check", "-c", str(tree)])
    assert "is known from before" in capsys.readouterr().out
    main(["check", "--no-cache", "-c", str(tree)])
    assert capsys.readouterr().out == proven
    assert file.read_text() == whole
    main(["check", "--state", str(tmp_path / "state"), "-c", str(tree)])
    assert capsys.readouterr().out == proven
    assert [each.name for each in (tmp_path / "state" / "verdicts").iterdir()] == [file.name]


def test_warnings_are_shown_and_are_0(tree: Path, capsys: Captured) -> None:
    (tree / "jail.local").write_text("[app]\nmaxretires = 4\n")
    assert main(["check", "-c", str(tree)]) == 0
    out = capsys.readouterr().out
    assert f"{tree}/jail.local:2: maxretires: " in out
    assert "(warning)\n" in out
    assert 'did you mean "maxretry"?' in out
    assert "0 errors, 1 warning" in out


def test_every_problem_is_shown_with_place_option_and_cure_and_is_1(
    tree: Path, capsys: Captured
) -> None:
    (tree / "jail.local").write_text(
        "[app]\nfindtime = 10 minuets\n"
        "[web]\nenabled = true\nfailregex = ^(x <HOST>\n  ^y <HOST>)\n"
    )
    assert main(["check", "-c", str(tree)]) == 1
    out = capsys.readouterr().out
    assert f'{tree}/jail.local:2: findtime: "10 minuets" is not a duration' in out
    assert f"{tree}/jail.local:5: failregex: " in out
    assert f"{tree}/jail.local:6: failregex: " in out
    assert "10m counts instead" in out
    assert "jails that run: app\n" in out
    assert main(["check", "--json", "-c", str(tree)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["clean"] is False
    assert document["jails"] == ["app"]
    assert document["problems"][0]["file"] == f"{tree}/jail.local"
    assert document["problems"][0]["line"] == 2
    assert document["problems"][0]["option"] == "findtime"
    assert document["problems"][0]["severity"] == "error"


def test_what_stops_several_jails_is_shown_once(tree: Path, capsys: Captured) -> None:
    (tree / "jail.local").write_text("[DEFAULT]\nfindtime = x\n[web]\nenabled = true\n")
    assert main(["check", "-c", str(tree)]) == 1
    assert capsys.readouterr().out.count("jail.local:2: findtime:") == 1


def test_a_directory_that_is_not_there_is_wrong_usage(tmp_path: Path, capsys: Captured) -> None:
    assert main(["check", "-c", str(tmp_path / "no")]) == 2
    assert capsys.readouterr().err.startswith(f"banish: {tmp_path}/no: ")


def test_a_jails_options_are_shown_with_their_places(tree: Path, capsys: Captured) -> None:
    (tree / "jail.local").write_text("[web]\nmaxretry = 7\n")
    assert main(["config", "web", "-c", str(tree)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["maxretry", f"{tree}/jail.local:2", "7"] in rows
    assert ["findtime", f"{tree}/jail.conf:4", "10m"] in rows
    assert main(["config", "web", "--json", "-c", str(tree)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["jail"] == "web"
    shown = {each["option"]: each for each in document["options"]}
    assert shown["maxretry"] == {
        "option": "maxretry",
        "value": "7",
        "effective": "7",
        "file": f"{tree}/jail.local",
        "line": 2,
    }


def test_what_counts_instead_of_a_wrong_value_is_shown_beside_it(
    tree: Path, capsys: Captured
) -> None:
    (tree / "jail.local").write_text('[app]\nbantime = 600x\nmaxretry = "7"\n')
    (tree / "banish.conf").write_text("[Definition]\ndbpurgeage = soon\n")
    assert main(["config", "app", "-c", str(tree)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    at = next(number for number, line in enumerate(lines) if line[:1] == ["bantime"])
    assert lines[at][-1] == "600x"
    assert lines[at + 1] == ["in", "effect", "instead:", "10m"]
    at = next(number for number, line in enumerate(lines) if line[:1] == ["maxretry"])
    assert lines[at + 1] == ["in", "effect", "instead:", "7"]
    assert main(["config", "app", "--json", "-c", str(tree)]) == 0
    shown = {each["option"]: each for each in json.loads(capsys.readouterr().out)["options"]}
    assert (shown["bantime"]["value"], shown["bantime"]["effective"]) == ("600x", "10m")
    assert main(["config", "--json", "-c", str(tree)]) == 0
    shown = {each["option"]: each for each in json.loads(capsys.readouterr().out)["options"]}
    assert shown["dbpurgeage"]["effective"] == "86400"


def test_a_value_of_several_lines_keeps_them(tree: Path, capsys: Captured) -> None:
    (tree / "jail.local").write_text("[app]\nfailregex = ^a <HOST>\n  ^b <HOST>\n")
    assert main(["config", "app", "-c", str(tree)]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("failregex"))
    assert lines[at].split()[2:4] == ["^a", "<HOST>"]
    assert lines[at + 1].split() == ["^b", "<HOST>"]


def test_the_servers_options_and_the_jails_that_run_are_shown(tree: Path, capsys: Captured) -> None:
    (tree / "banish.conf").write_text("[Definition]\nloglevel = DEBUG\n")
    assert main(["config", "-c", str(tree)]) == 0
    out = capsys.readouterr().out
    assert ["loglevel", f"{tree}/banish.conf:2", "DEBUG"] in [
        line.split() for line in out.splitlines()
    ]
    assert out.endswith("jails that run: app\n")
    assert main(["config", "--json", "-c", str(tree)]) == 0
    assert json.loads(capsys.readouterr().out)["jails"] == ["app"]


def test_a_jail_that_is_not_there_is_wrong_usage(tree: Path, capsys: Captured) -> None:
    assert main(["config", "wep", "-c", str(tree)]) == 2
    assert 'did you mean "web"?' in capsys.readouterr().err


def test_the_socket_is_where_the_configuration_says(
    tree: Path, tmp_path: Path, capsys: Captured
) -> None:
    (tree / "banish.conf").write_text(f"[Definition]\nsocket = {tmp_path}/my.sock\n")
    assert main(["status", "-c", str(tree)]) == 1
    assert f"no server answers at {tmp_path}/my.sock" in capsys.readouterr().err
