"""Zones are told by distance, abbreviation or name."""

from datetime import datetime, timedelta

import pytest

from banish.detect.zone import fixed_zone, zone_difference, zone_named
from banish.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("UTC", 0),
        ("Z", 0),
        ("GMT", 0),
        ("gmt", 0),
        ("CET", 60),
        ("CEST", 120),
        ("+0200", 120),
        ("+02", 120),
        ("-03:30", -210),
        ("UTC+0300", 180),
        ("CET+0130", 150),
        ("CEST-01", 60),
        ("PDT", -420),
        ("NPT", 345),
    ],
)
def test_fixed_zone(text: str, minutes: int) -> None:
    zone = fixed_zone(text)
    assert zone is not None
    assert zone.utcoffset(None) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "ABC", "+9", "Europe/Prague", "NZDT+19"])
def test_text_that_is_no_fixed_zone(text: str) -> None:
    assert fixed_zone(text) is None


def test_empty_name_is_the_local_zone() -> None:
    assert zone_named(" ") is None


def test_name_of_the_iana_database_knows_summer_time() -> None:
    zone = zone_named("Europe/Prague")
    assert zone is not None
    assert datetime(2026, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=2)
    assert zone_named("UTC+01") == fixed_zone("UTC+01")


@pytest.mark.parametrize("text", ["Prague", "ABC", "../../etc/passwd", "Europe"])
def test_unknown_zone_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a time zone") as refused:
        zone_named(text, where="jail.local:3")
    assert refused.value.where == "jail.local:3"


@pytest.mark.parametrize(
    ("seconds", "difference"),
    [
        (7_200.0, 7_200.0),
        (-20_700.0 + 40, -20_700.0),
        (3_600.0 - 90, 3_600.0),
        (3_600.0 - 91, 0.0),
        (1_234.0, 0.0),
        (27 * 3_600.0 + 1, 0.0),
    ],
)
def test_zones_differ_by_quarters_of_an_hour(seconds: float, difference: float) -> None:
    assert zone_difference(seconds) == difference
