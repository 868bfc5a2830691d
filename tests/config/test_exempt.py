"""Who is exempt is read as written; what exempts nobody is told."""

import os
from pathlib import Path

import pytest

from banish.config import builtin_tree
from banish.config.exempt import (
    ADDRESS_FILE_CHECK_BYTES,
    to_ignorecache,
    to_ignorecommand,
    to_ignoreip,
)
from banish.config.problem import FaultError, Problems
from banish.config.text import Text, single
from banish.model.instant import Seconds
from banish.model.settings import CacheRule, GuardSettings, Place
from tests.config.tree import WriteTree, read_web

HERE = Place("jail.local", 3)


def test_in_a_tree_that_is_not_ours_guard_exempts_nobody(write_tree: WriteTree) -> None:
    (jail,) = read_web(write_tree, "").jails
    assert jail.guard == GuardSettings()


def test_in_our_tree_guard_exempts_logins_gateways_and_resolvers(write_tree: WriteTree) -> None:
    found = read_web(write_tree, "", builtin=builtin_tree())
    (jail,) = (jail for jail in found.jails if jail.name == "web")
    assert jail.guard == GuardSettings(("gateways", "resolvers", "logins"), Seconds(3_600))


def test_every_option_is_read(write_tree: WriteTree) -> None:
    lines = "guard = logins, logins gateways\nguard.time = 2h\nguard.groups = sudo wheel\n"
    (jail,) = read_web(write_tree, lines).jails
    expected = GuardSettings(("logins", "gateways"), Seconds(7_200), ("sudo", "wheel"))
    assert jail.guard == expected


@pytest.mark.parametrize("word", ["none", "off", ""])
def test_one_option_turns_it_off(write_tree: WriteTree, word: str) -> None:
    (jail,) = read_web(write_tree, f"guard = {word}\n").jails
    assert jail.guard.exempts == ()


def test_a_word_that_is_none_of_them_is_told_with_its_cure(write_tree: WriteTree) -> None:
    settings = read_web(write_tree, "guard = login\n")
    (problem,) = settings.problems
    assert problem.option == "guard"
    assert set(settings.jails[0].guard.exempts) == {"gateways", "resolvers", "logins"}
    assert "logins" in problem.cure


# ignoreip


def text(content: str) -> Text:
    return Text(content, tuple(Place("jail.local", n) for n in range(1, content.count("\n") + 2)))


def exempt(content: str) -> tuple[tuple[str, ...], list[str]]:
    problems = Problems()
    return to_ignoreip(text(content), problems), [p.what for p in problems.all()]


def test_names_behind_a_comment_exempt_nobody_and_addresses_do() -> None:
    found, told = exempt("127.0.0.1 # my home 192.0.2.7 ; office.example")
    assert found == ("127.0.0.1", "192.0.2.7")
    assert len(told) == 1
    found, told = exempt("127.0.0.1 # home\nhome.example")
    assert found == ("127.0.0.1", "home.example")


def test_exempt_are_addresses_networks_and_names() -> None:
    entries = (
        "192.0.2.1, 198.51.100.0/24 198.51.100.0/255.255.255.0\n2001:db8::/32,::1 a.example\nx"
    )
    found, told = exempt(entries)
    assert found == tuple(entries.replace(",", " ").split())
    assert not told


@pytest.mark.parametrize(
    "wrong",
    ["192.0.2.0/33", "192.0.2.256", "2001:db8::x", "host/24", "-x.example.org", "a..b", "é"],
)
def test_what_exempts_nobody_is_told(wrong: str) -> None:
    found, told = exempt(f"192.0.2.1 {wrong}")
    assert found == ("192.0.2.1",)
    assert len(told) == 1


