"""The commands that a configuration stands for, without Fail2Ban to compare with."""

import json
from pathlib import Path

import pytest

from banish.cli.fail2ban import stream
from banish.cli.fail2ban.stream import Command, read_stream

ACTION = """
[Definition]
actionstart = begin <name>
actionban = ban <ip> <how> <target> for <bantime>
actionstart_on_demand = no
norestored = Yes
[Init]
never = here
target = DROP
how = once
bantime = 600
[Init?family=inet6]
target = DROP6
"""


def commands_of(tree: Path, jail: str, *, jail_local: str = "") -> list[Command]:
    (tree / "jail.local").write_text(jail_local)
    found = read_stream(tree).commands
    return [command for command in found if len(command) > 1 and command[1] == jail]


def test_a_jail_is_added_filled_and_started_in_this_order(tree: Path) -> None:
    commands = commands_of(tree, "app")
    assert [command[:3] for command in commands] == [
        ["add", "app", "polling"],
        ["set", "app", "addignoreregex"],
        ["set", "app", "addfailregex"],
        ["set", "app", "datepattern"],
        ["set", "app", "maxretry"],
        ["set", "app", "findtime"],
        ["set", "app", "bantime"],
        ["set", "app", "addignoreip"],
        ["start", "app"],
    ]


def test_a_value_stays_as_written_and_numbers_are_numbers(tree: Path) -> None:
    commands = commands_of(tree, "app")
    assert ["set", "app", "findtime", "10m"] in commands
    assert ["set", "app", "maxretry", 3] in commands
    assert ["set", "app", "addignoreip", "198.51.100.0/24"] in commands


def test_several_regexes_go_together(tree: Path) -> None:
    commands = commands_of(tree, "app", jail_local="[app]\nfilter = app[mode=extra]\n")
    (found,) = [command for command in commands if "addfailregex" in command]
    assert found[0] == "multi-set"
    assert found[3] == [
        r"^login failed for <F-USER>.*</F-USER> from <HOST>$",
        "^odd knock from <HOST>$",
    ]


def test_logs_that_are_there_come_with_where_to_begin(tree: Path, tmp_path: Path) -> None:
    for name in ("app.log", "web1.log"):
        (tmp_path / name).touch()
    local = f"[app]\nlogpath = {tmp_path}/app.log tail\n   {tmp_path}/web*.log\n   /none.log\n"
    commands = commands_of(tree, "app", jail_local=local)
    assert [command[3:] for command in commands if command[2:3] == ["addlogpath"]] == [
        [f"{tmp_path}/app.log", "tail"],
        [f"{tmp_path}/web1.log", "head"],
    ]


def test_the_properties_of_an_action_keep_what_is_known_at_a_ban_only(tree: Path) -> None:
    (tree / "action.d").mkdir()
    (tree / "action.d/tell.conf").write_text(ACTION)
    commands = commands_of(
        tree, "app", jail_local="[app]\naction = tell[how=<known/how> and quick]\n"
    )
    assert ["set", "app", "addaction", "tell"] in commands
    (found,) = [command for command in commands if command[0] == "multi-set"]
    assert found[2:4] == ["action", "tell"]
    assert found[4] == [
        ["actionstart", "begin app"],
        ["actionstart_on_demand", False],
        ["actionban", "ban <ip> once and quick <target> for <bantime>"],
        ["norestored", True],
        ["how", "<known/how> and quick"],
        ["name", "app"],
        ["actname", "tell"],
        ["never", "here"],
        ["target", "DROP"],
        ["bantime", "600"],
        ["target?family=inet6", "DROP6"],
    ]


def test_an_action_of_another_name_is_called_by_it(tree: Path) -> None:
    (tree / "action.d").mkdir()
    (tree / "action.d/tell.conf").write_text("[Definition]\nactionban = tell\n")
    text = "[app]\naction = tell[name=app-two]\n tell[name=other]\n tell[actname=mine]\n"
    commands = commands_of(tree, "app", jail_local=text)
    names = [command[3] for command in commands if command[2:3] == ["addaction"]]
    assert names == ["tell-two", "tell-other", "mine"]


