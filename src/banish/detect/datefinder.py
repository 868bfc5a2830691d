"""Finds the time in a line: which format, where, and when that was.

Which of several formats counts is decided as in fail2ban/server/datedetector.py,
1.1.1: the format found last is tried first, in the same column where it is not
bound to the line's beginning; else the list is walked, a format bound to the
line's beginning or end wins at once, and one that stands further right than
known is kept only for want of a better. Formats that are found often move up.

One finder may serve several jails that read the same log: asked for the same
line again it answers from memory.

Fail2Ban learns from every line. Here, after the first `LEARNING_LINES`, only
lines that a rule matched are learnt from, whoever asks with `look` and
`confirm`: so a line that matches nothing changes nothing, and can be left out.
"""

import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import cast

from banish.detect.fusible import Clock, clock_of
from banish.detect.quarantine import OverBudgetError, Quarantine, interruptible
from banish.detect.template import Template
from banish.model.instant import Instant

FAR = 1 << 30
"""Further right than any line is long."""

LEARNING_LINES = 100
"""Lines from whose beginning on a log's format is made out, matched or not."""

TIMES = 4_096
"""Texts of times that are remembered; the lines of one batch hold some hundreds."""

_OF_HOUR = {
    f"{minute:02d}:{second:02d}": 60 * minute + second
    for minute in range(60)
    for second in range(60)
}

UNUSED_SECONDS = 300
"""A format not found for so long gives way to any other."""

Dated = tuple[str, Instant | None, bool]
"""The line without its time and with a newline; when; and whether the time may be missing.

The last is true where the pattern matched nothing (``{NONE}``, or an optional
date): such a line is not called undated.
"""


class _Entry:
    """A format of the list, and how often and where it was found."""

    __slots__ = ("distance", "hits", "template", "used")

    def __init__(self, template: Template) -> None:
        self.template = template
        self.hits = 0
        self.used = Instant(0)
        self.distance = FAR

    @property
    def weight(self) -> float:
        return self.hits * self.template.weight / max(1, self.distance)


class _Hours(dict[str, float]):
    """When hours began, by the texts of times in one format without minutes and seconds.

    Holds nothing where the format may end in another way.
    """

    def __init__(self, template: Template | None, zone: tzinfo | None, now: Instant) -> None:
        super().__init__()
        self.now = now
        self.clock = clock_of(template.regex) if template is not None else None
        self._template = template if self.clock is not None else None
        self._zone = zone

    def __missing__(self, text: str) -> float:
        """Read the first and the last time within that hour.

        Raises:
            KeyError: It has none, or some of its times mean another day or year.

        """
        template = self._template
        if template is None or text[-1:] != ":" or len(self) >= TIMES:
            raise KeyError(text)
        ats = []
        for clock in ("00:00", "59:59"):
            found = template.search(text + clock)
            if found is None or found.span(1) != (0, len(text) + len(clock)):
                raise KeyError(text)
            ats.append(template.read(found, self.now, self._zone))
        first, last = ats
        if first is None or last is None or last - first != 3599:
            raise KeyError(text)
        self[text] = first
        return first


