"""Which program a command line means, and how its errors end."""

import subprocess
import sys
from pathlib import Path

import pytest

from banish.cli import main
from banish.cli.fail2ban.programs import PROGRAMS, program_meant

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_a_link_of_its_name_is_the_program(name: str) -> None:
    assert program_meant(f"/usr/local/bin/{name}", ["-V"]) == (name, ["-V"])


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_its_name_as_the_verb_is_the_program(name: str) -> None:
    assert program_meant("/usr/bin/banish", [name, "-V"]) == (name, ["-V"])


def test_the_configuration_may_stand_before_the_name() -> None:
    words = ["-c", "etc", "fail2ban-client", "-d"]
    assert program_meant("banish", words) == ("fail2ban-client", ["-c", "etc", "-d"])


@pytest.mark.parametrize(
    "words",
    [[], ["status"], ["match", "fail2ban-regex"], ["-c"], ["-c", "fail2ban-client"], ["-v", "x"]],
)
def test_anything_else_is_a_verb_of_our_own(words: list[str]) -> None:
    assert program_meant("/usr/bin/banish", words) is None
    assert program_meant("fail2ban-clients", words) is None


def test_a_link_answers_as_fail2ban_does(tmp_path: Path) -> None:
    script = tmp_path / "fail2ban-client"
    script.write_text(
        f"#!{sys.executable}\nfrom banish.cli import main\nraise SystemExit(main())\n"
    )
    script.chmod(0o755)
    done = subprocess.run(
        [script, "--str2sec", "1d12h"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.returncode) == ("129600\n", 0)


def test_an_error_is_told_on_the_output_and_ends_with_255(tmp_path: Path, capsys: Captured) -> None:
    assert main(["fail2ban-client", "-c", str(tmp_path / "none"), "-d"]) == 255
    assert capsys.readouterr().out.startswith("ERROR: ")


def test_the_help_of_banish_names_the_programs(capsys: Captured) -> None:
    assert main(["--help"]) == 0
    out = " ".join(capsys.readouterr().out.split()).replace("- ", "-")
    assert all(name in out for name in PROGRAMS)


@pytest.mark.parametrize("name", list(PROGRAMS))
def test_every_program_has_help_with_an_example(name: str, capsys: Captured) -> None:
    assert main([name, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: {name} [OPTIONS]")
    assert f"example: {name} " in out
