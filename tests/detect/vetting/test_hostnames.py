"""A failregex that takes a name beside its address is found, with the line that shows it."""

import pytest

from banish.detect.matcher import Matcher
from banish.detect.vetting.hostnames import NAME, vet_names
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Place, Regex, UseDns

NOW = Instant(1_800_000_000)


def filter_of(regex: str, usedns: UseDns = "warn", prefregex: str = "") -> FilterSettings:
    first = Regex(prefregex) if prefregex else None
    rules = (Regex("^safe <ADDR>$"), Regex(regex, Place("f.conf", 7)))
    return FilterSettings("f", rules, prefregex=first, usedns=usedns)


TAKES = [
    (r"^login failed from <HOST> \(", r"\S+ \(<ADDR>\)"),
    (r"^login failed from <HOST> \(\S+\)$", r"\S+ \(<ADDR>\)"),
    (r"^login failed from <HOST> \(\d+\.\d+\.\d+\.\d+\)$", r"\S+ \(<ADDR>\)"),
    (r"^login failed from <HOST>\[\S*\]: no$", r"\S+\[<ADDR>\]"),
    (r"login failed from <HOST>\s*\[.*\]", r"\S+\[<ADDR>\]"),
    (r"^login failed from <HOST>(?: \(.*\))?$", r"\S+ \(<ADDR>\)"),
    (r"^client <DNS> \[[\d.]+\] refused$", r"\S+ \[<ADDR>\]"),
]


@pytest.mark.parametrize(("regex", "instead"), TAKES)
@pytest.mark.parametrize("usedns", ["warn", "no"])
def test_a_name_that_is_taken_beside_an_address_is_found(
    regex: str, instead: str, usedns: UseDns
) -> None:
    (found,) = vet_names(filter_of(regex, usedns))
    assert (found.rule, found.place, found.instead) == (2, Place("f.conf", 7), instead)
    assert NAME in found.line
    settings = FilterSettings("f", (Regex(regex),), ambiguous="report")
    report = Matcher("f", settings, Seconds(600)).trace(found.line, NOW, NOW)
    assert report.host == NAME
    # The cure takes the address of the same line.
    mended = FilterSettings("f", (Regex(f" {instead}"),))
    report = Matcher("f", mended, Seconds(600)).trace(found.line, NOW, NOW)
    assert report.host == "192.0.2.1"


LEAVES = [
    r"^login failed from <ADDR> \(",
    r"^login failed from \S+ \(<HOST>\)$",
    r"^login failed from \S+\[<HOST>\]$",
    r"^login failed from <HOST>$",
    r"^login failed from <HOST> port \d+$",
    r"^login failed from <HOST> \(user [a-z]+\)$",
    r"^login failed from <HOST> \[preauth\]$",
    r"^<HOST> - - \[\] ",
    r"^<HOST>(?=never) \(\S+\)$",
    r"^login failed from <HOST>, \(\S+\)$",
    r"^login failed from <HOST> \(ip: [x]\)$",
    r"^login failed from <HOST>[\[(]x[)\]]$",
    r"^login failed from <HOST> \(x\]$",
]


@pytest.mark.parametrize("regex", LEAVES)
def test_a_regex_that_takes_the_address_or_no_bracket_is_let_be(regex: str) -> None:
    assert vet_names(filter_of(regex)) == []


def test_a_filter_with_a_prefregex_is_read_behind_it() -> None:
    first = r"^ app: <F-CONTENT>.+</F-CONTENT>$"
    (found,) = vet_names(filter_of(r"^refused <HOST> \(\S+\)$", prefregex=first))
    assert found.line == " app: refused unknown.example.org (192.0.2.1)"
