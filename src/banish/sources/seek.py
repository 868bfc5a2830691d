"""Finds where a log's young lines begin, without reading the old ones.

A server that starts on a log of gigabytes counts nothing older than findtime, so
nothing older needs to be read. Lines stand in the order of their times, more or
less: the place is found by halving, some 30 blocks of 64 KiB for any log.

Nothing that counts may be skipped, so a place is only taken for old if that is
plain: its lines have a time, all in the one format that the log begins with,
and all older than findtime by more than `SLACK`. Whatever is not plain is taken for
young, and reading begins before it. Times that go back by more than `SLACK`
from one place to a later one, a young place among those that would be skipped, or a
date pattern that may find nothing, and the whole log is read. So with times that
never go back by more than `SLACK`, the same failures are counted as if all lines had
been read.
"""

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from banish.detect.datefinder import LEARNING_LINES, DateFinder
from banish.detect.datepattern import parse_datepattern
from banish.detect.encoding import encoding_named
from banish.detect.template import Template
from banish.detect.zone import zone_named
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings
from banish.ports import Clock

LEAST_BYTES = 8 * 1024 * 1024
"""Less than that is read in a second or two, whatever stands in it."""

SLACK = Seconds(2 * 3_600)
"""Clocks are set back by an hour where a zone's summer time ends."""

BLOCK_BYTES = 64 * 1024
"""What is read at one place: some hundred lines."""

LINES_OF_A_PLACE = 8
"""Dated lines that are looked at there; all of them must agree."""

LINE_CHARACTERS = 2_048
"""Of a longer line the beginning is looked at. Times stand there."""

SPOTS = 16
"""Places among those to be skipped that are looked at once more."""

LINES_BEFORE = 256
"""So many lines before the young ones are read, too: rules of several lines look back, and a line
without time takes that of the one before."""

BEFORE_BYTES = 16 * 1024 * 1024
"""Most that is read for it: so many lines of the greatest length."""


class Reach(NamedTuple):
    """How far back one jail looks, and how it reads times."""

    settings: FilterSettings
    findtime: Seconds


