"""Lengths of time as people write them."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.model.duration import DurationError, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("600", 600),
        ("10m", 600),
        ("10 minutes", 600),
        ("10 MIN", 600),
        ("1d12h30m", 131_400),
        ("1d 12h 30m", 131_400),
        ("1d12", 86_412),
        ("1h-10m", 3_000),
        ("1h - 10m", 3_000),
        ("1.5h", 5_400),
        (".5h", 1_800),
        ("1hour+30min", 5_400),
        ("-1", -1),
        ("-1 ", -1),
        ("--1", 1),
        ("+5", 5),
        ("60*60", 3_600),
        ("2 * 1h 30m", 9_000),
        ("(1h + 30m) * 2", 10_800),
        ("1h/2", 1_800),
        ("1h/2m", 108_000),
        ("6 months", 15_778_800),
        ("1year-6mo", 15_778_800),
        ("1month", 30.4375 * 86_400),
        ("1w", 604_800),
        ("1 2 3", 6),
        ("4 weeks", 2_419_200),
        ("99999999999", 99_999_999_999),
    ],
)
def test_a_duration_reads_as_fail2ban_reads_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10 minuets", 'did you mean "minutes"'),
        ("5 lightyears", "not a unit"),
        ("10 xqz", "write a number and a unit"),
        ("", "missing"),
        ("   ", "missing"),
        ("m", 'number is missing before "m"'),
        ("1h +", "ends too soon"),
        ("(1h", '")" is missing'),
        ("1h)", 'no "("'),
        ("2 (3)", "sign is missing"),
        ("1/0", "divides by zero"),
        ("1h; 2m", "';' is not understood"),
        ("__import__('os')", "not understood"),
        ("9" * 13, "longer than 3,000 years"),
        ("1" * 300, "too long"),
        ("2***3", "number is missing"),
        ("9**9**9", "out of bounds"),
        ("0**-1", "out of bounds"),
        ("(-8)**.5", "no number"),
    ],
)
def test_what_is_no_duration_is_refused_with_a_cure(text: str, says: str) -> None:
    with pytest.raises(DurationError, match=re.escape(says)) as caught:
        parse_duration(text)
    assert caught.value.cure


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (0, "0s"),
        (0.5, "0.5s"),
        (59, "59s"),
        (600, "10m"),
        (3_661, "1h 1m 1s"),
        (90_000, "1d 1h"),
        (604_800, "7d"),
        (-1, "for ever"),
        (None, "for ever"),
    ],
)
def test_a_span_reads_well(span: float | None, text: str) -> None:
    assert format_duration(span) == text


@given(st.integers(0, 10**11))
def test_what_is_written_reads_back_as_the_same_length(span: int) -> None:
    assert float(parse_duration(format_duration(span))) == span


@given(st.text(alphabet="0123456789 .smhdwyo+-*/()x", max_size=40))
def test_any_text_is_a_number_or_is_refused(text: str) -> None:
    with contextlib.suppress(DurationError):
        assert isinstance(parse_duration(text), float)


@given(st.text())
def test_foreign_text_is_a_number_or_is_refused(text: str) -> None:
    with contextlib.suppress(DurationError):
        assert isinstance(parse_duration(text), float)


TERMS = st.tuples(
    st.integers(0, 999), st.sampled_from(["", "s", "sec", "m", "min", "h", "hours", "d", "w", "y"])
)


@given(st.lists(TERMS, min_size=1, max_size=5))
def test_blanks_and_plus_mean_the_same(terms: list[tuple[int, str]]) -> None:
    words = [f"{count}{unit}" for count, unit in terms]
    assert parse_duration(" ".join(words)) == parse_duration(" + ".join(words))
