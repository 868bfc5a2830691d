"""Numbers and times for people."""

import pytest

from banish.cli.wording import ago, left, ordinal, plural, size, span
from banish.model.instant import Instant

NOW = Instant(1_700_000_000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.9, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3_600, "1 h"),
        (3_659, "1 h"),
        (11_520, "3 h 12 min"),
        (86_400 * 8 + 3_600, "8 d 1 h"),
        (-5, "0 s"),
    ],
)
def test_spans_read_by_their_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_times_are_told_from_now() -> None:
    assert ago(Instant(NOW - 540), NOW) == "9 min ago"
    assert ago(Instant(NOW - 0.5), NOW) == "now"
    assert ago(None, NOW) == "never"
    assert left(Instant(NOW + 540), NOW) == "9 min left"
    assert left(NOW, NOW) == "over"
    assert left(None, NOW) == "no end"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1_400, "1.4 kB"), (25_000_000, "25 MB"), (10**13, "10.0 TB")],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text


def test_plurals() -> None:
    assert plural(1, "ban") == "1 ban"
    assert plural(1_200, "ban") == "1,200 bans"
