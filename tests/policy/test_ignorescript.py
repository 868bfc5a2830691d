import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from banish.policy.ignorescript import IgnoreScript, is_harmless

EVIL = [
    "$(echo owned)", "`echo owned`", "; echo owned;", "' ; echo owned ; '", '" ; echo owned ; "',
    "a\necho owned\n", "x && echo owned", "*", "$HOME", "\\", "' $(echo owned) '", "${IFS}", "a b",
    "()", "a[$(echo owned)]", "'\"'$(echo owned)'\"'", "", "\N{SNOWMAN}", "\x1b[2J",
    "> /dev/stdout",
]  # fmt: skip


SHELLS = ["/bin/sh", *filter(None, map(shutil.which, ["bash", "ksh"]))]


def run(script: IgnoreScript, *, shell: str = "/bin/sh", **values: str) -> str:
    named = {name.replace("_", "-"): value for name, value in values.items()}
    done = subprocess.run(
        [shell, "-c", script.text, "sh", *script.arguments(named)],
        capture_output=True,
        check=True,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert not done.stderr, done.stderr
    return done.stdout.decode()


BARE = "printf '<%s>' a <F-USER> b"
DOUBLE = "printf '<%s>' a \"<F-USER>\" b"


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("value", EVIL)
@pytest.mark.parametrize(
    "command",
    [
        BARE,
        DOUBLE,
        "printf '<%s>' a \"$(printf %s. <F-USER>)\" b",
        'printf \'<%s>\' a "$(printf %s. "<F-USER>")" b',
        "printf '<%s>' a \"${none:-<F-USER>}\" b",
        'printf \'<%s>\' a "${x#\\"}<F-USER>" b',
        "x=<F-USER>; printf '<%s>' a \"$x\" b",
        "case <F-USER> in *) printf '<%s>' a <F-USER> b ;; esac",
        "# it's <F-USER> \"\nprintf '<%s>' a <F-USER> b",
        "true 'it'\\''s' \\\"; printf '<%s>' a <F-USER> b",
        "(printf '<%s>' a; (printf '<%s>' <F-USER>) ); printf '<%s>' b",
    ],
)
def test_a_value_is_one_word_and_never_code(command: str, value: str, shell: str) -> None:
    told = run(IgnoreScript(command), shell=shell, F_USER=value)
    arrived = f"{value}." if "%s." in command else value
    assert told == f"<a><{arrived}><b>"


@pytest.mark.parametrize("value", EVIL)
def test_in_backquotes_a_value_is_no_code_either(value: str) -> None:
    told = run(IgnoreScript("printf '<%s>' a \"`printf %s. <F-USER>`\" b"), F_USER=value)
    assert told == f"<a><{value}.><b>"


@pytest.mark.parametrize(
    "command",
    [
        "grep -q '<F-USER>' /list",
        "sh -c 'check <F-USER>'",
        'sh -c "check <F-USER>"',
        "/bin/bash -ec check\\ <F-USER>",
        'eval "check <F-USER>"',
        "ssh host check <F-USER>",
        "python3 -c \"print('<F-USER>')\"",
        "echo $((<F-USER> + 1))",
        "cat <<END\n<F-USER>\nEND",
        "sed s/<F-USER>//",
    ],
)
def test_where_a_value_would_be_parsed_again_only_a_harmless_one_passes(command: str) -> None:
    script = IgnoreScript(command)
    assert script.restricted == ("F-USER",)
    for value in EVIL:
        if value:
            with pytest.raises(ValueError, match="F-USER"):
                script.arguments({"F-USER": value})
    assert script.arguments({"F-USER": "alice"}) == ["alice"]


def test_a_harmless_value_arrives_in_single_quotes_and_what_is_parsed_again() -> None:
    assert run(IgnoreScript("printf %s 'x <ip> y'"), ip="192.0.2.1") == "x 192.0.2.1 y"
    assert run(IgnoreScript("printf %s '<ip>'"), ip="2001:db8::1") == "2001:db8::1"
    assert run(IgnoreScript("sh -c 'printf %s <ip>'"), ip="192.0.2.1") == "192.0.2.1"
    assert run(IgnoreScript("printf %s $((<failures> + 1))"), failures="4") == "5"
    assert run(IgnoreScript("cat <<E\n<ip>\nE"), ip="192.0.2.1") == "192.0.2.1\n"
    nested = 'printf %s "$(printf %s "$((<failures> * 2))")<ip>"'
    assert run(IgnoreScript(nested), failures="4", ip="::1") == "8::1"


def test_every_tag_is_handed_over_once_in_the_order_it_first_stands() -> None:
    script = IgnoreScript("x <ip> <F-USER> <ip> <ip-host> <jail.name> <ipmatches>")
    assert script.tags == ("ip", "F-USER", "ip-host", "jail.name", "ipmatches")
    assert script.arguments({"ip": "a\0b"}) == ["a\N{REPLACEMENT CHARACTER}b", "", "", "", ""]
    assert script.text.startswith("f2bV_ip=${1}; f2bV_F_USER=${2}; ")


def test_more_than_nine_values_arrive() -> None:
    tags = [f"F-T{n}" for n in range(12)]
    script = IgnoreScript("printf '%s ' " + " ".join(f"<{tag}>" for tag in tags))
    values = {tag: f"v{n}" for n, tag in enumerate(tags)}
    done = subprocess.run(
        ["/bin/sh", "-c", script.text, "sh", *script.arguments(values)],
        capture_output=True, check=True, text=True,
    )  # fmt: skip
    assert done.stdout.split() == list(values.values())


@pytest.mark.parametrize(
    "command",
    ["check", "check </etc/list >/dev/null", "check <unknown>", "echo \\<ip>", "a <list b>c", ""],
)
def test_what_is_no_tag_stays_as_it_is(command: str) -> None:
    script = IgnoreScript(command)
    assert (script.text, script.arguments({})) == (command, [])


def test_tags_for_blank_and_line_end_are_these() -> None:
    assert IgnoreScript("a<sp>b<br>c").text == "a b\nc"


@pytest.mark.parametrize(
    "command", ["a 'open <ip>", 'a "open <ip>', "a `open <ip>", "a $(<ip>", "\\"]
)
def test_a_script_that_never_closes_its_quotes_is_taken_too(command: str) -> None:
    assert len(IgnoreScript(command).text) >= len(command)


def test_a_comment_lasts_to_its_line_end_and_its_quotes_open_nothing() -> None:
    assert IgnoreScript("a # don't <ip>").tags == ()
    assert IgnoreScript("a b#c'<ip>'").restricted == ("ip",)


def test_harmless_is_what_no_shell_looks_at_twice() -> None:
    assert all(is_harmless(text) for text in ("192.0.2.0/24", "2001:db8::1", "bob_1", "a@b.c", ""))
    assert not any(is_harmless(text) for text in ("-x", "a b", "a=b", "~", "a\n", "\u0661", "a;b"))


text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@settings(max_examples=60, deadline=None)
@given(text)
@example("$(echo owned)")
def test_whatever_a_value_holds_it_arrives_unchanged(value: str) -> None:
    command = "printf '%s\\n%s.' <F-USER> \"<F-USER>\""
    script = IgnoreScript(command)
    done = subprocess.run(
        ["/bin/sh", "-c", script.text, "sh", *script.arguments({"F-USER": value})],
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{value}\n{value}.".encode()


def test_backquotes_close_over_quotes_left_open_in_them() -> None:
    assert IgnoreScript('x `a "b` <ip>').text.endswith('x `a "b` "${f2bV_ip}"')
