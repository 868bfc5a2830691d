"""The text of an option as its type."""

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.config import values
from banish.config.exempt import to_ignorecache, to_ignoreip
from banish.config.options import JAIL_OPTIONS, SERVER_OPTIONS
from banish.config.problem import FaultError, Problems
from banish.config.text import Text, single
from banish.model.settings import Place

HERE = Place("jail.local", 9)


def text(content: str) -> Text:
    return Text(content, tuple(Place("jail.local", n) for n in range(1, content.count("\n") + 2)))


@pytest.mark.parametrize("word", ["1", "on", "True", "YES", " yes "])
def test_four_words_are_true(word: str) -> None:
    problems = Problems()
    assert values.to_bool(text(word), "enabled", problems)
    assert not problems.all()


@pytest.mark.parametrize(("word", "tells"), [("0", 0), ("no", 0), ("", 0), ("ture", 1), ("2", 1)])
def test_everything_else_is_false_and_odd_words_are_told(word: str, tells: int) -> None:
    problems = Problems()
    assert not values.to_bool(text(word), "enabled", problems)
    assert len(problems.all()) == tells


def test_numbers_have_bounds() -> None:
    maxlines = JAIL_OPTIONS["maxlines"]
    assert values.to_number(text(" 5 "), maxlines) == 5
    for wrong in ("0", "1001", "x", "5 5", "1.5", "9" * 20, "", "１"):  # noqa: RUF001
        with pytest.raises(FaultError) as caught:
            values.to_number(text(wrong), maxlines)
        assert caught.value.place == Place("jail.local", 1)
        assert caught.value.cure


def test_durations_are_told_with_their_cure() -> None:
    assert values.to_duration(text("-1")) < 0
    with pytest.raises(FaultError, match="not a duration") as caught:
        values.to_span(text("10 minuets"))
    assert "minutes" in caught.value.cure
    with pytest.raises(FaultError, match="not longer than 0 seconds"):
        values.to_span(text("-5"))


def test_choices_are_taken_in_any_letter_case() -> None:
    loglevel = SERVER_OPTIONS["loglevel"]
    assert values.to_choice(text("info"), loglevel) == "INFO"
    for wrong, cure in (("inof", "info"), ("zzz", "one of")):
        with pytest.raises(FaultError) as caught:
            values.to_choice(text(wrong), loglevel)
        assert cure in caught.value.cure


def test_regexes_are_lines_and_each_has_its_place() -> None:
    found = values.to_regexes(text("one\n\n \ntwo "))
    assert [(regex.text, regex.place) for regex in found] == [
        ("one", Place("jail.local", 1)),
        ("two ", Place("jail.local", 4)),
    ]
    assert values.to_regex(text(" ")) is None


def test_journal_matches_are_words_of_lines() -> None:
    assert values.to_matches(text("_A=1 + _B=2\n\nC='x y'")) == (("_A=1", "+", "_B=2"), ("C=x y",))
    for wrong in ("_A='1", "sshd", "=1"):
        with pytest.raises(FaultError, match="no journal match"):
            values.to_matches(text(wrong))


def test_multipliers_are_numbers() -> None:
    assert values.to_multipliers(text("1 5, 30\n0.5")) == (1, 5, 30, 0.5)
    for wrong in ("1 x", "-1", "nan", "inf"):
        with pytest.raises(FaultError, match="not a number"):
            values.to_multipliers(text(wrong))


def paths(content: str) -> tuple[list[tuple[str, bool]], list[str]]:
    problems = Problems()
    found = values.to_logpaths(text(content), problems)
    return [(entry.pattern, entry.tail) for entry in found], [p.what for p in problems.all()]


def test_log_paths_are_lines_that_say_where_to_begin() -> None:
    assert paths("/a/*.log\n/b tail\n/c head\n\n/with blank\n/with two blanks tail\n/a/*.log") == (
        [
            ("/a/*.log", False),
            ("/b", True),
            ("/c", False),
            ("/with blank", False),
            ("/with two blanks", True),
        ],
        [],
    )


def test_log_paths_on_one_line_are_parted_and_told() -> None:
    found, told = paths("/a.log, /b.log /c.log")
    assert [pattern for pattern, _ in found] == ["/a.log", "/b.log", "/c.log"]
    assert "3 paths" in told[0]


def test_a_log_path_is_whole() -> None:
    problems = Problems()
    found = values.to_logpaths(text("auth.log\n/var/log/auth.log"), problems)
    assert [each.pattern for each in found] == ["/var/log/auth.log"]
    (problem,) = problems.all()
    assert problem.severity == "error"
    assert "does not begin with /" in problem.what


CONVERSIONS: list[Callable[[Text], object]] = [
    lambda t: values.to_bool(t, "x", Problems()),
    lambda t: values.to_number(t, JAIL_OPTIONS["maxretry"]),
    values.to_span,
    lambda t: values.to_choice(t, SERVER_OPTIONS["loglevel"]),
    values.to_regexes,
    values.to_matches,
    values.to_multipliers,
    lambda t: values.to_logpaths(t, Problems()),
    lambda t: to_ignoreip(t, Problems()),
    to_ignorecache,
]


@given(st.text(max_size=60), st.sampled_from(CONVERSIONS))
def test_any_text_is_a_value_or_is_told(content: str, convert: Callable[[Text], object]) -> None:
    with contextlib.suppress(FaultError):
        convert(single(content, HERE))
