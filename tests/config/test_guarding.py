"""Whom the lock-out guard spares is read, and is nobody in a tree that is not ours."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from banish.config import builtin_tree, load
from banish.model.instant import Seconds
from banish.model.settings import GuardSettings, Settings

WriteTree = Callable[[Mapping[str, str]], Path]

FILTER = "[Definition]\nfailregex = ^bad <HOST>$\n"


def read(write_tree: WriteTree, lines: str, *, builtin: Path | None = None) -> Settings:
    jail = f"[web]\nenabled = 1\nfilter = web\nlogpath = /nowhere/web.log\n{lines}"
    name = "jail.local" if builtin else "jail.conf"
    root = write_tree({name: jail, "filter.d/web.conf": FILTER})
    return load(root, builtin=builtin or root)


def test_in_a_tree_of_its_own_nobody_is_guarded(write_tree: WriteTree) -> None:
    (jail,) = read(write_tree, "").jails
    assert jail.guard == GuardSettings()


def test_in_our_tree_logins_gateways_and_resolvers_are_guarded(write_tree: WriteTree) -> None:
    found = read(write_tree, "", builtin=builtin_tree())
    (jail,) = (jail for jail in found.jails if jail.name == "web")
    assert jail.guard == GuardSettings(("gateways", "resolvers", "logins"), Seconds(3_600))


def test_every_option_is_read(write_tree: WriteTree) -> None:
    lines = "guard = logins, logins gateways\nguard.time = 2h\nguard.groups = sudo wheel\n"
    (jail,) = read(write_tree, lines).jails
    expected = GuardSettings(("logins", "gateways"), Seconds(7_200), ("sudo", "wheel"))
    assert jail.guard == expected


@pytest.mark.parametrize("word", ["none", "off", ""])
def test_one_option_turns_it_off(write_tree: WriteTree, word: str) -> None:
    (jail,) = read(write_tree, f"guard = {word}\n").jails
    assert jail.guard.spares == ()


def test_a_word_that_is_none_of_them_is_told_with_its_cure(write_tree: WriteTree) -> None:
    settings = read(write_tree, "guard = login\n")
    (problem,) = settings.problems
    assert problem.option == "guard"
    assert set(settings.jails[0].guard.spares) == {"gateways", "resolvers", "logins"}
    assert "logins" in problem.cure
