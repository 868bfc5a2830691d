"""The log: takes lines at once, writes them from a thread of its own.

Whoever tells something never waits: lines go into a bounded queue, one thread
writes them in blocks. What does not fit is dropped, counted, and said in the
log as soon as there is room. A target that fails (disk full, syslog gone) loses
its lines and is tried again with the next ones; the first loss is reported on
standard error. Where there is a *fallback*, the lines go there meanwhile.
"""

import contextlib
import logging
import queue
import sys
import threading
import time
from collections.abc import Sequence
from typing import Literal

from banish.telemetry.events import NOTICE
from banish.telemetry.lines import LogLine, LogRun, run_of
from banish.telemetry.targets import LogTarget

QUEUE_LIMIT_LINES = 20_000
"""About 5 MB of lines; some seconds of the fiercest flood a disk cannot follow."""

BLOCK_LINES = 1_000

PAUSE_SECONDS = 0.02
"""How long the thread lets lines gather after a block: each time it wakes up, those who
work have to stop for it."""

_Order = Sequence[LogRun] | Literal["reopen", "stop", "change"]


class Log:
    """Writes lines of at least *level* to *target*. Close it to have all of them written."""

    def __init__(
        self,
        target: LogTarget,
        level: int = logging.INFO,
        *,
        fallback: LogTarget | None = None,
        limit: int = QUEUE_LIMIT_LINES,
        wants_events: bool = False,
    ) -> None:
        self.level = level
        self.wants_events = wants_events
        """Whether lines come with their events; JSON Lines and the journal need these."""
        self.dropped = 0
        """Lines that did not fit into the queue."""
        self.lost = 0
        """Lines that neither the target nor the fallback wrote."""
        self.trouble = ""
        """Why the target cannot be written at the moment."""
        self._target = target
        self._fallback = fallback
        self._limit = limit
        self._queue: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._next_targets: queue.SimpleQueue[tuple[LogTarget, LogTarget | None]]
        self._next_targets = queue.SimpleQueue()
        self._reported_drops = 0
        # Two counts, as each has one thread that writes it.
        self._put_in = 0
        self._taken_out = 0
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def wants(self, level: int) -> bool:
        """Whether a line of *level* would be written: ask before making its text."""
        return level >= self.level

    def write(self, *lines: LogLine) -> None:
        """Have *lines* written soon, in their order; never waits, never raises."""
        self.write_runs([run_of(line) for line in lines])

    def write_runs(self, runs: Sequence[LogRun]) -> None:
        """Have the lines of *runs* written soon, in their order; never waits, never raises."""
        taken = [run for run in runs if run.level >= self.level]
        count = _lines_of(taken)
        room = max(0, self._limit - (self._put_in - self._taken_out))
        if count > room:
            self.dropped += count - room
            taken, count = _first_lines(taken, room), room
        if count:
            self._put_in += count
            self._queue.put(taken)

    def reopen(self) -> None:
        """Open the log file anew by its name (after rotation); safe in a signal handler."""
        self._queue.put("reopen")

    def change_target(self, target: LogTarget, fallback: LogTarget | None = None) -> None:
        """Write to *target* from now on; what was said before goes to the one before."""
        self._next_targets.put((target, fallback))
        self._queue.put("change")

    def close(self, wait_seconds: float = 5.0) -> None:
        """Write what is waiting and close the target; gives up after *wait_seconds*."""
        self._queue.put("stop")
        self._thread.join(wait_seconds)

    def _run(self) -> None:
        order: _Order = "reopen"
        while order != "stop":
            order = self._queue.get()
            runs: list[LogRun] = []
            count = 0
            while not isinstance(order, str):
                runs += order
                count += _lines_of(order)
                if count >= BLOCK_LINES:
                    break
                try:
                    order = self._queue.get_nowait()
                except queue.Empty:
                    break
            self._taken_out += count
            if self.dropped > self._reported_drops:
                missing, self._reported_drops = self.dropped - self._reported_drops, self.dropped
                text = f"{missing} log lines dropped: the log target was too slow"
                runs.append(LogRun(time.time(), "banish.log", logging.WARNING, (text,)))
            if runs:
                self._put(runs)
            if order == "change":
                self._target.close()
                self._target, self._fallback = self._next_targets.get()
            elif order == "reopen":
                try:
                    self._target.reopen()
                except OSError as error:
                    self._complain(error)
            elif order != "stop" and self._queue.empty():
                time.sleep(PAUSE_SECONDS)  # for more to gather; nobody waits for this thread
        self._target.close()

    def _put(self, runs: list[LogRun]) -> None:
        try:
            self._target.write(runs)
        except OSError as error:
            self._complain(error)
            self._put_elsewhere(runs)
        else:
            self._is_failing = False
            self.trouble = ""

    def _put_elsewhere(self, runs: list[LogRun]) -> None:
        try:
            if self._fallback is None:
                raise OSError
            self._fallback.write(runs)
        except OSError:
            self.lost += _lines_of(runs)

    def _complain(self, error: OSError) -> None:
        self.trouble = str(error)
        if not self._is_failing:
            self._is_failing = True
            with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody may be left
                sys.stderr.write(f"banish: the log cannot be written: {error}\n")


def _lines_of(runs: Sequence[LogRun]) -> int:
    return sum([len(run.texts) for run in runs])


def _first_lines(runs: Sequence[LogRun], room: int) -> list[LogRun]:
    """Return the first *room* lines of *runs*."""
    kept: list[LogRun] = []
    for run in runs:
        if room <= 0:
            break
        kept.append(run._replace(texts=run.texts[:room]))
        room -= len(run.texts)
    return kept


class Bridge(logging.Handler):
    """Hands what libraries tell Python's logging to our log: one format, one target."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write *record*, with its exception on the same line."""
        text = record.getMessage()
        if record.exc_info:
            text += " | " + logging.Formatter().formatException(record.exc_info)
        self._log.write(LogLine(record.created, record.name, record.levelno, text))


def bridge_logging(log: Log) -> None:
    """Send everything that is logged through Python's logging to *log*, and nowhere else."""
    logging.addLevelName(NOTICE, "NOTICE")
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(Bridge(log))
    root.setLevel(max(log.level, logging.INFO))
