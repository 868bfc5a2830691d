"""Times as text."""

import os
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from banish.model.instant import Instant
from banish.telemetry import clocktext
from banish.telemetry.clocktext import clock_text


@pytest.fixture(
    scope="module",
    params=["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Monrovia"],
)
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = request.param
    time.tzset()
    clocktext._quarter.cache_clear()
    yield request.param
    del os.environ["TZ"]
    if before is not None:
        os.environ["TZ"] = before
    time.tzset()
    clocktext._quarter.cache_clear()


@given(st.floats(-4e9, 4e11) | st.floats())
@example(1_711_846_799.9)  # Berlin's clocks go forward at 1711846800,
@example(1_711_846_800.0)
@example(1_729_990_799.0)  # and back at 1729990800
@example(1_729_990_800.0)
@example(63_593_070.0)  # Monrovia's were 44 minutes and a half behind until then
@example(253_402_300_799.0)
def test_the_text_is_what_the_calendar_says(zone: str, at: float) -> None:
    del zone
    try:
        moment = datetime.fromtimestamp(int(at)).astimezone()
        expected = moment.strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        expected = f"@{at}"
    assert clock_text(Instant(at)) == expected
