"""Commands whose programs cannot be run."""

from pathlib import Path

import pytest

from banish.config import load
from banish.config.absentprograms import COMMAND_LIMIT_CHARACTERS, absent_programs
from banish.config.text import single
from banish.model.settings import Place
from tests.config.tree import WriteTree

HERE = Place("jail.local", 3)


def says(command: str) -> list[str]:
    return [fault.what for fault in absent_programs(single(command, HERE))]


def test_a_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    assert says(f"{tmp_path}/nope <ip>") == [f"{tmp_path}/nope does not exist"]
    assert says(f"{plain} <ip>") == [f"{plain} is not executable"]
    assert says(f"sh {plain} <ip>") == []
    assert says(f"{tmp_path} <ip>") == [f"{tmp_path} is a folder"]
    assert says(f"{plain}/x <ip>") == [f"{plain}/x does not exist"]
    assert says("no-such-program <ip>") == ["no-such-program is in none of the folders of programs"]
    plain.chmod(0o755)
    assert says(f"{plain} <ip>") == []
    assert says("test <ip> = 1") == []


def test_a_command_that_looks_for_its_program_by_itself_is_left_alone(tmp_path: Path) -> None:
    assert says(f"[ ! -x {tmp_path}/a ] || {tmp_path}/a <ip>") == []
    assert says("x" * COMMAND_LIMIT_CHARACTERS + "y") == []


@pytest.fixture
def root(write_tree: WriteTree, tmp_path: Path) -> Path:
    (tmp_path / "a.log").write_text("")
    jail = f"[web]\nenabled = true\nlogpath = {tmp_path}/a.log\nfilter =\nfailregex = ^no <HOST>$\n"
    jail += "ignorecommand = /no/such <ip>\naction = tell\n"
    return write_tree(
        {"jail.conf": jail, "action.d/tell.conf": "[Definition]\nactionban = /no/tell <ip>\n"}
    )


def test_an_ignorecommand_without_its_program_is_an_error_and_the_jail_runs(root: Path) -> None:
    settings = load(root, builtin=root)
    (problem,) = settings.errors
    assert problem.what == "/no/such does not exist: nobody is exempt by it"
    assert (problem.option, problem.place and problem.place.line) == ("ignorecommand", 6)
    assert [jail.name for jail in settings.jails] == ["web"]


def test_an_action_without_its_program_is_told_of_this_host(root: Path) -> None:
    settings = load(root, builtin=root, host=True)
    (problem,) = settings.host_problems
    assert problem.what == "tell: actionban: /no/tell does not exist"
    assert problem.severity == "warning"
