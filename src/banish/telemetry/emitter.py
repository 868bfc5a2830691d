"""Tells what happened to everybody who wants to know: log, counters, listeners.

The one `Emit` of a process. Telling costs a few dictionary look-ups; text is
made only if the log takes the level.
"""

import logging
import operator
from collections.abc import Callable, Sequence

from banish.model.instant import Instant
from banish.telemetry.happenings import Emit, FailureFound, FailuresFound, Happening
from banish.telemetry.lines import LogRun
from banish.telemetry.logs import Log
from banish.telemetry.metrics import SERIES_LIMIT, Counters, Labels

UNSPEAKABLE = "banish_happenings_unspeakable_total"
"""Counts happenings whose text could not be made."""


class _Kind:
    """What the emitter needs to know of a type of happenings, looked up once."""

    __slots__ = ("amount", "counter", "level", "origin", "series", "values")

    def __init__(self, kind: type[Happening], program: str) -> None:
        self.counter = kind.counter
        self.level = kind.level
        self.origin = kind.origin
        if program != "banish":
            self.origin = program + kind.origin.removeprefix("banish")
        self.values: Callable[[Happening], object] | None = None
        """Returns the value of the one label, or a tuple of the values of all."""
        if kind.labels:
            self.values = operator.attrgetter(*kind.labels)
        self.amount: Callable[[Happening], int] | None = None
        if kind.amount:
            self.amount = operator.attrgetter(kind.amount)
        self.series: dict[object, Labels] = {}
        """The labels of the counter by their values, as long as these are few."""


def _labels(kind: _Kind, happening: Happening, values: object) -> Labels:
    """Return the labels that *happening* counts under."""
    labels = kind.series.get(values)
    if labels is None:
        names = happening.labels
        labels = tuple((name, str(getattr(happening, name))) for name in names)
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
        self._listeners: tuple[tuple[Emit, tuple[type[Happening], ...]], ...] = ()
        self._kinds: dict[type[Happening], _Kind] = {}

    def listen(self, listener: Emit, *kinds: type[Happening]) -> None:
        """Tell *listener* too, of everything or of *kinds*, from now on.

        It must never raise or wait.
        """
        self._listeners += ((listener, kinds),)

    def unlisten(self, listener: Emit) -> None:
        """Tell *listener* no more."""
        self._listeners = tuple(other for other in self._listeners if other[0] != listener)

    def __call__(self, happening: Happening) -> None:
        """Tell that *happening* happened."""
        self.every((happening,))

    def every(self, happenings: Sequence[Happening]) -> None:
        """Tell all that happened at one time, in its order: cheaper than telling each.

        Cheapest are many of one kind in a row, and `FailuresFound`.
        """
        self._count(happenings)
        if self._log is not None:
            runs = self._runs(happenings, self._log)
            if runs:
                self._log.write_runs(runs)
        for listener, kinds in self._listeners:
            _tell(listener, kinds, happenings)

    def _kind(self, kind: type[Happening]) -> _Kind:
        known = self._kinds[kind] = _Kind(kind, self._program)
        return known

    def _count(self, happenings: Sequence[Happening]) -> None:
        """Count each, with one addition for those in a row that count as the same."""
        kinds, add = self._kinds, self.counters.add
        last: _Kind | None = None
        labels: Labels = ()
        last_values: object = None
        count = 0
        for happening in happenings:
            kind = kinds.get(type(happening)) or self._kind(type(happening))
            if not kind.counter:
                continue
            values = kind.values(happening) if kind.values is not None else None
            if kind is not last or values != last_values:
                if last is not None:
                    add(last.counter, labels, count)
                last, last_values, count = kind, values, 0
                labels = _labels(kind, happening, values)
            count += kind.amount(happening) if kind.amount is not None else 1
        if last is not None:
            add(last.counter, labels, count)

    def _runs(self, happenings: Sequence[Happening], log: Log) -> list[LogRun]:
        """Return the log lines, those in a row that one logger says equally loud together."""
        kinds = self._kinds
        at = self._clock()
        runs: list[LogRun] = []
        origin, level = "", -1
        texts: list[str] = []
        for happening in happenings:
            kind = kinds[type(happening)]
            if not log.takes(kind.level):
                continue
            loud = kind.level
            fresh: Sequence[str]
            try:
                if isinstance(happening, FailuresFound):
                    fresh = happening.texts()
                else:
                    fresh = (happening.text(),)
            except (ArithmeticError, OSError, TypeError, ValueError) as error:
                # Telling must not stop the one who tells: a ban matters more than its log line.
                self.counters.add(UNSPEAKABLE)
                fresh, loud = (f"{type(happening).__name__}: {error}",), logging.ERROR
            if loud != level or kind.origin != origin:
                origin, level, texts = kind.origin, loud, []
                runs.append(LogRun(at, origin, level, texts))
            texts += fresh
        return runs


def _tell(
    listener: Emit, kinds: tuple[type[Happening], ...], happenings: Sequence[Happening]
) -> None:
    for happening in happenings:
        if isinstance(happening, FailuresFound):
            if not kinds or issubclass(FailureFound, kinds):
                for one in happening.each():
                    listener(one)
        elif not kinds or isinstance(happening, kinds):
            listener(happening)
