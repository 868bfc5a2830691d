"""A name that lets its client off is found, and a regex that takes a piece of an address."""

import pytest

from banish.detect.vetting import vet_uncounted
from banish.model.settings import FilterSettings, Place, Regex


def found(*regexes: str, maxlines: int = 1) -> list[tuple[int, str, str]]:
    rules = tuple(Regex(text, Place("t.conf", 10)) for text in regexes)
    settings = FilterSettings("test", rules, maxlines=maxlines)
    return [(each.rule, each.what, each.line) for each in vet_uncounted(settings)]


def test_a_name_with_a_blank_that_a_regex_has_no_room_for_is_found() -> None:
    ((rule, what, line),) = found(r"^failed for <F-USER>\S+</F-USER> from <HOST>$")
    assert (rule, what) == (1, 'a client that calls itself "x y" is not counted')
    assert line == "failed for x y from 192.0.2.1"


@pytest.mark.parametrize(
    "regex",
    [
        r"^failed for <F-USER>.*</F-USER> from <HOST>$",
        r'^failed for "<F-USER>[^"]*</F-USER>" from <HOST>$',
        r"^failed for <F-USER>[^\s:]+</F-USER> from <HOST>$",
        r"^failed from <HOST>$",
        r"^failed from <F-MLFID>\S+</F-MLFID>$",
    ],
)
def test_a_regex_that_counts_any_name_is_let_be(regex: str) -> None:
    assert found(regex) == []


def test_a_name_that_is_counted_by_another_rule_is_let_be() -> None:
    narrow = r"^failed for <F-USER>\S+</F-USER> from <HOST>$"
    assert found(narrow, r"^failed for .* from <HOST>$") == []
    assert found(narrow, maxlines=2) == []


def test_a_name_that_makes_two_readings_is_not_counted() -> None:
    ((rule, what, _),) = found(r"^failed for <F-USER>(?:\S+|\S+ from \S+)</F-USER> from <HOST>$")
    assert rule == 1
    assert what.startswith("a client that calls itself")


def test_a_regex_that_takes_a_piece_of_an_address_is_found() -> None:
    ((rule, what, line),) = found(r"^failed from <HOST>$", r"^ Remote IP: .*<ADDR>$")
    assert (rule, what) == (2, "the regex takes 2.0.2.1 out of 192.0.2.1")
    assert line.endswith("192.0.2.1")
    assert found(r"^ Remote IP: .* <ADDR>") == []
    assert found(r"^ (?!R)(?=R)\d*<ADDR>") == []
    assert found(r"^ (?!R)(?=R)x <ADDR>:") == []
    assert found(r"^ x.*<ADDR>(?P=ip6)?$") == []
