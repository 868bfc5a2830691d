"""Which filter counts where a jail's own is wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from banish.config import load
from banish.config.arguments import mended_spec
from banish.config.text import single
from banish.model.settings import Place, Settings
from tests.config.tree import WriteTree

Read = Callable[[str], Settings]

WEB = "[Definition]\nmode = usual\nrx-usual = ^bad <HOST>$\nrx-all = ^worse <HOST>$\n"
WEB += "failregex = <rx-<mode>>\n"


@pytest.fixture
def read(write_tree: WriteTree, tmp_path: Path) -> Read:
    """Give a function that loads the jails of one jail.local."""
    (tmp_path / "web.log").write_text("")

    def load_jails(lines: str) -> Settings:
        defaults = (
            f"[DEFAULT]\nenabled = true\nfilter = %(__name__)s\nlogpath = {tmp_path}/web.log\n"
        )
        root = write_tree({"jail.conf": defaults, "filter.d/web.conf": WEB, "jail.local": lines})
        return load(root, builtin=root)

    return load_jails


def filters(settings: Settings) -> list[tuple[str, list[str]]]:
    """Return each jail's filter and regexes."""
    return [
        (jail.filter.name, [regex.text for regex in jail.filter.failregex])
        for jail in settings.jails
    ]


def test_a_jail_with_regexes_of_its_own_needs_no_filter(read: Read) -> None:
    settings = read("[app]\nfailregex = ^no <HOST>$\n")
    assert filters(settings) == [("", ["^no <HOST>$"])]
    (problem,) = settings.problems
    assert problem.severity == "warning"
    assert problem.what == 'there is no filter "app"; the failregex of [app] counts alone'
    assert problem.cure == "write filter = into [app], with nothing behind it"
    assert problem.place is not None
    assert problem.place.path.endswith("jail.local")


def test_a_filter_of_its_own_that_is_not_there_is_an_error_and_its_regexes_count(
    read: Read,
) -> None:
    settings = read("[web]\nfilter = wbe\nfailregex = ^no <HOST>$\n")
    assert filters(settings) == [("", ["^no <HOST>$"])]
    (problem,) = settings.errors
    assert (problem.option, problem.jail, problem.stops) == ("filter", "web", False)


@pytest.mark.parametrize(
    ("written", "counts", "regex"),
    [
        ("web[mode=all", "web[mode=all]", "^worse <HOST>$"),
        ("web[mode=all, x]", "web[mode=all]", "^worse <HOST>$"),
        ("web mode=all", "web", "^bad <HOST>$"),
        ("wbe[mode=all]", "web[mode=all]", "^worse <HOST>$"),
        ("WEB", "web", "^bad <HOST>$"),
        ("filter.d/web.conf", "web", "^bad <HOST>$"),
    ],
)
def test_a_mistake_in_the_name_of_a_filter_leaves_the_jail_running(
    read: Read, written: str, counts: str, regex: str
) -> None:
    settings = read(f"[web]\nfilter = {written}\n")
    assert filters(settings) == [(counts, [regex])]
    (problem,) = settings.errors
    assert problem.what.endswith(f"; {counts} counts instead")
    assert not problem.stops


@pytest.mark.parametrize("lines", ["[app]\n", "[app]\nfilter = %(none)s\n", "[app]\nfilter = [\n"])
def test_a_jail_with_nothing_to_find_does_not_run_and_says_so(read: Read, lines: str) -> None:
    settings = read(lines)
    assert settings.jails == ()
    stopping = [problem for problem in settings.errors if problem.stops]
    assert stopping
    assert all("jail app does not run" in str(problem) for problem in stopping)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a[b=c", "a[b=c]"),
        ('a[b="c, d", e=f', 'a[b="c, d", e=f]'),
        ("a[[b=c]]", "a[b=c]"),
        ("a]", "a]"),
        ("", None),
        ("[x=y]", None),
    ],
)
def test_a_bracket_that_lacks_or_is_too_much_is_mended(written: str, meant: str | None) -> None:
    mended = mended_spec(single(written, Place("x")))
    assert (mended and mended.text) == meant
