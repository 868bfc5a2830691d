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
    ],
)
def test_what_is_not_certain_is_left_alone(rule: str) -> None:
    assert pruned(rule) == rule
