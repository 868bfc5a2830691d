"""Conditions that spare `re` vain ways change neither what matches nor what is captured."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.pruning import pruned

RULES = (
    r"^by (?P<u>(?P<a>\S+)|[^:]+) at (?P<ip>\d+)(?(a): |$)",
    r"^by (?:(?P<a>\w+)|.*?) at (?P<ip>\d+)(?: x)?(?(a)x:? y|.*$)",
    r"^(?P<a>b)?.*(?(a)at: |\d+)$",
    r"(?:(?P<a>b)|y) .*?(?P<ip>\d+)(?(a)\.|:)",
)
texts = st.lists(
    st.sampled_from(["by ", "b", "y", "x", " at ", "at: ", ": ", ":", ".", "1", "23", " ", "\n"]),
    max_size=9,
).map("".join)


@given(st.sampled_from(RULES), texts)
def test_the_same_is_found(rule: str, text: str) -> None:
    line = text.replace("\n", "") + "\n"
    found, again = re.search(rule, line), re.search(pruned(rule), line)
    if found is None:
        assert again is None
    else:
        assert again is not None
        assert (again.span(), again.groups()) == (found.span(), found.groups())


pieces = st.recursive(
    st.tuples(
        st.sampled_from(["a", "b", ": ", r"\.", r"\S", ".", " ", "(?=a)", "(?i:b)", "é"]),
        st.sampled_from(["", "", "", "*", "+?", "?", "{2}"]),
    ).map(lambda both: f"(?:{both[0]}){both[1]}" if both[1] else both[0]),
    lambda inner: st.tuples(
        st.sampled_from(["(?:{})", "(?:{}|{})", "(?>{}|{})", "{}{}"]),
        inner,
        inner,
    ).map(lambda parts: parts[0].format(*parts[1:])),
    max_leaves=4,
)
conditions = st.builds("(?(g){}|{})".format, st.sampled_from([": ", "ab", r"x?\.", "b*a"]), pieces)


@given(
    st.lists(pieces, max_size=2).map("".join),
    st.sampled_from(
        [
            "{}",
            "{}?",
            "(?:{}|b)",
            "(?:{}|.){{2}}",
            "(?={}|.)b?",
            "(?:(?:{}|))",
        ]
    ),
    pieces,
    st.lists(pieces | conditions, min_size=1, max_size=3).map("".join),
    st.sampled_from(["", "$"]),
    st.lists(st.sampled_from(["a", "b", ": ", ".", "ab", " ", "é", "A"]), max_size=6).map("".join),
)
def test_the_same_is_found_by_any_rule(
    first: str, place: str, named: str, later: str, end: str, text: str
) -> None:
    rule = f"{first}{place.format(f'(?P<g>{named})')}{later}(?(g): |.?){end}"
    found, again = (re.search(each, f"{text}\n") for each in (rule, pruned(rule)))
    assert (found and found.regs) == (again and again.regs)


def test_a_reading_is_told_what_it_needs_later_on() -> None:
    assert pruned(RULES[0]) == RULES[0].replace("(?P<a>", r"(?P<a>(?=.*:\ )")


@pytest.mark.parametrize(
    "rule",
    [
        r"^no condition in it$",
        r"^(?:(?P<a>x)|y)+ at (?(a): |$)",  # the group may be entered again
        r"^(?:(?P<a>x)|y) (?:at(?(a): |$)|on)",  # the condition may not come
        r"^(?:(?P<a>x)|y) (?(a)\d|$)",  # nothing certain follows
        r"^(?:(?P<a>x)|y) (?i:(?(a)z|$))",  # in either case
        r"^(?=(?P<a>x)|y).*(?(a)z|$)",  # inside a condition
        r"^(?:(x)|y) (?(1)z|$)",  # a group without a name
        r"^(?>(?P<a>x)|x y).*(?(a): |$)",  # told, the atomic group would take its other branch
        r"^[(?P<a>]?(?:(?P<a>x)|y).*(?(a): |$)",  # in a set it is no group
    ],
)
def test_what_is_not_certain_is_left_alone(rule: str) -> None:
    assert pruned(rule) == rule
