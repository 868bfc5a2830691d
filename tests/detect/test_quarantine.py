"""Rules that take too long: counted, held back from long lines, let go after a while."""

import re

import pytest

from banish.detect.datefinder import DateFinder
from banish.detect.datepattern import parse_datepattern
from banish.detect.matcher import Matcher
from banish.detect.pattern import Search
from banish.detect.quarantine import (
    FIRST_PAUSE,
    INTERRUPTIBLE,
    LONGEST_PAUSE,
    STRIKES,
    STRIKES_SPAN,
    Event,
    Offence,
    OverBudgetError,
    Quarantine,
    Quarantined,
    Released,
)
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Regex

NOW = Instant(1_790_000_000)


class Slow:
    """A regex that takes too long on lines of *hostile* characters and more."""

    def __init__(self, option: str = "failregex", rule: int = 1, hostile: int = 1000) -> None:
        self.key = (option, rule)
        self.hostile = hostile
        self.search: Search = self._search
        self.searched = 0

    def _search(self, text: str) -> re.Match[str] | None:
        self.searched += 1
        if len(text) >= self.hostile:
            raise OverBudgetError(*self.key, len(text))
        return re.search("^", text)


class Court:
    """A quarantine with one regex, and lines for it."""

    def __init__(self, regex: Slow) -> None:
        self.regex = regex
        self.changes = 0
        self.quarantine = Quarantine(self._note)
        self.quarantine.watch(*regex.key, regex)
        self.at(0)

    def _note(self) -> None:
        self.changes += 1

    def at(self, seconds: float) -> None:
        self.quarantine.begin(Instant(NOW + seconds))

    def try_line(self, characters: int) -> str:
        try:
            return "found" if self.regex.search("x" * characters) else "missed"
        except OverBudgetError as error:
            self.quarantine.offend(error, "x" * characters)
            return "held" if error.held else "stopped"

    def news(self) -> list[Event]:
        return list(self.quarantine.drain())

    def limits(self) -> list[int]:
        return [rule.limit for rule in self.quarantine.in_force]


def struck_out(regex: Slow | None = None, characters: int = 2000) -> Court:
    court = Court(regex or Slow())
    for _ in range(STRIKES):
        assert court.try_line(characters) == "stopped"
    return court


def test_a_few_slow_lines_change_nothing() -> None:
    court = Court(Slow())
    for _ in range(STRIKES - 1):
        court.try_line(2000)
    assert court.try_line(999) == "found"
    assert (court.limits(), court.changes) == ([], 0)
    assert court.quarantine.overruns == STRIKES - 1


def test_slow_lines_that_are_far_apart_change_nothing() -> None:
    court = Court(Slow())
    for number in range(10):
        court.at(number * STRIKES_SPAN / 2)
        assert court.try_line(2000) == "stopped"
    assert court.limits() == []


def test_a_rule_that_strikes_out_searches_short_lines_only() -> None:
    court = struck_out()
    assert court.limits() == [1000]
    assert court.try_line(2000) == "held"
    assert court.try_line(1001) == "held"
    assert court.try_line(999) == "found"
    assert (court.quarantine.overruns, court.quarantine.held) == (STRIKES, 2)
    assert court.changes == 1


def test_the_shortest_offender_sets_the_limit() -> None:
    court = Court(Slow())
    for characters in (8000, 2000, 3000):
        court.try_line(characters)
    assert court.limits() == [1000]


def test_the_limit_falls_while_shorter_lines_are_slow_too() -> None:
    court = struck_out(Slow(hostile=100))
    assert court.try_line(800) == "stopped"
    assert court.limits() == [400]
    assert court.try_line(401) == "held"
    assert court.try_line(200) == "stopped"
    assert court.limits() == [100]
    assert court.try_line(100) == "stopped"
    assert court.limits() == [0]


def test_a_failregex_that_is_off_leaves_lines_to_the_others() -> None:
    court = struck_out(Slow(hostile=10), 100)
    assert court.limits() == [0]
    assert court.try_line(5) == "missed"
    assert court.regex.searched == STRIKES


@pytest.mark.parametrize("option", ["ignoreregex", "prefregex"])
def test_lines_that_might_be_exempt_do_not_count_while_it_is_off(option: str) -> None:
    court = struck_out(Slow(option, hostile=10), 100)
    assert court.try_line(5) == "held"


def test_a_date_pattern_in_quarantine_finds_no_date_in_long_lines() -> None:
    court = struck_out(Slow("datepattern", 0))
    assert court.try_line(2000) == "missed"
    assert court.try_line(900) == "found"


def test_after_the_pause_every_line_is_searched_again() -> None:
    court = struck_out()
    court.at(FIRST_PAUSE - 1)
    assert court.try_line(2000) == "held"
    court.at(FIRST_PAUSE)
    assert court.limits() == []
    assert court.try_line(2000) == "stopped"


def test_who_offends_again_soon_is_back_at_once_for_twice_as_long() -> None:
    court = struck_out()
    court.at(FIRST_PAUSE)
    court.try_line(2000)
    assert [rule.until for rule in court.quarantine.in_force] == [NOW + 3 * FIRST_PAUSE]


def test_pauses_grow_to_a_day_and_no_further() -> None:
    court = struck_out()
    until, pause = NOW, 0.0
    for _ in range(20):
        (rule,) = court.quarantine.in_force
        pause, until = rule.until - until, rule.until
        court.at(until - NOW)
        court.try_line(2000)
    assert pause == LONGEST_PAUSE


def test_who_behaves_for_long_enough_begins_anew() -> None:
    court = struck_out()
    court.at(FIRST_PAUSE)
    court.at(FIRST_PAUSE + STRIKES_SPAN)
    for _ in range(STRIKES - 1):
        court.try_line(2000)
    assert court.limits() == []


