"""Counts failures per subject inside a sliding window.

Only a subject's newest ``limit`` times matter: the limit is reached exactly
when the oldest of them is still inside the window. So a subject costs at most
``limit`` times and ``evidence_limit`` lines, however hard it tries, and the
number of subjects has a bound as well.

How little memory a subject takes, `banish.policy.packed` says. Keys are texts and not
subjects: a million small objects cost more than what they say.

Fail2Ban counts otherwise: once a subject has been seen for longer than
findtime, it estimates the count from the rate (``FailTicket.adjustTime`` in
fail2ban/server/ticket.py, 1.1.1).
"""

from collections.abc import Sequence
from itertools import islice
from sys import maxsize

from banish.model.address import Subject, SubjectKind
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Tally
from banish.policy.networks import NetworkTable
from banish.policy.packed import (
    Changes,
    Packer,
    Several,
    Value,
    newest,
    part_of,
    shifted,
    single,
    size_of,
    widened,
)
from banish.policy.room import Room

CAPACITY = 1_000_000
"""Subjects that are counted at one time.

A million that failed once cost some 145 MB, and 135 MB more with a log line of
a hundred characters each (CPython 3.11, 64 bit).
"""

EVICTED_PART = 100
"""One in so many subjects is dropped when there is no room: finding the oldest in a
dict steps over those dropped before, so dropping one at a time would be quadratic."""

PURGE_EVERY = 1_000
"""Failures after which old ones are looked for even if nobody calls `Window.purge`."""

STALE_LIMIT = 10_000
"""Subjects whose time is over that `Window.failing` leaves out before `Window.purge` does."""

SUBJECT_BYTES = 125
"""What a subject costs beside its key and value, which a dictionary has twice at times."""

_KINDS = {kind.value: kind for kind in SubjectKind}


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
        self._kept: dict[str, Value] = {}
        """By key, in the order in which they were counted last."""
        self._changed: dict[str, bool] = {}
        """Who changed since `changes` was called, and whether it returned them before."""
        self._packer = Packer()
        self.evicted = 0
        """How many subjects were dropped for want of room."""
        self.size_bytes = 0
        """About how much memory the subjects take."""
        self._room = Room(maxsize) if room is None else room
        self._room.join(self)
        self._until_purge = PURGE_EVERY

    def settle(self, limit: int, span: Seconds, evidence_limit: int) -> None:
        """Count to *limit* within *span* from now on; what is counted stays."""
        assert limit >= 1
        self._limit, self._span, self._evidence_limit = limit, span, evidence_limit

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
        # A subject forgotten here but not yet reported as forgotten is still known to the caller.
        self._changed.setdefault(key, old is not None)
        if old is None and attempts == 1 and len(evidence) <= 1:
            count = 1
            self._kept[key] = value = self._single(at, evidence)
            self._grow(SUBJECT_BYTES + len(key) + len(value))
        else:
            before = 0 if old is None else _size(key, old)
            self._kept[key] = kept = Several([], []) if old is None else widened(old)
            count = kept.insert(at, attempts, self._limit, self._span)
            self._append(kept, evidence)
            self._grow(_size(key, kept) - before)
        if len(self._kept) > self._capacity:
            self._make_room()
        return count

    def pop(self, subject: Subject) -> Tally:
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
            before = _size(key, kept)  # it only gets less, so that nobody is evicted meanwhile
            self._kept[key] = moved = shifted(kept, by)
            self._grow(_size(key, moved) - before)

    def tally(self, subject: Subject) -> Tally | None:
        """Return what is counted of *subject*, or None."""
        kept = self._kept.get(_key(subject))
        return None if kept is None else self._packer.tally(part_of(kept))

    def put(self, subject: Subject, tally: Tally) -> None:
        """Keep *tally*, which was remembered elsewhere, in place of what is counted."""
        times = sorted(tally.times)[-self._limit :]
        if not times:
            return
        key = _key(subject)
        if key in self._changed:
            self._changed[key] = True
        value: Value
        evidence = tally.evidence[-self._evidence_limit :] if self._evidence_limit else ()
        if len(times) == 1 and len(evidence) <= 1:
            value = self._single(times[0], evidence)
        else:
            value = Several(times, [])
            self._append(value, evidence)
        old = self._kept.pop(key, None)
        self._kept[key] = value
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
            if newest(kept) > horizon or len(stale) == most:
                break
            stale.append(key)
        for key in stale:
            self._forget(key)
        return len(stale)

    def purge_at_times(self, now: Instant) -> None:
        """Do as `purge`, once for every `PURGE_EVERY` failures; to be called before each."""
        self._until_purge -= 1
        if self._until_purge < 1:
            self._until_purge = PURGE_EVERY
            self.purge(now, 2 * PURGE_EVERY)

    def failing(self, now: Instant) -> int:
        """Return how many subjects have a failure in the window at *now*.

        Those whose failures are older and came late count as well until `purge` finds them, and
        so do more than `STALE_LIMIT` that wait for it: the answer takes a millisecond at most.
        """
        horizon = now - self._span
        stale = 0
        for kept in self._kept.values():
            if newest(kept) > horizon or stale == STALE_LIMIT:
                break
            stale += 1
        return len(self._kept) - stale

    @property
    def has_changed(self) -> bool:
        """Whether `changes` has anything to return."""
        return bool(self._changed)

    def changes(self) -> Changes:
        """Return each subject that changed since this was asked last, None for forgotten.

        What they say stays as it is now. Memory stays bounded where nobody asks: a subject
        that came and went in between is not mentioned.
        """
        changes = Changes(self._packer)
        for key in self._changed:
            kept = self._kept.get(key)
            changes.put(_subject(key), None if kept is None else part_of(kept))
        self._changed = {}
        return changes

    def all(self) -> dict[Subject, Tally]:
        """Return everything that is counted, counted longest ago first."""
        tally = self._packer.tally
        return {_subject(key): tally(part_of(kept)) for key, kept in self._kept.items()}

    def _single(self, at: Instant, evidence: Sequence[Evidence]) -> bytes:
        is_wanted = evidence and self._evidence_limit > 0
        return single(at, self._packer.pack(evidence[0]) if is_wanted else b"")

    def _append(self, kept: Several, evidence: Sequence[Evidence]) -> None:
        limit = self._evidence_limit
        if limit > 0:
            kept.append([self._packer.pack(line) for line in evidence[-limit:]], limit)

    def evict(self) -> None:
        """Forget some of those counted longest ago, of which `evicted` tells."""
        oldest = list(islice(self._kept, max(1, len(self._kept) // EVICTED_PART)))
        for key in oldest:
            self._forget(key)
        self.evicted += len(oldest)

    def _grow(self, size_bytes: int) -> None:
        self.size_bytes += size_bytes
        self._room.resize(size_bytes)

    def leave(self) -> None:
        """Leave the room that is shared with other windows; to be used no more."""
        self._room.leave(self)

    def _make_room(self) -> None:
        oldest = list(islice(self._kept, max(1, self._capacity // EVICTED_PART)))
        for key in oldest:
            self._forget(key)
        self.evicted += len(oldest)

    def _forget(self, key: str) -> None:
        size = _size(key, self._kept.pop(key))
        self.size_bytes -= size
        self._room.resize(-size)
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


def _size(key: str, kept: Value) -> int:
    """Return about how many bytes of memory *kept* takes under *key*."""
    return SUBJECT_BYTES + len(key) + size_of(kept)
