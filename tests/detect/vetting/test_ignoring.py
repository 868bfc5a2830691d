"""An ignoreregex that an attacker can trip is found, with the line that proves it."""

import pytest

from banish.detect.matcher import Matcher
from banish.detect.vetting.ignoring import vet_ignoring
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Place, Regex

NOW = Instant(1_800_000_000)
WEB = r'^<HOST> - - \[\] "(?:GET|POST) [^"]*" 404 \d+ "[^"]*" "[^"]*"$'
SSH = r"^ sshd: Failed password for <F-USER>.*</F-USER> from <ADDR> port \d+$"


def filter_of(failregex: str, *ignoreregex: str, prefregex: str = "") -> FilterSettings:
    return FilterSettings(
        "f",
        failregex=(Regex(failregex),),
        ignoreregex=tuple(Regex(each, Place("f.conf", 9)) for each in ignoreregex),
        prefregex=Regex(prefregex) if prefregex else None,
    )


TRIPPED = [
    (WEB, r"favicon\.ico"),
    (WEB, r"\bfavicon\.ico"),
    (WEB, r"^<HOST> .*favicon\.ico"),
    (WEB, r'^<HOST> .*/favicon\.ico HTTP/1\.\d" 404'),
    (WEB, r"Googlebot"),
    (WEB, r"(?:favicon\.ico|robots\.txt)"),
    (WEB, r"(?i)FAVICON"),
    (WEB, r"^<HOST> - - \[\] .*\.(?:png|gif)"),
    (SSH, r"for root from"),
    (SSH, r"from 192\.168\.\d+\.\d+"),
    (SSH, r"^ sshd: .* backup from"),
    (SSH, r"user=nagios"),
]


@pytest.mark.parametrize(("failregex", "ignoreregex"), TRIPPED)
def test_an_ignoreregex_that_a_client_can_trip_is_found(failregex: str, ignoreregex: str) -> None:
    filters = filter_of(failregex, ignoreregex)
    (found,) = vet_ignoring(filters)
    assert found.place == Place("f.conf", 9)
    assert found.attack in found.line
    matcher = Matcher("f", filters, Seconds(600))
    assert matcher.trace(found.line, NOW, NOW).state == "ignored"
    harmless = found.line.replace(found.attack, "x")
    assert matcher.trace(harmless, NOW, NOW).state == "failure"


SAFE = [
    (WEB, r'^<HOST> - - \[\] "GET /favicon\.ico HTTP/1\.\d" 404'),
    (WEB, r"^192\.0\.2\.77 "),
    (SSH, r"^ sshd: Failed password for root from"),
    (SSH, r"^ sshd: Failed password for root from <ADDR> port \d+$"),
    (SSH, r" from 192\.168\.\d+\.\d+ port \d+$"),
    (r"^ app: refused <ADDR>$", r"favicon\.ico"),
]


@pytest.mark.parametrize(("failregex", "ignoreregex"), SAFE)
def test_an_ignoreregex_that_ignores_what_is_meant_is_let_be(
    failregex: str, ignoreregex: str
) -> None:
    assert vet_ignoring(filter_of(failregex, ignoreregex)) == []


def test_what_makes_no_failure_without_it_cannot_be_let_off_by_it() -> None:
    filters = filter_of(r"^<F-NOFAIL>opened</F-NOFAIL> by .* from <ADDR>$", "favicon")
    assert vet_ignoring(filters) == []


def test_each_ignoreregex_is_judged_alone() -> None:
    filters = filter_of(WEB, r'^<HOST> - - \[\] "GET /a HTTP', "favicon", "robots")
    assert [found.rule for found in vet_ignoring(filters)] == [2, 3]


def test_a_filter_with_a_prefregex_is_read_behind_it() -> None:
    first = r"^ web: <F-CONTENT>.+</F-CONTENT>$"
    (found,) = vet_ignoring(filter_of(r"^refused .* from <ADDR>$", "favicon", prefregex=first))
    assert found.line.startswith(" web: refused ")


def test_nothing_is_looked_for_without_an_ignoreregex() -> None:
    assert vet_ignoring(filter_of(WEB)) == []
