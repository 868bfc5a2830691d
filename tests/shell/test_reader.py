"""Where tags stand in a shell script, and that no value is ever run."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banish.shell.fitting import FittedValue
from banish.shell.judge import judge
from banish.shell.reader import Cut, cut
from banish.shell.script import Filled, Script
from banish.shell.slot import Context, Piece, Slot, ValueRule

EVIL = "a b'$(touch canary)`touch canary`\"; touch canary; \\ * | touch canary\ntouch canary\n#"


def contexts(script: str) -> list[str]:
    """Return what is around each <x> of *script*; ``!`` behind it where it is in a program."""
    return [
        piece.context.value + ("!" if ValueRule.PROGRAM in piece.rules else "")
        for piece in judged(script).pieces
        if isinstance(piece, Slot)
    ]


def judged(script: str) -> Cut:
    found = cut(script, "x".__eq__)
    judge([found])
    return found


def shown(piece: Piece) -> object:
    return (piece.tag, piece.context, piece.is_literal) if isinstance(piece, Slot) else piece


def ran(
    folder: Path, filled: Filled, shell: str = "/bin/sh"
) -> "subprocess.CompletedProcess[bytes]":
    """Run what a script was filled to, as actions are run."""
    return subprocess.run(
        [shell, "-c", filled.text, "sh"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=10,
        check=False,
        env={"PATH": "/usr/bin:/bin", **filled.environment},
    )


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo <x>", "bare"),
        ('echo "<x>"', "quoted"),
        ("echo '<x>'", "single"),
        ("echo a<x>b > <x>", "bare bare"),
        ("a=<x>; b=\"<x>\" c='<x>'", "bare quoted single"),
        ("echo $((<x> + 1)) <x>", "arithmetic bare"),
        ('echo "$(echo <x> "<x>") <x>"', "bare quoted quoted"),
        ('echo "`echo <x> "<x>"` <x>" <x>', "bare quoted quoted bare"),
        ('echo ${y:-<x>} "${y:-<x>}"', "bare quoted"),
        ("# don't\necho <x>", "bare"),
        ("echo a#'b' <x>", "bare"),
        ("echo \\' <x> \\\" <x>", "bare bare"),
        ('echo "\\" <x>" <x>', "quoted bare"),
        ("cat <<E\n'<x>\nE\necho <x>", "quoted bare"),
        ("cat <<-E <<'F'\n\t<x>'\n\tE\n<x>'\nF\necho '<x>'", "quoted quoted single"),
        ("cat <<E | sort\n\"<x>\nE\necho '<x>'", "quoted single"),
        ("cat <<< '<x>' <x>", "single bare"),
        ("( echo <x> ) > '<x>'", "bare single"),
        ("[ '<x>' = 1 ] && echo <x>", "single bare"),
        ("awk '{print \"<x>\"}' f; echo <x>", "single! bare"),
        ('/usr/bin/perl -e "f(<x>)" <x>', "quoted! bare!"),
        ('sudo -u y bash -c "echo <x>" && echo "<x>"', "quoted! quoted"),
        ('ssh h "$(echo <x>)"', "bare!"),
        ('echo "<x>" | sh', "quoted!"),
        ('echo "<x>" | sed s/a/b/ | cat', "quoted"),
        ('( echo "<x>"; echo ) | mysql db; echo <x>', "quoted! bare"),
        ('echo "<x>" || sh', "quoted"),
        ("echo '<x>", "single"),
        ("echo `<x>", "bare!"),
        ('echo `echo "<x>` <x>', "quoted bare"),
        ("<x> a; <x>", "bare! bare!"),
        ('if "<x>"; then ${y:-<x>}; $(echo <x>) <x>; fi', "quoted! bare! bare! bare!"),
        ("y=1 <x>", "bare!"),
        ("cat <<E | sh\n<x>\nE\n", "quoted!"),
        ("python3 - <<E\n<x>\nE\ncat <<E\n<x>\nE", "quoted! quoted"),
        ("<y> < x > <xx>", ""),
    ],
)
def test_the_surroundings_of_a_tag_are_known(script: str, expected: str) -> None:
    assert contexts(script) == expected.split()


@pytest.mark.parametrize(
    "script",
    ["echo a", "cat <<'a b'\n$x\na b\n", "case x in (a) b;; esac", "echo ')' ) `", "", "\\"],
)
def test_a_script_without_tags_stays_as_it_is(script: str) -> None:
    assert "".join(str(piece) for piece in judged(script).pieces) == script


def test_a_quoted_here_document_says_the_same_with_its_quotes_off() -> None:
    script = "cat <<'E'\n$HOME `id` \\n \\\\ <x>\nE\n"
    assert [shown(piece) for piece in judged(script).pieces] == [
        "cat <<E\n\\$HOME \\`id\\` \\\\n \\\\\\\\ ",
        ("x", Context.QUOTED, True),
        "\nE\n",
    ]


def said(folder: Path, script: str, **values: str) -> str:
    """Run *script* with <F-X> and its like filled in, and return what it writes."""
    filled = Script(script).fill(
        {f"F-{tag.upper()}": FittedValue(text) for tag, text in values.items()}
    )
    assert not any("canary" in filled.script for text in values.values() if "canary" in text)
    done = ran(folder, filled)
    assert not (folder / "canary").exists()
    return done.stdout.decode()


@pytest.mark.parametrize(
    "script",
    [
        "printf %s <F-X>",
        'printf %s "<F-X>"',
        'x="<F-X>"; printf %s "$x"',
        'x=<F-X>; printf %s "$x"',
        'printf %s "$(printf %s "<F-X>")"',
        'printf %s "`printf %s "<F-X>"`"',
        'for x in <F-X>; do printf %s "$x"; done',
        "cat <<E\n<F-X>\nE",
        "case <F-X> in <F-X>) printf %s <F-X>;; esac",
    ],
)
def test_a_hostile_value_arrives_whole_and_as_one_word(tmp_path: Path, script: str) -> None:
    assert said(tmp_path, script, x=EVIL).rstrip("\n") == EVIL.rstrip("\n")


def test_where_the_author_wants_it_literal_a_value_loses_what_might_mean_something(
    tmp_path: Path,
) -> None:
    text = "bob's; {x} 1.2"
    assert (
        said(tmp_path, """printf %s '{"user": "<F-X>"}'""", x=text) == '{"user": "bob_s_ _x_ 1.2"}'
    )
    assert said(tmp_path, "awk 'BEGIN {print \"<F-X>\"}'", x=text) == "bob_s___x__1_2\n"
    assert said(tmp_path, "cat <<'E'\n$x <F-X>\nE", x=text) == "$x bob_s_ _x_ 1.2\n"
    assert said(tmp_path, "echo $((<F-X> + 1)) $((<F-Y> + 1))", x=text, y="41") == "1 42\n"


def test_no_value_is_taken_for_the_name_of_a_command(tmp_path: Path) -> None:
    (tmp_path / "reboot").write_text("#!/bin/sh\necho rebooting\n")
    (tmp_path / "reboot").chmod(0o755)
    for script in ("<F-X>", '"<F-X>"', 'sh -c "<F-X>"', "eval '<F-X>'", "echo <F-X> | sh",
                   "`echo <F-X>`", 'if <F-X>; then "<F-X>"; fi', "sh <<E\n<F-X>\nE\n",
                   "${y:-<F-X>}", "sh -c 'true;  <F-X>'"):  # fmt: skip
        assert said(tmp_path, f"PATH=$PATH:.; {script}", x="reboot") == "", script


def test_an_empty_value_is_no_word_unless_it_is_quoted(tmp_path: Path) -> None:
    script = "set -- <F-X> \"<F-X>\" '<F-X>' x<F-X>; echo $#"
    assert said(tmp_path, script, x="") == "3\n"


CONTEXTS = st.sampled_from(
    [
        "<F-X>", '"<F-X>"', "'<F-X>'", "`echo <F-X>`", "$(echo <F-X>)", '"$(echo "<F-X>")"',
        "${y:-<F-X>}", '"${y:-<F-X>}"', "\\<F-X>", '"\\<F-X>"', "$((<F-X>))", "\n", ";", "|cat",
        "'", '"', "`", "(", ")", "{", "}", "$", "\\", "#", "\ncat <<E\n<F-X>\nE\n",
        "\ncat <<'E'\n<F-X>\nE\n", "\nsh <<E\n<F-X>\nE\n", " eval ", " sh -c ", " awk ",
        " | sh ", "&&", "case y in <F-X>) echo;; esac", "echo", " ", "=", "$'", "<", ">", " if ",
    ]
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(pieces=st.lists(CONTEXTS, min_size=1, max_size=8), evil=st.sampled_from([
    EVIL, "$(touch canary)", "`touch canary`", "touch canary", ";touch canary;", "\ntouch canary\n",
    "'touch canary'", '";touch canary;"', "a[$(touch canary)]", "system(\"touch canary\")",
]))  # fmt: skip
def test_whatever_the_script_looks_like_no_value_is_run(
    tmp_path: Path, pieces: list[str], evil: str
) -> None:
    script = "".join(pieces)
    filled = Script(f"set -f; {script}").fill({"F-X": FittedValue(evil)})
    assert "canary" not in filled.script
    ran(tmp_path, filled)
    assert not (tmp_path / "canary").exists(), filled.script
