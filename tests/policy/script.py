"""A small language for stories about a jail: what happens when, and what comes of it."""

from collections.abc import Callable, Iterable

from banish.model.address import Subject, parse_subject
from banish.model.decision import EndBan, EndReason, ProlongBan, StartBan, Verdict
from banish.model.failure import Evidence, Failure, KnownDetails
from banish.model.instant import Instant, Seconds
from banish.model.settings import Escalation, FilterSettings, JailSettings
from banish.policy.exempt import ExemptList
from banish.policy.jail import CountOf, JailPolicy

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
