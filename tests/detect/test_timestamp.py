"""Parts of a date become a point in time; what is missing is guessed by now."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.detect.timestamp import read_parts
from banish.model.instant import Instant

from .conftest import SetZone


def instant(text: str) -> Instant:
    return Instant(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


NOW = instant("2026-03-10T12:00:00")


def read(now: Instant = NOW, zone: tzinfo | None = UTC, /, **parts: str) -> Instant | None:
    return read_parts(parts, now, zone)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"Y": "2025", "m": "1", "d": " 2", "H": "3", "M": "4", "S": "5"}, "2025-01-02T03:04:05"),
        ({"y": "05", "m": "01", "d": "02"}, "2005-01-02T00:00:00"),
        ({"b": "mAr", "d": "10", "H": "11"}, "2026-03-10T11:00:00"),
        ({"B": "September", "d": "1"}, "2025-09-01T00:00:00"),
        ({"b": "Mar", "d": "11", "H": "12"}, "2026-03-11T12:00:00"),
        ({"b": "Mar", "d": "11", "H": "13"}, "2025-03-11T13:00:00"),
        ({"b": "Feb", "d": "29"}, None),
        ({"H": "11", "M": "59"}, "2026-03-10T11:59:00"),
        ({"H": "12", "M": "01"}, "2026-03-09T12:01:00"),
        ({"Y": "2025", "m": "4"}, "2025-04-01T00:00:00"),
        ({"Y": "2025", "d": "4"}, "2025-03-04T00:00:00"),
        ({"Y": "2025", "m": "1", "d": "1", "I": "12", "p": "AM"}, "2025-01-01T00:00:00"),
        ({"Y": "2025", "m": "1", "d": "1", "I": "12", "p": "pm"}, "2025-01-01T12:00:00"),
        ({"Y": "2025", "m": "1", "d": "1", "I": "9", "p": "PM"}, "2025-01-01T21:00:00"),
        ({"Y": "2025", "m": "1", "d": "1", "I": "12"}, "2025-01-01T00:00:00"),
        ({"Y": "2025", "j": "365", "H": "23", "M": "59", "S": "60"}, "2026-01-01T00:00:00"),
        ({"Y": "2025", "j": "60"}, "2025-03-01T00:00:00"),
        ({"Y": "2026", "W": "10", "w": "2"}, "2026-03-10T00:00:00"),
        ({"Y": "2026", "U": "10", "A": "Sunday"}, "2026-03-08T00:00:00"),
        ({"Y": "2026", "U": "0", "a": "Thu"}, "2026-01-01T00:00:00"),
        ({"Y": "2026", "W": "0", "a": "Sun"}, "2026-01-04T00:00:00"),
        ({"Y": "2026", "a": "Sun"}, "2026-03-10T00:00:00"),
        ({"G": "2026", "V": "11", "u": "2"}, "2026-03-10T00:00:00"),
        ({"epoch": "1773144000.5"}, "2026-03-10T12:00:00.5"),
        ({"lepoch": "1773144000"}, "2026-03-10T12:00:00"),
        ({"lepoch": "1773144000500"}, "2026-03-10T12:00:00.5"),
        ({"lepoch": "1773144000500.25"}, "2026-03-10T12:00:00.50025"),
        ({"lepoch": "1773144000500000"}, "2026-03-10T12:00:00.5"),
        ({"tai": "@4000000069b007c000000000"}, "2026-03-10T12:00:00"),
        ({"Y": "2025", "m": "2", "d": "30"}, None),
        ({"Y": "0000", "m": "2", "d": "3"}, None),
        ({"b": "Foo", "d": "3"}, None),
    ],
)
def test_parts_are_read(parts: dict[str, str], expected: str | None) -> None:
    assert read(**parts) == (None if expected is None else instant(expected))


def test_29_february_is_last_years_where_this_year_has_none() -> None:
    now = instant("2025-01-05T00:00:00")
    assert read(now, b="Feb", d="29") == instant("2024-02-29T00:00:00")


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"z": "+0200"}, "2025-01-01T10:00:00"),
        ({"z": "-03:30"}, "2025-01-01T15:30:00"),
        ({"z": "z"}, "2025-01-01T12:00:00"),
        ({"Z": "UTC"}, "2025-01-01T12:00:00"),
        ({"Z": "PST"}, "2025-01-01T20:00:00"),
        ({"Z": "NONAM"}, "2025-01-01T07:00:00"),
        ({}, "2025-01-01T07:00:00"),
    ],
)
def test_named_zone_counts_before_the_logs_own(parts: dict[str, str], expected: str) -> None:
    own = timezone(timedelta(hours=5))
    assert read(NOW, own, Y="2025", m="1", d="1", H="12", **parts) == instant(expected)


def test_local_zone_counts_where_none_is_given(set_zone: SetZone) -> None:
    set_zone("CET-01CEST-02,M3.5.0,M10.5.0")
    assert read(NOW, None, Y="2025", m="7", d="1", H="12") == instant("2025-07-01T10:00:00")
    assert read(NOW, None, Y="2025", m="1", d="1", H="12") == instant("2025-01-01T11:00:00")


def test_today_is_that_of_the_lines_zone() -> None:
    now = instant("2026-03-10T23:30:00")
    assert read(now, timezone(timedelta(hours=1)), H="0", M="15") == instant("2026-03-10T23:15:00")


@given(
    st.dictionaries(
        st.sampled_from([*"YymbBdHIpMSfAajwUWzZGVu", "epoch", "lepoch", "tai"]),
        st.text("0123456789.@abcjunPM+-: \x00é", max_size=20),
    )
)
def test_hostile_parts_never_raise(parts: dict[str, str]) -> None:
    read_parts(parts, NOW, UTC)


@pytest.mark.parametrize(
    ("now", "minute", "expected"),
    [
        ("2026-10-25T00:30:00", "30", "2026-10-25T00:30:00"),  # the first time that it is 2:30
        ("2026-10-25T00:29:00", "30", "2026-10-25T00:30:00"),
        ("2026-10-25T01:30:00", "30", "2026-10-25T01:30:00"),  # the second time
        ("2026-10-25T01:29:30", "30", "2026-10-25T01:30:00"),
        ("2026-10-25T01:05:00", "30", "2026-10-25T00:30:00"),
        ("2026-10-25T05:00:00", "30", "2026-10-25T01:30:00"),
    ],
)
@pytest.mark.parametrize("is_local", [False, True])
def test_a_time_of_the_hour_that_comes_twice_is_the_later_one_unless_ahead(
    set_zone: SetZone, now: str, minute: str, expected: str, is_local: bool
) -> None:
    set_zone("Europe/Prague")
    zone = None if is_local else ZoneInfo("Europe/Prague")
    parts = {"Y": "2026", "m": "10", "d": "25", "H": "2", "M": minute}
    assert read(instant(now), zone, **parts) == instant(expected)