class DateFinder:
    """Finds the time of each line; remembers which format was found where."""

    def __init__(self, templates: Sequence[Template], zone: tzinfo | None = None) -> None:
        self._entries = [_Entry(template) for template in templates]
        self._zone = zone
        self.quarantine = Quarantine(self._note_settled)
        self.quarantine.watch("datepattern", 0, *templates)
        self._last: _Entry | None = None
        self._span = (1, FAR)
        """Where the last date stood."""
        self._edges = ("", "", "", "")
        """The characters before it, its first, its last, and the one after it."""
        self._unlearned: tuple[_Entry, re.Match[str]] | None = None
        """What was found last, where nothing was learnt from it yet."""
        self._left_to_learn = LEARNING_LINES
        self._line: str | None = None
        self._now = Instant(0)
        self._dated: Dated = ("", None, False)
        self._found: tuple[_Entry, re.Match[str]] | None = None
        """What was found last."""
        self.settled: Template | None = None
        """The format that `look` tries first, if that is bound to the line's beginning or end."""
        self._times: dict[str, Instant | None] = {}
        """What texts in the format `settled` mean, as of `_times_now`."""
        self._times_now = Instant(0)
        self._hours = _Hours(None, zone, self._times_now)
        self.whole: str | None = None
        """The line that `look` is asked about next, with its end, as others may ask of it by
        `when`; so that both learn from it once. None: nobody does."""
        self._learnt: str | None = None
        """The line, with its end, that was learnt from last."""

    def hits(self) -> list[tuple[int, Template]]:
        """Return how often each format was found, the most frequent first."""
        found = [(entry.hits, entry.template) for entry in self._entries if entry.hits]
        return sorted(found, key=lambda each: -each[0])

    def standing(self) -> list[tuple[int, float, Template]]:
        """Return hits, weight and format of each, in the order in which they are tried now."""
        return [(entry.hits, entry.weight, entry.template) for entry in self._entries]

    @property
    def is_learning(self) -> bool:
        """Whether each line still teaches something, so that none may skip `look`."""
        return self._left_to_learn > 0

    def find(self, line: str, now: Instant) -> Dated:
        """Return *line* without its time, and that time; learn from the line."""
        dated = self.look(line, now)
        self.confirm()
        return dated

    def look(self, line: str, now: Instant) -> Dated:
        """Do what `find` does, but learn from the line only at `confirm`."""
        if line is self._line and now == self._now:
            return self._dated
        self._line = line
        self._now = now
        try:
            entry, found = self._search(line)
        except OverBudgetError as error:
            self.quarantine.offend(error, line)
            entry = found = None
        dated: Dated
        if found is None or entry is None:
            self._unlearned = None
            dated = (line + "\n", None, False)
        else:
            self._unlearned = (entry, found)
            start, end = found.span(1)
            if start < end:
                at = entry.template.read(found, now, self._zone)
                dated = (f"{line[:start]}{line[end:]}\n", at, False)
            else:
                dated = (line + "\n", None, True)
        self._dated = dated
        self._found = self._unlearned
        if self._left_to_learn:
            self._left_to_learn -= 1
            self.confirm()
        return dated

    @property
    def text(self) -> str:
        """The time as written in the line that was looked at last, or empty."""
        return self._found[1][1] if self._found is not None else ""

    @property
    def template(self) -> Template | None:
        """The format of that time."""
        return self._found[0].template if self._found is not None else None

    def when(
        self,
        texts: Sequence[str],
        founds: "Sequence[re.Match[str]]",
        directives: Sequence[Sequence[int]],
        now: Instant,
    ) -> list[Instant | None]:
        """Return what *texts* mean, times in the format `settled` that somebody else has found.

        Of each, its directives stand in the groups *directives* of the match in *founds*. As
        of `look`, nothing is learnt before `confirm_short`.
        """
        template, times = self.settled, self._times
        assert template is not None
        if now != self._times_now or len(times) >= TIMES:
            self._begin(now)
        ats: list[Instant | None] = []
        for text, found, groups in zip(texts, founds, directives, strict=True):
            if text not in times:
                # Two groups more, so that it is always a tuple.
                values = found.group(0, 0, *groups)[2:]
                times[text] = template.read_groups(values, now, self._zone)
            ats.append(times[text])
        return ats

    def _begin(self, now: Instant) -> None:
        self._times.clear()
        self._hours.clear()
        self._hours.now = self._times_now = now

    @property
    def clock(self) -> tuple[int, Clock] | None:
        """How many characters times take that end with minutes and seconds, and how others end.

        None where those that are found now do not.
        """
        text, clock = self.text, self._hours.clock
        if clock is None or self.template is not self.settled:
            return None
        return (len(text), clock) if text[-6:-5] == ":" and text[-5:] in _OF_HOUR else None

    def clocks(self, lines: Sequence[str], width: int, now: Instant) -> list[Instant] | None:
        """Return what the first *width* characters of *lines* mean, if they are times.

        That is so if `clock` says that so many are, and a line goes on as it tells. None:
        of one or another line they are no such times, or not surely. Nothing is learnt.
        """
        hours = self._hours
        if now != self._times_now:
            self._begin(now)
        hour = width - len("00:00")
        try:
            dated = [hours[line[:hour]] + _OF_HOUR[line[hour:width]] for line in lines]
        except KeyError:
            return None
        return cast("list[Instant]", dated)

    @interruptible("datepattern")
    def cut(
        self, lines: Sequence[str], now: Instant
    ) -> tuple[Sequence[str], Sequence[Instant | None]]:
        """Return *lines*, each with its end, without their times, and when these were.

        Of a line in which the format `settled` finds no time, the line and None. As of
        `look`, nothing is learnt before `confirm_short`.
        """
        template = self.settled
        assert template is not None
        texts: list[str] = []
        ats: list[Instant | None] = []
        for line in lines:
            at = None
            found = template.search(line[:-1])
            if found is not None:
                start, end = found.span(1)
                if start < end:
                    at = template.read(found, now, self._zone)
                    line = line[:start] + line[end:]  # noqa: PLW2901
            texts.append(line)
            ats.append(at)
        return texts, ats

    def glance(self, line: str, now: Instant) -> Instant | None:
        """Return when *line* was, one beside that in hand; from which alone `confirm` learns."""
        in_hand = self._unlearned
        at = self.look(line, now)[1]
        self._unlearned = in_hand
        return at

    def confirm_short(self, line: str, lines: int, now: Instant) -> None:
        """Learn from so many *lines* whose times are in the format `settled`.

        *line*, with its end, is the last of them; of several, none was learnt from before.
        """
        last = self._last
        if line is not self._learnt and last is not None:
            self._learnt = line
            last.hits += lines
            last.used = now

    def confirm(self) -> None:
        """Learn from the line that was looked at last: how its time is written, and where."""
        if self._unlearned is None:
            return
        entry, found = self._unlearned
        self._unlearned = None
        if self.whole is not None:
            if self.whole is self._learnt:
                return  # another jail has
            self._learnt = self.whole
        entry.hits += 1
        entry.used = self._now
        if entry is not self._last or not entry.template.is_fixed:
            self._settle(entry, found)

    @interruptible("datepattern")
    def _search(self, line: str) -> tuple[_Entry | None, re.Match[str] | None]:
        entry = self._last
        if entry is not None and entry.template.is_fixed:
            found = entry.template.search(line)
            if found is not None:
                return entry, found
        return self._choose(line)

    @interruptible("datepattern")
    def _choose(self, line: str) -> tuple[_Entry | None, re.Match[str] | None]:
        best: tuple[_Entry | None, re.Match[str] | None] = (None, None)
        best_distance = FAR
        last = self._last
        tried: _Entry | None = None
        if last is not None:
            if last.template.is_fixed:
                tried = last  # the caller did
            else:
                found, whole = self._search_again(last, line)
                if whole:
                    tried = last
                if found is not None:
                    if len(self._entries) == 1 or found.span() == self._span:
                        return last, found
                    best, best_distance = (last, found), found.start()
        for entry in self._entries:
            if entry is tried:
                continue
            found = entry.template.search(line)
            if found is None:
                continue
            distance = found.start()
            if entry.template.is_fixed or (
                distance <= entry.distance and distance <= self._span[0]
            ):
                return entry, found
            # It may stand in the message, where an attacker writes; look further.
            if distance < best_distance:
                best, best_distance = (entry, found), distance
        return best

    @interruptible("datepattern")
    def _search_again(self, last: _Entry, line: str) -> tuple[re.Match[str] | None, bool]:
        """Search for the last format, and tell whether the whole line was searched."""
        start, end = self._span
        before, first, final, after = self._edges
        if (
            line[max(0, start - 1) : start] == before
            or (line[start : start + 1] == first and not first.isalnum())
        ) and (
            line[end : end + 1] == after or (line[end - 1 : end] == final and not final.isalnum())
        ):
            return last.template.search_within(line, start, end), False
        return last.template.search(line), True

    def _settle(self, entry: _Entry, found: re.Match[str]) -> None:
        """Remember where *entry* was found, and let it move up the list."""
        line = found.string
        start, end = found.span()
        self._span = (start, end)
        self._edges = (
            line[max(0, start - 1) : start],
            line[start : start + 1],
            line[max(0, end - 1) : end],
            line[end : end + 1],
        )
        entry.distance = start
        if entry is not self._last:
            self._last = entry
            self._note_settled()
            self._move_up(entry)

    def _note_settled(self) -> None:
        last = self._last
        is_settled = last is not None and last.template.is_fixed and not self.quarantine.in_force
        self.settled = last.template if last is not None and is_settled else None
        self._times.clear()
        self._hours = _Hours(self.settled, self._zone, self._times_now)

    def _move_up(self, entry: _Entry) -> None:
        entries = self._entries
        index = entries.index(entry)
        if not index:
            return
        unused = next((at for at, each in enumerate(entries[:index]) if not each.hits), index // 2)
        for target in (unused, index - 1):
            other = entries[target]
            if entry.weight > other.weight or entry.used - UNUSED_SECONDS > other.used:
                del entries[index]
                entries.insert(target, entry)
                return
