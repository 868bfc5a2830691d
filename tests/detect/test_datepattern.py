"""Date patterns find a time where it stands, and cut out no more than it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.datepattern import (
    DEFAULT_PATTERNS,
    default_templates,
    parse_datepattern,
)
from banish.detect.template import Template
from banish.errors import ConfigError
from banish.model.instant import Instant
from banish.model.settings import Place, Regex


def instant(text: str) -> Instant:
    return Instant(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOW = instant("2005-08-14T10:00:00")


def parse(pattern: str) -> tuple[Template, ...]:
    return parse_datepattern(Regex(pattern))


def first(pattern: str, line: str) -> str | None:
    """Return what is cut out of *line* by the first template that finds anything."""
    for template in parse(pattern):
        if (found := template.search(line)) is not None:
            return str(found[1])
    return None


@pytest.mark.parametrize(
    ("pattern", "line", "cut"),
    [
        # Bounds of words, and none.
        ("%H:%M:%S", "at 20:00:00 x", "20:00:00"),
        ("%H:%M:%S", "at x20:00:00 x", None),
        ("%H:%M:%S", "at 20:00:00x", None),
        ("**%H:%M:%S**", "at x20:00:00x", "20:00:00"),
        ("**%H:%M:%S", "at x20:00:00x", None),
        ("%H:%M:%S**", "at 20:00:00x", "20:00:00"),
        ("{UNB}%H:%M:%S", "at x20:00:00x", "20:00:00"),
        (r"\**%H:%M:%S\**", "x*20:00:00*x", "*20:00:00*"),
        (r"%H:%M:%S\b", "20:00:00 x", "20:00:00"),
        # Bounds of lines.
        ("^%H:%M:%S", "20:00:00 x", "20:00:00"),
        ("^%H:%M:%S", " 20:00:00 x", None),
        ("(?:^|x)%H:%M:%S", "y x20:00:00", "x20:00:00"),
        ("%H:%M:%S$", "x 20:00:00", "20:00:00"),
        ("%H:%M:%S$", "20:00:00 x", None),
        ("{^LN-BEG}%H:%M:%S", "20:00:00 x", "20:00:00"),
        ("{^LN-BEG}%H:%M:%S", "[[20:00:00]", "20:00:00"),
        ("{^LN-BEG}%H:%M:%S", "[[[20:00:00]", None),
        ("{^LN-BEG}**%H:%M:%S**", "20:00:00x", "20:00:00"),
        # What is cut out.
        (r"\[%H:%M:%S\]", "a [20:00:00] b", "[20:00:00]"),
        (r"^\[(%H:%M:%S)\]", "[20:00:00] b", "20:00:00"),
        ("(?:at )?%H:%M:%S", "at 20:00:00", "at 20:00:00"),
        # Directives.
        ("%b %d", "Aug  4", "Aug  4"),
        ("%b %d", "AUG 04", "AUG 04"),
        ("%Exd/%Exm", "4/08", None),
        ("%Exd/%Exm", "04/08", "04/08"),
        ("%A %B %p", "sunday march PM", "sunday march PM"),
        ("100%% %H", "100% 20", "100% 20"),
        ("%ExY", "2005", "2005"),
        ("%ExY", "1905", None),
        ("%c", "Sun Aug 14 20:00:00 2005", "Sun Aug 14 20:00:00 2005"),
        ("%x %X", "08/14/05 20:00:00", "08/14/05 20:00:00"),
        ("(?i)t=%H", "T=20", "T=20"),
        ("t=%H", "T=20", None),
        # Seconds since the epoch.
        ("EPOCH", "1138049999 x", "1138049999"),
        ("epoch", "[1138049999.123] x", "1138049999.123"),
        ("EPOCH", "audit(1138049999.123:987): x", "1138049999.123"),
        ("EPOCH", "at 1138049999", None),
        ("EPOCH", "[1138049999x", None),
        ("EPOCH", "123456789 x", None),
        ("EPOCH", "9999999999999 x", None),
        ("{^LN-BEG}EPOCH", "[1138049999] x", "1138049999"),
        ("^EPOCH", "1138049999 x", "1138049999"),
        ("LEPOCH", "1138049999123 x", "1138049999123"),
        ("LEPOCH", "1138049999123456 x", "1138049999123456"),
        ("^LEPOCH", "1138049999123.5 x", "1138049999123.5"),
        (r"t=\{EPOCH}", "t={EPOCH}", "t={EPOCH}"),
        ("t={EPOCH}", "x t=1138049999 y", "t=1138049999"),
        (r"(?<=\|\s){LEPOCH}(?=\s\|)", "a | 1138049999123 | b", "1138049999123"),
        ("TAI64N", "x @4000000041f4104f00000000 y", "@4000000041f4104f00000000"),
        ("{^LN-BEG}TAI64N", "@4000000041f4104f00000000 y", "@4000000041f4104f00000000"),
        ("{^LN-BEG}TAI64N", "x @4000000041f4104f00000000 y", None),
        # The default formats inside a pattern of one's own.
        ("^<({DATE})>", "<2005-08-14 20:00:00> x", "2005-08-14 20:00:00"),
        (r"^<\d+>\d+ {DATE}", "<34>1 2005-08-14T20:00:00Z x", "<34>1 2005-08-14T20:00:00Z"),
        (r"^t=({date})", "t=1138049999 x", "1138049999"),
        (r"^t=({DATE})", "t=@4000000041f4104f00000000", "@4000000041f4104f00000000"),
        # No date.
        ("{NONE}", "2005-08-14 20:00:00", ""),
    ],
)
def test_pattern_cuts(pattern: str, line: str, cut: str | None) -> None:
    assert first(pattern, line) == cut


@pytest.mark.parametrize(
    ("line", "cut", "expected"),
    [
        ("2005-01-23T21:59:59.252Z x", "2005-01-23T21:59:59.252Z", "2005-01-23T21:59:59"),
        ("2005/01/23 21:59:59 x", "2005/01/23 21:59:59", "2005-01-23T21:59:59"),
        ("2005.01.23 21:59:59,000 x", "2005.01.23 21:59:59,000", "2005-01-23T21:59:59"),
        ("2005-01-23T15:59:59-05:00 x", "2005-01-23T15:59:59-05:00", "2005-01-23T20:59:59"),
        ("Jan 23 21:59:59 x", "Jan 23 21:59:59", "2005-01-23T21:59:59"),
        ("Sun Jan 23 21:59:59.011 2005 x", "Sun Jan 23 21:59:59.011 2005", "2005-01-23T21:59:59"),
        ("Sun Jan 23 2005 21:59:59 x", "Sun Jan 23 2005 21:59:59", "2005-01-23T21:59:59"),
        ("23/01/2005 21:59:59 x", "23/01/2005 21:59:59", "2005-01-23T21:59:59"),
        ("23-01-05 21:59:59 x", "23-01-05 21:59:59", "2005-01-23T21:59:59"),
        ("[23/Jan/2005:21:59:59 +0100] x", "23/Jan/2005:21:59:59 +0100", "2005-01-23T20:59:59"),
        ("01/23/2005:21:59:59 x", "01/23/2005:21:59:59", "2005-01-23T21:59:59"),
        ("01-23-2005 21:59:59.252 x", "01-23-2005 21:59:59.252", "2005-01-23T21:59:59"),
        ("1106513999 x", "1106513999", "2005-01-23T20:59:59"),
        ("09:59:59 x", "09:59:59", "2005-08-14T09:59:59"),
        ("<01/23/05@21:59:59> x", "<01/23/05@21:59:59>", "2005-01-23T21:59:59"),
        ("050123 21:59:59 x", "050123 21:59:59", "2005-01-23T21:59:59"),
        ("Jan 23, 2005 9:59:59 PM x", "Jan 23, 2005 9:59:59 PM", "2005-01-23T21:59:59"),
        ("Jan-23-05 21:59:59 x", "Jan-23-05 21:59:59", "2005-01-23T21:59:59"),
        ("20050123T215959 x", "20050123T215959", "2005-01-23T21:59:59"),
        ("20050123-21:59:59 x", "20050123-21:59:59", "2005-01-23T21:59:59"),
        ("PDT Jan 23 21:59:59 x", "PDT Jan 23 21:59:59", "2005-01-24T04:59:59"),
        ("+01:00 Jan 23 21:59:59 x", "+01:00 Jan 23 21:59:59", "2005-01-23T20:59:59"),
        ("@4000000041f4104f00000000 x", "@4000000041f4104f00000000", "2005-01-23T20:59:59"),
    ],
)
def test_default_formats_are_read(line: str, cut: str, expected: str) -> None:
    for template in default_templates():
        found = template.search(line)
        if found is not None and found[1] == cut:
            assert template.read(found, NOW, UTC) == instant(expected)
            return
    pytest.fail("no template cuts that")


def test_default_list_begins_with_its_twins_at_the_line_begin() -> None:
    templates = default_templates()
    assert len(templates) == len(DEFAULT_PATTERNS) + 14 == 31
    assert all(template.is_fixed and template.weight == 100 for template in templates[:14])
    assert [template.is_fixed for template in templates[14:]].count(True) == 3


def test_no_pattern_or_default_is_the_default_list() -> None:
    wanted = [template.regex for template in default_templates()]
    assert [template.regex for template in parse_datepattern(None)] == wanted
    assert [template.regex for template in parse(" \n")] == wanted
    assert [template.regex for template in parse("{default}")] == wanted


def test_line_begin_alone_means_the_default_formats_there() -> None:
    templates = parse("{^LN-BEG}")
    assert len(templates) == 17
    assert all(template.is_fixed for template in templates)


def test_patterns_are_listed_line_by_line_and_each_once() -> None:
    templates = parse("%H:%M\n  {DEFAULT}\n\n%H:%M\nEPOCH")
    assert len(templates) == 1 + 31


def test_name_says_the_format_in_words() -> None:
    (template,) = parse("{^LN-BEG}%ExY-%m-%d %H:%M:%S %%")
    assert template.name == "{^LN-BEG}ExYear-Month-Day 24hour:Minute:Second %"
    assert template.pattern == "{^LN-BEG}%ExY-%m-%d %H:%M:%S %%"


@pytest.mark.parametrize("pattern", ["%Q", "100%", "(%H", "%d-%d", "^{DATE}("])
def test_wrong_pattern_is_refused_with_its_place_and_a_cure(pattern: str) -> None:
    with pytest.raises(ConfigError, match="is not a date pattern") as refused:
        parse_datepattern(Regex(pattern, Place("/etc/x.conf", 3)))
    assert refused.value.where == "/etc/x.conf:3"
    assert refused.value.cure
    with pytest.raises(ConfigError):
        parse_datepattern(Regex(pattern))


def test_fractions_of_one_second_are_read_once() -> None:
    (template,) = parse("^%Y-%m-%d %H:%M:%S(?:\\.%f)?")
    readings = []
    for fraction in (".1", ".25", ""):
        found = template.search(f"2005-08-14 09:00:00{fraction} x")
        assert found is not None
        readings.append(template.read(found, NOW, UTC))
    assert readings == [instant("2005-08-14T09:00:00")] * 3


FORMATS = {
    "%Y-%m-%dT%H:%M:%S%z": "%Y-%m-%dT%H:%M:%S+0000",
    "%d/%b/%Y:%H:%M:%S %z": "%d/%b/%Y:%H:%M:%S +0000",
    "%A, %d %B %Y %I:%M:%S %p": "%A, %d %B %Y %I:%M:%S %p",
    "%y%m%d %H:%M:%S": "%y%m%d %H:%M:%S",
    "%Y day %j %H:%M:%S": "%Y day %j %H:%M:%S",
    "%Y week %W day %w %H:%M:%S": "%Y week %W day %w %H:%M:%S",
    "%Y week %U %a %H:%M:%S": "%Y week %U %a %H:%M:%S",
    "%G-W%V-%u %H:%M:%S": "%G-W%V-%u %H:%M:%S",
    "%a %b %d %k:%M:%S %Exy": "%a %b %d %H:%M:%S %y",
    "%ExY%Exm%Exd%ExH%ExM%ExS": "%Y%m%d%H%M%S",
    "%m/%d/%Y %l:%M:%S %p %ExZ": "%m/%d/%Y %l:%M:%S %p UTC",
}


@given(
    st.integers(946_684_800, 4_102_444_799),
    st.sampled_from(sorted(FORMATS)),
)
def test_what_is_written_by_a_pattern_is_read_by_it(seconds: int, pattern: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    (template,) = parse(pattern)
    found = template.search(f"x {moment.strftime(FORMATS[pattern])} y")
    assert found is not None
    assert template.read(found, NOW, UTC) == Instant(seconds)


@given(st.text(max_size=30))
def test_any_text_is_a_pattern_or_refused(text: str) -> None:
    try:
        templates = parse(text)
    except ConfigError:
        return
    for template in templates[:3]:
        found = template.search("Aug 14 10:00:00 x")
        if found is not None:
            template.read(found, NOW, UTC)
