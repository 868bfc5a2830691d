"""Tells what happened to everybody who wants to know: log, counters, listeners.

The one `Emit` of a process. Telling costs a few dictionary look-ups; text is
made only if the log takes the level.
"""

import logging
import operator
from collections.abc import Callable, Iterable, Sequence

from banish.model.instant import Instant
from banish.telemetry.events import Emit, Event, FailureFound, FailuresFound
from banish.telemetry.lines import LogRun
from banish.telemetry.logs import Log
from banish.telemetry.metrics import SERIES_LIMIT, Counters, Labels

UNSPEAKABLE = "banish_events_unprintable_total"
"""Counts events whose text could not be made."""


class _Kind:
    """What the emitter needs to know of a type of events, looked up once."""

    __slots__ = ("amount", "counter", "level", "origin", "series", "values")

    def __init__(self, kind: type[Event], program: str) -> None:
        self.counter = kind.counter
        self.level = kind.level
        self.origin = kind.origin
        if program != "banish":
            self.origin = program + kind.origin.removeprefix("banish")
        self.values: Callable[[Event], object] | None = None
        """Returns the value of the one label, or a tuple of the values of all."""
        if kind.labels:
            self.values = operator.attrgetter(*kind.labels)
        self.amount: Callable[[Event], int] | None = None
        if kind.amount:
            self.amount = operator.attrgetter(kind.amount)
        self.series: dict[object, Labels] = {}
        """The labels of the counter by their values, as long as these are few."""


def _labels(kind: _Kind, event: Event, values: object) -> Labels:
    """Return the labels that *event* counts under."""
    labels = kind.series.get(values)
    if labels is None:
        names = event.labels
        labels = tuple((name, str(getattr(event, name))) for name in names)
        if len(kind.series) < SERIES_LIMIT:
            kind.series[values] = labels
    return labels


class Emitter:
    """An `Emit` that never raises and never waits. Owned by one task."""

    def __init__(
        self,
        log: Log | None = None,
        counters: Counters | None = None,
        *,
        clock: Callable[[], Instant],
        program: str = "banish",
    ) -> None:
        """Tell *log* and *counters*.

        *program* replaces ``banish`` in the names of loggers: ``fail2ban`` for
        those whose scripts look for ``fail2ban.actions``.
        """
        self.counters = Counters() if counters is None else counters
        self._log = log
        self._clock = clock
        self._program = program
        self._listeners: tuple[tuple[Emit, tuple[type[Event], ...]], ...] = ()
        self._kinds: dict[type[Event], _Kind] = {}

    def listen(self, listener: Emit, *kinds: type[Event]) -> None:
        """Tell *listener* too, of everything or of *kinds*, from now on.

        It must never raise or wait.
        """
        self._listeners += ((listener, kinds),)

    def unlisten(self, listener: Emit, *kinds: type[Event]) -> None:
        """Tell *listener* no more of what it asked for with the same *kinds*."""
        self._listeners = tuple(each for each in self._listeners if each != (listener, kinds))

    def __call__(self, event: Event) -> None:
        """Tell that *event* happened."""
        self.every((event,))

    def every(self, events: Sequence[Event]) -> None:
        """Tell all that happened at one time, in its order: cheaper than telling each.

        Cheapest are many of one kind in a row, and `FailuresFound`.
        """
        self._count(events)
        if self._log is not None:
            runs = self._runs(events, self._log)
            if runs:
                self._log.write_runs(runs)
        for listener, kinds in self._listeners:
            _report(listener, kinds, events)

    def _kind(self, kind: type[Event]) -> _Kind:
        known = self._kinds[kind] = _Kind(kind, self._program)
        return known

    def _count(self, events: Sequence[Event]) -> None:
        """Count each, with one addition for those in a row that count as the same."""
        kinds, add = self._kinds, self.counters.add
        last: _Kind | None = None
        labels: Labels = ()
        last_values: object = None
        count = 0
        for event in events:
            kind = kinds.get(type(event)) or self._kind(type(event))
            if not kind.counter:
                continue
            values = kind.values(event) if kind.values is not None else None
            if kind is not last or values != last_values:
                if last is not None:
                    add(last.counter, labels, count)
                last, last_values, count = kind, values, 0
                labels = _labels(kind, event, values)
            count += kind.amount(event) if kind.amount is not None else 1
        if last is not None:
            add(last.counter, labels, count)

    def _runs(self, events: Sequence[Event], log: Log) -> list[LogRun]:
        """Return the log lines, those in a row that one logger says equally loud together."""
        kinds = self._kinds
        at = self._clock()
        runs: list[LogRun] = []
        origin, level = "", -1
        texts: list[str] = []
        shown: list[Event | None] = []
        for event in events:
            kind = kinds[type(event)]
            if not log.wants(kind.level):
                continue
            loud = kind.level
            fresh: Sequence[str]
            try:
                fresh = event.texts() if isinstance(event, FailuresFound) else (event.text(),)
            except (ArithmeticError, OSError, TypeError, ValueError) as error:
                # Telling must not stop the one who tells: a ban matters more than its log line.
                self.counters.add(UNSPEAKABLE)
                fresh, loud = (f"{type(event).__name__}: {error}",), logging.ERROR
            if loud != level or kind.origin != origin:
                origin, level, texts, shown = kind.origin, loud, [], []
                runs.append(LogRun(at, origin, level, texts, shown))
            texts += fresh
            if log.wants_events:
                shown += _shown(event, len(fresh))
        return runs


def _shown(event: Event, lines: int) -> Iterable[Event | None]:
    """Return what each of the *lines* of *event* tells."""
    if not isinstance(event, FailuresFound):
        return (event,)
    each = tuple(event.each())
    return each if len(each) == lines else (None,) * lines


def _report(listener: Emit, kinds: tuple[type[Event], ...], events: Sequence[Event]) -> None:
    for event in events:
        if isinstance(event, FailuresFound):
            if not kinds or issubclass(FailureFound, kinds):
                for one in event.each():
                    listener(one)
        elif not kinds or isinstance(event, kinds):
            listener(event)
