"""Decides which sources are read for which jails, so that each log is read once for all of them.

Jails that share a path or a glob share the source; a source of several globs hands each
jail the files it asked for. When jails change, a source stays as it is if nothing that it
was made from has changed (`LogGroup.made_from`).
"""

from collections.abc import Sequence

import msgspec

from banish.daemon.changes import without_places
from banish.daemon.host import log_file_limit
from banish.model.instant import Seconds
from banish.model.settings import FilterSettings, JailSettings, JournalPlace, LogPath
from banish.ports import Clock, Source
from banish.sources.files import FileSource
from banish.sources.inotify import Inotify
from banish.sources.journal import JournalSource
from banish.sources.journalfiles import JournalFiles
from banish.sources.journalwatch import JournalWatch
from banish.sources.openfiles import OPEN_LIMIT, OpenFiles
from banish.sources.seek import Reach, Seeker
from banish.telemetry.events import Emit


class Reading(msgspec.Struct, frozen=True):
    """All that matters of one jail for its source."""

    jail: str
    filter: FilterSettings
    logpaths: tuple[LogPath, ...]
    backend: str
    uses_journal: bool
    journal: JournalPlace
    findtime: Seconds


def reading_of(jail: JailSettings) -> Reading:
    """Return what matters of *jail* for its source."""
    bare = without_places(jail)
    return Reading(
        jail.name,
        bare.filter,
        bare.logpaths,
        jail.backend,
        jail.uses_journal,
        jail.journal,
        jail.findtime,
    )


class LogGroup(msgspec.Struct, frozen=True):
    """What one source is to be made from."""

    made_from: tuple[Reading, ...]

    @property
    def jails(self) -> tuple[str, ...]:
        """The names of the jails that watch it."""
        return tuple(each.jail for each in self.made_from)


def log_groups(jails: Sequence[JailSettings]) -> list[LogGroup]:
    """Return one group for each group of *jails* that share logs."""
    in_files = [jail for jail in jails if not jail.uses_journal and not jail.uses_ledger]
    groups = _groups(in_files)
    by_match: dict[tuple[JournalPlace, tuple[tuple[str, ...], ...]], list[JailSettings]] = {}
    for jail in jails:
        if jail.uses_journal:
            by_match.setdefault((jail.journal, jail.filter.journalmatch), []).append(jail)
    return [LogGroup(tuple(map(reading_of, group))) for group in (*groups, *by_match.values())]


class Sources:
    """Makes sources; what they share lives as long as the server."""

    def __init__(self, *, emit: Emit, clock: Clock) -> None:
        self._emit = emit
        self._clock = clock
        self._inotify = Inotify()
        most = log_file_limit()
        self._open_files = OpenFiles(min(OPEN_LIMIT, most), most)
        self._watches: dict[JournalPlace, JournalWatch] = {}

    def make(self, group: LogGroup) -> Source:
        """Return the source of *group*, which reads nothing before it is asked."""
        if group.made_from[0].uses_journal:
            return self._journal(group.made_from)
        return self._files(group.made_from)

    def _files(self, group: Sequence[Reading]) -> FileSource:
        paths: dict[str, LogPath] = {}
        for each in group:
            for path in each.logpaths:
                paths.setdefault(path.pattern, path)
        return FileSource(
            " ".join(paths),
            tuple(paths.values()),
            emit=self._emit,
            clock=self._clock,
            polls=all(each.backend.startswith("polling") for each in group),
            seeker=Seeker([Reach(each.filter, each.findtime) for each in group], clock=self._clock),
            inotify=self._inotify,
            open_files=self._open_files,
        )

    def _journal(self, group: Sequence[Reading]) -> JournalSource:
        journal, matches = group[0].journal, group[0].filter.journalmatch
        if journal not in self._watches:
            files = JournalFiles(journal.path, journal.flags)
            self._watches[journal] = JournalWatch(files, self._emit)
        words = " | ".join(" ".join(match) for match in matches) or "everything"
        # Two journals may be asked for the same, and a source's name is its own.
        which = f" in {journal.path}" if journal.path else ""
        which += f" (flags {journal.flags})" if journal.flags != JournalPlace().flags else ""
        return JournalSource(
            f"journal{which}: {words}",
            matches,
            emit=self._emit,
            clock=self._clock,
            since=max(each.findtime for each in group),
            journal_path=journal.path,
            flags=journal.flags,
            watch=self._watches[journal],
        )


def _groups(jails: Sequence[JailSettings]) -> list[list[JailSettings]]:
    """Return *jails* in groups of those that share a log pattern, directly or by others."""
    groups: list[tuple[set[str], list[JailSettings]]] = []
    for jail in jails:
        patterns = {path.pattern for path in jail.logpaths}
        if not patterns:
            continue
        members = [jail]
        apart = []
        for others, group in groups:
            if others & patterns:
                patterns |= others
                members = group + members
            else:
                apart.append((others, group))
        groups = [*apart, (patterns, members)]
    return [group for _, group in groups]
