"""One filter or action file with its arguments."""

from collections.abc import Callable, Mapping

import pytest

from banish.config.definition import Definition, Pass
from banish.config.merge import Library
from banish.config.problem import Problems
from banish.config.search import Tree
from banish.config.text import single
from banish.model.settings import Place
from tests.config.tree import WriteTree

Define = Callable[..., Definition]

HERE = Place("jail.local", 1)

FILES = {
    "filter.d/x.conf": "[DEFAULT]\na = default\nonly = %(a)s\n[Definition]\na = definition\n"
    "b = <a>|%(a)s|<only>\nknown_a = <known/a>\nknown_c = <known/c>\nnone_known = <known/zzz>\n"
    "of = <sub/v>,<SUB/v>,<default/a>,<nosuch/v>,<sub/only>\nown = 1\nupper = <OWN> <Own>\n"
    "filled = <maxretry>\nfailregex = %(backend)s\nc = definition's\n"
    "with_c = %(c)s\nwith_known_c = %(known/c)s\n[sub]\nv = sub's\n[Init]\nc = init\n",
    "filter.d/x.local": "[Definition]\nown = <known/own> 2\n[Init]\nc = %(known/c)s more\n",
}


@pytest.fixture
def define(write_tree: WriteTree) -> Define:
    merged = Library(Tree((write_tree(FILES),)), Problems()).read("filter.d/x")
    assert merged is not None

    def make(
        jail: Mapping[str, str] | None = None, read_for: Pass = "action", **arguments: str
    ) -> Definition:
        given = jail or {}
        return Definition(
            merged,
            {name: single(value, HERE) for name, value in arguments.items()},
            lambda name: single(given[name], HERE) if name in given else None,
            read_for=read_for,
        )

    return make


def value(definition: Definition, option: str) -> str | None:
    text = definition.get(option)
    return None if text is None else text.text


def test_arguments_go_before_the_file(define: Define) -> None:
    assert value(define(), "b") == "definition|definition|definition"
    assert value(define(a="given"), "b") == "given|given|given"
    assert value(define(), "nothing") is None


def test_init_goes_before_definition_and_arguments_before_init(define: Define) -> None:
    assert value(define(c="given"), "c") == "given"
    assert value(define(c="given"), "known_c") == "init more"


def test_known_is_what_a_later_file_replaced(define: Define) -> None:
    assert value(define(), "own") == "1 2"
    # Nothing replaced it, though a later file has its section: then the default counts.
    assert value(define(), "known_a") == "default"
    assert value(define(), "none_known") == "<known/zzz>"
    once = define()
    assert (value(once, "own"), value(once, "known_a")) == ("1 2", "default")


def test_options_of_other_sections_are_reached(define: Define) -> None:
    assert value(define(), "of") == "sub's,<SUB/v>,default,<nosuch/v>,default"


def test_a_tag_is_found_in_any_letter_case(define: Define) -> None:
    assert value(define(), "upper") == "1 2 1 2"


def test_options_of_the_jail_are_seen(define: Define) -> None:
    assert value(define(), "filled") == "<maxretry>"
    assert value(define({"maxretry": "7"}), "filled") == "7"


def test_known_values_see_neither_arguments_nor_the_whole_jail(define: Define) -> None:
    jail = {"maxretry": "7", "backend": "auto"}
    assert value(define(jail, "known", a="given"), "b") == "given|definition|given"
    assert value(define(jail, "known"), "filled") == "<maxretry>"
    assert value(define(jail, "known"), "failregex") == "auto"


def test_a_filter_sees_init_before_its_definition(define: Define) -> None:
    assert value(define(None, "action"), "with_c") == "definition's"
    assert value(define(None, "filter"), "with_c") == "init more"
    assert value(define(None, "filter"), "with_known_c") == "init more"


def test_tags_from_outside_the_definition_stay_as_they_were_first(define: Define) -> None:
    jail = {"maxretry": "7", "backend": "auto"}
    assert value(define(jail, "filter"), "filled") == "<maxretry>"
    assert value(define(jail, "filter"), "failregex") == "auto"


def test_what_is_set_is_known(define: Define) -> None:
    definition = define(mode="x")
    assert definition.sets("mode")
    assert definition.sets("b")
    assert not definition.sets("only")
    assert {"mode", "b", "c"} <= set(definition.names())
