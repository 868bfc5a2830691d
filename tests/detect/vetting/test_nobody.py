"""A failregex that matches lines and names nobody is found, with such a line."""

import pytest

from banish.detect.matcher import Matcher
from banish.detect.vetting.nobody import vet_subjects
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Place, Regex

NOW = Instant(1_800_000_000)


def filter_of(*failregex: str, prefregex: str = "") -> FilterSettings:
    rules = tuple(Regex(each, Place("f.conf", at)) for at, each in enumerate(failregex, 1))
    return FilterSettings("f", rules, prefregex=Regex(prefregex) if prefregex else None)


EMPTY = [
    r"^<HOST> .* 404|401$",
    r'^<HOST> - - \[\] "[^"]*" (?:404)|401',
    r"^(?:from <HOST>|unknown) failed$",
    r"^login(?: from <HOST>)? failed$",
    r"^login(?: from <ADDR>)* failed$",
    r"^(?:a|b|from <F-ID>\d+</F-ID>) failed$",
    r"^<HOST> refused|",
]


@pytest.mark.parametrize("regex", EMPTY)
def test_an_alternative_without_an_address_is_found(regex: str) -> None:
    filters = filter_of(r"^safe <HOST>$", regex)
    (found,) = vet_subjects(filters)
    assert (found.rule, found.place) == (2, Place("f.conf", 2))
    report = Matcher("f", filters, Seconds(600)).trace(found.line, NOW, NOW)
    assert (report.rule, report.state, report.host) == (2, "unusable", "")


WHOLE = [
    r"^(?>from <HOST>) failed$",
    r"^(?P<x>a)?(?(x)<HOST>|<F-ID>\d+</F-ID>)$",
    r"^(?=never)(?:from <HOST>|unknown) failed$",
    r"^<HOST> .* (?:404|401)$",
    r"^(?:from <HOST>|to <F-ID>\w+</F-ID>) failed$",
    r"^<F-MLFID>\d+</F-MLFID>: too many keys$",
    r"^<F-NOFAIL>opened</F-NOFAIL>(?: by <HOST>)?$",
    r"^id <F-ID>\w+</F-ID>$",
]


@pytest.mark.parametrize("regex", WHOLE)
def test_a_regex_that_always_names_somebody_is_let_be(regex: str) -> None:
    if "MLFID" not in regex and "NOFAIL" in regex:
        regex = f"^<F-MLFID>1</F-MLFID> {regex[1:]}"
    assert vet_subjects(filter_of(regex)) == []


def test_a_line_that_another_rule_takes_is_no_finding() -> None:
    first = filter_of(r"^.* <F-ID>\w+</F-ID>$", r"^by <HOST>|gone away$")
    assert vet_subjects(first) == []


def test_an_address_in_the_prefregex_will_do() -> None:
    first = r"^<HOST>: <F-CONTENT>.+</F-CONTENT>$"
    assert vet_subjects(filter_of(r"^a|b$", prefregex=first)) == []
