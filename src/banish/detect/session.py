"""Joins the lines of one session: ``<F-MLFID>`` and its companions.

Some programs tell in one line who connected and in another that a password was
wrong. Lines that capture the same ``<F-MLFID>`` belong together: what earlier
lines captured is known to later ones, a failure whose address is still unknown
is pending until a line tells it, ``<F-NOFAIL>`` lines only supply data,
``<F-MLFGAINED>`` forgives what is pending, ``<F-MLFFORGET>`` ends the session.
A session in which more than one user was tried is forgiven nothing
(fail2ban/server/filter.py, ``_mergeFailure``, 1.1.1).

Where we differ, deliberately. Fail2Ban keeps 100 sessions and drops the oldest,
so that somebody who opens a hundred connections makes the daemon forget what
the earlier ones did. Here there is room for `CAPACITY` of them, and when it is
used up the address with the most sessions loses its own oldest ones: a flood
pushes out the flood. A failure whose address is known never waits here, it is
handed out at once; so no failure that could be counted is lost this way, and
`Sessions.evicted` counts what was dropped. And a session lasts five minutes
from its newest line, where Fail2Ban counts from its first.
"""

import functools
import ipaddress
import re
from collections import Counter
from collections.abc import KeysView, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice, takewhile
from typing import Protocol

from banish.detect.pattern import Captured
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds

CAPACITY = 8_192
"""Sessions kept for one jail. sshd has at most 100 unauthenticated ones at once
(MaxStartups in sshd_config(5)); a busy mail server some thousands in five minutes."""

LIFETIME = Seconds(300)

EVIDENCE_LINES = 8
"""Newest lines kept of each session, twice: those that count and those that only inform."""

FLAGS = ("nofail", "mlfgained", "mlfforget")
"""Groups that steer a session and are no part of what is known of it."""

USERS = 64
"""Users remembered of each session; one more than one is what matters."""

KEY_CHARACTERS = 255
"""Longest part of a session's key that tells it from others."""

MARKS_EACH = 4
"""So many marks are kept for each session that there is room for, at most."""

_marks_of_lines = re.compile(r"^[^\[\]\n]*\[([0-9]+)\][^\[\]\n]*$", re.MULTILINE).findall
"""Finds the mark of each line that has just one."""


class Session:
    """What is known of one session, as of its newest line."""

    __slots__ = (
        "captured",
        "evidence",
        "informed",
        "informing",
        "is_failure",
        "is_pending",
        "lines",
        "newest",
        "owner",
        "users",
    )

    def __init__(self, captured: dict[str, Captured]) -> None:
        self.captured = captured
        """All that was captured; what stands in a later line counts."""
        user = captured.get("user")
        self.users: tuple[str, ...] = (user,) if user and isinstance(user, str) else ()
        """Who was tried, in the order of first appearance."""
        self.is_pending = False
        """Whether a failure waits for its address."""
        self.is_failure = True
        """Whether the newest line was one."""
        self.evidence: tuple[Evidence, ...] = ()
        """The lines of the failure in hand; whoever hands it out takes them."""
        self.informing: tuple[Evidence, ...] = ()
        """Lines that were no failures, for when one comes."""
        self.informed = 0
        """How many those were, kept or not."""
        self.lines = 0
        """How many lines speak for the failure in hand, kept or not."""
        self.newest = Instant(0)
        self.owner = ""
        """The address, as text, that the session is put down to; empty: not known yet."""


class Sleeping(Protocol):
    """A session of one line that nobody has asked about yet."""

    @property
    def newest(self) -> Instant:
        """The time of its line."""

    @property
    def owner(self) -> str:
        """The address, as text, that the session is put down to; empty: not known yet."""

    def wake(self) -> Session:
        """Return the session as it is after its line."""


