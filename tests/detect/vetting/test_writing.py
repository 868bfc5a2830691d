"""Lines written from a regex are lines that it matches."""

import re
import warnings

import pytest
from hypothesis import assume, given

from banish.detect.regextree import Repeat, Sequence, read
from banish.detect.vetting.writing import (
    OPEN_END,
    OPEN_START,
    PIECES_LIMIT,
    LinePiece,
    is_gap,
    plain_text,
    shapes,
)
from tests.detect.vetting.rules import regexes
from tests.detect.vetting.test_tree import compiles


@pytest.mark.parametrize("is_full", [False, True])
@pytest.mark.parametrize(
    "regex",
    [
        r"^login of \S+ from \d{1,3}(?:\.\d{1,3}){3}$",
        r"^(?:[a-z]+ )+x(y|z)\1$",
        r"^(invalid )?user .*(?(1): bad|; good)$",
        r"^(?>a|b)c{2,5}(?:d|e){0,3}f??$",
        "^[A-F0-9]{32}'[^']*'$",
        r"^(?:(?:ab){3,} )*.{1,20}$",
    ],
)
def test_every_shape_without_conditions_is_matched(regex: str, is_full: bool) -> None:
    written = shapes(read(regex), is_full=is_full)
    assert written
    for shape in written:
        assert re.search(regex, plain_text(shape)), shape


def test_choices_are_gone_through_one_by_one() -> None:
    lines = [plain_text(shape) for shape in shapes(read("(?:one|two|six)(?: x)?"), is_full=False)]
    assert lines[0] == "one"
    assert set(lines) >= {"one", "two", "six", "one x"}


def test_a_full_shape_begins_with_all_options_and_the_widest_gap() -> None:
    first = shapes(read("(?:x )?(?:[a-z]+|.*)!"), is_full=True)[0]
    assert plain_text(first) == "x x!"
    assert [piece.kind for piece in first] == ["text", "gap", "text"]


def test_gaps_addresses_and_names_are_told_apart() -> None:
    tree = read(r"user (?P<user>\S+) and (?P<alt_user>[^:]+) on .* from (?P<ip4>192\.0\.2\.1)")
    (shape, *_) = shapes(Sequence((OPEN_START, tree, OPEN_END)), is_full=False)
    assert shape == (
        LinePiece("", "start"),
        LinePiece("user "),
        LinePiece("root", "name"),
        LinePiece(" and "),
        LinePiece("root", "gap"),  # what may not stand in it is said
        LinePiece(" on "),
        LinePiece("x", "gap"),
        LinePiece(" from "),
        LinePiece("192.0.2.1", "address"),
        LinePiece("", "end"),
    )


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        (".*", True), (r"\S+", True), ("[^']*", True), (r"(?:\S+ )*", True), (".{1,12}", True),
        (r"(?:(?! from ).)*", True), ("(?:.{6}|a){2}", True), (r"(?:(a)\1){2}", True),
        (r"(?:(?>..)(?:(x)?(?(1)......|..))){2}", True), (r"[0-9a-f:]+", True),
        (".{1,8}", False), (r"\d+", False), ("[a-z.]+", False), (".?", False), ("x*", False),
        (r"(?:\b.){3}", False),
    ],
)  # fmt: skip
def test_a_gap_has_room_for_an_address(repeat: str, expected: bool) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        node = read(repeat)
    assert isinstance(node, Repeat)
    assert is_gap(node) is expected


def test_a_back_reference_is_no_second_gap() -> None:
    (shape, *_) = shapes(read(r"(?P<user>\S+) \1"), is_full=False)
    assert shape == (LinePiece("root", "name"), LinePiece(" root"))


@given(regexes)
def test_shapes_are_few_and_short_whatever_the_regex(regex: str) -> None:
    assume(compiles(regex))
    for is_full in (False, True):
        written = shapes(read(regex), is_full=is_full, limit=5)
        assert 1 <= len(written) <= 5
        assert len(set(written)) == len(written)


def test_a_line_stays_short_even_if_the_regex_asks_for_a_long_one() -> None:
    (shape, *_) = shapes(read("(?:(?:abc){1000}){1000}"), is_full=False)
    assert len(plain_text(shape)) <= PIECES_LIMIT + 3_000