class Seeker:
    """Knows all jails that watch one source.

    Args:
        reaches: Theirs.
        clock: Tells the wall time.
        least_bytes: What is always read.
        block_bytes: What is read at one place.

    """

    def __init__(
        self,
        reaches: Sequence[Reach],
        *,
        clock: Clock,
        least_bytes: int = LEAST_BYTES,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        self._reaches = tuple(reaches)
        self._clock = clock
        self._least_bytes = least_bytes
        self._block_bytes = block_bytes

    def place(self, descriptor: int, begin: int, ahead: float = 0.0) -> int:
        """Return where to begin reading a file, at *begin* or after it.

        Both are first bytes of lines. The times in the file are *ahead* seconds ahead of the
        clock, as seen while it was live.

        Raises:
            OSError: The file cannot be read.

        """
        end = os.fstat(descriptor).st_size
        if end - begin < self._least_bytes:
            return begin
        now = self._clock()
        # As the file writes it.
        oldest = Instant(now - max(reach.findtime for reach in self._reaches) - SLACK + ahead)
        wanted = max(LINES_BEFORE, *(reach.settings.maxlines for reach in self._reaches))
        places = []
        for settings in self._formats():
            log = _Log(descriptor, begin, end, self._block_bytes, settings)
            place = _search(log, oldest, now)
            places.append(log.lines_before(place, wanted))
        return min(places)

    def _formats(self) -> list[FilterSettings]:
        """Return one filter for each way of reading times."""
        chosen: dict[tuple[str, str, str], FilterSettings] = {}
        for settings, _ in self._reaches:
            pattern = settings.datepattern.text if settings.datepattern else ""
            key = (pattern, settings.logtimezone, settings.logencoding)
            chosen.setdefault(key, settings)
        return list(chosen.values())


class _UnclearError(Exception):
    """The log's times say nothing about its order."""


class _Log:
    """The lines of one file by their places, and their times."""

    def __init__(
        self, descriptor: int, begin: int, end: int, block_bytes: int, settings: FilterSettings
    ) -> None:
        self.begin = begin
        self.end = end
        self.block_bytes = block_bytes
        self._descriptor = descriptor
        self._encoding = encoding_named(settings.logencoding)
        self._finder = DateFinder(
            parse_datepattern(settings.datepattern), zone_named(settings.logtimezone)
        )
        self._template: Template | None = None

    def lines(self, at: int) -> Iterator[tuple[int, str]]:
        """Yield the whole lines of the block at *at*, each with its place."""
        block = os.pread(self._descriptor, min(self.block_bytes, self.end - at), at)
        offset = 0
        if at > self.begin:
            # The line before the first line end began somewhere else.
            offset = block.find(b"\n") + 1
            if not offset:
                return
        while (newline := block.find(b"\n", offset)) >= 0:
            raw = block[offset : min(newline, offset + LINE_CHARACTERS)]
            yield at + offset, raw.decode(self._encoding, "replace")
            offset = newline + 1

    def learn(self, now: Instant) -> Instant:
        """Find out how the log begins; return the latest time there.

        Raises:
            _UnclearError: Without time, or with times in several formats.

        """
        latest = None
        for number, (_, line) in enumerate(self.lines(self.begin)):
            if number == LEARNING_LINES:
                break
            at = self._time(line, now)
            if at is not None:
                latest = at if latest is None else max(latest, at)
        if latest is None:
            raise _UnclearError
        return latest

    def look(self, at: int, now: Instant) -> tuple[int, Instant] | None:
        """Return the place of the first dated line at *at* and the latest time there.

        None if nothing is plain there.
        """
        place, found = 0, []
        for offset, line in self.lines(at):
            try:
                when = self._time(line, now)
            except _UnclearError:
                return None
            if when is None:
                continue
            place = place or offset
            found.append(when)
            if len(found) == LINES_OF_A_PLACE:
                break
        if not found or max(found) - min(found) > SLACK:
            return None
        return place, max(found)

    def _time(self, line: str, now: Instant) -> Instant | None:
        _, at, may_be_missing = self._finder.find(line, now)
        if may_be_missing:
            raise _UnclearError
        if at is None:
            return None
        template = self._finder.template
        if self._template is None:
            self._template = template
        elif template is not self._template:
            raise _UnclearError
        return at

    def lines_before(self, at: int, count: int) -> int:
        """Return the place *count* lines before the line at *at*, or the beginning.

        Where so many lines are not within `BEFORE_BYTES`, a place before those.
        """
        size = self.block_bytes
        while at - size > self.begin:
            block = os.pread(self._descriptor, size, at - size)
            newline = block.find(b"\n")
            if newline >= 0 and (block.count(b"\n") > count or size >= BEFORE_BYTES):
                return at - size + newline + 1
            if size >= BEFORE_BYTES:
                break
            size *= 2
        return self.begin


def _search(log: _Log, oldest: Instant, now: Instant) -> int:
    """Return the last place found that is plainly old, or where the log begins."""
    try:
        latest = log.learn(now)
    except _UnclearError:
        return log.begin
    if latest >= oldest:
        return log.begin
    old, young = log.begin, log.end
    while young - old > log.block_bytes:
        middle = (old + young) // 2
        seen = log.look(middle, now)
        if seen is None or seen[1] >= oldest:
            young = middle
            continue
        old, at = seen
        if at < latest - SLACK:
            return log.begin
        latest = max(latest, at)
    step = (old - log.begin) // (SPOTS + 1)
    for number in range(1, SPOTS + 1) if step else ():
        seen = log.look(log.begin + step * number, now)
        if seen is None or seen[1] >= oldest:
            return log.begin
    return old