def test_what_happens_is_told_once_with_evidence() -> None:
    court = struck_out()
    *offences, last = court.news()
    assert offences == [Offence(NOW, "failregex", 1, 2000, "x" * 200)] * STRIKES
    assert last == Quarantined("failregex", 1, 1000, Instant(NOW + FIRST_PAUSE))
    assert last.text == "failregex 1 takes too long: lines above 1000 characters are skipped"
    court.at(FIRST_PAUSE)
    assert court.news() == [Released("failregex", 1)]
    assert court.news() == []


def test_evidence_is_bounded() -> None:
    court = Court(Slow())
    for number in range(500):
        court.at(number * STRIKES_SPAN)
        court.try_line(100_000)
    assert len(court.quarantine.newest) < 10
    assert len(court.news()) < 50


def test_a_regex_that_nobody_answers_for_is_counted_only() -> None:
    quarantine = Quarantine(lambda: None)
    for _ in range(10):
        quarantine.offend(OverBudgetError("failregex", 7, 5000), "x")
    assert (quarantine.overruns, quarantine.in_force) == (10, [])


def test_an_off_rule_says_so() -> None:
    assert Quarantined("prefregex", 0, 0, NOW).text == "prefregex is suspended: it takes too long"


# -- in a matcher ------------------------------------------------------------------


def matcher(**more: object) -> Matcher:
    rules = (Regex("^ a.* <HOST>$"), Regex("^ .*b <HOST>$"))
    return Matcher("j", FilterSettings("f", rules, **more), Seconds(600))  # type: ignore[arg-type]


def hold(made: Matcher, option: str, rule: int, characters: int = 500) -> None:
    made.quarantine.begin(NOW)
    for _ in range(STRIKES):
        made.quarantine.offend(OverBudgetError(option, rule, characters), "x")


def match(made: Matcher, text: str) -> int:
    """Return the rule that found a failure, or 0."""
    failure = made.match(f" {text} 192.0.2.1", NOW, at=NOW)
    return failure.rule if failure else 0


@pytest.mark.parametrize("rules", [None, (1, 2)])
def test_a_line_that_cannot_be_read_is_not_read_by_later_rules_either(
    rules: tuple[int, ...] | None,
) -> None:
    made = matcher()
    line = f" a{'-' * 300}b 192.0.2.1"
    assert made.match(line, NOW, at=NOW, rules=rules) is not None
    hold(made, "failregex", 1)
    assert made.match(line, NOW, at=NOW, rules=rules) is None
    assert made.quarantine.held == 1
    assert match(made, "ab") == 1
    made.quarantine.begin(Instant(NOW + FIRST_PAUSE))
    assert made.match(line, NOW, at=NOW, rules=rules) is not None


def test_a_rule_that_is_off_hides_no_other() -> None:
    made = matcher()
    hold(made, "failregex", 1, 80)
    assert match(made, "ab") == 2
    assert match(made, "a") == 0


def test_no_rule_looks_at_what_the_prefregex_cannot_read() -> None:
    made = matcher(prefregex=Regex("^<F-CONTENT> .*</F-CONTENT>$"))
    hold(made, "prefregex", 0)
    assert match(made, "a" + "-" * 300) == 0
    assert match(made, "a") == 1


@pytest.mark.parametrize("ignores", [1, 9])
def test_a_line_of_which_nobody_knows_whether_it_is_exempt_does_not_count(ignores: int) -> None:
    made = matcher(ignoreregex=(Regex("zzz"),) * ignores)
    hold(made, "ignoreregex", 1)
    assert match(made, "a" + "-" * 300) == 0
    assert match(made, "a") == 1


def test_trace_tells_which_regex_took_too_long() -> None:
    made = matcher()
    hold(made, "failregex", 1)
    report = made.trace(f" a{'-' * 300} 192.0.2.1", NOW, NOW)
    assert (report.state, report.stopped) == ("missed", "failregex 1")
    assert made.trace(" a 192.0.2.1", NOW, NOW).state == "failure"


def test_a_line_whose_date_cannot_be_read_has_none() -> None:
    finder = DateFinder(parse_datepattern(None))
    line = "2026-09-21T12:00:00 " + "x" * 500
    assert finder.find(line, NOW)[1] is not None
    finder.quarantine.begin(NOW)
    for _ in range(STRIKES):
        finder.quarantine.offend(OverBudgetError("datepattern", 0, 500), "x")
    assert finder.find(line + ".", NOW)[1] is None
    assert finder.find(line[:90], NOW)[1] is not None


def test_every_place_that_searches_can_be_broken_off() -> None:
    names = {code.co_qualname for code in INTERRUPTIBLE}
    assert names >= {
        "Matcher._find",
        "Matcher._ignored_by",
        "Matcher._also_matching",
        "Matcher._is_let_through",
        "DateFinder._search",
        "DateFinder._choose",
        "DateFinder._search_again",
        "Template._search_first",
        "Template.search_within",
        "_second_reading",
    }


def test_a_search_for_a_date_that_takes_too_long_finds_none() -> None:
    templates = parse_datepattern(Regex("^%Y-%m-%d"))
    finder = DateFinder(templates)
    assert finder.find("2026-09-21 x", NOW)[1] is not None

    def search(text: str) -> re.Match[str] | None:
        raise OverBudgetError("datepattern", 0, len(text))

    templates[0].search = search
    assert finder.find("2026-09-21 y", NOW) == ("2026-09-21 y\n", None, False)
    assert (finder.text, finder.template) == ("", None)
    assert finder.quarantine.overruns == 1