def test_a_list_in_a_file_is_looked_at_and_left_to_the_server(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(
        "# ours\n192.0.2.1 ; me\n198.51.100.0/24,2001:db8::1\n192.0.2.999\n"
    )
    problems = Problems()
    found = to_ignoreip(text(f"192.0.2.7 file:{tmp_path}/list"), problems)
    assert found == ("192.0.2.7", f"file:{tmp_path}/list")
    (problem,) = problems.all()
    assert problem.place == Place(f"{tmp_path}/list", 4)


def test_of_a_long_list_the_beginning_is_looked_at(tmp_path: Path) -> None:
    lines = ADDRESS_FILE_CHECK_BYTES // 10
    (tmp_path / "list").write_text("192.0.2.1\n" * lines + "192.0.2.123\nwrong/\n")
    assert exempt(f"file:{tmp_path}/list") == ((f"file:{tmp_path}/list",), [])


def test_a_list_that_cannot_be_read_is_told_and_may_come_later(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (f"{tmp_path}/nothing", str(tmp_path), f"{tmp_path}/pipe"):
        found, told = exempt(f"file:{path}")
        assert found == (f"file:{path}",)
        assert "nobody in it is exempt" in told[0]


def test_a_path_that_can_be_none_is_told_and_left_out() -> None:
    for path in ("list", "/a\x00b", ""):
        found, told = exempt(f"file:{path}")
        assert found == ()
        assert "does not begin with /" in told[0]


# ignorecommand and ignorecache


def told(command: str) -> list[str]:
    problems = Problems()
    assert to_ignorecommand(single(f" {command}\n", HERE), problems) == command
    return [f"{problem.what} | {problem.cure}" for problem in problems.all()]


@pytest.mark.parametrize(
    "command", ["", "/check <ip>", '/check -- "<F-USER>" <fid>', "sh -c 'check <ip>'", "a <x >y"]
)
def test_a_command_that_works_as_it_looks_is_taken(command: str) -> None:
    assert told(command) == []


def test_a_tag_where_values_are_parsed_again_is_told() -> None:
    (what,) = told("grep -q '<F-USER>' /list")
    assert "<F-USER> stands in single quotes" in what
    assert "the command is not run, and nobody is exempt by it" in what
    assert 'write it in double quotes: "<F-USER>"' in what


def test_a_tag_that_another_program_reads_is_told() -> None:
    (what,) = told('printf "%s" <F-USER> | sh')
    assert what.startswith("<F-USER> is read as a program by sh: ")
    assert what.endswith('in double quotes: /path/to/program -- "<F-USER>"')
    (what,) = told('echo "<F-USER>" | /bin/notify')
    assert what.startswith("<F-USER> is read by notify, which may run what it reads")


def test_a_tag_that_may_be_an_option_is_told() -> None:
    (what,) = told("sort <F-USER>")
    assert what.startswith('<F-USER> begins a word of sort: "_" goes before a value')
    assert what.endswith('write it before the tag: sort -- "<F-USER>"')


def test_a_tag_without_a_value_is_told() -> None:
    (what,) = told("/check <ip> -- <ipmatches>")
    assert "<ipmatches> has no value here" in what


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", None),
        (" \n", None),
        ('key="<ip>", max-count=100, max-time=5m', CacheRule()),
        ("key='<F-USER>|<ip>'", CacheRule("<F-USER>|<ip>")),
        ("max-time=1h,max-count=7", CacheRule(most=7, span=Seconds(3_600))),
        ("key=<ip-host>", CacheRule("<ip-host>")),
        ('key="a, b"', CacheRule("a, b")),
        ("[max-count=3]", CacheRule(most=3)),
        ("[]", CacheRule()),
    ],
)
def test_a_rule_is_read_as_fail2ban_writes_it(text: str, rule: CacheRule | None) -> None:
    assert to_ignorecache(single(text, HERE)) == rule


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yes", "not understood"),
        ("size=3", "not understood"),
        ('key="<ip>" max-count=1', "not understood"),
        ("max-count=many", "no number"),
        ("max-count=0", "no number"),
        ("max-count=1000001", "no number"),
        ("max-time=soon", "not a duration"),
        ("max-time=-1", "longer than nothing"),
    ],
)
def test_what_is_no_rule_is_told_with_a_cure(text: str, told: str) -> None:
    with pytest.raises(FaultError, match=told) as fault:
        to_ignorecache(single(text, HERE))
    assert fault.value.cure
