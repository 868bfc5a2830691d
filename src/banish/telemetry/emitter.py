"""Tells what happened to everybody who wants to know: log, counters, listeners.

The one `Emit` of a process. Telling costs a few dictionary look-ups; text is
made only if the log takes the level.
"""

import logging
from collections.abc import Callable, Sequence

from banish.model.instant import Instant
from banish.telemetry.happenings import Emit, Happening
from banish.telemetry.lines import LogLine
from banish.telemetry.logs import Log
from banish.telemetry.metrics import SERIES_LIMIT, Counters, Labels

UNSPEAKABLE = "banish_happenings_unspeakable_total"
"""Counts happenings whose text could not be made."""


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
        self._listeners: tuple[Emit, ...] = ()
        self._labels: dict[tuple[type[Happening], tuple[object, ...]], Labels] = {}

    def listen(self, listener: Emit) -> None:
        """Tell *listener* too, of everything from now on; it must never raise or wait."""
        self._listeners += (listener,)

    def unlisten(self, listener: Emit) -> None:
        """Tell *listener* no more."""
        self._listeners = tuple(other for other in self._listeners if other != listener)

    def __call__(self, happening: Happening) -> None:
        """Tell that *happening* happened."""
        self._count(happening)
        if self._log is not None and self._log.takes(happening.level):
            self._log.write(self._line(happening, self._clock()))
        for listener in self._listeners:
            listener(happening)

    def every(self, happenings: Sequence[Happening]) -> None:
        """Tell all that happened at one time, in its order: cheaper than telling each."""
        log = self._log
        lines: list[LogLine] = []
        at = self._clock()
        for happening in happenings:
            self._count(happening)
            if log is not None and log.takes(happening.level):
                lines.append(self._line(happening, at))
        if log is not None and lines:
            log.write(*lines)
        for listener in self._listeners:
            for happening in happenings:
                listener(happening)

    def _count(self, happening: Happening) -> None:
        kind = type(happening)
        if kind.counter:
            values = tuple([getattr(happening, name) for name in kind.labels])
            labels = self._labels.get((kind, values))
            if labels is None:
                labels = self._make_labels(kind, values)
            amount = getattr(happening, kind.amount) if kind.amount else 1
            self.counters.add(kind.counter, labels, amount)

    def _make_labels(self, kind: type[Happening], values: tuple[object, ...]) -> Labels:
        labels = tuple((name, str(value)) for name, value in zip(kind.labels, values, strict=True))
        if len(self._labels) < SERIES_LIMIT:
            self._labels[kind, values] = labels
        return labels

    def _line(self, happening: Happening, at: Instant) -> LogLine:
        level = happening.level
        try:
            text = happening.text()
        except (ArithmeticError, OSError, TypeError, ValueError) as error:
            # Telling must not stop the one who tells: a ban matters more than its log line.
            self.counters.add(UNSPEAKABLE)
            text, level = f"{type(happening).__name__}: {error}", logging.ERROR
        origin = happening.origin
        if self._program != "banish":
            origin = self._program + origin.removeprefix("banish")
        return LogLine(at, origin, level, text)
