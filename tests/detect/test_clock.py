"""Times that are told by their hour: the same times, and the same matches, as read whole."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.detect import datefinder
from banish.detect.datefinder import LEARNING_LINES, DateFinder
from banish.detect.datepattern import parse_datepattern
from banish.detect.fused import Dated, fuse
from banish.detect.fusible import clock_of
from banish.detect.pattern import compile_pattern
from banish.detect.template import Template
from banish.model.instant import Instant
from banish.model.settings import Regex

pytestmark = pytest.mark.slow

NOW = Instant(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp())
RULE = compile_pattern(Regex(r"^(?P<text>.*) from <HOST>$"))


def template_of(datepattern: str) -> Template:
    return parse_datepattern(Regex(datepattern))[0]


FORMATS = {
    "Nov 22 11:59:58": template_of("^%b %d %H:%M:%S"),
    "Nov  9 11:59:58": parse_datepattern(None)[1],
    "Sun Nov 22 11:59:58": parse_datepattern(None)[1],
    "22/11/26 11:59:58": template_of("{^LN-BEG}%d(?P<_sep>[-/])%m(?P=_sep)%Exy %k:%M:%S"),
    "11/22/2026:11:59:58": template_of("{^LN-BEG}%m/%d/%ExY:%H:%M:%S"),
    "11:59:58": template_of("^%H:%M:%S"),
}


def finder(stamp: str, zone: tzinfo = UTC) -> DateFinder:
    """Return one that has learnt the format of *stamp*."""
    dates = DateFinder([FORMATS[stamp]], zone)
    for _ in range(LEARNING_LINES + 1):
        dates.find(f"{stamp} host", NOW)
    return dates


TAILS = (
    " host: a from 192.0.2.1", " host: a from 192.0.2.x", ".5 host: a from 192.0.2.1",
    " 2024 host: a from 192.0.2.1", " 2024x from 192.0.2.1", "1 from 192.0.2.1", "", "x",
    " 11:22:33 from 192.0.2.1", ":07 from 192.0.2.1", "-01:30 from 192.0.2.1", "] from 192.0.2.1",
)  # fmt: skip
heads = st.sampled_from(
    ("Nov 22 ", "nov 2 ", "Feb 30 ", "Nov  9 ", "Dec 31 ", "Mar 29 ", "22/11/26 ", "22-11-26 ",
     "22/11-26 ", "11/22/2026:", "Sun Nov 22 ", "", " ", "<Nov 22 ")
)  # fmt: skip
number = st.integers(0, 61).map("{:02d}".format) | st.sampled_from(("7", "007", "é0"))


@settings(max_examples=1_500, deadline=None)
@given(
    stamp=st.sampled_from(sorted(FORMATS)),
    head=heads,
    hour=number,
    minute=number,
    second=number,
    tail=st.sampled_from(TAILS),
    zone=st.sampled_from(("UTC", "Europe/Berlin", "Australia/Lord_Howe")),
)
def test_a_line_is_told_by_its_hour_as_it_is_read_whole(
    stamp: str, head: str, hour: str, minute: str, second: str, tail: str, zone: str
) -> None:
    dates = finder(stamp, ZoneInfo(zone))
    template = FORMATS[stamp]
    assert dates.clock is not None
    dated = Dated(*dates.clock)
    line = f"{head}{hour}:{minute}:{second}{tail}"
    ats = dates.clocks([line], dated.width, NOW)
    search = fuse(dated, None, RULE)
    assert search is not None
    found = search.match(f"{line}\n")
    if ats is None or found is None:
        return  # nothing is claimed
    whole = template.search(line)
    assert whole is not None
    assert whole[1] == found[search.date] == line[: dated.width]
    assert ats == [template.read(whole, NOW, ZoneInfo(zone))]
    rest = RULE.search(f"{line[whole.end(1) :]}\n")
    assert rest is not None
    assert {name: found[group] for name, group in search.groups.items()} == rest.groupdict()


@pytest.mark.parametrize("stamp", FORMATS)
def test_most_lines_are_told_so(stamp: str) -> None:
    dates = finder(stamp)
    assert dates.clock is not None
    dated = Dated(*dates.clock)
    line = f"{stamp[:-5]}00:00{TAILS[0]}"
    assert dates.clocks([line], dated.width, NOW) == [dates.look(line, NOW)[1]]
    search = fuse(dated, None, RULE)
    assert search is not None
    assert search.match(f"{line}\n")


@pytest.mark.parametrize(
    "datepattern",
    [
        r"^%H:%M:%S %z",  # a zone holds a ":"
        r"^(?:\d+:)?%H:%M:%S",  # so may what stands before
        r"^.%H:%M:%S",
        r"^(?=[a:])%H:%M:%S",
        r"^%M:%S:%H",
        r"^%S:%M",
        r"^%H:%M-%S",
        r"^%H-%M:%S",
        r"^%H:%M:%S\d?",
        r"^%H:%M:%S(?=x)",
        r"^%H:%M(?::%S)?",
        r"^%d %b",
        r"^EPOCH",
        r"%b %d %H:%M:%S$",
        r"{UNB}%H:%M:%S",
    ],
)
def test_formats_that_may_end_otherwise_are_read_whole(datepattern: str) -> None:
    for template in parse_datepattern(Regex(datepattern)):
        assert clock_of(template.regex) is None, template.regex


def test_what_is_no_regex_has_no_clock() -> None:
    assert clock_of("^((") is None


def test_lines_of_another_width_or_day_are_told_nothing_of() -> None:
    dates = finder("Nov 22 11:59:58")
    assert dates.clocks(["Nov 22 11:00:00 x", "Nov 2 11:00:00 x"], 15, NOW) is None
    assert dates.clocks(["Nov 31 11:00:00 x"], 15, NOW) is None
    assert dates.clocks(["Xxx 22 11:00:00 x"], 15, NOW) is None
    assert dates.clocks(["Nov 22 11:00:60 x"], 15, NOW) is None
    dates.find("Nov 22 1:2:3 host", NOW)
    assert dates.clock is None


def test_a_line_in_another_format_says_nothing_of_how_times_look() -> None:
    dates = DateFinder([FORMATS["Nov 22 11:59:58"], FORMATS["11:59:58"]], UTC)
    for number in range(LEARNING_LINES + 1):
        dates.find(f"Nov 22 11:59:58 host{number}", NOW)
    assert dates.clock is not None
    dates.look("11:59:58 host", NOW)
    assert dates.text == "11:59:58"
    assert dates.clock is None


def test_an_hour_in_which_the_clock_is_set_is_read_time_by_time() -> None:
    # There clocks go forward by half an hour at two (tz database, Australia/Lord_Howe).
    dates = finder("11/22/2026:11:59:58", ZoneInfo("Australia/Lord_Howe"))
    assert dates.clocks(["10/04/2026:01:00:00 x"], 19, NOW) is not None
    assert dates.clocks(["10/04/2026:02:00:00 x"], 19, NOW) is None


def test_hours_are_read_again_as_time_goes_on() -> None:
    dates = finder("Nov 22 11:59:58")
    line = "Nov 24 10:00:00 x"
    assert dates.clocks([line], 15, NOW) == [
        Instant(datetime(2025, 11, 24, 10, tzinfo=UTC).timestamp())
    ]
    later = Instant(NOW + 2 * 86_400)
    assert dates.clocks([line], 15, later) == [
        Instant(datetime(2026, 11, 24, 10, tzinfo=UTC).timestamp())
    ]


def test_hours_that_are_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datefinder, "TIMES", 1)
    dates = finder("Nov 22 11:59:58")
    assert dates.clocks(["Nov 22 10:00:00 x"], 15, NOW) is not None
    assert dates.clocks(["Nov 22 09:00:00 x"], 15, NOW) is None


def test_most_formats_at_a_beginning_have_a_clock() -> None:
    found = [bool(clock_of(each.regex)) for each in parse_datepattern(None) if each.is_fixed]
    assert found.count(True) >= len(found) // 2
