"""Which sources are read for which jails."""

import msgspec

from banish.daemon.loggroups import Sources, log_groups
from banish.model.instant import Instant, Seconds
from banish.model.settings import (
    FilterSettings,
    JailSettings,
    JournalPlace,
    LogPath,
    Place,
    Regex,
)
from banish.sources.journal import JournalSource
from banish.telemetry.events import Event

MATCH = (("_COMM=sshd",),)


def jail(name: str, journal: JournalPlace) -> JailSettings:
    settings = FilterSettings("f", journalmatch=MATCH)
    return JailSettings(name, settings, backend="systemd", uses_journal=True, journal=journal)


def reading(name: str, *paths: str) -> JailSettings:
    return JailSettings(name, FilterSettings("f"), tuple(map(LogPath, paths)))


def test_each_journal_is_read_once_under_a_name_of_its_own() -> None:
    jails = (
        jail("one", JournalPlace()),
        jail("two", JournalPlace()),
        jail("three", JournalPlace("/var/log/journal/remote")),
        jail("four", JournalPlace(flags=1)),
    )
    told: list[Event] = []
    sources = Sources(emit=told.append, clock=lambda: Instant(0))
    made = [(sources.make(group), group.jails) for group in log_groups(jails)]
    assert {source.name: names for source, names in made} == {
        "journal: _COMM=sshd": ("one", "two"),
        "journal in /var/log/journal/remote: _COMM=sshd": ("three",),
        "journal (flags 1): _COMM=sshd": ("four",),
    }
    watched = [source._watch.files for source, _ in made if isinstance(source, JournalSource)]
    assert [(files.path, files.flags) for files in watched] == [
        (None, 4), ("/var/log/journal/remote", 4), (None, 1),
    ]  # fmt: skip


def test_jails_that_share_a_log_by_others_share_its_reader() -> None:
    jails = [reading("a", "/1"), reading("b", "/2"), reading("c", "/2", "/1"), reading("d", "/3")]
    assert [group.jails for group in log_groups(jails)] == [("b", "a", "c"), ("d",)]


def test_a_reader_is_the_same_when_an_option_only_moved_in_its_file() -> None:
    before = reading("a", "/1")
    moved = msgspec.structs.replace(
        before,
        filter=FilterSettings("f", failregex=()),
        logpaths=(LogPath("/1", place=Place("jail.local", 7)),),
        places={"maxretry": Place("jail.local", 9)},
        maxretry=9,
    )
    assert log_groups([before]) == log_groups([moved])


def test_a_reader_is_another_when_its_filter_or_findtime_changes() -> None:
    before = reading("a", "/1")
    for changed in (
        msgspec.structs.replace(before, findtime=Seconds(7)),
        msgspec.structs.replace(before, filter=FilterSettings("f", failregex=(Regex("x <HOST>"),))),
        msgspec.structs.replace(before, logpaths=(LogPath("/2"),)),
    ):
        assert log_groups([before]) != log_groups([changed])
