"""What a command of an action file comes to, and how values get into it."""

import pytest

from banish.errors import ActionError
from banish.shell.fitting import VALUE_LIMIT_BYTES, FittedValue
from banish.shell.script import Filled, Script
from banish.shell.template import SCRIPT_LIMIT_CHARACTERS, ActionTemplate


def text(properties: dict[str, str], family: str = "") -> str:
    return ActionTemplate(properties).script("actionban", family).text


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"actionban": "ban <name> <ip>", "name": "ssh"}, "ban ssh <ip>"),
        ({"actionban": "<a>", "a": "<b>x", "b": "<c>", "c": "y"}, "yx"),
        ({"actionban": "<rule-<type>>", "type": "all", "rule-all": "-j X"}, "-j X"),
        ({"actionban": "a<br>b<sp>c"}, "a\nb c"),
        ({"actionban": "cat <file> < in", "file": "x"}, "cat x < in"),
        ({"actionban": "<matches>", "matches": "static"}, "<matches>"),
        ({"actionban": "<unknown>"}, "<unknown>"),
        ({}, ""),
    ],
)
def test_parameters_are_put_into_a_command(properties: dict[str, str], expected: str) -> None:
    assert text(properties) == expected


def test_a_family_has_options_of_its_own() -> None:
    properties = {
        "actionban": "<table> <set>",
        "table": "iptables",
        "table?family=inet6": "ip6tables",
        "set": "s",
        "set?family=inet6": "<set>6",
        "set?family=inet4": "",
    }
    template = ActionTemplate(properties)
    assert template.is_conditional
    assert template.script("actionban").text == "iptables s"
    assert template.script("actionban", "inet4").text == "iptables "
    with pytest.raises(ActionError, match="refer to themselves"):
        template.script("actionban", "inet6")
    assert not ActionTemplate({"actionban": "x"}).is_conditional


@pytest.mark.parametrize(
    "properties",
    [
        {"actionban": "<actionban>x"},
        {"actionban": "<a>", "a": "<b>", "b": "x<a>"},
        {"actionban": "<a><a>", "a": "x" * SCRIPT_LIMIT_CHARACTERS},
    ],
)
def test_a_command_without_end_is_refused_with_a_cure(properties: dict[str, str]) -> None:
    with pytest.raises(ActionError) as refused:
        text(properties)
    assert refused.value.cure


def test_a_value_is_an_argument_and_never_text() -> None:
    filled = Script("ban <ip> for <F-USER> '<F-USER>'").fill(
        {"ip": FittedValue("192.0.2.1", is_ours=True), "F-USER": FittedValue("o'x; id")}
    )
    assert filled == Filled(
        'ban "${f2bV_ip}" for "${f2bV_F_USER}" \'\'"${f2bV_F_USER_2}"\'\'',
        (("f2bV_ip", "192.0.2.1"), ("f2bV_F_USER", "o'x; id"), ("f2bV_F_USER_2", "o_x_ id")),
        ("F-USER",),
    )
    assert filled.text == (
        "f2bV_ip=${f2bV_ip_} f2bV_F_USER=${f2bV_F_USER_} f2bV_F_USER_2=${f2bV_F_USER_2_}; "
        f"unset f2bV_ip_ f2bV_F_USER_ f2bV_F_USER_2_\n{filled.script}"
    )
    assert filled.environment["f2bV_F_USER_"] == "o'x; id"


def test_a_tag_without_a_value_is_empty() -> None:
    assert Script('a <F-USER> "<ip>"').fill({}) == Filled('a  ""')


def test_a_script_knows_which_values_it_needs() -> None:
    assert Script("<ip> <F-A-B> <name> <f-lower> <matches>").tags == {"ip", "F-A-B", "matches"}
    assert Script(" \n").is_blank


def test_a_long_value_keeps_its_end_and_no_value_holds_a_zero_byte() -> None:
    long = "a\n" + "é" * VALUE_LIMIT_BYTES + "\udc80 end\0"
    ((_, value),) = Script("echo <matches>").fill({"matches": FittedValue(long)}).values
    assert len(value.encode("utf-8", "surrogateescape")) <= VALUE_LIMIT_BYTES
    assert value.endswith("é\udc80 end")


def test_a_number_is_one_in_arithmetic() -> None:
    script = Script("echo $((<failures> + <F-X>))")
    filled = script.fill(
        {"failures": FittedValue("3", is_ours=True), "F-X": FittedValue("a[$(id)]")}
    )
    assert [value for _, value in filled.values] == ["3", "0"]
    assert filled.changed == ("F-X",)


def test_half_a_character_that_no_file_can_hold_becomes_a_question_mark() -> None:
    assert Script("echo <matches>").fill({"matches": FittedValue("a\ud800")}).environment == {
        "f2bV_matches_": "a?"
    }


def test_what_one_command_of_an_action_writes_and_another_runs_is_a_harmless_word() -> None:
    template = ActionTemplate(
        {
            "actionban": 'echo "<F-USER>" >> /var/lib/banish/list; echo <F-USER> >/tmp/seen',
            "actionunban": "sh /var/lib/banish/list; cat /tmp/seen",
            "actionstop": "x<actionstop>",
        }
    )
    filled = template.script("actionban").fill({"F-USER": FittedValue("touch canary")})
    assert [value for _, value in filled.values] == ["_touch_canary", "touch canary"]
    with pytest.raises(ActionError):
        template.script("actionstop")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/var/log/bans.log", "a b: 'c'; (d)"),
        ('"$(mktemp)"', "a b: 'c'; (d)"),
        ("/etc/nginx/blocked.map", "a b: _c__ _d_"),
        ("/etc/hosts.deny", "_a_b___c____d_"),
        ("/etc/cron.d/bans", "_a_b___c____d_"),
    ],
)
def test_a_file_that_is_no_text_holds_nothing_that_means_something(
    target: str, expected: str
) -> None:
    filled = Script(f'echo "ALL <F-USER>" >> {target}').fill(
        {"F-USER": FittedValue("a b: 'c'; (d)")}
    )
    assert [value for _, value in filled.values] == [expected]
