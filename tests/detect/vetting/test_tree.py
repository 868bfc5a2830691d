"""Regular expressions are read as Python reads them."""

import re
import warnings

import pytest
from hypothesis import assume, given

from banish.detect.regextree import (
    ANY,
    OTHER,
    Again,
    Atomic,
    Chars,
    Choice,
    Group,
    Look,
    Mark,
    Repeat,
    Sequence,
    When,
    characters,
    is_anchored,
    likely,
    mask_of,
    read,
    replace_group,
    walk,
)
from tests.detect.vetting.rules import regexes


def compiles(regex: str) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(regex)
    except re.error:
        return False
    return True


def test_every_construct_becomes_a_node_of_its_kind() -> None:
    kinds = {type(node) for node in walk(read(r"^a(bb|[cd])(?>e)*?(x)?(?(2)y|z)\1(?=q)$"))}
    assert kinds == {
        Sequence, Mark, Chars, Group, Choice, Repeat, Atomic, When, Again, Look,
    }  # fmt: skip


@pytest.mark.parametrize(
    "piece",
    [
        r"\d", r"\D", r"\s", r"\S", r"\w", r"\W", ".", "[a-f]", "[^a-f]", "[^'\\s]", "x", "[^x]",
        "(?i:q)", "(?i:[q-t])", "(?i:[^q])", r"[\d.]", "(?s:.)", "[x]",
    ],
)  # fmt: skip
def test_a_mask_says_which_ascii_characters_match(piece: str) -> None:
    node = read(piece)
    assert isinstance(node, Chars)
    for code in range(128):
        assert bool(node.mask & (1 << code)) == bool(re.fullmatch(piece, chr(code))), chr(code)
    assert re.fullmatch(piece, node.text)


def test_characters_beyond_ascii_share_one_bit() -> None:
    assert characters(read("é")) == OTHER
    assert characters(read("[é-ü]")) == OTHER
    assert characters(read("[^é]")) == ANY
    assert likely(OTHER) == "ä"


def test_what_can_never_match_is_a_condition() -> None:
    assert isinstance(read("(?!)"), Look)


def test_a_back_reference_may_be_anything() -> None:
    assert characters(read("(a)\\1")) == ANY


@given(regexes)
def test_every_regex_that_compiles_is_read(regex: str) -> None:
    assume(compiles(regex))
    for node in walk(read(regex)):
        assert node is not None


@pytest.mark.parametrize(
    ("regex", "begins", "ends"),
    [
        ("^a$", True, True),
        ("a", False, False),
        ("(?:^a|^b)", True, False),
        ("(?:^a|b)", False, False),
        (r"(?!x)^a\s*$", True, True),
        ("(?:^a)+b", True, False),
        ("(?:^a)*b", False, False),
        ("(?P<x>^a$)", True, True),
        ("(?>^a)", True, False),
        ("(x)?(?(1)$|$)", False, True),
        (r"\A.*\Z", True, True),
        ("", False, False),
        (r"\b", False, False),
        ("(?!a)", False, False),
    ],
)
def test_being_tied_to_an_end_is_seen(regex: str, begins: bool, ends: bool) -> None:
    tree = read(regex)
    assert (is_anchored(tree, at_end=False), is_anchored(tree, at_end=True)) == (begins, ends)


def test_a_group_is_replaced_wherever_it_stands() -> None:
    new = Chars(mask_of("!"), "!")
    for regex in (
        "(?P<g>a)", "x(?P<g>a)", "(?:x|(?P<g>a))", "(?:(?P<g>a))*", "(?>(?P<g>a)b)",
        "((?P<g>a))", "(x)?(?(1)(?P<g>a)|b)",
    ):  # fmt: skip
        groups = [
            node
            for node in walk(replace_group(read(regex), "g", new))
            if isinstance(node, Group) and node.name == "g"
        ]
        assert [group.body for group in groups] == [new]


def test_trees_can_be_numbered_apart() -> None:
    tree = read(r"(a)*(?:b|c)\1(?(1)x)", first=100)
    numbers = [node.number for node in walk(tree) if isinstance(node, (Group, Repeat, Choice))] + [
        node.group for node in walk(tree) if isinstance(node, (Again, When))
    ]
    assert min(numbers) > 100
