"""Counts failures per subject inside a sliding window.

Only a subject's newest ``limit`` times matter: the limit is reached exactly
when the oldest of them is still inside the window. So a subject costs at most
``limit`` times and ``evidence_limit`` lines, however hard it tries, and the
number of subjects has a bound as well.

Most subjects fail once and never again, so one time and one line of evidence
are one string of bytes; lists come with the second. Keys are texts and not
subjects: a million small objects cost more than what they say.

Fail2Ban counts otherwise: once a subject has been seen for longer than
findtime, it estimates the count from the rate (``FailTicket.adjustTime`` in
fail2ban/server/ticket.py, 1.1.1).
"""

from bisect import bisect_right, insort
from collections.abc import Sequence
from itertools import islice
from struct import Struct
from sys import maxsize

import msgspec

from banish.model.address import Subject, SubjectKind
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Tally
from banish.policy.networks import NetworkTable
from banish.policy.room import Room

CAPACITY = 1_000_000
"""Subjects that are counted at one time.

A million that failed once cost some 145 MB, and 135 MB more with a log line of
a hundred characters each (CPython 3.11, 64 bit).
"""

EVICTED_PART = 100
"""One in so many subjects is dropped when there is no room: finding the oldest in a
dict passes over those dropped before, so dropping one at a time would be quadratic."""

PATHS = 1_000
"""Paths that are kept once; of more logs each line of evidence keeps its own."""

SUBJECT_BYTES = 125
"""What a subject costs beside its key and value, which a dictionary has twice at times."""

_MORE_BYTES, _TIME_BYTES, _LINE_BYTES = 300, 32, 41
"""What lists cost, each time in one, and each line beside its text."""

_TIME = Struct("<d")
_LINE = Struct("<dqH")
"""Time, offset and number of path; the text follows."""

_UNNUMBERED = 0xFFFF
"""Stands for a path that has no number: it is in front of the text, with a NUL after it."""

_KINDS = {kind.value: kind for kind in SubjectKind}


class _Kept(msgspec.Struct, gc=False):
    """What is kept of a subject with several times or lines."""

    times: list[float]
    """Oldest first."""
    lines: list[bytes]
    """Oldest first, packed."""


_Value = bytes | _Kept
"""What is kept of one subject; bytes: one time, and the line of evidence if there is one."""


