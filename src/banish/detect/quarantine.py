"""Keeps regexes that take too long on a line from being tried on the next such line.

Python's `re` tries one way after another, and a crafted line can make it try for
hours. Somebody with a clock therefore raises `OverBudgetError` in the midst of a
search (`banish.daemon.watchdog`); the line is skipped for that jail, since nobody
knows what it says, and the rule gets a strike. With `STRIKES` of them within
`STRIKES_SPAN` it is in *quarantine*: lines longer than half of the shortest
offender are not searched by it any more, and skipped for the jail in its turn. The time
of a runaway search grows with a power of the length, or doubles with every few
characters, so what is shorter by that much is harmless, and failures as services
write them are: they still count. If even such lines take too long the limit
falls further, and below `LEAST_CHARACTERS` the rule is off and the others go on
without it. After a pause everything is as before; a rule that offends again soon
after is back at once, for twice as long.

So an attacker who writes hostile lines silences his own hostile lines and
nothing else, unless the regex doubles its work with every few characters; such a regex
must be fixed, and `banish check` names it.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import CodeType
from typing import NamedTuple, Protocol, TypeVar

from banish.detect.pattern import Search
from banish.model.instant import Instant, Seconds

STRIKES = 3
STRIKES_SPAN = Seconds(600)

FIRST_PAUSE = Seconds(60)
LONGEST_PAUSE = Seconds(86_400)

LEAST_CHARACTERS = 64
"""A rule that may look at shorter lines only is off: failures are longer than that."""

_SHRINKING = 2

EVIDENCE_KEPT = 8
"""Newest offences kept of one filter until they are reported."""

EVIDENCE_CHARACTERS = 200


class OverBudgetError(Exception):
    """A search has used up its time, or a line is too long for a rule in quarantine.

    Raised inside functions marked `interruptible` only; never leaves a matcher.
    """

    def __init__(self, option: str, rule: int, characters: int, *, held: bool = False) -> None:
        self.option = option
        self.rule = rule
        """Counted from 1; 0 where the option has one regex only."""
        self.characters = characters
        """How long the searched text was."""
        self.held = held
        """Whether nothing was searched at all."""
        super().__init__(option, rule)

    @property
    def name(self) -> str:
        """What people call the rule."""
        return rule_name(self.option, self.rule)


def rule_name(option: str, rule: int) -> str:
    """Return what people call a rule: ``failregex 3``, ``prefregex``."""
    return f"{option} {rule}" if rule else option


_Function = TypeVar("_Function", bound=Callable[..., object])

INTERRUPTIBLE: dict[CodeType, str] = {}
"""The code in which a search may be broken off, and the option that it searches for."""


def interruptible(option: str) -> Callable[[_Function], _Function]:
    """Mark a function in which `OverBudgetError` may be raised at any point.

    It must leave nothing half done, and whoever calls it must expect the error.
    Its local ``number`` tells the rule in hand, its local ``text`` (or ``line``)
    what is searched, a local ``option`` for which option if it serves several.
    Marking costs nothing when the function is called. Comprehensions in it are marked, too.
    """

    def mark(function: _Function) -> _Function:
        for code in (function.__code__, *function.__code__.co_consts):
            if isinstance(code, CodeType):
                INTERRUPTIBLE[code] = option
        return function

    return mark


class Searching(Protocol):
    """A compiled regex whose way of searching can be exchanged."""

    search: Search


class Offence(NamedTuple):
    """One line on which a search was broken off."""

    at: Instant
    option: str
    rule: int
    characters: int
    """How long the searched text was."""
    line: str
    """Its beginning."""


class Quarantined(NamedTuple):
    """A rule that is held back."""

    option: str
    rule: int
    limit: int
    """The longest text that it still searches; 0: it is off."""
    until: Instant

    @property
    def name(self) -> str:
        """What people call the rule."""
        return rule_name(self.option, self.rule)

    @property
    def text(self) -> str:
        """What it means, in words."""
        if not self.limit:
            return f"{self.name} is suspended: it takes too long"
        return f"{self.name} takes too long: lines above {self.limit} characters are skipped"


class Released(NamedTuple):
    """A rule whose quarantine is over."""

    option: str
    rule: int


Event = Offence | Quarantined | Released


class _Record:
    """What one rule has done."""

    __slots__ = ("limit", "option", "pause", "regexes", "rule", "searches", "strikes", "until")

    def __init__(self, option: str, rule: int, regexes: Sequence[Searching]) -> None:
        self.option = option
        self.rule = rule
        self.regexes = regexes
        self.searches: list[Search] = []
        """How they searched before; empty outside quarantine."""
        self.strikes: deque[tuple[Instant, int]] = deque(maxlen=STRIKES)
        self.limit = 0
        self.pause = Seconds(0)
        self.until = Instant(0)


class Quarantine:
    """The rules of one filter that took too long, and what is done about them.

    Args:
        on_change: Called after the ``search`` of a regex was exchanged.

    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.overruns = 0
        """Lines on which a search was broken off."""
        self.held = 0
        """Lines skipped since they were too long for a rule in quarantine."""
        self.newest: deque[Offence] = deque(maxlen=EVIDENCE_KEPT)
        self._on_change = on_change
        self._now = Instant(0)
        self._records: dict[tuple[str, int], _Record] = {}
        self._regexes: dict[tuple[str, int], Sequence[Searching]] = {}
        self._events: deque[Event] = deque(maxlen=4 * EVIDENCE_KEPT)
        self._is_quiet = True

    def watch(self, option: str, rule: int, *regexes: Searching) -> None:
        """Answer for *regexes*, which are rule *rule* of *option* together."""
        self._regexes[option, rule] = regexes

    @property
    def in_force(self) -> list[Quarantined]:
        """The rules that are held back."""
        return [_event_of(record) for record in self._records.values() if record.searches]

    def begin(self, now: Instant) -> None:
        """Set the time; release rules whose pause is over."""
        self._now = now
        if self._is_quiet:
            return
        for key, record in tuple(self._records.items()):
            if record.searches and now >= record.until:
                self._release(record)
            elif not record.searches and now >= record.until + max(record.pause, STRIKES_SPAN):
                del self._records[key]
        self._is_quiet = not self._records

    def offend(self, error: OverBudgetError, line: str) -> None:
        """Count that a search of *line* was broken off, or that it was not searched."""
        if error.held:
            self.held += 1
            return
        self.overruns += 1
        now = self._now
        offence = Offence(
            now, error.option, error.rule, error.characters, line[:EVIDENCE_CHARACTERS]
        )
        self.newest.append(offence)
        self._events.append(offence)
        key = (error.option, error.rule)
        regexes = self._regexes.get(key)
        if regexes is None:
            return
        self._is_quiet = False
        record = self._records.get(key)
        if record is None:
            record = self._records[key] = _Record(*key, regexes)
            record.until = now
        record.strikes.append((now, error.characters))
        if record.searches:
            self._hold(record, min(record.limit, error.characters) // _SHRINKING)
        elif record.pause or self._has_struck_out(record):
            record.pause = Seconds(min(max(2 * record.pause, FIRST_PAUSE), LONGEST_PAUSE))
            shortest = min(characters for _, characters in record.strikes)
            self._hold(record, shortest // _SHRINKING)

    def drain(self) -> Iterator[Event]:
        """Yield what happened since this was asked last; of very much, the newest."""
        while self._events:
            yield self._events.popleft()

    def _has_struck_out(self, record: _Record) -> bool:
        return len(record.strikes) == STRIKES and record.strikes[0][0] > self._now - STRIKES_SPAN

    def _hold(self, record: _Record, limit: int) -> None:
        record.limit = limit if limit >= LEAST_CHARACTERS else 0
        record.until = Instant(self._now + record.pause)
        if not record.searches:
            record.searches = [regex.search for regex in record.regexes]
        for regex, search in zip(record.regexes, record.searches, strict=True):
            regex.search = _held(record, search)
        self._events.append(_event_of(record))
        self._on_change()

    def _release(self, record: _Record) -> None:
        for regex, search in zip(record.regexes, record.searches, strict=True):
            regex.search = search
        record.searches = []
        record.strikes.clear()
        self._events.append(Released(record.option, record.rule))
        self._on_change()


def _event_of(record: _Record) -> Quarantined:
    return Quarantined(record.option, record.rule, record.limit, record.until)


def _held(record: _Record, search: Search) -> Search:
    """Return how a rule in quarantine searches."""
    option, number, limit = record.option, record.rule, record.limit
    # A line that nobody can date is a line without time. A failregex that is off leaves
    # the line to the others; but what may be exempt must not count.
    is_passed_over = option == "datepattern" or (option == "failregex" and not limit)

    @interruptible(option)
    def search_short(text: str) -> "re.Match[str] | None":
        if len(text) <= limit:
            return search(text)
        if is_passed_over:
            return None
        raise OverBudgetError(option, number, len(text), held=True)

    return search_short
