"""Regexes are compiled as they were meant, or refused with a cure."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.pattern import (
    TEXT_CHARACTERS,
    TUPLE_PARTS,
    Pattern,
    compile_pattern,
    groups_of,
    scope_flags,
)
from banish.errors import ConfigError
from banish.model.settings import Place, Regex


def compiled(text: str, *, multiline: bool = False) -> Pattern:
    return compile_pattern(Regex(text), multiline=multiline)


def groups(regex: str, text: str) -> dict[str, object]:
    pattern = compiled(regex)
    found = pattern.search(text)
    assert found is not None
    return dict(pattern.groups(found))


@pytest.mark.parametrize(
    ("regex", "scoped"),
    [
        ("(?i)abc", "(?i)abc"),
        ("a(?i)b", "a(?i:b)"),
        ("x((?i)b)c", "x((?i:b))c"),
        ("x(?:(?i)b|c)d", "x(?:(?i:b)|(?i:c))d"),
        ("a(?i)b|c", "a(?i:b)|(?i:c)"),
        ("a(?i)b(?s).", "a(?i:b(?s:.))"),
        ("a(?i)b(c|d)e", "a(?i:b(c|d)e)"),
        (r"\(?i\)[(?i)]x", r"\(?i\)[(?i)]x"),
        ("[](?i)]x", "[](?i)]x"),
        ("[^](?i)]x", "[^](?i)]x"),
        (r"[\](?i)]x", r"[\](?i)]x"),
        ("a)b", "a)b"),
    ],
)
def test_flag_in_the_middle_means_the_rest_of_its_group(regex: str, scoped: str) -> None:
    assert scope_flags(regex)[0] == scoped


@pytest.mark.parametrize(
    ("regex", "anchored"),
    [
        ("^abc", True),
        ("^a(b|c)", True),
        ("(?i)^a", True),
        (r"^a\|b[|]c", True),
        ("^a|b", False),
        ("abc", False),
        ("^?abc", False),
        ("^*abc", False),
        ("(?m)^a", False),
        ("", False),
    ],
)
def test_pattern_is_anchored_only_if_it_can_match_nowhere_else(regex: str, anchored: bool) -> None:
    assert scope_flags(regex)[1] == anchored


@given(
    st.lists(st.sampled_from(["^", "a", "b", "|", "(", ")", "(?:", "a*", ".", "$", r"\|", "[|]"])),
    st.text("ab|\n", max_size=6),
)
def test_anchoring_changes_no_match(pieces: list[str], text: str) -> None:
    regex = "".join(pieces)
    try:
        plain = re.compile(regex)
    except re.error:
        return
    scoped, anchored = scope_flags(regex)
    assert scoped == regex
    if anchored:
        by_match, by_search = plain.match(text), plain.search(text)
        assert (by_match and by_match.span()) == (by_search and by_search.span())


def test_caret_finds_each_line_only_where_regexes_span_lines() -> None:
    assert compiled("^b<HOST>").search("a\nb192.0.2.1") is None
    assert compiled("^b<HOST>", multiline=True).search("a\nb192.0.2.1") is not None


def test_alternatives_fill_what_is_missing_in_order() -> None:
    regex = (
        r"(?:u=<F-USER>\w*</F-USER> )?(?:<F-ALT_USER_2>x\w*</F-ALT_USER_2> )?"
        r"(?:<F-ALT_USER_1>y\w*</F-ALT_USER_1> )?from <HOST>"
    )
    assert groups(regex, "u=a xb yc from 192.0.2.1")["user"] == "a"
    assert groups(regex, "xb yc from 192.0.2.1")["user"] == "yc"
    assert groups(regex, "u= xb from 192.0.2.1")["user"] == "xb"
    assert "user" not in groups(regex, "from 192.0.2.1")


def test_tuples_join_their_parts() -> None:
    regex = r"<F-ID>\w+</F-ID> <F-TUPLE_ID>\w+</F-TUPLE_ID>(?: <F-TUPLE_ID_2>\w+</F-TUPLE_ID_2>)?$"
    assert groups(regex, "a b c")["fid"] == ("a", "b", "c")
    assert groups(regex, "a b")["fid"] == ("a", "b", "")


def test_tuple_alone_can_be_the_subject() -> None:
    assert compiled(r"<F-TUPLE_ID_1>\w+</F-TUPLE_ID_1>").names_subject
    assert groups(r"<F-TUPLE_ID_1>\w+</F-TUPLE_ID_1>", "a")["fid"] == ("", "a")


def test_long_captures_are_cut() -> None:
    text = "x" * 5000
    assert groups("<F-USER>x+</F-USER>", text) == {"user": "x" * TEXT_CHARACTERS}
    many = "".join(f"<F-TUPLE_ID_{n:02}>x</F-TUPLE_ID_{n:02}>" for n in range(TUPLE_PARTS + 5))
    joined = groups(many + "<F-TUPLE_ID_99>x+</F-TUPLE_ID_99>", text)["fid"]
    assert isinstance(joined, tuple)
    assert len(joined) == TUPLE_PARTS


@pytest.mark.parametrize(
    ("regex", "complaint"),
    [
        (" \t", "is empty"),
        ("a(<HOST>", "is not a regular expression"),
        ("<HOST> and <HOST>", "is not a regular expression"),
        ("no subject", "does not say whom"),
        ("no subject " + "x" * 200, "x..."),
    ],
)
def test_wrong_regex_is_refused_with_its_place_and_a_cure(regex: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compile_pattern(Regex(regex, Place("/etc/x.conf", 7)), elsewhere=frozenset())
    assert refused.value.where == "/etc/x.conf:7"
    assert refused.value.what.startswith("failregex: ")
    assert complaint in refused.value.what
    assert refused.value.cure


def test_prefregex_may_name_the_subject_for_all() -> None:
    before = compile_pattern(Regex("^<F-MLFID>\\w+</F-MLFID> <F-CONTENT>.+</F-CONTENT>$"))
    assert compile_pattern(Regex("x"), elsewhere=groups_of(before)).source.text == "x"
    assert groups_of(None) == frozenset()