class Sessions:
    """The open sessions of one jail.

    Args:
        capacity: How many are kept, 8 or more.
        lifetime: How long after its newest line one is kept.

    """

    def __init__(self, capacity: int = CAPACITY, lifetime: Seconds = LIFETIME) -> None:
        self._capacity = capacity
        self._lifetime = lifetime
        self._open: dict[str, Session | Sleeping] = {}
        """The one whose newest line came first is the first."""
        self.evicted = 0
        """How many were dropped to make room before their time was over."""
        self._fresh = 0
        """How many, at the end of those open, came since `marks` was asked; or more."""
        self._marks: set[str] | None = set()

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, key: str) -> bool:
        return key[:KEY_CHARACTERS] in self._open

    @property
    def keys(self) -> KeysView[str]:
        """The keys of open sessions, each cut to `KEY_CHARACTERS`; changes as they do."""
        return self._open.keys()

    def marks(self) -> AbstractSet[str] | None:
        """Return a set with the mark of each open session's key: a number from within brackets.

        There may be others in it. None: it is not so that each key has one mark.
        """
        if self._fresh:
            room = MARKS_EACH * self._capacity
            if self._marks is None or self._fresh >= len(self._open) or len(self._marks) > room:
                self._fresh = len(self._open)
                self._marks = set()
            fresh = marks_of([*islice(reversed(self._open), self._fresh)])
            self._fresh = 0
            if fresh is None:
                self._marks = None
            else:
                self._marks.update(fresh)
        return self._marks

    def begin(self, key: str, line: Sleeping) -> None:
        """Begin session *key*, which must not be open, with a line that knows the rest itself."""
        if len(self._open) >= self._capacity:
            self._make_room(line.newest)
        self._fresh += 1
        self._open[key[:KEY_CHARACTERS]] = line

    def join(
        self, key: str, captured: dict[str, Captured], lines: tuple[Evidence, ...], at: Instant
    ) -> Session:
        """Add lines that a rule matched at *at* to session *key*; return what is known now.

        *captured* is taken over, and changed. Where the result `is_failure` and
        names no subject, tell `wait`.
        """
        key = key[:KEY_CHARACTERS]
        is_free = bool(captured.pop("nofail", None))
        gained = captured.pop("mlfgained", None)
        forget = captured.pop("mlfforget", None)
        before = self._open.pop(key, None)
        session: Session | None = None
        if before is not None and at - before.newest <= self._lifetime:
            session = before if isinstance(before, Session) else before.wake()
        if session is None:
            session = Session(captured)
        else:
            if gained:
                session.is_pending = False
            if session.is_failure and not session.is_pending:
                # The failure in hand was handed out; this line begins another.
                session.evidence = ()
                session.lines = 0
            session.captured.update(captured)
            user = captured.get("user")
            users = session.users
            if user and isinstance(user, str) and user not in users and len(users) < USERS:
                session.users = (*users, user)
        session.newest = at
        if not forget:
            if len(self._open) >= self._capacity:
                self._make_room(at)
            self._fresh += 1
            self._open[key] = session
            session.owner = owner_of(session.captured)
        if session.is_pending or len(session.users) > 1:
            session.is_pending = False
            session.is_failure = True
        else:
            session.is_failure = not (is_free or gained)
        if session.is_failure:
            session.lines += session.informed + len(lines)
            if session.evidence or session.informing:
                lines = (*session.informing, *session.evidence, *lines)
            session.evidence = lines[-EVIDENCE_LINES:]
            session.informing = ()
            session.informed = 0
        elif not forget:
            session.informed += len(lines)
            session.informing = (*session.informing, *lines)[-EVIDENCE_LINES:]
        return session

    def _make_room(self, now: Instant) -> None:
        """Drop sessions whose time is over, or a quarter of all, fairly.

        Many at once, so that a flood pays for it only now and then.
        """
        over = now - self._lifetime
        for key in list(takewhile(lambda key: self._open[key].newest < over, self._open)):
            del self._open[key]
        if len(self._open) >= self._capacity:
            self._drop(max(1, self._capacity // 4))

    def _drop(self, wanted: int) -> None:
        """Drop so many sessions, the oldest of those who have most of them."""
        owners = [session.owner for session in self._open.values()]
        left = Counter(owners)
        # The highest level such that cutting everyone down to it is enough.
        level = freed = 0
        for above, size in enumerate(sorted(left.values(), reverse=True)):
            if freed - above * size >= wanted:
                level = size
                break
            freed += size
        excess = {owner: size - level for owner, size in left.items() if size > level}
        dropped: list[str] = []
        for key, owner in zip(self._open, owners, strict=True):
            if excess.get(owner):
                excess[owner] -= 1
                dropped.append(key)
        del dropped[wanted:]
        for key in dropped:
            del self._open[key]
        self.evicted += len(dropped)


def marks_of(keys: Sequence[str]) -> set[str] | None:
    """Return the marks of *keys*, or None if it is not so that each has just one."""
    joined = "\n".join(keys)
    marks = _marks_of_lines(joined)
    is_each_one = len(marks) == len(keys) == joined.count("\n") + bool(keys)
    return set(marks) if is_each_one else None


def owner_of(captured: dict[str, Captured]) -> str:
    """Return whom a session is put down to: an IPv4 address, or the /64 of an IPv6 one.

    A host has a /64 to itself (RFC 4291, 2.5.4), so that its addresses are one.
    """
    for name in ("ip4", "ip6", "dns"):
        text = captured.get(name)
        if isinstance(text, str):
            return block_of(text) if name == "ip6" else text
    return ""


@functools.lru_cache(maxsize=1024)
def block_of(text: str) -> str:
    """Return the /64 that *text* is in, or *text* where that is no IPv6 address."""
    try:
        return ipaddress.IPv6Address(text).packed[:8].hex()
    except ValueError:
        return text


def wait(session: Session) -> None:
    """Let a failure that names no subject wait for a line of its session that does."""
    session.is_pending = True
