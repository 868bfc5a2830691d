"""Feeds the lines of one source to the filters of all its jails.

With a prefilter a block is scanned as it is, and only lines that some rule
could match are cut out, decoded and searched. Without one, and for jails that
it cannot speak for, every line is. A line is decoded once for all jails that
read the same encoding, and its time is found once for all that look for the
same formats. Bytes that are no text become U+FFFD, counted, and match as that.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from banish.detect.datefinder import DateFinder
from banish.detect.encoding import bytes_of, encoding_named
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, Found, Wanted
from banish.detect.stretch import LINES_AT_ONCE, Lines
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.model.record import Batch

SPARSE_BYTES = 1_024
"""Of a block in which fewer than one line in so many bytes is wanted, these are decoded alone."""

__all__ = ["Detector", "encoding_named"]


class Detector:
    """All jails of one source.

    Args:
        matchers: One for each jail; their order is that of failures of one line.
        prefilter: Made for these very matchers; None: every line is looked at.

    Raises:
        ConfigError: A jail's ``logencoding`` cannot be read.

    """

    def __init__(
        self, matchers: Sequence[Matcher], prefilter: BlockPrefilter | None = None
    ) -> None:
        self.matchers = tuple(matchers)
        self.undecodable = 0
        """Lines looked at that held bytes which are no text, once for each encoding tried."""
        self.stops = False
        """Set while `feed` is at work, it makes it stop after the line in hand."""
        self.rest: Batch | None = None
        """What the last `feed` left since it was told to stop."""
        self.encodings = tuple(
            encoding_named(matcher.settings.logencoding) for matcher in self.matchers
        )
        """Which encoding each matcher reads."""
        finders: dict[tuple[str, str], Matcher] = {}
        for matcher in self.matchers:
            settings = matcher.settings
            pattern = settings.datepattern.text if settings.datepattern else ""
            first = finders.setdefault((pattern, settings.logtimezone), matcher)
            matcher.share_dates(first.dates)
        self._finders = tuple(first.dates for first in finders.values())
        jails: dict[int, str] = {}
        for matcher in self.matchers:
            jails.setdefault(id(matcher.dates), matcher.jail)
        self.quarantines = (
            *((matcher.jail, matcher.quarantine) for matcher in self.matchers),
            *((jails[id(finder)], finder.quarantine) for finder in self._finders),
        )
        """The quarantines of all its regexes, each with the jail that they are told for."""
        self.is_plain = all(bytes_of("", encoding) is not None for encoding in self.encodings)
        """Whether lines of ASCII bytes alone read the same in all encodings."""
        self.shortcuts = tuple(matcher.shortcut for matcher in self.matchers)
        """The cheaper way into each matcher, where it has one."""
        self._prefilter = prefilter
        everybody = range(len(self.matchers))
        self._always = tuple(
            Wanted(number, None)
            for number in everybody
            if prefilter is None or number in prefilter.every_line
        )

    def feed(self, batch: Batch, now: Instant) -> list[Failure]:
        """Take the lines of *batch*; return the failures they make, in their order.

        Told to stop, it leaves a `rest`; feeding that makes the failures that it did not.
        """
        self.stops = False
        feeding = _Feeding(self, batch, now)
        block = batch.block
        if self._prefilter is None or len(self._always) == len(self.matchers):
            feeding.decode()
            feeding.take(feeding.every_line(0, (), None, 0))
        else:
            begin = 0
            if batch.times is None:
                begin = feeding.learn(self._finders)
            found: Sequence[Found] | None = ()
            if not feeding.stopped_at:
                found = self._prefilter.scan(block[begin:] if begin else block)
            if found is None or len(found) * SPARSE_BYTES > len(block):
                feeding.decode()
            if found is None or (self._always and not feeding.stopped_at):
                feeding.take(feeding.every_line(begin, self._always, found, begin))
            elif begin:
                feeding.take_found([(at + begin, end + begin, who) for at, end, who in found])
            else:
                feeding.take_found(found)
        feeding.finish()
        for finder in self._finders:
            finder.whole = None
        self.rest = feeding.rest()
        return feeding.failures

    def decode(self, raw: bytes, encoding: str) -> str:
        """Return *raw* as text, counting what is none."""
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            self.undecodable += 1
            return raw.decode(encoding, "replace")


class _Feeding:
    """One batch on its way through the matchers of a detector."""

    def __init__(self, detector: Detector, batch: Batch, now: Instant) -> None:
        self.failures: list[Failure] = []
        self._detector = detector
        self._batch = batch
        self._now = now
        self._text = ""
        """The whole block, if it reads the same in all encodings, and is worth being decoded as
        a whole; byte and character are one."""
        self._everybody = tuple(Wanted(index, None) for index in range(len(detector.matchers)))
        self._lines_before = [matcher.counters.lines for matcher in detector.matchers]
        self._told_to = [0] * len(detector.matchers)
        """The byte behind the last line that each matcher has taken. Lines that went the short
        way come in with those skipped: a line without time looks for one in both."""
        self._taken_from = 0
        """Where the lines begin that the one in hand may learn from."""
        self._timed = (0, 0)
        """A byte, and how many lines there are before it."""
        self._place = 0
        self._last = ("", "")
        """The line that went the long way last, with its end and without."""
        self.stopped_at = 0
        """Where the next line begins, if it was told to stop before all lines were taken."""
        self._encoding = ""

    def decode(self) -> None:
        """Decode the block as a whole, if that will do for all encodings."""
        block = self._batch.block
        # Carriage returns of DOS line ends, and the hole that copytruncate leaves.
        is_odd = b"\r" in block or b"\0" in block
        if self._detector.is_plain and not is_odd and block.isascii():
            self._text = block.decode("ascii")

    def learn(self, finders: Sequence[DateFinder]) -> int:
        """Take lines from the beginning while the finders learn from each; return how far."""
        block = self._batch.block
        begin = 0
        while begin < len(block) and any(finder.is_learning for finder in finders):
            end = self._end(begin)
            self.take([(begin, end, self._everybody)])
            begin = end + 1
            if self.stopped_at:
                break
        return begin

    def every_line(
        self, begin: int, always: tuple[Wanted, ...], found: Sequence[Found] | None, shift: int
    ) -> Iterator[Found]:
        """Yield every line from *begin* on, and who looks at it.

        With *found*, whose places count from *shift*, those who want it or
        *always* do; else everybody.
        """
        wanted_at = None
        if found is not None:
            wanted_at = {at + shift: tuple(who) for at, _, who in found}
        wanted: Sequence[Wanted] = self._everybody
        while begin < len(self._batch.block):
            if wanted_at is not None:
                wanted = always
                if begin in wanted_at:
                    wanted = sorted(always + wanted_at[begin])
            end = self._end(begin)
            yield begin, end, wanted
            begin = end + 1

    def take(self, lines: Iterable[Found]) -> None:
        """Hand each of *lines* to those who want it."""
        detector = self._detector
        encodings, shortcuts = detector.encodings, detector.shortcuts
        for begin, end, wanted in lines:
            whole = encoding = ""
            for index, rules in wanted:
                if encoding != encodings[index]:
                    encoding = encodings[index]
                    whole = self._whole(begin, end, encoding)
                if rules is None or shortcuts[index] is None:
                    self._take_long(index, begin, whole, rules)
                else:
                    self._take_alike(index, (begin,), (whole,), (rules,))
            if detector.stops:
                self.stopped_at = end + 1
                break

    def take_found(self, found: Sequence[Found]) -> None:
        """Do the same, for lines that were found to be worth it, as many at once as can be."""
        detector = self._detector
        text, last = self._text, len(self._batch.block) - 1
        at = 0
        while at < len(found) and not self.stopped_at:
            wanted = found[at][2]
            index, rules = wanted[0]
            if len(wanted) > 1 or rules is None or detector.shortcuts[index] is None:
                self.take(found[at : at + 1])
                at += 1
                continue
            lines = found[at : at + LINES_AT_ONCE]
            if len(detector.matchers) > 1:
                lines = lines[: _alike(lines, index)]
            if text and lines[-1][1] <= last:
                wholes = [text[begin : end + 1] for begin, end, _ in lines]
            else:
                encoding = detector.encodings[index]
                wholes = [self._whole(begin, end, encoding) for begin, end, _ in lines]
            begins = [begin for begin, _, _ in lines]
            # Rules are named here, for whom all might match is looked at above.
            at += self._take_alike(index, begins, wholes, [who[0][1] or () for _, _, who in lines])
            if detector.stops:
                self.stopped_at = found[at - 1][1] + 1

    def _take_alike(
        self,
        index: int,
        begins: Sequence[int],
        wholes: Sequence[str],
        rules: Sequence[tuple[int, ...]],
    ) -> int:
        """Hand lines to a matcher that has a short way; return how many were handed.

        Not all are if others want to be heard, or if the short way has changed.
        """
        detector, batch, now = self._detector, self._batch, self._now
        shortcut = detector.shortcuts[index]
        assert shortcut is not None
        offsets = [batch.start + begin for begin in begins]
        lines = Lines(wholes, offsets, rules, self._times_of(begins))
        founds = shortcut.search(lines, now, batch.live)
        place = at = 0
        while place < len(wholes):
            first = at
            if len(founds) - at == len(wholes) - place:
                at, place = len(founds), len(wholes)
            while at < len(founds) and founds[at][0] == place:
                at += 1
                place += 1
            if first < at:
                alike = founds[first:at] if at - first < len(founds) else founds
                taken = shortcut.take(alike, now, batch.live, batch.path, self.failures)
                place -= len(alike) - taken
                at = first + taken
            if place < len(wholes):
                self._take_long(index, begins[place], wholes[place], rules[place])
                at += at < len(founds) and founds[at][0] == place
                place += 1
                if detector.stops or not shortcut.is_same:
                    break
        return place

    def _take_long(self, index: int, begin: int, whole: str, rules: tuple[int, ...] | None) -> None:
        """Hand a line to a matcher, whatever it may say."""
        batch = self._batch
        self._place = begin
        self._taken_from, self._told_to[index] = self._told_to[index], self._end(begin) + 1
        if whole is not self._last[0]:
            # One text for all jails: a finder of dates knows it again.
            self._last = (whole, whole[:-1])
        self._encoding = self._detector.encodings[index]
        matcher = self._detector.matchers[index]
        matcher.dates.whole = whole
        (at,) = self._times_of((begin,)) or (None,)
        failure = matcher.match(
            self._last[1],
            self._now,
            live=batch.live,
            path=batch.path,
            offset=batch.start + begin,
            at=at,
            rules=rules,
            skipped=None,
            behind=self._behind,
        )
        if failure is not None:
            self.failures.append(failure)

    def _times_of(self, begins: Sequence[int]) -> list[Instant] | None:
        """Return when the lines that begin there were written, if the source knows."""
        block, times = self._batch.block, self._batch.times
        if times is None:
            return None
        counted, number = self._timed if self._timed[0] <= begins[0] else (0, 0)
        found: list[Instant] = []
        for begin in begins:
            number += block.count(b"\n", counted, begin)
            counted = begin
            found.append(times[number])
        self._timed = (counted, number)
        return found

    def rest(self) -> Batch | None:
        """Return the lines that were not taken."""
        batch, at = self._batch, self.stopped_at
        if not 0 < at < len(batch.block):
            return None
        times = batch.times[batch.block.count(b"\n", 0, at) :] if batch.times is not None else None
        return msgspec.structs.replace(
            batch, block=batch.block[at:], start=batch.start + at, times=times, lines=None
        )

    def finish(self) -> None:
        """Tell all matchers of the lines at the end that they have not looked at."""
        block, lines = self._batch.block, self._batch.lines
        if self.stopped_at:
            block, lines = block[: self.stopped_at], None
        total = lines if lines is not None else block.count(b"\n")
        is_cut = bool(block) and not block.endswith(b"\n")
        total += is_cut
        self._place = len(block) + is_cut
        for index, matcher in enumerate(self._detector.matchers):
            self._taken_from = self._told_to[index]
            if self._taken_from < self._place:
                self._encoding = self._detector.encodings[index]
                times = self._batch.times
                at = times[total - 1] if times is not None else None
                matcher.pass_over(None, self._behind, self._now, live=self._batch.live, at=at)
            matcher.count_more(total - (matcher.counters.lines - self._lines_before[index]))

    def _behind(self, count: int) -> Iterator[str]:
        """Yield so many of the lines before the one in hand, the nearest first.

        None that its matcher has taken before it.
        """
        begin = self._place
        for _ in range(count):
            if begin <= self._taken_from:
                break
            end = begin - 1
            begin = self._batch.block.rfind(b"\n", 0, end) + 1
            yield self._clean(begin, end).decode(self._encoding or "ascii", "replace")

    def _end(self, begin: int) -> int:
        end = self._batch.block.find(b"\n", begin)
        return end if end >= 0 else len(self._batch.block)

    def _whole(self, begin: int, end: int, encoding: str) -> str:
        """Return a line with its end, as regexes search it."""
        if not self._text:
            return self._detector.decode(self._clean(begin, end), encoding) + "\n"
        is_ended = end < len(self._text)
        return self._text[begin : end + 1] if is_ended else self._text[begin:] + "\n"

    def _clean(self, begin: int, end: int) -> bytes:
        return self._batch.block[begin:end].lstrip(b"\0").rstrip(b"\r")


def _alike(lines: Sequence[Found], index: int) -> int:
    """Return how many of *lines*, from the first on, that matcher alone wants, by named rules."""
    for at, (_, _, wanted) in enumerate(lines):
        if len(wanted) > 1 or wanted[0][0] != index or wanted[0][1] is None:
            return at
    return len(lines)
