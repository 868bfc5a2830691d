"""Laws of one jail, whatever happens in whatever order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from banish.errors import RequestError
from banish.model.address import Subject, parse_subject
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import JailMemory, Tally
from banish.policy.jail import JailPolicy
from tests.policy.script import failed, policy_of
from tests.policy.script import settings as jail_settings

SUBJECTS = [
    parse_subject(text)
    for text in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "198.51.100.0/24", "198.51.100.7", "root")
]
subjects = st.sampled_from(SUBJECTS)
Events = list[tuple[str, Subject, int, int]]
events = st.lists(
    st.tuples(
        st.sampled_from(["fail", "fail", "fail", "tick", "ban", "unban", "unban all", "review"]),
        subjects,
        st.integers(0, 40),
        st.integers(-5, 90),
    ),
    max_size=60,
)


def decide(policy: JailPolicy, what: str, subject: Subject, now: int, extra: int) -> list[Decision]:
    match what:
        case "fail":
            verdict = policy.judge(failed(subject, now - extra), Instant(now))
            return [verdict] if isinstance(verdict, StartBan) else []
        case "tick":
            return list(policy.tick(Instant(now)))
        case "ban":
            try:
                by_hand = policy.ban(subject, Instant(now), Seconds(extra))
            except RequestError:
                assert extra == 0 or policy.exempt.exempts(subject)
                return []
            return [by_hand] if by_hand is not None else []
        case "unban":
            return list(policy.unban(subject, "operator"))
        case "unban all":
            return list(policy.unban(None, "operator"))
        case _:
            return list(policy.review(Instant(now)))


def apply(held: dict[Subject, float | None], decision: Decision) -> None:
    subject, until = decision.ban.subject, decision.ban.until
    match decision:
        case StartBan():
            assert subject not in held
            held[subject] = until
        case ProlongBan():
            assert held[subject] is not None
            held[subject] = until
        case EndBan():
            assert held.pop(subject) == until


@settings(max_examples=200, deadline=None)
@given(events)
def test_decisions_alone_tell_what_is_banned(events: Events) -> None:
    """Whoever applies the decisions in order holds exactly the policy's bans."""
    policy = policy_of(jail_settings(maxretry=2, findtime=30, bantime=50), ["192.0.2.2"])
    held: dict[Subject, float | None] = {}
    tallies: dict[Subject, Tally] = {}
    now = 1000
    for what, subject, step, extra in events:
        now += step
        for decision in decide(policy, what, subject, now, extra):
            apply(held, decision)
        changes = policy.changes()
        for changed, tally in (changes.tallies if changes else {}).items():
            if tally is None:
                del tallies[changed]
            else:
                tallies[changed] = tally
        if what == "tick":
            assert not any(ban.is_over(Instant(now)) for ban in policy.bans.values())
        assert not any(policy.exempt.exempts(subject) for subject in held)
    assert held == {subject: ban.until for subject, ban in policy.bans.items()}
    assert tallies == policy.memory().tallies
    ends = [ban.until for ban in policy.bans.values() if ban.until is not None]
    assert policy.due == min(ends, default=None)


@settings(max_examples=50, deadline=None)
@given(events)
def test_a_successor_goes_on_as_if_nothing_had_happened(
    events: Events,
) -> None:
    first, second = (policy_of(jail_settings(maxretry=3, findtime=60)) for _ in range(2))
    now = 1000
    for what, subject, step, _ in events:
        now += step
        if what == "unban all":
            second, old = policy_of(jail_settings(maxretry=3, findtime=60)), second
            second.restore(old.memory(), Instant(now))
        assert second.tick(Instant(now)) == first.tick(Instant(now))
        verdict = first.judge(failed(subject, now), Instant(now))
        assert second.judge(failed(subject, now), Instant(now)) == verdict
    assert second.restore(JailMemory(), Instant(now)) == []
