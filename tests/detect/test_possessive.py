"""Possessive repeats are searched whatever Python thinks of them."""

import contextlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.detect.matcher import Matcher
from banish.detect.possessive import as_atomic, mistakes_spans, searchable
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Regex

pytestmark = pytest.mark.slow

NOW = Instant(1_795_000_000.0)


@pytest.mark.parametrize(
    ("regex", "atomic"),
    [
        (r"(?:b(.)|.)*+", r"(?>(?:b(.)|.)*)"),
        (r"(a)++b", r"(?>(a)+)b"),
        (r"((a)?+b){2,}+", r"(?>((?>(a)?)b){2,})"),
        (r"(a){,3}+(b){1}+(c){}+", r"(?>(a){,3})(?>(b){1})(c){}+"),
        (r"a*+[)]*+\)*+", r"a*+[)]*+\)*+"),
        (r"([]()*+]\(?)+", r"([]()*+]\(?)+"),
        (r"(?#(a)*+b", r"(?#(a)*+b"),
        (r"(?P<a>x)?(?(a)y|z)", r"(?P<a>x)?(?(a)y|z)"),
        (r"(?x) (a) *+", r"(?x) (a) *+"),
        (r"a)*+", r"a)*+"),
    ],
)
def test_repeats_of_groups_that_never_let_go_become_atomic_groups(regex: str, atomic: str) -> None:
    assert as_atomic(regex) == atomic


def test_a_python_that_makes_no_mistake_is_left_alone() -> None:
    def fails(*_: str) -> None:
        raise SystemError

    assert mistakes_spans(fails)
    assert not mistakes_spans(lambda *_: None)
    assert searchable("(a)*+") in {"(a)*+", "(?>(a)*)"}


pieces = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.builds("({}|{})".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from(["*+", "?+", "{1,2}+", "*", "+?"])),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*+", "++", "*"])),
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(pieces, st.text("ab", max_size=8))
def test_what_is_found_stays_the_same(regex: str, text: str) -> None:
    atomic = re.compile(as_atomic(regex)).match(text)
    with contextlib.suppress(SystemError):
        found = re.compile(regex).match(text)
        assert (found and found.span()) == (atomic and atomic.span())


def test_a_rule_of_an_operator_that_python_cannot_search_finds_its_lines() -> None:
    rule = Regex(r"^ (?:b(?P<x>[a-z])|[a-z])*+ from <HOST>$")
    matcher = Matcher("jail", FilterSettings("f", failregex=(rule,)), Seconds(600))
    failure = matcher.match(" bab from 192.0.2.1", NOW)
    assert failure is not None
    assert failure.subject.text == "192.0.2.1"
