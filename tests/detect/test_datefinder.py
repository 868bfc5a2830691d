"""The right one of many possible times counts, and it stays the same one."""

from datetime import UTC, datetime

import pytest

from banish.detect.datefinder import DateFinder
from banish.detect.datepattern import parse_datepattern
from banish.model.instant import Instant
from banish.model.settings import Regex

NOW = Instant(datetime(2005, 8, 14, 10, tzinfo=UTC).timestamp())


def finder(pattern: str = "") -> DateFinder:
    return DateFinder(parse_datepattern(Regex(pattern)), UTC)


def found(dates: DateFinder, line: str, now: Instant = NOW) -> str:
    dates.find(line, now)
    return dates.text


def test_time_is_cut_out_and_the_rest_joined() -> None:
    text, at, optional = finder().find("<6>Aug 14 09:00:00 host x", NOW)
    assert text == "<6> host x\n"
    assert at == datetime(2005, 8, 14, 9, tzinfo=UTC).timestamp()
    assert not optional


def test_line_without_a_time_comes_back_whole() -> None:
    dates = finder()
    assert dates.find("no time", NOW) == ("no time\n", None, False)
    assert (dates.text, dates.template) == ("", None)


def test_pattern_that_matches_nothing_says_the_time_may_be_missing() -> None:
    dates = finder("{NONE}")
    assert dates.find("Aug 14 09:00:00 x", NOW) == ("Aug 14 09:00:00 x\n", None, True)
    assert dates.find("", NOW) == ("\n", None, True)
    assert finder("^(%H:%M)?x").find("x y", NOW) == ("x y\n", None, True)


def test_time_no_calendar_has_is_cut_and_unknown() -> None:
    assert finder().find("Feb 30 09:00:00 x", NOW) == (" x\n", None, False)


def test_formats_are_told_in_the_order_they_are_tried() -> None:
    dates = finder("%H:%M\n%Y")
    found(dates, "x 2005")
    assert [(hits, weight, each.pattern) for hits, weight, each in dates.standing()] == [
        (1, 0.5, "%Y"),
        (0, 0.0, "%H:%M"),
    ]


def test_same_line_is_answered_from_memory() -> None:
    dates = finder()
    line = "Aug 14 09:00:00 x"
    assert dates.find(line, NOW) is dates.find(line, NOW)
    assert dates.hits()[0][0] == 1


@pytest.mark.parametrize("bound", ["%H:%M:%S", "{UNB}%H:%M:%S"])
def test_single_pattern_is_found_wherever_it_moves(bound: str) -> None:
    dates = finder(bound)
    for form in ("{} test", "  {} test", "test {}", "test   {}"):
        for text in ("00:01:02", "00:01:2", "00:1:2", "0:1:2", "00:1:2", "00:01:02"):
            assert found(dates, form.format(text)) == text


def test_nearest_time_counts_and_changes_of_format_are_followed() -> None:
    dates = finder()
    tail = "2003-03-07 17:05:01"
    for text, line, times in (
        ("030324  0:03:59", f"words 030324  0:03:59 -- {tail} ...", 1),
        (tail, f"words {tail} test ...", 15),
        ("030324  0:04:00", f"server db[1]: 030324  0:04:00 [Warning] denied: {tail} test", 10),
        ("Sep 16 21:30:26", "server db[2]: Sep 16 21:30:26 server: 030916 21:30:26 denied", 15),
        ("2005-10-07 06:09:42", "server db[5906]: 2005-10-07 06:09:42 5907 denied", 20),
        ("2005-10-08T15:26:18.237955", "server db[6]: 2005-10-08T15:26:18.237955 6 denied", 20),
        ("051009 10:05:30", "server db[1000]: 051009 10:05:30 [Warning] denied ...", 50),
    ):
        for turn in range(times):
            assert found(dates, line, Instant(NOW + turn)) == text


def test_day_and_month_are_not_confused_by_a_line_of_the_other_order() -> None:
    dates = finder()
    for text in ("2012/10/11 02:37:17", *["11/10/2012 02:37:17"] * 10, "2012/10/11 02:37:17"):
        line = f"{text} [error] x"
        _, at, _ = dates.find(line, NOW)
        assert at == datetime(2012, 10, 11, 2, 37, 17, tzinfo=UTC).timestamp()


def test_time_in_the_message_is_not_taken_for_the_lines_own() -> None:
    dates = finder()
    forged = "Aug 14 09:00:00 host app: user '2001-01-01 00:00:00' failed"
    assert found(dates, forged) == "Aug 14 09:00:00"
    assert found(dates, "host app: user '2001-01-01 00:00:00'") == "2001-01-01 00:00:00"
    assert found(dates, forged) == "Aug 14 09:00:00"


def test_format_that_disappears_gives_way() -> None:
    dates = finder("%H:%M:%S\n%Y-%m-%d")
    assert found(dates, "x 09:00:00 y") == "09:00:00"
    assert found(dates, "x 2005-08-14 y") == "2005-08-14"
    assert found(dates, "no date") == ""
    assert found(dates, "x 2005-08-14 y") == "2005-08-14"


def test_often_found_formats_move_up_and_are_told_first() -> None:
    dates = finder("%H:%M:%S\n%Y-%m-%d\n%m/%d/%Y")
    for turn in range(3):
        found(dates, f"x 2005-08-14 {turn}")
    for turn in range(9):
        found(dates, f"x 08/14/2005 {turn}")
    found(dates, "x 09:00:00")
    assert [(hits, each.pattern) for hits, each in dates.hits()] == [
        (9, "%m/%d/%Y"),
        (3, "%Y-%m-%d"),
        (1, "%H:%M:%S"),
    ]


def test_year_is_guessed_anew_when_now_has_moved_on() -> None:
    dates = finder()
    line = "Dec 31 23:59:59 x"
    assert dates.find(line, NOW)[1] == datetime(2004, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    later = Instant(datetime(2006, 1, 1, tzinfo=UTC).timestamp())
    moved = datetime(2005, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
    assert dates.find(line, later)[1] == moved
