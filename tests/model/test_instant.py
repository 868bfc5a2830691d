"""Times for programs."""

from banish.model.instant import Instant, iso_text


def test_a_time_is_written_in_utc_to_the_second() -> None:
    assert iso_text(Instant(1_700_000_000.9)) == "2023-11-14T22:13:20+00:00"


def test_no_time_and_a_time_that_no_calendar_holds_are_none() -> None:
    assert iso_text(None) is None
    assert iso_text(Instant(1e300)) is None
    assert iso_text(Instant(float("nan"))) is None
