"""A value is text, or a harmless word, in every command that would read it as more."""

import re
import shutil
from pathlib import Path

import pytest

from banish.shell.fitting import FittedValue
from banish.shell.script import Filled, Script
from tests.shell.dangers import IN_BASH, IN_EVERY_SHELL
from tests.shell.programs_that_read import BY_PROGRAMS
from tests.shell.test_hostile import folder, run

pytestmark = pytest.mark.slow

__all__ = ["folder"]

BASH = shutil.which("bash") or "/bin/bash"
CASES = [("/bin/sh", text) for text in IN_EVERY_SHELL] + [(BASH, text) for text in IN_BASH]
VALUES = ("touch canary", "a[$(touch canary)]", "plant", "x\ntouch canary\nx", "'; touch canary; '")


@pytest.mark.parametrize(("shell", "command"), CASES)
def test_no_command_runs_a_value(folder: Path, shell: str, command: str) -> None:
    shutil.copy(folder / "bin" / "plant", folder / "in" / "plant")
    for value in VALUES:
        filled = Script(command).fill({"F-X": FittedValue(value)})
        is_word = all(re.fullmatch(r"_[\w.@-]*", given) for _, given in filled.values)
        if value is VALUES[0] or not is_word:
            run(folder, filled, shell)


@pytest.mark.parametrize(("shell", "command"), CASES[:8] + CASES[-8:])
def test_these_commands_do_run_values_that_come_to_them_as_they_are(
    folder: Path, shell: str, command: str
) -> None:
    shutil.copy(folder / "bin" / "plant", folder / "in" / "plant")

    def run_all() -> None:
        for value in VALUES:
            run(folder, Script(command).fill({"F-X": FittedValue(value, is_ours=True)}), shell)

    with pytest.raises(AssertionError, match="canary"):
        run_all()


def test_nothing_that_a_shell_may_run_is_handed_over() -> None:
    for command in (*IN_EVERY_SHELL, *IN_BASH, *BY_PROGRAMS):
        script = Script(command)
        for value in ("touch canary", "$(touch canary)", ";touch canary;", "|touch canary"):
            filled = script.fill({"F-X": FittedValue(value)})
            assert filled.changed == ("F-X",), command  # an ignorecommand is not run then
            assert value not in dict(filled.values).values(), command


@pytest.mark.parametrize(
    "command", ['exit "<F-X>"', '[ "<F-X>" -gt 1024 ]', 'x="<F-X>"; echo $((x))']
)
def test_a_number_is_the_same_where_numbers_are_read(command: str) -> None:
    filled = Script(command).fill({"F-X": FittedValue("2222")})
    assert filled == Filled(filled.script, (("f2bV_F_X", "2222"),))


def test_only_a_value_that_begins_a_line_gets_a_letter_before_it_there() -> None:
    def given(command: str) -> str:
        return dict(Script(command).fill({"F-X": FittedValue("bob")}).values)["f2bV_F_X"]

    for command in ("printf %s <F-X>", 'x=<F-X>; echo "$x"', 'echo "$y<F-X>"', "echo -n <F-X>"):
        assert given(f"{command} | notify") == "_bob", command
    for command in ('printf "user %s" <F-X>', 'x=<F-X>; echo "user $x"', "echo Banned <F-X>"):
        assert given(f"{command} | notify") == "bob", command


@pytest.mark.parametrize(
    ("command", "value", "given"),
    [
        ('curl "https://192.0.2.1/?user=<F-X>&ip=<ip>"', "x&ip=1[0-9]", "x_ip_1_0-9_"),
        ('curl -s "<F-X>"', "file:///etc/shadow", "file:___etc_shadow"),
        ('mail -s x "<F-X>"', "/etc/cron.d/x", "_etc_cron.d_x"),
        ('mail -s "<F-X>" root', "a/b; c", "a/b; c"),
        ('mail -s x root < "<F-X>"', "/etc/shadow", "_etc_shadow"),
        ('cat "<F-X>"', "../../etc/shadow", "_._.._etc_shadow"),
        ('curl -F "file=@<F-X>" https://192.0.2.1/', "/etc/shadow", "_etc_shadow"),
        ('notify --attach "<F-X>"', "/etc/shadow", "_etc_shadow"),
        ('notify --text "<F-X>"', "a/b; c", "a/b; c"),
        ('git commit -qm "ban <F-X>"', "a/b; c", "a/b; c"),
    ],
)
def test_a_value_leads_to_no_page_and_file_of_its_choice(
    command: str, value: str, given: str
) -> None:
    filled = Script(command).fill(
        {"F-X": FittedValue(value), "ip": FittedValue("192.0.2.1", is_ours=True)}
    )
    assert dict(filled.values)["f2bV_F_X"] == given
