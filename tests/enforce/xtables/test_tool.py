"""How the host's programs are run, and in which words they fail."""

import os
import stat
from pathlib import Path

import pytest

from banish.enforce.xtables.tool import run_program
from banish.errors import EnforceError
from banish.model.instant import Seconds


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def write(programs: Path, name: str, script: str) -> None:
    path = programs / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_words_and_text_arrive_as_they_are(programs: Path) -> None:
    write(programs, "firewall", 'printf "%s|" "$@"; cat; printf "%s" "$LC_ALL"')
    assert run_program(["firewall", "a b", "$(id)"], "in\n") == "a b|$(id)|in\nC"


@pytest.mark.parametrize(
    ("said", "cure", "retry"),
    [
        ("Fatal: can't open: Permission denied (you must be root)", "CAP_NET_ADMIN", False),
        ("Can't open socket to ipset.", "CAP_NET_RAW", False),
        ("Fatal: can't open lock file /run/xtables.lock: Permission denied", "/run", False),
        ("Another app is currently holding the xtables lock", "tried again", True),
        ("can't initialize ip6tables table `filter'", "modprobe", False),
        ("Couldn't load match `set'", "xt_set", False),
        ("Hash is full, cannot add more elements", "no room", True),
        ("line 2 failed", "", True),
    ],
)
def test_what_a_program_says_when_it_fails_comes_with_the_cure(
    programs: Path, said: str, cure: str, retry: bool
) -> None:
    write(programs, "firewall", f'echo "{said.replace("`", "")}" >&2; exit 4')
    with pytest.raises(EnforceError) as caught:
        run_program(["firewall"])
    assert caught.value.what == f"firewall: {said.replace('`', '')}"
    assert (cure in caught.value.cure, caught.value.retry) == (True, retry)


def test_a_program_that_fails_without_a_word_is_told_by_its_code(programs: Path) -> None:
    write(programs, "firewall", "exit 3")
    with pytest.raises(EnforceError, match="firewall: exit code 3"):
        run_program(["firewall"])


def test_much_that_is_written_is_cut(programs: Path) -> None:
    write(programs, "firewall", "head -c 100000 /dev/zero | tr '\\\\0' x >&2; exit 1")
    with pytest.raises(EnforceError) as caught:
        run_program(["firewall"])
    assert len(caught.value.what) < 400


def test_a_program_that_is_not_there_is_named_with_its_package() -> None:
    with pytest.raises(EnforceError, match="no-such-program is not installed") as caught:
        run_program(["no-such-program"])
    assert not caught.value.retry
    assert "firewall = nftables" in caught.value.cure


def test_a_file_that_is_no_program_is_told(programs: Path) -> None:
    (programs / "firewall").write_text("not a program")
    (programs / "firewall").chmod(0o755)
    with pytest.raises(EnforceError, match="firewall cannot be run"):
        run_program(["firewall"])


def test_a_program_that_hangs_is_ended(programs: Path) -> None:
    write(programs, "firewall", "exec sleep 60")
    with pytest.raises(EnforceError, match=r"took longer than 0\.1 s"):
        run_program(["firewall"], limit=Seconds(0.1))
