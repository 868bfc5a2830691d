"""A small language for stories about a jail: what happens when, and what comes of it."""

from collections.abc import Callable, Iterable, Sequence
from types import EllipsisType
from typing import NamedTuple

import msgspec

from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.decision import (
    AlreadyBanned,
    Counted,
    EndBan,
    EndReason,
    Exempt,
    HeldBack,
    ProlongBan,
    StartBan,
    TooOld,
    Verdict,
)
from banish.model.failure import Evidence, Failure, KnownDetails
from banish.model.instant import Instant, Seconds
from banish.model.settings import Escalation, FilterSettings, JailSettings
from banish.policy.escalation import CountOf
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy

ATTACKER = parse_subject("192.0.2.1")
BYSTANDER = parse_subject("192.0.2.2")
SIX = parse_subject("2001:db8::1")
NETWORK = parse_subject("198.51.100.0/24")
INSIDE = parse_subject("198.51.100.9")


def settings(
    maxretry: int = 3,
    findtime: float = 30,
    bantime: float | None = 60,
    escalation: Escalation | None = None,
    maxmatches: int = 2,
) -> JailSettings:
    return JailSettings(
        name="sshd",
        filter=FilterSettings("sshd"),
        maxretry=maxretry,
        findtime=Seconds(findtime),
        bantime=None if bantime is None else Seconds(bantime),
        maxmatches=maxmatches,
        escalation=escalation or Escalation(),
    )


def policy_of(
    jail: JailSettings | None = None,
    ignore: Iterable[str] = (),
    *,
    draw: Callable[[], float] = lambda: 0.0,
    count_of: CountOf | None = None,
) -> JailPolicy:
    return JailPolicy(jail or settings(), ExemptList(ignore), draw=draw, count_of=count_of)


def failed(
    subject: Subject, at: float, attempts: int = 1, text: str = "", address: Subject | None = None
) -> Failure:
    evidence = (Evidence(text, "auth.log", 7, Instant(at)),) if text else ()
    return Failure("sshd", subject, Instant(at), 4, attempts, KnownDetails(evidence), address)


def judge(policy: JailPolicy, subject: Subject, *times: float) -> Verdict:
    """Let *subject* fail at each of *times*, read at that time; return what the last came to."""
    assert times
    return [policy.judge(failed(subject, at), Instant(at)) for at in times][-1]


def started(decision: object) -> tuple[Subject, float, float | None]:
    """Return who is banned from when until when."""
    assert isinstance(decision, StartBan | ProlongBan), decision
    return decision.ban.subject, decision.ban.since, decision.ban.until


def ended(decisions: Iterable[StartBan | EndBan]) -> list[tuple[Subject, EndReason]]:
    """Return whose bans ended, and why; there must be nothing else."""
    ends = []
    for decision in decisions:
        assert isinstance(decision, EndBan), decision
        ends.append((decision.ban.subject, decision.reason))
    return ends


# Stories: what happens when, and what comes of it

Act = Callable[[JailPolicy, Instant], Iterable[object]]
"""Does something to a policy at a time; yields what comes of it, in order."""


class Outcome:
    """Something that must come of an act: its kind, and what is said of it."""

    def __init__(self, kind: type, **said: object) -> None:
        self._kind = kind
        self._said = {name: value for name, value in said.items() if value is not ...}

    def __eq__(self, other: object) -> bool:
        return type(other) is self._kind and self._of(other) == self._said

    __hash__ = None  # type: ignore[assignment]

    def _of(self, found: object) -> dict[str, object]:
        ban = getattr(found, "ban", None)
        return {name: getattr(found if hasattr(found, name) else ban, name) for name in self._said}

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value}" for name, value in self._said.items())
        return f"{self._kind.__name__}({said})"


def starts(
    subject: Subject, *, until: float | EllipsisType | None = ..., **said: object
) -> Outcome:
    """A ban of *subject* starts; *said* are fields of it, such as ``since`` and ``count``."""
    return Outcome(StartBan, subject=subject, until=until, **said)


