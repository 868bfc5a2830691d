"""What a prefregex leaves out may hold the true address: then that one counts."""

import pytest

from banish.detect.matcher import Matcher
from banish.detect.pattern import compile_pattern
from banish.detect.swallowing import swallows
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, OnAmbiguous, Regex

NOW = Instant(1_800_000_000)
FIRST = r"^app(?: [^:]+:)? <F-CONTENT>.+</F-CONTENT>$"
RULES = (r"^quiet <HOST>$", r"^Host <HOST> failed", r"^both \S+ <HOST>")


def named(line: str, *, first: str = FIRST, ambiguous: OnAmbiguous = "safe") -> str:
    rules = tuple(map(Regex, RULES))
    settings = FilterSettings("f", rules, prefregex=Regex(first), ambiguous=ambiguous)
    failure = Matcher("j", settings, Seconds(600)).match(line, NOW, at=NOW)
    return failure.subject.text if failure else ""


HOSTILE = "app Host {} failed for x: Host 203.0.113.66 failed for y"


@pytest.mark.parametrize("true", ["192.0.2.1", "2001:db8::1"])
def test_the_address_in_front_counts(true: str) -> None:
    assert named(HOSTILE.format(true).replace("for x", "for x y")) == true


def test_the_address_in_front_that_a_regex_takes_counts() -> None:
    assert named("app both 192.0.2.1 192.0.2.2: Host 203.0.113.66 failed") == "192.0.2.2"


def test_it_is_taken_as_the_regexes_have_it_where_the_jail_says_so() -> None:
    assert named(HOSTILE.format("192.0.2.1"), ambiguous="report") == "203.0.113.66"


@pytest.mark.parametrize(
    "line",
    [
        "app main.c: Host 203.0.113.66 failed for y",
        "app on 192.0.2.1: Host 203.0.113.66 failed for y",
        "app on 192.0.2.1 quiet: Host 203.0.113.66 failed for y",
    ],
)
def test_an_address_in_front_that_did_not_fail_does_not_count(line: str) -> None:
    assert named(line) == "203.0.113.66"


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (FIRST, True),
        (r"^app \S+ <F-CONTENT>.+</F-CONTENT>$", False),
        (r"^app .* failed$", False),
    ],
)
def test_only_a_front_with_room_for_text_is_looked_at(first: str, expected: bool) -> None:
    assert swallows(compile_pattern(Regex(first), option="prefregex")) is expected
    assert not swallows(None)
