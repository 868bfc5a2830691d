"""The shell's completion knows every verb and flag that the program knows."""

import argparse
import subprocess
from pathlib import Path

import pytest

from banish.cli.dispatch import VERBS, build_parser

SCRIPT = Path(__file__).parents[2] / "share" / "completions" / "banish.bash"


def completed(*words: str) -> set[str]:
    """Return what bash offers for the last of *words*."""
    program = (
        f'source "{SCRIPT}"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _banish; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", program, "bash", *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_every_verb_is_offered() -> None:
    assert set(VERBS) <= completed("banish", "")
    assert completed("banish", "-c", "/etc", "sta") == {"status"}


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_flag_of_a_verb_is_offered(verb: str) -> None:
    parser = build_parser([verb])
    [verbs] = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    flags = {flag for action in verbs.choices[verb]._actions for flag in action.option_strings}
    assert completed("banish", verb, "-") == flags
