from banish.daemon.build import wirings
from banish.model.instant import Instant
from banish.model.settings import FilterSettings, JailSettings, JournalPlace, Settings
from banish.sources.journal import JournalSource
from banish.telemetry.events import Event

MATCH = (("_COMM=sshd",),)


def jail(name: str, journal: JournalPlace) -> JailSettings:
    settings = FilterSettings("f", journalmatch=MATCH)
    return JailSettings(name, settings, backend="systemd", uses_journal=True, journal=journal)


def test_each_journal_is_read_once_under_a_name_of_its_own() -> None:
    jails = (
        jail("one", JournalPlace()),
        jail("two", JournalPlace()),
        jail("three", JournalPlace("/var/log/journal/remote")),
        jail("four", JournalPlace(flags=1)),
    )
    told: list[Event] = []
    wired = wirings(Settings("/", jails=jails), emit=told.append, clock=lambda: Instant(0))
    assert {
        wiring.source.name: [watch.matcher.jail for watch in wiring.watches] for wiring in wired
    } == {
        "journal: _COMM=sshd": ["one", "two"],
        "journal in /var/log/journal/remote: _COMM=sshd": ["three"],
        "journal (flags 1): _COMM=sshd": ["four"],
    }
    sources = [wiring.source for wiring in wired if isinstance(wiring.source, JournalSource)]
    assert [(files.path, files.flags) for files in (source._watch.files for source in sources)] == [
        (None, 4), ("/var/log/journal/remote", 4), (None, 1),
    ]  # fmt: skip
