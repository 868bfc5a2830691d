"""Mistakes that people publish: the jail runs as it was meant, and the mistake is named."""

import pytest

from banish.config import builtin_tree, load
from banish.model.instant import Seconds
from banish.model.settings import JailSettings, Problem
from tests.config.tree import WriteTree

JAIL = "[sshd]\nenabled = true\nbackend = polling\nlogpath = {path}\n{more}"


def read(
    write_tree: WriteTree, more: str = "", *, path: str = "/var/log/auth.log", before: str = ""
) -> tuple[JailSettings, list[Problem]]:
    text = before + JAIL.format(path=path, more=more)
    found = load(write_tree({"jail.local": text}), builtin=builtin_tree())
    (jail,) = found.jails
    return jail, list(found.problems)


@pytest.mark.parametrize(
    ("first", "last"), [('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019")]
)
def test_a_path_in_quotes_is_watched(write_tree: WriteTree, first: str, last: str) -> None:
    jail, (problem,) = read(write_tree, path=f"{first}/var/log/auth.log{last}")
    assert [path.pattern for path in jail.logpaths] == ["/var/log/auth.log"]
    assert problem.severity == "warning"
    assert problem.cure == "write the path without quotes"


@pytest.mark.parametrize(
    ("written", "networks"),
    [
        ("192.0.2.1-192.0.2.3", ("192.0.2.1/32", "192.0.2.2/31")),
        ("192.0.2.1-3", ("192.0.2.1/32", "192.0.2.2/31")),
        ("2001:db8::-2001:db8::ffff", ("2001:db8::/112",)),
    ],
)
def test_a_range_exempts_its_addresses(
    write_tree: WriteTree, written: str, networks: tuple[str, ...]
) -> None:
    jail, (problem,) = read(write_tree, f"ignoreip = 203.0.113.1 {written}\n")
    assert jail.ignoreip == ("203.0.113.1", *networks)
    assert problem.severity == "warning"
    assert problem.cure == f"write {' '.join(networks)}"


@pytest.mark.parametrize("written", ["192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1"])
def test_a_range_that_is_none_exempts_nobody_and_is_no_range(
    write_tree: WriteTree, written: str
) -> None:
    jail, _ = read(write_tree, f"ignoreip = {written}\n")
    assert not any("/" in each for each in jail.ignoreip)


def test_a_section_that_only_looks_like_default_is_named(write_tree: WriteTree) -> None:
    jail, (problem,) = read(write_tree, before="[default]\nbantime = 1h\n")
    assert jail.bantime == Seconds(600)
    assert problem.what == "[default] is read as a jail of that name; its options have no effect"
    assert problem.cure == "write [DEFAULT]"
    assert problem.place is not None
    assert problem.place.line == 1


def test_a_line_that_should_continue_the_one_above_is_named(write_tree: WriteTree) -> None:
    _, (problem,) = read(write_tree, "action = %(action_)s\nnote[name=x]\n")
    assert problem.cure == "begin the line with a blank if it continues the option above"


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("/srv/nowhere/filter.d/sshd.conf", "write filter = sshd"),
        ("/srv/filters/own.conf", "create /srv/filters/own.conf"),
    ],
)
def test_the_path_of_a_filter_that_is_not_there_has_a_cure_that_helps(
    write_tree: WriteTree, name: str, cure: str
) -> None:
    _, problems = read(write_tree, f"filter = {name}\n")
    assert cure in [problem.cure for problem in problems]
