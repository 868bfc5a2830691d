"""Feeds the lines of one source to the filters of all its jails.

With a prefilter a block is scanned as it is, and only lines that some rule
could match are cut out, decoded and searched. Without one, and for jails that
it cannot speak for, every line is. A line is decoded once for all jails that
read the same encoding, and its time is found once for all that look for the
same formats. Bytes that are no text become U+FFFD, counted, and match as that.
"""

import functools
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import msgspec

from banish.detect.asked import Asked, searched
from banish.detect.datefinder import DateFinder
from banish.detect.encoding import bytes_of, encoding_named
from banish.detect.endings import Endings
from banish.detect.framing import count_lines
from banish.detect.matcher import Matcher
from banish.detect.prefilter.block import BlockPrefilter, Found, Wanted
from banish.detect.repeated import repeated_lines
from banish.detect.shortcut import Shortcut
from banish.detect.stretch import LINES_AT_ONCE, Lines
from banish.detect.stretch import Found as Said
from banish.model.failure import Failure
from banish.model.instant import Instant
from banish.model.record import Batch

STRETCH_LINES = 1_024
"""Most lines of a stretch, with those that are likely not searched."""

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
        """What the last `feed` left because it was asked to stop."""
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
        """The quarantines of all its regexes, each with the jail that it is reported for."""
        self.is_plain = all(bytes_of("", encoding) is not None for encoding in self.encodings)
        """Whether lines of ASCII bytes alone read the same in all encodings."""
        self.shortcuts = tuple(matcher.shortcut for matcher in self.matchers)
        """The cheaper way into each matcher, where it has one."""
        self._prefilter = prefilter
        self.endings = tuple(Endings(matcher) for matcher in self.matchers)
        """Knows for each matcher which lines need not be looked at."""
        everybody = tuple(Wanted(number, None) for number in range(len(self.matchers)))
        self._always = tuple(
            each for each in everybody if prefilter is None or each.matcher in prefilter.every_line
        )
        self._others = tuple(each for each in everybody if each not in self._always)

    def feed(self, batch: Batch, now: Instant) -> list[Failure]:
        """Take the lines of *batch*; return the failures they make, in their order.

        Asked to stop, it leaves a `rest`; feeding that makes the failures that it did not.
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
                unread = block[begin:] if begin else block
                found = self._with_repeated(self._prefilter.scan(unread), unread, batch)
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

    def _with_repeated(
        self, found: Sequence[Found] | None, block: bytes, batch: Batch
    ) -> Sequence[Found] | None:
        """Return *found*, with all that say of a message in them that it was repeated.

        The prefilter has looked for the message where it does not stand: everybody looks.
        """
        if found is None or batch.times is not None:
            return found
        repeated = dict(repeated_lines(block))
        if not repeated:
            return found
        lines = [line for line in found if line[0] not in repeated]
        return sorted(lines + [(begin, end, self._others) for begin, end in repeated.items()])

    def decode(self, raw: bytes, encoding: str) -> str:
        """Return *raw* as text; bytes that are invalid in the encoding are counted and replaced."""
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
        self._seen_by = [0] * len(detector.matchers)
        """The byte behind the last line that each matcher has taken. Lines that went the short
        way come in with those skipped: a line without time looks for one in both."""
        self._taken_from = 0
        """Where the lines begin that the one in hand may learn from."""
        self._timed = (0, 0)
        """A byte, and how many lines there are before it."""
        self._place = 0
        self._last = ("", "")
        """The line that went the long way last, with its end and without."""
        self._earlier = (-1, "", "")
        """A line that `_behind` gave: where it begins, the encoding, and its text, which is one
        for all jails, so that a finder of dates knows it again."""
        self.stopped_at = 0
        """Where the next line begins, if it was asked to stop before all lines were read."""
        self._encoding = ""

    def decode(self) -> None:
        """Decode the block as a whole, if that will do for all encodings."""
        block = self._batch.block
        if self._detector.is_plain and _is_plain(block):
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
        for line in lines:
            self._take_stretch((line,))
            if self._detector.stops:
                self.stopped_at = line[1] + 1
                break

    def take_found(self, found: Sequence[Found]) -> None:
        """Do the same, for lines that were found to be worth it, as many at once as can be."""
        searched = self._searched_places(found)
        at = 0
        while at < len(found) and not self.stopped_at:
            last = bisect_left(searched, at) + LINES_AT_ONCE - 1
            end = searched[last] + 1 if last < len(searched) else len(found)
            at += self._take_stretch(found[at : min(end, at + STRETCH_LINES)])
            if self._detector.stops:
                self.stopped_at = found[at - 1][1] + 1

    def _searched_places(self, found: Sequence[Found]) -> Sequence[int]:
        """Return which of *found* are to be searched, as far as that is known without their texts.

        The others are lines that only end sessions, and of most of them none is open.
        """
        if len(self._detector.matchers) == 1:
            return self._detector.endings[0].others([who[0][1] for _, _, who in found])
        return range(len(found))

    def _take_stretch(self, lines: Sequence[Found]) -> int:
        """Hand *lines* to those who want them; return how many were handed.

        Not all are if others want to be heard, or if a short way has changed.
        """
        asked = self._asked(lines)
        if len(asked) == 1:
            (each,) = asked.values()
            is_over = self._take_turn(each, len(each.places), asked)
            return len(lines) if is_over else each.last + 1
        turns = sorted((place, index) for index, each in asked.items() for place in each.places)
        wanted = Counter(place for place, _ in turns)
        # A line that several want is a turn of its own: its format is learnt from it once.
        runs = groupby(turns, key=lambda turn: (turn[1], turn[0] if wanted[turn[0]] > 1 else -1))
        for (index, _), run in runs:
            if not self._take_turn(asked[index], len(list(run)), asked):
                last = asked[index].last
                for later in [later for place, later in turns if place == last and later > index]:
                    # What its short way has found may not hold any longer.
                    asked[later].founds = ()
                    self._take_turn(asked[later], 1, asked)
                return last + 1
        return len(lines)

    def _asked(self, lines: Sequence[Found]) -> dict[int, Asked]:
        """Return what each matcher is to look at, and what its short way finds there."""
        detector = self._detector
        asked: dict[int, Asked] = {}
        texts: dict[str, list[str]] = {}
        if len(detector.matchers) == 1:  # as most logs have one jail
            wholes = self._wholes(lines, detector.encodings[0])
            begins = [begin for begin, _, _ in lines]
            rules = [who[0][1] for _, _, who in lines]
            asked[0] = Asked(0, [*range(len(lines))], begins, wholes, rules)
        else:
            for place, (begin, _, wanted) in enumerate(lines):
                for index, numbers in wanted:
                    encoding = detector.encodings[index]
                    if encoding not in texts:
                        texts[encoding] = self._wholes(lines, encoding)
                    if index not in asked:
                        asked[index] = Asked(index, [], [], [], [])
                    each = asked[index]
                    each.places.append(place)
                    each.begins.append(begin)
                    each.wholes.append(texts[encoding][place])
                    each.rules.append(numbers)
        for index, each in asked.items():
            shortcut = detector.shortcuts[index]
            if shortcut is not None and any(each.rules):
                find = functools.partial(self._find, shortcut)
                asked[index] = searched(each, find, detector.endings[index])
        return asked

    def _find(self, shortcut: Shortcut, each: Asked) -> Sequence[Said]:
        start = self._batch.start
        offsets = [start + begin for begin in each.begins]
        rules = [numbers or () for numbers in each.rules]
        lines = Lines(each.wholes, offsets, rules, self._times_of(each.begins))
        return shortcut.search(lines, self._now)

    def _take_turn(self, each: Asked, count: int, asked: Mapping[int, Asked]) -> bool:
        """Have one matcher take the next *count* lines it is asked about; tell whether to go on.

        Not so if it has taken one the long way after which others want to be heard, or a short
        way of those who are *asked* has changed; then it may have taken fewer.
        """
        batch = self._batch
        shortcut = self._detector.shortcuts[each.index]
        end = each.taken + count
        while each.taken < end:
            founds = each.take_found(end)
            if founds and shortcut is not None:
                shortcut.take(founds, self._now, batch.live, batch.path, self.failures)
            if each.taken < end:
                place = each.taken
                begin, whole, rules = each.begins[place], each.wholes[place], each.rules[place]
                self._take_long(each.index, begin, whole, rules)
                each.taken += 1
                if not self._may_go_on(asked):
                    return False
        return True

    def _may_go_on(self, asked: Mapping[int, Asked]) -> bool:
        """Whether what short ways have found still holds, and nobody else wants to be heard."""
        shortcuts = self._detector.shortcuts
        if self._detector.stops:
            return False
        ways = [shortcuts[index] for index, each in asked.items() if each.founds]
        return all(way is None or way.is_same for way in ways)

    def _wholes(self, lines: Sequence[Found], encoding: str) -> list[str]:
        """Return *lines* with their ends, as regexes search them."""
        text, block = self._text, self._batch.block
        if text and lines[-1][1] < len(text):
            return [text[begin : end + 1] for begin, end, _ in lines]
        if len(lines) > 1 and self._detector.is_plain:
            joined = b"".join([block[begin : end + 1] for begin, end, _ in lines])
            if _is_plain(joined) and joined.endswith(b"\n"):
                return [f"{line}\n" for line in joined[:-1].decode("ascii").split("\n")]
        return [self._whole(begin, end, encoding) for begin, end, _ in lines]

    def _take_long(self, index: int, begin: int, whole: str, rules: tuple[int, ...] | None) -> None:
        """Hand a line to a matcher, whatever it may say."""
        batch = self._batch
        self._place = begin
        self._taken_from, self._seen_by[index] = self._seen_by[index], self._end(begin) + 1
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
        total = lines if lines is not None else count_lines(block)
        is_cut = bool(block) and not block.endswith(b"\n")
        total += is_cut
        self._place = len(block) + is_cut
        for index, matcher in enumerate(self._detector.matchers):
            self._taken_from = self._seen_by[index]
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
            encoding = self._encoding or "ascii"
            if self._earlier[:2] != (begin, encoding):
                text = self._clean(begin, end).decode(encoding, "replace")
                self._earlier = (begin, encoding, text)
            yield self._earlier[2]

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


def _is_plain(raw: bytes) -> bool:
    """Whether *raw* is read byte by byte, and nothing need be taken off its lines."""
    # Carriage returns of DOS line ends, and the hole that copytruncate leaves.
    return raw.isascii() and b"\r" not in raw and b"\0" not in raw
