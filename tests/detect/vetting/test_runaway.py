"""Regexes that may take for ever are found, with the line on which they do."""

import re

import pytest
from hypothesis import HealthCheck, assume, given, settings

from banish.detect.positions import PLACES_LIMIT, START, Places
from banish.detect.regextree import ANY, read
from banish.detect.vetting.runaway import PUMPS_LIMIT, TAILS, vet_runtime
from banish.errors import ConfigError
from banish.model.settings import Place
from tests.detect.vetting.rules import filter_of, regexes


def ways(regex: str) -> int | None:
    """Return how the worst line for *regex* grows; None if there is no such line."""
    pumps = vet_runtime(filter_of(f"{regex} end <ADDR>$"))
    return pumps[0].ways if pumps else None


@pytest.mark.parametrize(
    "regex",
    [
        r"((?:(?:(?:.)+)+|\n\D.\b))",
        "^(?:a+)+!",
        "^(?:a*)*!",
        r"^(?:: [^(]+)* \(",
        r"^(?:[^\[]+ )*\[",
        r"^(?:\S+\s*)+!",
        "^(?:(?:x|[a-z])*)*!",
        "^(?:aa|a)*!",
        "^(?:.*,){20,}!",
        "^(?:(?:ab)+)+!",
    ],
)
def test_a_loop_in_a_loop_over_the_same_text_doubles(regex: str) -> None:
    assert ways(regex) == 0


@pytest.mark.parametrize(
    ("regex", "expected"),
    [
        ("^.*x.*!", 2),
        (r"^\w+\d+!", 2),
        ("^.* .* .*!", 3),
        ("^a*b?a*c?a*!", 3),
        ("^.*,.*,.*!", 3),
        ("^.*,.*x.*,.*!", 4),
        ("x+!", 2),
    ],
)
def test_loops_behind_each_other_are_counted(regex: str, expected: int) -> None:
    assert ways(regex) == expected


@pytest.mark.parametrize(
    "regex",
    [
        "^.*!",
        r"^\S+ \S+!",
        "y[ab]+!",
        "^(y)?(?(1)a+|b+)!",
        "^'[^']*' '[^']*'!",
        r"^(?:\S+ )*\[",
        "^(?>a+)b",
        "^a{1,9}a{1,9}!",
        "^[a-z]*[0-9]*!",
        "^(?:ab)*!",
        "^a++a!",
        "^(?:a{0}b)*!",
    ],
)
def test_loops_that_share_no_text_are_let_be(regex: str) -> None:
    assert ways(regex) is None


def test_a_pump_makes_lines_of_any_length_that_do_not_match() -> None:
    (rule,) = filter_of(r"^(?:a+)+! <ADDR>$").failregex
    for pump in vet_runtime(filter_of(rule.text)):
        assert (pump.option, pump.rule, pump.place) == ("failregex", 1, Place("t.conf", 10))
        assert pump.line(1) == pump.line(2) == f"{pump.lead}{pump.pump}{pump.tail}"
        for length in (50, 500):
            assert length - len(pump.pump) < len(pump.line(length)) <= length
        assert not re.search(r"^(?:a+)+! ", pump.line(20))
        assert "many times" in pump.shown


def test_lines_pass_the_prefregex() -> None:
    pumps = vet_runtime(
        filter_of(
            r"^\w+ failed: (?:x+)+ <ADDR>$",
            prefregex=r"^(?:\S+ )?app: <F-CONTENT>auth failed: .+</F-CONTENT>$",
        )
    )
    assert {pump.option for pump in pumps} == {"failregex"}
    assert {pump.lead for pump in pumps} == {"x app: auth failed: x"}


def test_what_the_prefregex_never_lets_through_does_no_harm() -> None:
    assert not vet_runtime(filter_of("^(?:a+)+! <ADDR>$", prefregex="^<F-CONTENT>b.*</F-CONTENT>$"))


def test_the_prefregex_is_looked_at_itself() -> None:
    found = vet_runtime(filter_of("^x <ADDR>$", prefregex="^(?:a+)+ <F-CONTENT>.+</F-CONTENT>$"))
    assert found[0].option == "prefregex"
    assert (found[0].rule, found[0].place) == (0, Place("t.conf", 2))
    plain = vet_runtime(filter_of("^(?:b+)+ <ADDR>$", prefregex="^(?:b+)+"))
    assert {pump.option for pump in plain} == {"prefregex", "failregex"}


def test_no_pump_ends_a_line() -> None:
    for pump in vet_runtime(filter_of(r"^(?:\s+)+x<SKIPLINES>y <ADDR>$", maxlines=3)):
        assert "\n" not in pump.pump


def test_ways_lead_through_the_places_that_take_the_text() -> None:
    places = Places(read("ab*c"))
    a, b, c = 1, 2, 3
    assert places.loops() == [b]
    assert places.way(START, c, ANY) == [a, c]
    assert places.way(b, b, ANY) == []
    assert places.way(c, a, ANY) == []
    assert places.text([a, b, c], ANY) == "abc"


def test_a_huge_regex_is_cut() -> None:
    places = Places(read("(?:[a-z]{9}x){200}" * 20))
    assert len(places.masks) == PLACES_LIMIT


def test_a_filter_that_is_wrong_is_refused() -> None:
    with pytest.raises(ConfigError):
        vet_runtime(filter_of("^(<HOST>"))


@given(regexes)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_compiles_is_looked_at_and_the_lines_are_few(regex: str) -> None:
    try:
        pumps = vet_runtime(filter_of(f"{regex} <ADDR>", regex + "<ADDR>$"))
    except ConfigError:
        assume(False)
        return
    assert len(pumps) <= 2 * PUMPS_LIMIT * len(TAILS)
    assert all(pump.pump for pump in pumps)
