import re

from hypothesis import given
from hypothesis import strategies as st

from banish.detect.datepattern import parse_datepattern
from banish.detect.prefilter.cut import cuts
from banish.detect.prefilter.expression import within_line, write
from banish.detect.prefilter.outline import Seq, Set, sketch
from banish.detect.prefilter.pairs import MOST_PAIRS, write_pairs
from banish.model.settings import Regex

PATTERNS = (r"^[^\[]*\[({DATE})", r"^[^\[]*(\[{DATE}\s*\])")
"""How filters for web servers look for the time of a request: ``[28/Nov/2026:10:00:00 +0000]``."""
GUARDS = [
    guard
    for pattern in PATTERNS
    for guard in cuts(parse_datepattern(Regex(pattern + "\n{^LN-BEG}"))).guards
]
CHARACTERS = (r"\w", r"\d", "[]>]", "x", r"[\w\-]", "é", r"\[")

bytes_near = st.lists(st.sampled_from([*b"]>[ _a0Z-x\n", 0x80, 0xC3, 0xA9, 0xFF]), max_size=8)


def finds(expression: str, text: bytes) -> bool:
    return re.search(expression.encode("ascii"), text) is not None


def test_what_guards_the_times_of_web_logs_is_written_as_pairs() -> None:
    assert len(GUARDS) == 3
    assert all(write_pairs(guard) for guard in GUARDS)


@given(st.sampled_from(GUARDS), bytes_near.map(bytes))
def test_pairs_find_what_the_guard_finds(guard: Seq, text: bytes) -> None:
    assert finds(write_pairs(guard) or "", text) == finds(write(guard), text)


@given(st.sampled_from(CHARACTERS), st.sampled_from(CHARACTERS), bytes_near.map(bytes))
def test_pairs_find_what_two_characters_find(one: str, two: str, text: bytes) -> None:
    outline = within_line(sketch(one + two).outline, gaps=False, ends=False)
    pairs = write_pairs(outline)
    # Of a character of several bytes the pairs want only the byte at the edge.
    if pairs is not None and finds(write(outline), text):
        assert finds(pairs, text)


def test_what_is_no_pair_is_not_written_as_pairs() -> None:
    for regex in ("abc", "a", "a+b", "(?:ab|c)d", r"\w\w"):
        assert write_pairs(within_line(sketch(regex).outline, gaps=False, ends=False)) is None
    wide = Set((1 << 127) - 1)
    assert write_pairs(Seq((wide, wide))) is None
    assert MOST_PAIRS < 127 * 127


def test_a_time_that_may_follow_a_word_at_once_is_guarded_there() -> None:
    (guard,) = (write(each) for each in cuts(parse_datepattern(Regex("**%Y-%m-%d"))).guards)
    assert finds(guard, b"fai2026-11-28 ")
    assert not finds(guard, b"fai 2026-11-28 ")
