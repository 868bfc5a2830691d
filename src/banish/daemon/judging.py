"""What becomes of failures: they are judged in turn, and reported as events.

Failures in a row that end alike make one event, since an attack brings thousands a second.
"""

import math
from collections.abc import Iterable, Sequence

from banish.model.address import Subject
from banish.model.decision import (
    AlreadyBanned,
    Counted,
    Decision,
    Exempt,
    FailedWhileBanned,
    HeldBack,
    StartBan,
    Verdict,
)
from banish.model.failure import Failure
from banish.model.instant import Instant, Seconds
from banish.policy.jail import JailPolicy
from banish.telemetry.events import (
    BanBudgetExceeded,
    BanBudgetReturned,
    BanHeldBack,
    Event,
    FailureExempted,
    FailuresFound,
    NetworkExempted,
    WarningGiven,
)

AGAIN_LIMIT = 100_000
"""Banned subjects of one jail whose further failures are reported by ``maxretry``; past it
all begin anew."""

EVICTIONS_PAUSE = Seconds(3_600)
"""Between two warnings of one jail that subjects were forgotten early."""


class FailureEvents:
    """The events of one jail's failures, those in a row together.

    *again* is how many failures each banned subject has had that were not reported yet; it
    is kept up to date.
    """

    def __init__(self, policy: JailPolicy, again: dict[Subject, int]) -> None:
        self._policy = policy
        self._again = again
        self._maxretry = policy.settings.maxretry
        self._events: list[Event] = []
        self._row: list[Failure] = []
        self.while_banned: list[FailedWhileBanned] = []
        """What is to be reported after the bans that it refers to, which nobody has made yet."""

    def take(self) -> list[Event]:
        """Return the events to be emitted, in their order."""
        self._end_row()
        return self._events

    def found_banned(self, failure: Failure, holder: Subject) -> None:
        """Tell of *failure*, and of somebody banned failing: the first time, then each *maxretry*.

        *holder* is what is banned: whoever changes addresses inside a network is one subject.
        """
        self._row.append(failure)
        again = self._again
        unreported = again.get(holder)
        if unreported is None:
            if len(again) >= AGAIN_LIMIT:
                again.clear()
            times = 1
        else:
            times = unreported + 1
            if times < self._maxretry:
                again[holder] = times
                return
        again[holder] = 0
        self.while_banned.append(
            FailedWhileBanned(self._policy.name, failure.subject, times, holder)
        )

    def found_last(self, failure: Failure, banned: Subject) -> None:
        """Tell of *failure*, for which *banned* is banned."""
        self._row.append(failure)
        self._again.pop(banned, None)
        self._others(_refused_networks(self._policy))

    def unbanned(self, verdict: Verdict, failure: Failure) -> None:
        """Tell what became of *failure* that neither is banned nor gets banned."""
        match verdict:
            case Counted():
                self._row.append(failure)
            case Exempt(by):
                self._others([FailureExempted(failure.jail, failure.subject, by)])
            case HeldBack(subject, is_new):
                self._row.append(failure)
                self._others(budget_events(self._policy))
                if is_new:
                    self._others([BanHeldBack(failure.jail, subject)])
            case _:  # too old
                pass

    def _others(self, events: Sequence[Event]) -> None:
        if events:
            self._end_row()
            self._events += events

    def _end_row(self) -> None:
        if self._row:
            self._events.append(FailuresFound(self._policy.name, self._row))
            self._row = []


def judge_in_turn(
    policy: JailPolicy, failures: Iterable[Failure], now: Instant, events: FailureEvents
) -> list[Decision]:
    """Have *failures*, all of the jail of *policy*, judged; return what was decided.

    What became of each goes to *events*.
    """
    decisions: list[Decision] = []
    horizon = now - policy.settings.findtime
    held = policy.banned_as()
    found_banned = events.found_banned
    for failure in failures:
        # Whether the subject alone decides what becomes of it.
        is_bare = failure.address is None and not failure.exempt_by
        holder = held.get(failure.subject) if is_bare and failure.at > horizon else None
        if holder is not None:
            policy.count_while_banned(failure.attempts)
            found_banned(failure, holder)
            continue
        verdict = policy.judge(failure, now)
        if isinstance(verdict, AlreadyBanned):
            if is_bare:
                held[failure.subject] = verdict.subject
            found_banned(failure, verdict.subject)
        elif isinstance(verdict, StartBan):
            decisions.append(verdict)
            decisions.extend(policy.follow())
            held = policy.banned_as()
            events.found_last(failure, verdict.ban.subject)
        else:
            events.unbanned(verdict, failure)
    return decisions


class EvictionWarnings:
    """Warns that jails forget subjects early, of each jail once an hour at most."""

    def __init__(self) -> None:
        self._reported: dict[str, tuple[int, Instant]] = {}
        """How many evictions of each jail were reported, and when."""

    def due(self, policy: JailPolicy, now: Instant) -> list[Event]:
        """Return the warning of the jail of *policy* if it is time for one."""
        reported, at = self._reported.get(policy.name, (0, Instant(-math.inf)))
        fresh = policy.evicted_total - reported
        if not fresh or now - at < EVICTIONS_PAUSE:
            return []
        self._reported[policy.name] = (policy.evicted_total, now)
        what = (
            f"{fresh} failing subjects were forgotten early: memory for them is full; "
            "subjects that fail slowly may not be banned: raise windowmemory, or lower findtime"
        )
        return [WarningGiven(part=f"jail {policy.name}", what=what)]

    def forget(self, jail: str) -> None:
        """Forget *jail*, which judges no more."""
        self._reported.pop(jail, None)


def _refused_networks(policy: JailPolicy) -> list[Event]:
    return [
        NetworkExempted(policy.name, refusal.network, refusal.members, refusal.by)
        for refusal in policy.drain_refusals()
    ]


def budget_events(policy: JailPolicy) -> list[Event]:
    """Return what happened to the ban budget of *policy* since the last call."""
    budget = policy.settings.budget
    events: list[Event] = []
    for news in policy.budget.drain_news():
        if news.what == "exceeded":
            events.append(BanBudgetExceeded(policy.name, budget.most, budget.span, news.until))
        else:
            events.append(BanBudgetReturned(policy.name, news.held))
    return events
