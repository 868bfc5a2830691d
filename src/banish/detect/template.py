"""One format of time at work: finds it in lines, and tells when that was."""

import functools
import re
import warnings
from collections.abc import Sequence
from datetime import tzinfo

from banish.detect import timestamp
from banish.detect.pattern import Search, scope_flags
from banish.detect.possessive import searchable
from banish.detect.quarantine import interruptible
from banish.model.instant import Instant

_DATE = (frozenset("Yy"), frozenset("mbB"), frozenset("d"))
"""Directives of year, month and day."""

HOURS = 256
"""Hours remembered of one format; a batch of lines holds few."""


@functools.lru_cache(maxsize=1024)
def _compiled(expression: str) -> re.Pattern[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(searchable(expression))


class Template:
    """One format of time: where it stands in a line, and when that was.

    Compiled when first used, since most of the default formats never are. One
    detector owns it: it remembers the last time it read, as the lines of one
    second come together.
    """

    __slots__ = (
        "_has_clock",
        "_hours",
        "_indexes",
        "_is_whole",
        "_names",
        "_read",
        "is_fixed",
        "name",
        "pattern",
        "regex",
        "search",
        "weight",
    )

    def __init__(self, pattern: str, name: str, regex: str, *, is_fixed: bool, weight: float = 1.0):
        self.pattern = pattern
        self.name = name
        self.regex = regex
        self.is_fixed = is_fixed
        """Whether it stands at a line's beginning or end only."""
        self.weight = weight
        self._names: tuple[str, ...] = ()
        """The directives it has, minutes and seconds last, and the groups that hold them."""
        self._indexes: tuple[int, ...] = ()
        self._has_clock = False
        self._read: tuple[str, Instant, tzinfo | None, Instant | None] = (
            "",
            Instant(0),
            None,
            None,
        )
        self._hours: dict[tuple[object, ...], Instant] = {}
        """When hours began, by all that was read but minutes and seconds, and as of when and
        where it was."""
        self.search: Search = self._search_first

    @interruptible("datepattern")
    def _search_first(self, line: str) -> "re.Match[str] | None":
        compiled = self.compile()
        _, anchored = scope_flags(self.regex)
        self.search = compiled.match if anchored else compiled.search
        return self.search(line)

    @interruptible("datepattern")
    def search_within(self, line: str, start: int, end: int) -> "re.Match[str] | None":
        """Search *line* from *start* on as if it ended at *end*."""
        return self.compile().search(line, start, end)

    def compile(self) -> re.Pattern[str]:
        """Return the regular expression, compiled.

        Raises:
            re.error: It is none.

        """
        compiled = _compiled(self.regex)
        names = (name for name in compiled.groupindex if name not in {"f", "_sep"})
        self._names = tuple(sorted(names, key=("M", "S").__contains__))
        self._has_clock = self._names[-2:] == ("M", "S")
        self._is_whole = all(not one_of.isdisjoint(self._names) for one_of in _DATE)
        self._indexes = tuple(compiled.groupindex[name] for name in self._names)
        return compiled

    def read(self, found: "re.Match[str]", now: Instant, zone: tzinfo | None) -> Instant | None:
        """Return when it was that *found* tells, or None where there is no such time."""
        last_text, last_now, last_zone, at = self._read
        text = found[0]
        if text != last_text or now != last_now or zone is not last_zone:
            at = self.read_groups(found.group(0, 0, *self._indexes)[2:], now, zone)
            self._read = (text, now, zone, at)
        return at

    @property
    def directives(self) -> tuple[str, ...]:
        """The named groups that `read_groups` wants, in its order. Made by `compile`."""
        return self._names

    def read_groups(
        self, values: Sequence[str | None], now: Instant, zone: tzinfo | None
    ) -> Instant | None:
        """Return when it was that the groups of `directives` tell, or None if never.

        Of times within one hour only the first is made out as a whole.
        """
        if self._has_clock:
            *hour, minute, second = values
            # What tells its year needs no clock to be understood.
            key = (None if self._is_whole and None not in hour else now, zone, *hour)
            began = self._hours.get(key)
            if began is None:
                began = self._begin_of(hour, now, zone)
                if began is not None:
                    if len(self._hours) >= HOURS:
                        self._hours.clear()
                    self._hours[key] = began
            if began is not None:
                return Instant(began + 60 * int(minute or 0) + int(second or 0))
        return timestamp.read_parts(dict(zip(self._names, values, strict=True)), now, zone)

    def _begin_of(
        self, hour: Sequence[str | None], now: Instant, zone: tzinfo | None
    ) -> Instant | None:
        """Return when *hour* begins, or None where its times do not follow from that."""
        first, last = (
            timestamp.read_parts(dict(zip(self._names, (*hour, *clock), strict=True)), now, zone)
            for clock in (("0", "0"), ("59", "61"))
        )
        # What is guessed, such as the year, must be the same for all of the hour.
        if first is None or last is None or last - first != 3601:
            return None
        return first
