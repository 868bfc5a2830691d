"""Counts failures per subject inside a sliding window.

Only a subject's newest ``limit`` times matter: the limit is reached exactly
when the oldest of them is still inside the window. So a subject costs at most
``limit`` times and ``evidence_limit`` lines, however hard it tries, and the
number of subjects has a bound as well.

Most subjects fail once and never again, so a single time is kept as a bare
float and a single line of evidence as bare bytes; lists come with the second.
Lines are kept packed, since a million small objects cost more than their text.

Fail2Ban counts otherwise: once a subject has been seen for longer than
findtime, it estimates the count from the rate (``FailTicket.adjustTime`` in
fail2ban/server/ticket.py, 1.1.1).
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import islice

import msgspec

from banish.model.address import Subject
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Tally

CAPACITY = 1_000_000
"""Subjects that are counted at one time.

A million that failed once cost some 230 MB, and 190 MB more with a log line of
a hundred characters each (CPython 3.11, 64 bit).
"""

EVICTED_PART = 100
"""One in so many subjects is dropped when there is no room: finding the oldest in a
dict passes over those dropped before, so dropping one at a time would be quadratic."""

PATHS = 1_000
"""Paths that are kept once; of more logs each line of evidence keeps its own."""

_packed = msgspec.msgpack.Encoder()
_unpacked = msgspec.msgpack.Decoder(tuple[str, int | str, int, float])


class _Kept(msgspec.Struct, gc=False):
    """What is kept of one subject."""

    times: float | list[float]
    """Oldest first."""
    evidence: bytes | list[bytes] | None
    """Oldest first, packed."""
    is_saved: bool
    """Whether somebody was told of this subject by `Window.changes`."""


class Window:
    """Failures per subject, as far as they can still matter."""

    def __init__(
        self, limit: int, span: Seconds, capacity: int = CAPACITY, evidence_limit: int = 5
    ) -> None:
        """Count to *limit* (1 or more) within *span*.

        At most *capacity* subjects are kept: past that, those counted longest
        ago are dropped, and `evicted` counts them.
        """
        assert limit >= 1
        assert capacity >= 1
        self._limit = limit
        self._span = span
        self._capacity = capacity
        self._evidence_limit = evidence_limit
        self._kept: dict[Subject, _Kept] = {}
        """In the order in which they were counted last."""
        self._changed: dict[Subject, None] = {}
        self._paths: list[str] = []
        """Paths of logs that lines of evidence name by their number here."""
        self._numbers: dict[str, int] = {}
        self.evicted = 0
        """How many subjects were dropped for want of room."""

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._kept

    def add(
        self,
        subject: Subject,
        at: Instant,
        attempts: int = 1,
        evidence: Sequence[Evidence] = (),
    ) -> int:
        """Count *attempts* failures; return how many now lie within a span of the newest one.

        The limit is reached when that is ``limit`` or more; the caller then
        takes the subject out with `take`. Times may arrive out of order (two
        logs, one jail).
        """
        kept = self._kept.pop(subject, None)
        count = 1
        if kept is None:
            # If its being forgotten is not told yet, whoever was told of it still knows it.
            kept = _Kept(at, None, subject in self._changed)
            if attempts > 1:
                count = self._insert(kept, at, attempts - 1)
        else:
            count = self._insert(kept, at, attempts)
        self._kept[subject] = kept
        for line in evidence:
            self._append(kept, line)
        self._changed[subject] = None
        if len(self._kept) > self._capacity:
            self._make_room()
        return count

    def take(self, subject: Subject) -> Tally:
        """Forget *subject* and return what was counted, empty where nothing was."""
        tally = self.tally(subject)
        if tally is None:
            return Tally(())
        self._forget(subject)
        return tally

    def tally(self, subject: Subject) -> Tally | None:
        """Return what is counted of *subject*, or None."""
        kept = self._kept.get(subject)
        if kept is None:
            return None
        times = kept.times if isinstance(kept.times, list) else [kept.times]
        lines = kept.evidence if isinstance(kept.evidence, list) else [kept.evidence]
        return Tally(
            tuple(Instant(time) for time in times),
            tuple(self._unpack(line) for line in lines if line is not None),
        )

    def put(self, subject: Subject, tally: Tally) -> None:
        """Keep *tally*, which was remembered elsewhere, in place of what is counted."""
        times: list[float] = [*sorted(tally.times)[-self._limit :]]
        if not times:
            return
        self._kept[subject] = kept = _Kept(times if len(times) > 1 else times[0], None, True)
        for line in tally.evidence:
            self._append(kept, line)
        if len(self._kept) > self._capacity:
            self._make_room()

    def purge(self, now: Instant, most: int) -> int:
        """Forget up to *most* subjects whose newest failure is no longer in the window.

        Return how many. Looks at the subjects counted longest ago and stops at
        the first that still matters, so calling it often costs nothing; since
        no failure is newer than the moment it is counted, a subject stays at
        most one span too long.
        """
        horizon = now - self._span
        stale: list[Subject] = []
        for subject, kept in self._kept.items():
            if _newest(kept) > horizon or len(stale) == most:
                break
            stale.append(subject)
        for subject in stale:
            self._forget(subject)
        return len(stale)

    def failing(self, now: Instant) -> int:
        """Return how many subjects have a failure in the window at *now*."""
        horizon = now - self._span
        return sum(
            (kept.times[-1] if isinstance(kept.times, list) else kept.times) > horizon
            for kept in self._kept.values()
        )

    def changes(self) -> dict[Subject, Tally | None]:
        """Return each subject that changed since this was asked last, None for forgotten.

        Memory stays bounded where nobody asks: a subject that came and went in
        between is not mentioned.
        """
        changed = {}
        for subject in self._changed:
            changed[subject] = self.tally(subject)
            kept = self._kept.get(subject)
            if kept is not None:
                kept.is_saved = True
        self._changed = {}
        return changed

    def all(self) -> dict[Subject, Tally]:
        """Return everything that is counted, counted longest ago first."""
        return {
            subject: tally for subject in self._kept if (tally := self.tally(subject)) is not None
        }

    def _insert(self, kept: _Kept, at: float, attempts: int) -> int:
        times = kept.times if isinstance(kept.times, list) else [kept.times]
        for _ in range(min(attempts, self._limit)):
            insort(times, at)
        count = len(times) - bisect_right(times, times[-1] - self._span)
        del times[: -self._limit]
        kept.times = times if len(times) > 1 else times[0]
        return count

    def _append(self, kept: _Kept, line: Evidence) -> None:
        if self._evidence_limit < 1:
            return
        packed = self._pack(line)
        if kept.evidence is None or self._evidence_limit == 1:
            kept.evidence = packed
        elif isinstance(kept.evidence, bytes):
            kept.evidence = [kept.evidence, packed]
        else:
            kept.evidence.append(packed)
            del kept.evidence[: -self._evidence_limit]

    def _pack(self, line: Evidence) -> bytes:
        path: int | str | None = self._numbers.get(line.path)
        if path is None:
            path = line.path
            if len(self._paths) < PATHS:
                path = self._numbers[line.path] = len(self._paths)
                self._paths.append(_text(line.path))
        try:
            return _packed.encode((line.text, path, line.offset, line.at))
        except UnicodeEncodeError:  # half of a surrogate pair: no text can hold it
            path = _text(path) if isinstance(path, str) else path
            return _packed.encode((_text(line.text), path, line.offset, line.at))

    def _unpack(self, packed: bytes) -> Evidence:
        text, path, offset, at = _unpacked.decode(packed)
        if isinstance(path, int):
            path = self._paths[path]
        return Evidence(text, path, offset, Instant(at))

    def _make_room(self) -> None:
        oldest = list(islice(self._kept, max(1, self._capacity // EVICTED_PART)))
        for subject in oldest:
            self._forget(subject)
        self.evicted += len(oldest)

    def _forget(self, subject: Subject) -> None:
        if self._kept.pop(subject).is_saved:
            self._changed[subject] = None
        else:
            self._changed.pop(subject, None)


def _text(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _newest(kept: _Kept) -> float:
    return kept.times[-1] if isinstance(kept.times, list) else kept.times
