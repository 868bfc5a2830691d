"""``name[option=value]`` as filters, actions and backends are written."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.config.arguments import parse_spec, parse_specs
from banish.config.problem import FaultError
from banish.config.text import Text, single
from banish.model.settings import Place

HERE = Place("jail.local", 7)


def spec(text: str) -> tuple[str, dict[str, str]]:
    name, options = parse_spec(single(text, HERE))
    return name, {option: value.text for option, value in options.items()}


@pytest.mark.parametrize(
    ("text", "name", "options"),
    [
        ("sshd", "sshd", {}),
        (" sshd[mode=aggressive] ", "sshd", {"mode": "aggressive"}),
        ("a[]", "a", {}),
        ("a[ x = 1 , y = 2 ]", "a", {"x": "1", "y": "2"}),
        ("a[x=1,]", "a", {"x": "1"}),
        ('a[x="1, 2", y=\'"3"\']', "a", {"x": "1, 2", "y": '"3"'}),
        ('a[x="]", y=2]', "a", {"x": "]", "y": "2"}),
        ("a[x=1][y=2]\n  [z=3]", "a", {"x": "1", "y": "2", "z": "3"}),
        ("a [x=1]", "a", {"x": "1"}),
        ("a[x=]", "a", {"x": ""}),
        ("a[x=1 2]", "a", {"x": "1 2"}),
        ("a[x-y.z_1=2]", "a", {"x-y.z_1": "2"}),
        ("a[b?family=inet6=DROP]", "a", {"b?family=inet6": "DROP"}),
        ('a[b?family=inet6="DROP it"]', "a", {"b?family=inet6": "DROP it"}),
        ('a[x="open]', "a", {"x": '"open'}),
        ("a[x=1, x=2]", "a", {"x": "2"}),
        ('a[x="one\ntwo"]', "a", {"x": "one\ntwo"}),
    ],
)
def test_a_name_and_its_options_are_read(text: str, name: str, options: dict[str, str]) -> None:
    assert spec(text) == (name, options)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a[x=1", 'lacks a "]"'),
        ("a[x]", "not option=value"),
        ("a[=1]", "not option=value"),
        ('a[x="1" 2]', "behind a value in quotes"),
        ("a b", "left over"),
        ("a[x=1] b", "left over"),
        ("[x=1]", "lacks a name"),
        ("", "lacks a name"),
    ],
)
def test_what_is_written_otherwise_is_told_with_its_place(text: str, says: str) -> None:
    with pytest.raises(FaultError) as caught:
        spec(text)
    assert says in caught.value.what
    assert caught.value.place == HERE


def test_several_are_parted_by_blanks_and_lines_and_each_has_its_line() -> None:
    places = tuple(Place("jail.local", line) for line in range(1, 6))
    text = Text('\na[x="1 2",\n  y=3] b\n\nc[z=4]', places)
    assert [
        (name, {option: value.text for option, value in options.items()}, place.line)
        for name, options, place in parse_specs(text)
    ] == [("a", {"x": "1 2", "y": "3"}, 2), ("b", {}, 3), ("c", {"z": "4"}, 5)]


def test_nothing_is_no_action() -> None:
    assert parse_specs(single(" \n ", HERE)) == []


@given(st.text(alphabet="ab=[],'\"? \n\\", max_size=30))
def test_any_text_is_read_or_told(text: str) -> None:
    with contextlib.suppress(FaultError):
        spec(text)
    with contextlib.suppress(FaultError):
        parse_specs(single(text, HERE))


@given(
    st.dictionaries(
        st.text(alphabet="abc_.-", min_size=1, max_size=5),
        st.text(alphabet="ab ,]['=?", max_size=10).map(str.strip),
        max_size=4,
    )
)
def test_what_is_quoted_reads_back(options: dict[str, str]) -> None:
    written = ", ".join(f'{option}="{value}"' for option, value in options.items())
    assert spec(f"name[{written}]") == ("name", options)
