"""Each log file's zone is learnt by itself, and known again after a restart."""

import pytest

from banish.daemon.zones import ZONE_LINES, Zones
from banish.detect.matcher import Matcher
from banish.model.instant import Seconds
from banish.model.record import FilePosition, Fingerprint, JournalPosition
from banish.model.settings import FilterSettings, Regex

HOUR = 3_600.0


@pytest.fixture
def matcher() -> Matcher:
    return Matcher("j", FilterSettings("f", failregex=(Regex("^fail <HOST>$"),)), Seconds(600))


def position(ahead: float = 0.0) -> FilePosition:
    return FilePosition("/log", Fingerprint(1, 2, 0, ""), 0, ahead)


def read(zones: Zones, matcher: Matcher, key: str, off_by: float, lines: int = ZONE_LINES) -> None:
    """Read live lines of file *key* that are *off_by* seconds ahead."""
    zones.begin(key, [matcher])
    matcher.counters.matched += lines
    if off_by:
        matcher.counters.retimed += lines
        matcher.counters.off_by = off_by
    zones.end(key)


def test_two_files_of_a_source_in_two_zones_keep_their_own(matcher: Matcher) -> None:
    zones = Zones()
    for _ in range(3):
        read(zones, matcher, "/east", 2 * HOUR, 1)
        read(zones, matcher, "/west", -5 * HOUR, 1)
        read(zones, matcher, "/here", 0.0, 1)
    assert [zones.ahead(key) for key in ("/east", "/west", "/here")] == [2 * HOUR, -5 * HOUR, 0]
    zones.begin("/west", [matcher])
    assert matcher._timing.ahead == -5 * HOUR
    zones.begin("/here", [matcher])
    assert matcher._timing.ahead == 0


def test_fewer_lines_than_it_takes_teach_nothing(matcher: Matcher) -> None:
    zones = Zones()
    read(zones, matcher, "/east", 2 * HOUR, ZONE_LINES - 1)
    assert zones.ahead("/east") == 0
    read(zones, matcher, "/east", 3 * HOUR, 1)  # another difference: the count begins anew
    assert zones.ahead("/east") == 0


def test_a_file_whose_times_are_right_again_is_read_as_written(matcher: Matcher) -> None:
    zones = Zones()
    zones.resume({"/east": position(2 * HOUR)}, {"/east"})
    read(zones, matcher, "/east", 0.0, 1)
    assert zones.ahead("/east") == 0


def test_what_all_files_of_a_source_share_is_assumed_of_a_new_one(matcher: Matcher) -> None:
    known = {"/a": position(HOUR), "/b": position(HOUR), "/other source": position(-HOUR)}
    zones = Zones()
    zones.resume(known | {"journal": JournalPosition("", 0)}, {"/a", "/b", "journal"})  # type: ignore[arg-type, dict-item]
    assert zones.ahead("/new") == HOUR
    assert zones.ahead("/other source") == -HOUR
    zones.resume(known, {"/a", "/b", "/other source"})
    assert zones.ahead("/new") == 0
    assert zones.ahead("/a") == HOUR
