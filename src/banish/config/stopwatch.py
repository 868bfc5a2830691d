"""Times regexes on lines that may keep them busy, in a process of its own.

The child asks the kernel for a signal once a line has used up its time, and the
regex engine looks for signals while it works (Modules/_sre/sre_lib.h). Should it
not, the parent ends the child after `CHILD_LIMIT_SECONDS` and holds the regex in
hand guilty.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple

import msgspec

from banish.detect.vetting import Pump, Reader, narrow, vet_runtime
from banish.model.settings import FilterSettings, Regex

LINE_CHARACTERS = 8_192
"""Longest line tried: what rsyslog takes unless configured otherwise (maxMessageSize)."""

LIMIT_SECONDS = 0.25
"""CPU time that one regex may take for one line; four such lines a second fill a core.
Two loops that share a text come to 0.04 to 0.1 s for the longest line on a core of 2020."""

CHILD_LIMIT_SECONDS = 60.0
"""How long the timing of all filters together may take."""

_SHORTEST = 128
_DOUBLINGS = 6
_DOUBLINGS_TRIED = 2
"""So much longer lines are tried at least, before it is foretold what longest would take."""

_LEAST_GROWTH = 3.0
_MOST_GROWTH = 64.0
"""Bounds of how many times as long a line of double length takes: 2 is linear, 4 quadratic."""


class TimingTask(msgspec.Struct, frozen=True):
    """What the child gets: one filter's regexes, and the lines to try."""

    failregex: tuple[str, ...]
    prefregex: str | None
    maxlines: int
    pumps: tuple[Pump, ...]


class TimingReport(msgspec.Struct, frozen=True):
    """What the child says: it begins with a pump, or a line of it took too long."""

    trial: int
    pump: int
    characters: int = 0
    """How long the line was; 0: only begun."""


class Runaway(NamedTuple):
    """A regex that took more than `LIMIT_SECONDS`, and on what."""

    pump: Pump
    characters: int
    """Length of the line, at most `LINE_CHARACTERS`."""


class FilterTiming(NamedTuple):
    """What came of timing one filter."""

    runaways: list[Runaway]
    """Its regexes that run away, each once."""
    is_whole: bool
    """Whether the time for all filters was enough to try all of its lines."""


def time_each(
    filters: Sequence[FilterSettings], *, limit: float = CHILD_LIMIT_SECONDS
) -> list[FilterTiming]:
    """Return for each filter its regexes that run away.

    Takes a tenth of a second and what the regexes take, *limit* seconds at most;
    what was not reached by then is not among them.

    Raises:
        ConfigError: A regex is wrong.

    """
    trials = [_trial(settings) for settings in filters]
    found: list[list[Runaway]] = [[] for _ in trials]
    if not any(trial.pumps for trial in trials):
        return [FilterTiming(runaways, True) for runaways in found]
    reports, reached = _ask(trials, limit)
    for report in reports:
        pump = trials[report.trial].pumps[report.pump]
        characters = report.characters or LINE_CHARACTERS
        found[report.trial].append(Runaway(pump, characters))
    return [FilterTiming(runaways, at < reached) for at, runaways in enumerate(found)]


def _trial(settings: FilterSettings) -> TimingTask:
    return TimingTask(
        tuple(regex.text for regex in settings.failregex),
        settings.prefregex.text if settings.prefregex else None,
        settings.maxlines,
        tuple(vet_runtime(settings)),
    )


def _ask(trials: list[TimingTask], limit: float) -> tuple[list[TimingReport], int]:
    """Return what the child reports, and how many trials it ended.

    What it was at when its time ran out is among the reports.
    """
    command = [sys.executable, "-P", "-m", "banish.config.stopwatch"]
    question = msgspec.json.encode(trials)
    try:
        answer = subprocess.run(
            command, input=question, capture_output=True, check=True, timeout=limit
        ).stdout
        was_stopped = False
    except subprocess.TimeoutExpired as late:
        answer = late.stdout or b""
        was_stopped = True
    reports = [msgspec.json.decode(line, type=TimingReport) for line in answer.splitlines()]
    guilty = [
        report for at, report in enumerate(reports)
        if report.characters or (was_stopped and at == len(reports) - 1)
    ]  # fmt: skip
    if not was_stopped:
        return guilty, len(trials)
    return guilty, reports[-1].trial if reports else 0


class _TooLongError(Exception):
    """The line in hand has used up its time."""


def _stop(_number: int, _frame: object) -> None:
    raise _TooLongError


def serve(question: BinaryIO, answer: BinaryIO) -> None:
    """Try the lines that *question* holds and report in *answer*, as the child does."""

    def report(trial: int, pump: int, characters: int = 0) -> None:
        answer.write(msgspec.json.encode(TimingReport(trial, pump, characters)) + b"\n")
        answer.flush()

    signal.signal(signal.SIGVTALRM, _stop)
    trials = msgspec.json.decode(question.read(), type=list[TimingTask])
    for number, trial in enumerate(trials):
        reader = _reader(trial)
        guilty: set[int] = set()
        for at, pump in enumerate(trial.pumps):
            if pump.rule in guilty:
                continue
            report(number, at)
            if characters := _too_long(reader, pump):
                guilty.add(pump.rule)
                report(number, at, characters)


def _reader(trial: TimingTask) -> Reader:
    first = Regex(trial.prefregex) if trial.prefregex is not None else None
    rules = tuple(map(Regex, trial.failregex))
    return Reader(FilterSettings("", rules, prefregex=first, maxlines=trial.maxlines))


def _too_long(reader: Reader, pump: Pump) -> int:
    """Return how long the shortest line of *pump* is that takes too long; 0 for none."""
    limit = LIMIT_SECONDS / 2  # Measured times are uncertain, more so on a busy machine.
    spent = 0.0
    for doubling in range(_DOUBLINGS + 1):
        characters = _SHORTEST << doubling
        line = pump.line(characters)
        before = spent
        begun = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT_SECONDS)
        try:
            narrowed = narrow(reader.prefregex, line)
            if pump.rule and narrowed is not None:
                reader.rules[pump.rule - 1].search(narrowed[0])
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            spent = time.process_time() - begun
        except _TooLongError:
            return characters
        growth = max(_LEAST_GROWTH, spent / before if before else _MOST_GROWTH)
        if doubling >= _DOUBLINGS_TRIED and spent * growth ** (_DOUBLINGS - doubling) < limit:
            break
    return 0


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
