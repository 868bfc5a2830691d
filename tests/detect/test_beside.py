"""Where a service writes a host's name and its address beside it, the address counts."""

import time

import pytest

from banish.detect.beside import has_address_beside, with_addresses
from banish.detect.matcher import Matcher
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, OnAmbiguous, Regex, UseDns

NOW = Instant(1_800_000_000)


def named(
    line: str, *regexes: str, ambiguous: OnAmbiguous = "safe", usedns: UseDns = "warn"
) -> str:
    """Return whom *line* counts against; empty: nobody."""
    rules = tuple(map(Regex, regexes))
    settings = FilterSettings("f", failregex=rules, ambiguous=ambiguous, usedns=usedns)
    matcher = Matcher("f", settings, Seconds(600))
    (failure,) = matcher.trace(line, NOW, NOW).failures or (None,)
    assert (matcher.match(line, NOW, at=NOW) is None) is (failure is None)
    return failure.subject.text if failure else ""


OPEN = "^login failed from <HOST>"
BESIDE = [
    ("login failed from unknown.example.org (192.0.2.1)", OPEN),
    ("login failed from unknown.example.org[192.0.2.1]", OPEN),
    ("login failed from unknown.example.org. [192.0.2.1]", OPEN),
    ("login failed from unknown[192.0.2.1]:22", OPEN),
    ("login failed from unknown.example.org (192.0.2.1)", r"^login failed from <HOST> \(\S+\)$"),
    ("login failed from unknown.example.org[192.0.2.1]: no", r"^.* from <HOST>\[\S+\]: no$"),
    ("login failed from unknown.example.org ( 192.0.2.1 )", OPEN),
    ("192.0.2.1: login of x", r"^<HOST>: login of"),
]


@pytest.mark.parametrize(("line", "regex"), BESIDE)
def test_the_address_beside_a_name_counts(line: str, regex: str) -> None:
    assert named(line, regex) == "192.0.2.1"


def test_an_ipv6_address_counts_too() -> None:
    assert named("login failed from a.example.org [2001:db8::1]", OPEN) == "2001:db8::1"


def test_the_jail_may_ask_for_the_name_as_fail2ban_takes_it() -> None:
    line = "login failed from a.example.org (192.0.2.1)"
    assert named(line, OPEN, ambiguous="report") == "a.example.org"
    assert named(line, OPEN, ambiguous="last") == "192.0.2.1"
    assert named(line, OPEN, ambiguous="none") == ""
    assert named(line, OPEN, usedns="raw") == "a.example.org"
    assert named(line, OPEN, usedns="no") == ""  # no regex takes a name then


@pytest.mark.parametrize(
    "line",
    [
        "login failed from a.example.org",
        "login failed from a.example.org (b.example.org)",
        "login failed from a.example.org, client 192.0.2.1",
        "login failed from a.example.org (999.0.0.1)",
        "login failed from a.example.org (192.0.2.1",
        "login failed from a.example.org (port 22)",
    ],
)
def test_a_name_without_an_address_beside_it_stays_a_name(line: str) -> None:
    assert named(line, OPEN) == "a.example.org"


@pytest.mark.parametrize(
    ("regex", "counts"),
    [
        (r"^login of .* failed from <HOST>", ""),
        (r"^login of .* failed from <HOST> \(\S+\)$", "192.0.2.66"),
        (r"^login of .*? failed from <HOST> \(\S+\)$", "192.0.2.66"),
        (r"^login of .*? failed from <HOST>", ""),
    ],
)
def test_a_user_name_that_says_the_same_bans_nobody_else(regex: str, counts: str) -> None:
    user = "x failed from victim.example.org (203.0.113.9)"
    line = f"login of {user} failed from a.example.org (192.0.2.66)"
    assert named(line, regex) == counts


def test_of_two_names_that_of_the_service_counts() -> None:
    regex = r"^by user .*? <HOST>(?: \(\S+\))?(?: on \S+(?: \(\S+\))?)?$"
    line = "by user x v.example.org (203.0.113.9) on a.example.org (192.0.2.66)"
    assert named(line, regex) == "192.0.2.66"


def test_a_line_of_it_is_told_of_once() -> None:
    settings = FilterSettings("f", failregex=(Regex(OPEN),))
    matcher = Matcher("f", settings, Seconds(600))
    for _ in range(3):
        matcher.match("login failed from a.example.org (192.0.2.1)", NOW, at=NOW)
    (reading,) = matcher.ambiguities.drain()
    assert (reading.captured, reading.other, reading.trusted) == (
        "a.example.org",
        "192.0.2.1",
        "192.0.2.1",
    )


@pytest.mark.parametrize("part", ["a", "a.", "a (", "a[1", "1.1.1.1 [", "a::", "-", "a (1.1.1.1"])
def test_a_long_hostile_line_is_read_in_no_time(part: str) -> None:
    text = part * (8_000 // len(part))
    begin = time.process_time()
    has_address_beside(text, 10)
    assert len(with_addresses(text)) == 2
    assert time.process_time() - begin < 0.25