def prolongs(subject: Subject, *, until: float | None, **said: object) -> Outcome:
    """The ban of *subject* ends later; *said* are fields of it."""
    return Outcome(ProlongBan, subject=subject, until=until, **said)


def ends(subject: Subject, reason: EndReason = "expired") -> Outcome:
    """The ban of *subject* ends."""
    return Outcome(EndBan, subject=subject, reason=reason)


def counts(failures: int) -> Outcome:
    """The failure counts, as that of so many."""
    return Outcome(Counted, failures=failures)


def known(holder: Subject) -> Outcome:
    """The failure is of somebody who is banned, as *holder*."""
    return Outcome(AlreadyBanned, subject=holder)


def exempt(by: str) -> Outcome:
    """The failure does not count, for that reason."""
    return Outcome(Exempt, by=by)


def too_old() -> Outcome:
    """The failure does not count any more."""
    return Outcome(TooOld)


def fails(
    subject: Subject,
    *,
    at: float | None = None,
    attempts: int = 1,
    text: str = "",
    address: Subject | None = None,
    exempt_by: str = "",
) -> Act:
    """A failure of *subject* is read; it happened *at* that time, or now."""

    def act(policy: JailPolicy, now: Instant) -> Iterable[object]:
        failure = failed(subject, now if at is None else at, attempts, text, address)
        failure = msgspec.structs.replace(failure, exempt_by=exempt_by)
        would_count = policy.would_count(failure, now)
        verdict = policy.judge(failure, now)
        assert would_count == isinstance(verdict, Counted | StartBan | HeldBack) or (
            isinstance(verdict, TooOld)
        ), (would_count, verdict)
        return [verdict, *policy.follow()]

    return act


def tick(policy: JailPolicy, now: Instant) -> Iterable[object]:
    """Time passes."""
    return policy.tick(now)


def review(policy: JailPolicy, now: Instant) -> Iterable[object]:
    """Bans are looked at again, since others are exempt now."""
    return policy.review(now)


def bans(subject: Subject, lasts: float | None = None) -> Act:
    """The operator bans *subject*."""

    def act(policy: JailPolicy, now: Instant) -> Iterable[object]:
        decision = policy.ban(subject, now, None if lasts is None else Seconds(lasts))
        return [] if decision is None else [decision]

    return act


def unbans(subject: Subject | None, reason: EndReason = "operator") -> Act:
    """The ban of *subject* ends by that reason; None: all of them."""
    return lambda policy, _now: policy.unban(subject, reason)


class Step(NamedTuple):
    """One moment of a story, or several at which the same happens."""

    times: tuple[Instant, ...]
    act: Act
    outcomes: tuple[Outcome, ...]


def at(time: float | Sequence[float], act: Act, *outcomes: Outcome) -> Step:
    """At *time* this happens, and just these *outcomes* come of it.

    Of several times they come of the last. Without outcomes no decision may come of it;
    whether a failure counts is then free.
    """
    times = (time,) if isinstance(time, int | float) else time
    return Step(tuple(map(Instant, times)), act, outcomes)


def play(policy: JailPolicy, *steps: Step) -> JailPolicy:
    """Play a story in order; fail at the first step that comes to something else."""
    for number, step in enumerate(steps, start=1):
        for time in step.times:
            found = list(step.act(policy, time))
            outcomes = step.outcomes if time == step.times[-1] else ()
            if not outcomes:
                found = [each for each in found if isinstance(each, StartBan | EndBan | ProlongBan)]
            assert found == list(outcomes), f"step {number} at {time:g}: {found}"
    return policy


def remembered(subject: Subject, since: float, until: float | None, count: int = 1) -> Ban:
    """Return a ban as the store kept it."""
    end = None if until is None else Instant(until)
    return Ban("sshd", subject, Instant(since), end, count=count)