def test_a_python_action_is_its_path_and_arguments(tree: Path) -> None:
    text = '[app]\naction = tell.py[to="a b", x=1]\n'
    commands = commands_of(tree, "app", jail_local=text)
    (found,) = [command for command in commands if command[2:3] == ["addaction"]]
    assert found[3:5] == ["tell", f"{tree}/action.d/tell.py"]
    assert json.loads(str(found[5])) == {"to": "a b", "x": "1"}


@pytest.mark.parametrize(
    "text",
    [
        "filter = none",
        "filter = app[",
        "action = none",
        "bantime = %(nothing)s",
        'journalmatch = _A="open',
    ],
)
def test_a_jail_in_error_is_left_out_and_told(tree: Path, text: str) -> None:
    (tree / "jail.local").write_text(f"[app]\n{text}\n[web]\nenabled = true\n")
    found = read_stream(tree)
    (error,) = [command for command in found.commands if command[0] == "config-error"]
    assert str(error[1]).startswith("Jail 'app' skipped, ")
    assert found.commands[-1] == ["start", "web"]
    assert found.is_usable


def test_a_number_that_is_none_is_sent_as_none(tree: Path) -> None:
    commands = commands_of(tree, "app", jail_local="[app]\nmaxretry = many\n")
    assert ["set", "app", "maxretry", None] in commands


def test_a_jail_of_the_journal_reads_no_files(tree: Path) -> None:
    text = "[app]\nbackend = systemd\njournalmatch = _A=1 + _B=2\n    _C=3\n"
    commands = commands_of(tree, "app", jail_local=text)
    assert commands[0] == ["add", "app", "systemd"]
    assert ["set", "app", "addjournalmatch", "_A=1", "+", "_B=2"] in commands
    assert ["set", "app", "addjournalmatch", "_C=3"] in commands
    assert not [command for command in commands if command[2:3] == ["addlogpath"]]
    assert read_stream(tree).warnings == []


@pytest.mark.parametrize("has_journal", [True, False])
def test_without_logs_the_journal_is_read_where_there_is_one(
    tree: Path, monkeypatch: pytest.MonkeyPatch, *, has_journal: bool
) -> None:
    monkeypatch.setattr(stream, "has_journal", lambda: has_journal)
    text = "[app]\nbackend = auto\njournalmatch = _A=1\n"
    commands = commands_of(tree, "app", jail_local=text)
    assert commands[0] == ["add", "app", "systemd" if has_journal else "auto"]
    text += "systemd_if_nologs = false\n"
    assert commands_of(tree, "app", jail_local=text)[0] == ["add", "app", "auto"]


def test_server_options_come_first_in_fail2bans_order(tree: Path) -> None:
    (tree / "fail2ban.conf").write_text(
        "[Definition]\ndbmaxmatches = 3\nloglevel = DEBUG\n[Thread]\nstacksize = 32\n"
    )
    assert read_stream(tree, {"logtarget": "STDOUT"}).commands[:8] == [
        ["set", "thread", {"stacksize": 32}],
        ["set", "syslogsocket", "auto"],
        ["set", "loglevel", "DEBUG"],
        ["set", "logtarget", "STDOUT"],
        ["set", "allowipv6", "auto"],
        ["set", "dbfile", "/var/lib/fail2ban/fail2ban.sqlite3"],
        ["set", "dbmaxmatches", 3],
        ["set", "dbpurgeage", "1d"],
    ]


def test_a_tree_without_jails_switched_on_is_usable(tree: Path) -> None:
    (tree / "jail.local").write_text("[app]\nenabled = false\n")
    found = read_stream(tree)
    assert found.is_usable
    assert all(command[0] == "set" for command in found.commands)


def test_the_built_in_tree_gives_commands() -> None:
    assert read_stream(None).is_usable
