"""Ends searches that take too long, and batches that take long: the only clock over regexes.

While lines are searched a timer of the process (``setitimer(2)``, ITIMER_VIRTUAL)
ticks. Python's `re` looks for signals every 4096 steps (Modules/_sre/sre_lib.h,
3.11), so a handler runs in the midst of a search, and an exception that it raises
ends the search, with the semantics of `re` untouched for all other lines. The
handler sees that it is still the same line as at earlier ticks by the matchers'
counters, and by the interrupted frame that a search is at work and nothing else:
so a line and a search cost nothing, and a batch two system calls, 2 microseconds.

Time is CPU time of the main thread: on a busy or suspended machine nothing is
slow that is merely not running.

What one line may take is `LINE_BUDGET`. Lines that stay below it come off cheaply
only as long as they are few: when slow lines together have used up `SLOW_LIMIT`,
which grows back slowly (`SLOW_SHARE` of the time that passes), a line is stopped at
the second tick that finds it. Ticks do not see what is shorter than `TICK`; 8 KiB of
hostile text that take so long cost ten times what 8 KiB of plain attacks cost, no more.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from types import FrameType

from banish.detect.detector import Detector
from banish.detect.matcher import Matcher
from banish.detect.quarantine import INTERRUPTIBLE, OverBudgetError
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch

LINE_BUDGET = Seconds(0.1)
"""CPU time that the regexes of one jail may take for one line. Ordinary lines take 0.01 ms; the
slowest that `banish check` lets pass without a word, some tens of milliseconds."""

TICK = Seconds(0.01)

TURN = Seconds(0.05)
"""CPU time after which a batch is left off, so that others have their turn."""

SLOW_LIMIT = Seconds(0.5)
SLOW_SHARE = 0.05


class Watchdog:
    """Watches over matchers at work, in the main thread; elsewhere it lets everything be.

    Args:
        budget: What one line may take, see `LINE_BUDGET`.

    """

    def __init__(self, budget: Seconds = LINE_BUDGET) -> None:
        self.budget = budget
        self._slow = 0.0
        """What slow lines have used, as far as it has not grown back."""
        self._slow_at = 0.0
        self._matchers: Sequence[Matcher] = ()
        self._detector: Detector | None = None
        self._lines = -1
        self._since = 0.0
        """When the line in hand was first seen at a tick."""
        self._seen = 0.0
        self._began = 0.0

    def feed(self, detector: Detector, batch: Batch, now: Instant) -> list[Failure]:
        """Feed *detector*, and have it leave a `Detector.rest` after `TURN`."""
        for _, quarantine in detector.quarantines:
            quarantine.begin(now)
        self._detector = detector
        with self.over(detector.matchers):
            return detector.feed(batch, now)

    @contextlib.contextmanager
    def over(self, matchers: Sequence[Matcher]) -> Iterator[None]:
        """Watch over *matchers*, and nobody else, inside the ``with`` block."""
        self._matchers = matchers
        self._lines = -1
        self._began = time.thread_time()
        if not _install():
            yield
            return
        _Watching.watchdog = self
        signal.setitimer(signal.ITIMER_VIRTUAL, TICK, TICK)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            _Watching.watchdog = None
            self._detector = None

    def tick(self, frame: FrameType) -> None:
        """See how long the line in hand has taken.

        Raises:
            OverBudgetError: Too long, and *frame* can be broken off.

        """
        cpu = time.thread_time()
        if self._detector is not None and cpu - self._began >= TURN:
            self._detector.stops = True
        lines = sum(matcher.counters.steps for matcher in self._matchers)
        if lines != self._lines:
            self._lines = lines
            self._since = self._seen = cpu
            return
        spent, self._seen = cpu - self._seen, cpu
        option = INTERRUPTIBLE.get(frame.f_code)
        if option is None:
            return
        budget = self.budget if self._note_slow(spent) else 0.0
        if cpu - self._since >= budget:
            self._since = cpu
            raise _over_budget(option, frame)

    def _note_slow(self, spent: float) -> bool:
        """Add to what slow lines have used; tell whether there is something left for them."""
        now = time.monotonic()
        grown_back = SLOW_SHARE * (now - self._slow_at)
        self._slow = max(0.0, self._slow - grown_back) + spent
        self._slow_at = now
        return self._slow < SLOW_LIMIT


class _Watching:
    """Who watches now."""

    watchdog: Watchdog | None = None
    is_installed = False


def _install() -> bool:
    """Have ticks heard, once and for good; tell whether they can be.

    The handler stays: a tick that comes late would end the process otherwise.
    """
    if threading.current_thread() is not threading.main_thread():
        return False
    if not _Watching.is_installed:
        signal.signal(signal.SIGVTALRM, _tick)
        signal.siginterrupt(signal.SIGVTALRM, False)
        _Watching.is_installed = True
    return True


def _tick(_number: int, frame: FrameType | None) -> None:
    if _Watching.watchdog is not None and frame is not None:
        _Watching.watchdog.tick(frame)


def _over_budget(option: str, frame: FrameType) -> OverBudgetError:
    names = frame.f_locals
    option = names.get("option", option)
    rule = names.get("number", 0)
    text = names.get("text", names.get("line", ""))
    if option == "failregex" and not rule:
        option = "prefregex"
    return OverBudgetError(option, rule, len(text))
