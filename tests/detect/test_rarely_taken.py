"""What hardly any log comes to, of the ways by which lines are taken many at once."""

import pytest

from banish.detect import endings, template
from banish.detect.datefinder import DateFinder
from banish.detect.datepattern import parse_datepattern
from banish.detect.endings import ending_rules
from banish.detect.fused import fuse
from banish.detect.fusible import leads
from banish.detect.matcher import Matcher
from banish.detect.pattern import compile_pattern
from banish.detect.prefilter.outline import Sketch, Unsupported
from banish.detect.template import Template
from banish.model.instant import Seconds
from banish.model.settings import FilterSettings, Regex
from tests.detect.ways import NOW


def test_a_line_in_which_the_format_finds_nothing_to_cut_out_is_left_as_it_is() -> None:
    finder = DateFinder(())
    finder.settled = Template("x", "x", r"^x(\d*)", is_fixed=True)
    assert finder.cut(["xz\n"], NOW) == (["xz\n"], [None])


def test_a_rule_that_may_begin_anywhere_is_searched_the_long_way() -> None:
    assert fuse(None, None, compile_pattern(Regex("bad <HOST>"))) is None


def test_what_is_no_regex_leads_no_line() -> None:
    assert not leads("^(")
    assert leads(r"^(\d+)")


def test_a_rule_that_cannot_be_outlined_ends_no_session_for_sure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: str) -> Sketch:
        raise Unsupported("x")

    monkeypatch.setattr(endings, "sketch", refuse)
    rule = Regex("^<F-MLFFORGET><F-MLFGAINED>In</F-MLFGAINED></F-MLFFORGET> from <HOST>$")
    it = Matcher("x", FilterSettings("x", failregex=(rule,)), Seconds(600))
    assert not ending_rules(it)


def test_hours_that_are_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "HOURS", 1)
    (it,) = parse_datepattern(Regex(r"^%Y-%m-%d %H:%M:%S"))
    found = []
    for text in ("2026-11-22 12:00:01", "2026-11-22 13:59:60", "2026-11-22 12:30:00"):
        match = it.search(text)
        assert match is not None
        found.append(it.read(match, NOW, None))
    assert found == [NOW + 1, NOW + 7_200, NOW + 1_800]
