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

import ipaddress
from itertools import islice

from banish.detect.pattern import Captured
from banish.model.failure import Evidence
from banish.model.instant import Instant, Seconds

CAPACITY = 8_192
"""Sessions kept for one jail. sshd has at most 100 unauthenticated ones at once
(MaxStartups in sshd_config(5)); a busy mail server some thousands in five minutes."""

LIFETIME = Seconds(300)

EVIDENCE_LINES = 8
"""Newest lines kept of each session, twice: those that count and those that only inform."""

USERS = 64
"""Users remembered of each session; one more than one is what matters."""

KEY_CHARACTERS = 255
"""Longest part of a session's key that tells it from others."""


_FLAGS = ("nofail", "mlfgained", "mlfforget")


class Session:
    """What is known of one session."""

    __slots__ = (
        "captured",
        "evidence",
        "informed",
        "informing",
        "is_pending",
        "lines",
        "newest",
        "owner",
        "users",
        "was_free",
    )

    def __init__(self) -> None:
        self.captured: dict[str, Captured] = {}
        self.users: dict[str, None] = {}
        self.is_pending = False
        """Whether a failure waits for its address."""
        self.was_free = False
        """Whether the newest line was no failure."""
        self.evidence: list[Evidence] = []
        self.informing: list[Evidence] = []
        """Lines that were no failures, for when one comes."""
        self.informed = 0
        """How many those were, kept or not."""
        self.lines = 0
        """How many lines speak for the failure in hand, kept or not."""
        self.newest = Instant(0)
        self.owner = ""
        """The address, as text, that the session is put down to."""


class Joined:
    """What one line comes to, together with its session."""

    __slots__ = ("captured", "evidence", "is_failure", "lines", "session", "users")

    def __init__(self, session: Session, *, is_failure: bool) -> None:
        self.session = session
        self.captured = session.captured
        self.is_failure = is_failure
        self.evidence = tuple(session.evidence)
        self.lines = session.lines
        self.users = tuple(session.users)


class Sessions:
    """The open sessions of one jail.

    Args:
        capacity: How many are kept, 8 or more.
        lifetime: How long after its newest line one is kept.

    """

    def __init__(self, capacity: int = CAPACITY, lifetime: Seconds = LIFETIME) -> None:
        self._capacity = capacity
        self._lifetime = lifetime
        self._open: dict[str, Session] = {}
        self._owned: dict[str, dict[str, None]] = {}
        self.evicted = 0
        """How many were dropped to make room."""

    def __len__(self) -> int:
        return len(self._open)

    def join(
        self, key: str, captured: dict[str, Captured], lines: tuple[Evidence, ...], at: Instant
    ) -> Joined:
        """Add lines that a rule matched at *at* to session *key*; return what it comes to.

        Where the result `is_failure` and names no subject, tell `wait`.
        """
        key = key[:KEY_CHARACTERS]
        forget = bool(captured.get("mlfforget"))
        gained = bool(captured.get("mlfgained"))
        is_free = gained or bool(captured.get("nofail"))
        session = self._open.get(key)
        if session is not None and at - session.newest > self._lifetime:
            self._close(key, session)
            session = None
        if session is None:
            session = Session()
            if not forget:
                self._add(key, session)
        else:
            if gained:
                session.is_pending = False
            if not session.was_free and not session.is_pending:
                # The failure in hand was handed out; this line begins another.
                session.evidence.clear()
                session.lines = 0
            if forget:
                self._close(key, session)
        session.newest = at
        self._remember(session, captured)
        if not forget:
            self._put_down(key, session)
        if session.is_pending or len(session.users) > 1:
            session.is_pending = False
            is_free = False
        session.was_free = is_free
        if not is_free:
            session.evidence = [*session.informing, *session.evidence, *lines][-EVIDENCE_LINES:]
            session.lines += session.informed + len(lines)
            session.informing = []
            session.informed = 0
        elif not forget:
            session.informed += len(lines)
            session.informing = [*session.informing, *lines][-EVIDENCE_LINES:]
        return Joined(session, is_failure=not is_free)

    def _remember(self, session: Session, captured: dict[str, Captured]) -> None:
        session.captured.update(captured)
        for flag in _FLAGS:
            session.captured.pop(flag, None)
        user = captured.get("user")
        if isinstance(user, str) and user and len(session.users) < USERS:
            session.users[user] = None

    def _add(self, key: str, session: Session) -> None:
        if len(self._open) >= self._capacity:
            self._make_room()
        self._open[key] = session
        self._owned.setdefault("", {})[key] = None

    def _close(self, key: str, session: Session) -> None:
        del self._open[key]
        owned = self._owned[session.owner]
        del owned[key]
        if not owned:
            del self._owned[session.owner]

    def _put_down(self, key: str, session: Session) -> None:
        """Put the session down to the address it turns out to be from, as its newest."""
        owned = self._owned[session.owner]
        del owned[key]
        owner = _owner(session.captured)
        if owner != session.owner:
            if not owned:
                del self._owned[session.owner]
            session.owner = owner
            owned = self._owned.setdefault(owner, {})
        owned[key] = None

    def _make_room(self) -> None:
        """Drop an eighth of all sessions, the oldest of those who have most of them.

        Many at once, so that a flood pays for the sorting only now and then.
        """
        wanted = max(1, self._capacity // 8)
        # The highest level such that cutting everyone down to it is enough.
        level = freed = 0
        for above, size in enumerate(sorted(map(len, self._owned.values()), reverse=True)):
            if freed - above * size >= wanted:
                level = size
                break
            freed += size
        for owner in tuple(self._owned):
            owned = self._owned[owner]
            for key in tuple(islice(owned, max(0, min(wanted, len(owned) - level)))):
                self._close(key, self._open[key])
                self.evicted += 1
                wanted -= 1


def _owner(captured: dict[str, Captured]) -> str:
    """Return whom a session is put down to: an IPv4 address, or the /64 of an IPv6 one.

    A host has a /64 to itself (RFC 4291, 2.5.4), so that its addresses are one.
    """
    for name in ("ip4", "ip6", "dns"):
        text = captured.get(name)
        if isinstance(text, str):
            if name == "ip6":
                try:
                    return ipaddress.IPv6Address(text).packed[:8].hex()
                except ValueError:
                    return text
            return text
    return ""


def wait(joined: Joined) -> None:
    """Let a failure that names no subject wait for a line of its session that does."""
    joined.session.is_pending = True
