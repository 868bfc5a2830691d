"""A line that names two is noticed, once for each rule, and counts as its jail says."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.ambiguity import Ambiguities, holds_one_address
from banish.detect.matcher import Matcher
from banish.detect.pattern import Pattern, compile_pattern
from banish.detect.quarantine import Offence, OverBudgetError
from banish.detect.readings import _ADDRESS
from banish.model.address import parse_address
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, OnAmbiguous, Regex

NOW = Instant(1_800_000_000)
LAZY = r"^login of .*? from <ADDR>(?: .*)?$"
NAMES = r"^login of (?:\S+) from <HOST>(?: port \d+)?(?:$|:)"
TWO = "login of x from 203.0.113.66 from 192.0.2.1"


def second(regex: str, line: str) -> tuple[str, str, bool] | None:
    pattern = compile_pattern(Regex(regex))
    found = pattern.search(line + "\n")
    assert found is not None
    reading = Ambiguities().look(1, pattern, found)
    return (reading.captured, reading.other, reading.is_last) if reading else None


@pytest.mark.parametrize(
    ("regex", "line"),
    [
        (LAZY, TWO),
        (NAMES, "login of x from 203.0.113.66: from 192.0.2.1 port 22"),
        (r"^.*rhost=<ADDR>(?: .*)?$", "ruser=x rhost=192.0.2.1 rhost=203.0.113.66"),
        (r"^.*peer <ADDR>\b.*$", "peer 2001:db8::1 said peer 2001:db8:66::66 x"),
        (r"^user \S+ at <HOST> left: .*$", "user x at 192.0.2.1 left: x at 203.0.113.66 left: y"),
    ],
)
def test_a_second_reading_is_found(regex: str, line: str) -> None:
    reading = second(regex, line)
    assert reading is not None
    captured, other, is_last = reading
    assert captured != other
    assert (line.index(other) > line.index(captured)) is is_last


@pytest.mark.parametrize(
    ("regex", "line"),
    [
        (LAZY, "login of x from 192.0.2.1"),
        (LAZY, "login of x from 2001:db8::1"),
        (LAZY, "login of a.b.c.d from 192.0.2.1"),
        (LAZY, "login of x from 192.0.2.1 from 192.0.2.1"),
        (LAZY, "login of x from 192.0.2.1 from 999.0.0.1"),
        (r"^from <ADDR> to \S+$", "from 192.0.2.1 to 203.0.113.66"),
        (r"^rip=<ADDR>[^>]*$", "rip=192.0.2.1, lip=203.0.113.66, session"),
        (r"^login of .* from <ADDR>$", "login of x at 203.0.113.66 from 192.0.2.1"),
        (r"^(?:\S+ )?from <HOST> .*$", "from trap.example.net for 192.0.2.1 or 192.0.2.2"),
        (r"^at [\d:]+ from <ADDR>$", "at 12:34:56 from 192.0.2.1"),
        (r"^v1 <F-ID>\S+</F-ID> .*$", "v1 x 192.0.2.1 and 192.0.2.2"),
        (r"^from <ADDR> or .* from \S+ .*$", "from 192.0.2.1 or x from 203.0.113.66 y"),
    ],
)
def test_a_line_with_one_reading_is_let_be(regex: str, line: str) -> None:
    assert second(regex, line) is None


pieces = st.lists(
    st.sampled_from([":", "::", ".", "1", "a", " ", "ff", "192.0.2.2", "2001:db8::2", "::1"]),
    max_size=8,
).map("".join)


@given(pieces, st.sampled_from(["192.0.2.1", "2001:db8::1", "::2", "1:2:3:4:5:6:7:8"]), pieces)
def test_what_surely_holds_one_address_holds_no_other(
    before: str, address: str, after: str
) -> None:
    text = f"{before}{address}{after}"
    begin, end = len(before), len(before) + len(address)
    others = [
        each[0]
        for each in _ADDRESS.finditer(text)
        if (each.end() <= begin or each.start() >= end) and parse_address(each[0]) is not None
    ]
    assert not (others and holds_one_address(text, address))


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_stands_around_an_address_it_never_fails(before: str, after: str) -> None:
    pattern = compile_pattern(Regex("<ADDR>"))
    found = pattern.search(f"{before} 192.0.2.1 {after} 192.0.2.2")
    assert found is not None
    Ambiguities().look(1, pattern, found)


def matcher(ambiguous: OnAmbiguous) -> Matcher:
    settings = FilterSettings("test", (Regex(LAZY),), ambiguous=ambiguous)
    return Matcher("web", settings, Seconds(600))


@pytest.mark.parametrize(
    ("ambiguous", "expected"),
    [("report", "203.0.113.66"), ("last", "192.0.2.1"), ("none", "")],
)
def test_it_counts_against_whom_the_jail_says(ambiguous: OnAmbiguous, expected: str) -> None:
    web = matcher(ambiguous)
    failure = web.match(TWO, NOW, at=NOW)
    assert (failure.subject.text if failure else "") == expected
    assert web.ambiguities.total == 1


def test_the_last_is_taken_whatever_the_kind_of_address() -> None:
    line = "login of x from 203.0.113.66 from 2001:db8::1"
    failure = matcher("last").match(line, NOW, at=NOW)
    assert failure is not None
    assert failure.subject.text == "2001:db8::1"


def test_the_last_may_be_the_one_that_the_regex_takes() -> None:
    settings = FilterSettings("test", (Regex(r"^.* from <ADDR>.*$"),), ambiguous="last")
    web = Matcher("web", settings, Seconds(600))
    failure = web.match(TWO, NOW, at=NOW)
    assert failure is not None
    assert failure.subject.text == "192.0.2.1"
    assert web.ambiguities.total == 1


def test_each_rule_is_told_of_once_and_every_match_counted() -> None:
    settings = FilterSettings("test", (Regex(LAZY), Regex(LAZY.replace("login", "try"))))
    web = Matcher("web", settings, Seconds(600))
    for line in (TWO, TWO, TWO.replace("login", "try"), "login of x from 192.0.2.1"):
        web.match(line, NOW, at=NOW)
    assert [reading.rule for reading in web.ambiguities.drain()] == [1, 2]
    assert web.ambiguities.drain() == []
    web.match(TWO, NOW, at=NOW)
    assert web.ambiguities.drain() == []
    assert web.ambiguities.total == 4


@pytest.mark.parametrize(("ambiguous", "counts"), [("report", True), ("last", False)])
def test_a_second_look_that_runs_away_hides_no_failure(
    ambiguous: OnAmbiguous, counts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = FilterSettings("f", (Regex("^ for .* from <HOST>"),), ambiguous=ambiguous)
    it = Matcher("j", settings, Seconds(600))

    def run_away(rule: int, _pattern: Pattern, found: re.Match[str]) -> None:
        raise OverBudgetError("failregex", rule, len(found.string))

    monkeypatch.setattr(it.ambiguities, "look", run_away)
    line = " for 192.0.2.9 from 192.0.2.1"
    assert (it.match(line, NOW, at=NOW) is not None) is counts
    assert [type(event) for event in it.quarantine.drain()] == [Offence]


def test_an_address_with_leading_zeros_is_an_address_like_any_other() -> None:
    lazy = Regex(r"^login of .*? from <ADDR>(?: port \d+)?$")
    named = {}
    for forged in ("203.0.113.66", "203.0.113.066"):
        matcher = Matcher("f", FilterSettings("f", failregex=(lazy,)), Seconds(600))
        line = f"login of x from {forged} from 192.0.2.1 port 22"
        failure = matcher.match(line, Instant(1_800_000_000), at=Instant(1_800_000_000))
        named[forged] = failure.subject.text if failure else ""
    assert named["203.0.113.066"] == named["203.0.113.66"] != "203.0.113.66"