class Window:
    """Failures per subject, as far as they can still matter."""

    def __init__(
        self,
        limit: int,
        span: Seconds,
        capacity: int = CAPACITY,
        evidence_limit: int = 5,
        room: Room | None = None,
    ) -> None:
        """Count to *limit* (1 or more) within *span*.

        At most *capacity* subjects are kept, in the memory of *room*: past
        that, those counted longest ago are dropped, and `evicted` counts them.
        """
        assert limit >= 1
        assert capacity >= 1
        self._limit = limit
        self._span = span
        self._capacity = capacity
        self._evidence_limit = evidence_limit
        self._kept: dict[str, _Value] = {}
        """By key, in the order in which they were counted last."""
        self._changed: dict[str, bool] = {}
        """Who changed since `changes` was asked, and whether it was told of them before."""
        self._paths: list[str] = []
        """Paths of logs that lines of evidence name by their number here."""
        self._numbers: dict[str, int] = {}
        self.evicted = 0
        """How many subjects were dropped for want of room."""
        self.size_bytes = 0
        """About how much memory the subjects take."""
        self._room = Room(maxsize) if room is None else room
        self._room.join(self)

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, subject: Subject) -> bool:
        return _key(subject) in self._kept

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
        key = _key(subject)
        old = self._kept.pop(key, None)
        # Who was forgotten, and is not told forgotten yet, is known still by whoever was told.
        self._changed.setdefault(key, old is not None)
        if old is None and attempts == 1 and len(evidence) <= 1:
            count = 1
            is_wanted = evidence and self._evidence_limit > 0
            line = self._pack(evidence[0]) if is_wanted else b""
            self._kept[key] = value = _TIME.pack(at) + line
            self._grow(SUBJECT_BYTES + len(key) + len(value))
        else:
            before = 0 if old is None else _size(key, old)
            self._kept[key] = kept = _Kept([], []) if old is None else _widened(old)
            count = self._insert(kept, at, attempts)
            self._append(kept, evidence)
            self._grow(_size(key, kept) - before)
        if len(self._kept) > self._capacity:
            self._make_room()
        return count

    def take(self, subject: Subject) -> Tally:
        """Forget *subject* and return what was counted, empty where nothing was."""
        tally = self.tally(subject)
        if tally is None:
            return Tally(())
        self._forget(_key(subject))
        return tally

    def clear(self) -> None:
        """Forget everybody."""
        for key in list(self._kept):
            self._forget(key)

    def forget_inside(self, network: Subject) -> None:
        """Forget every subject that *network* covers; takes time for everybody who is counted."""
        around: NetworkTable[Subject] = NetworkTable()
        around.put(network, network)
        for key in [key for key in self._kept if around.around(_subject(key)) is not None]:
            self._forget(key)

    def shift(self, by: Seconds) -> None:
        """Move all times by *by*, as the clock was; takes time for everybody who is counted.

        What a ledger holds of them is left as it is: it is used after a restart only, and a
        time that is ahead then counts as now.
        """
        for key, kept in self._kept.items():
            if isinstance(kept, bytes):
                (at,) = _TIME.unpack_from(kept)
                self._kept[key] = _TIME.pack(at + by) + kept[_TIME.size :]
            else:
                kept.times[:] = [at + by for at in kept.times]

    def tally(self, subject: Subject) -> Tally | None:
        """Return what is counted of *subject*, or None."""
        kept = self._kept.get(_key(subject))
        return None if kept is None else self._tally(kept)

    def put(self, subject: Subject, tally: Tally) -> None:
        """Keep *tally*, which was remembered elsewhere, in place of what is counted."""
        times: list[float] = [*sorted(tally.times)[-self._limit :]]
        if not times:
            return
        key = _key(subject)
        if key in self._changed:
            self._changed[key] = True
        kept = _Kept(times, [])
        self._append(kept, tally.evidence)
        old = self._kept.pop(key, None)
        self._kept[key] = value = _narrowed(kept)
        self._grow(_size(key, value) - (0 if old is None else _size(key, old)))
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
        stale: list[str] = []
        for key, kept in self._kept.items():
            if _newest(kept) > horizon or len(stale) == most:
                break
            stale.append(key)
        for key in stale:
            self._forget(key)
        return len(stale)

    def failing(self, now: Instant) -> int:
        """Return how many subjects have a failure in the window at *now*."""
        horizon = now - self._span
        return sum(_newest(kept) > horizon for kept in self._kept.values())

    def changes(self) -> dict[Subject, Tally | None]:
        """Return each subject that changed since this was asked last, None for forgotten.

        Memory stays bounded where nobody asks: a subject that came and went in
        between is not mentioned.
        """
        changed = {}
        for key in self._changed:
            kept = self._kept.get(key)
            changed[_subject(key)] = None if kept is None else self._tally(kept)
        self._changed = {}
        return changed

    def all(self) -> dict[Subject, Tally]:
        """Return everything that is counted, counted longest ago first."""
        return {_subject(key): self._tally(kept) for key, kept in self._kept.items()}

    def _tally(self, kept: _Value) -> Tally:
        if isinstance(kept, bytes):
            time = Instant(_TIME.unpack_from(kept)[0])
            if len(kept) == _TIME.size:
                return Tally((time,))
            return Tally((time,), (self._unpack(kept, _TIME.size),))
        times = tuple(Instant(time) for time in kept.times)
        return Tally(times, tuple(self._unpack(line, 0) for line in kept.lines))

    def _insert(self, kept: _Kept, at: float, attempts: int) -> int:
        times = kept.times
        for _ in range(min(attempts, self._limit)):
            insort(times, at)
        count = len(times) - bisect_right(times, times[-1] - self._span)
        del times[: -self._limit]
        return count

    def _append(self, kept: _Kept, evidence: Sequence[Evidence]) -> None:
        if self._evidence_limit > 0:
            kept.lines += [self._pack(line) for line in evidence[-self._evidence_limit :]]
            del kept.lines[: -self._evidence_limit]

    def _pack(self, line: Evidence) -> bytes:
        # An encoder's bytes are cut to size where they were made, and leave holes.
        number, text = self._numbers.get(line.path), line.text
        if number is None:
            if len(self._paths) < PATHS:
                number = self._numbers[line.path] = len(self._paths)
                self._paths.append(line.path.encode("utf-8", "replace").decode())
            else:
                number, text = _UNNUMBERED, f"{line.path}\0{text}"
        # Half of a surrogate pair becomes a question mark: no text can hold it.
        return _LINE.pack(line.at, line.offset, number) + text.encode("utf-8", "replace")

    def _unpack(self, packed: bytes, start: int) -> Evidence:
        at, offset, number = _LINE.unpack_from(packed, start)
        text = packed[start + _LINE.size :].decode()
        if number == _UNNUMBERED:
            path, _, text = text.partition("\0")
        else:
            path = self._paths[number]
        return Evidence(text, path, offset, Instant(at))

    def evict(self) -> None:
        """Forget some of those counted longest ago, of which `evicted` tells."""
        oldest = list(islice(self._kept, max(1, len(self._kept) // EVICTED_PART)))
        for key in oldest:
            self._forget(key)
        self.evicted += len(oldest)

    def _grow(self, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        self._room.take(size_bytes)

    def _make_room(self) -> None:
        oldest = list(islice(self._kept, max(1, self._capacity // EVICTED_PART)))
        for key in oldest:
            self._forget(key)
        self.evicted += len(oldest)

    def _forget(self, key: str) -> None:
        size = _size(key, self._kept.pop(key))
        self.size_bytes -= size
        self._room.take(-size)
        if self._changed.setdefault(key, True) is False:
            del self._changed[key]


def _key(subject: Subject) -> str:
    """Return the text of an address as it is, and another subject's with its kind in front."""
    if subject.is_address:
        return subject.text
    return f"{subject.kind.value}\0{subject.text}"


def _subject(key: str) -> Subject:
    kind, nul, text = key.partition("\0")
    if nul:
        return Subject(text, _KINDS[kind])
    return Subject(key, SubjectKind.IPV6 if ":" in key else SubjectKind.IPV4)


def _size(key: str, kept: _Value) -> int:
    """Return about how many bytes of memory *kept* takes under *key*."""
    if isinstance(kept, bytes):
        return SUBJECT_BYTES + len(key) + len(kept)
    lines = sum([len(line) for line in kept.lines]) + _LINE_BYTES * len(kept.lines)
    return SUBJECT_BYTES + _MORE_BYTES + len(key) + _TIME_BYTES * len(kept.times) + lines


def _widened(value: _Value) -> _Kept:
    """Return *value* as lists, to which more can be added."""
    if isinstance(value, _Kept):
        return value
    lines = [value[_TIME.size :]] if len(value) > _TIME.size else []
    return _Kept([_TIME.unpack_from(value)[0]], lines)


def _narrowed(kept: _Kept) -> _Value:
    """Return *kept* as one string of bytes if it can be one."""
    if len(kept.times) == 1 and len(kept.lines) <= 1:
        return _TIME.pack(kept.times[0]) + b"".join(kept.lines)
    return kept


def _newest(kept: _Value) -> float:
    newest: float = _TIME.unpack_from(kept)[0] if isinstance(kept, bytes) else kept.times[-1]
    return newest
