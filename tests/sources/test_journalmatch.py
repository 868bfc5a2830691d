"""What a journalmatch means, on entries as mappings."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.errors import ConfigError
from banish.sources.journalmatch import CLAUSE_LIMIT, JournalMatch


@pytest.mark.parametrize(
    ("lines", "fields", "meant"),
    [
        ((), {"A": "1"}, True),
        ((("A=1", "B=2"),), {"A": "1", "B": "2"}, True),
        ((("A=1", "B=2"),), {"A": "1"}, False),
        ((("A=1", "A=2"),), {"A": "2"}, True),
        ((("A=1", "A=2", "B=3"),), {"A": "2"}, False),
        ((("A=1", "+", "B=2"),), {"B": "2"}, True),
        ((("A=1",), ("B=2",)), {"B": "2"}, True),
        ((("A=1", "B=1", "+", "C=1"),), {"A": "1", "C": "2"}, False),
        ((("A=1",),), {"A": ["0", "1"]}, True),
        ((("A==",),), {"A": "="}, True),
        ((("+", "A=1", "+"),), {"B": "2"}, False),
    ],
)
def test_words_are_anded_fields_and_lines_are_ored(
    lines: tuple[tuple[str, ...], ...], fields: dict[str, str | list[str]], meant: bool
) -> None:
    assert JournalMatch(lines).matches(fields) is meant


@pytest.mark.parametrize("word", ["sshd", "=x", "low=1", "A B=1", "A=\0"])
def test_a_word_that_is_no_match_is_refused_with_a_cure(word: str) -> None:
    with pytest.raises(ConfigError, match="journalmatch") as raised:
        JournalMatch(((word,),))
    assert "_SYSTEMD_UNIT=" in raised.value.cure


words = st.sampled_from(["A=1", "A=2", "B=1", "B=2", "C=1", "+"])
match_lines = st.lists(st.lists(words, max_size=7).map(tuple), max_size=4).map(tuple)


@given(match_lines)
def test_the_index_lets_every_meant_entry_through(lines: tuple[tuple[str, ...], ...]) -> None:
    match = JournalMatch(lines)
    clauses = match.clauses()
    assert len(clauses) <= CLAUSE_LIMIT
    for a, b, c in itertools.product("012", repeat=3):
        fields = {"A": a, "B": b, "C": c}
        if match.matches(fields):
            assert all(any(fields[name] == value for name, value in clause) for clause in clauses)
