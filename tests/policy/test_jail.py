import msgspec
import pytest

from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.ban import Ban
from banish.model.decision import (
    Counted,
    StartBan,
)
from banish.model.failure import Evidence, KnownDetails
from banish.model.instant import Instant, Seconds
from banish.model.settings import Escalation
from banish.policy import inforce, window
from banish.policy.jail import DAY, JailPolicy
from tests.policy.script import (
    ATTACKER,
    BYSTANDER,
    INSIDE,
    NETWORK,
    SIX,
    at,
    bans,
    counts,
    ends,
    exempt,
    failed,
    fails,
    judge,
    known,
    play,
    policy_of,
    review,
    settings,
    starts,
    tick,
    too_old,
)


def test_third_failure_within_findtime_starts_a_ban() -> None:
    policy = play(
        policy_of(),
        at(100, fails(ATTACKER), counts(1)),
        at(110, fails(ATTACKER), counts(2)),
        at(115, fails(BYSTANDER), counts(1)),
        at(120, fails(ATTACKER), starts(ATTACKER, since=120, until=180)),
        at(179, tick),
        at(180, tick, ends(ATTACKER)),
    )
    assert policy.bans == {}
    assert (policy.failures_total, policy.bans_total) == (4, 1)


def test_failures_apart_by_findtime_do_not_add_up() -> None:
    play(
        policy_of(),
        at([100, 110, 130], fails(ATTACKER), counts(2)),
    )


def test_the_ban_tells_the_failures_the_rule_and_the_newest_lines() -> None:
    lines = tuple(Evidence(f"line {at}", "auth.log", 7, Instant(at)) for at in (110, 112))
    ban = Ban("sshd", ATTACKER, Instant(112), Instant(172), 3, 1, "failures", lines, 4)
    play(
        policy_of(),
        at(100, fails(ATTACKER, text="line 100")),
        at(110, fails(ATTACKER, text="line 110")),
        at(113, fails(ATTACKER, at=112, text="line 112"), starts(ATTACKER, ban=ban)),
    )


def test_a_failure_may_count_for_several() -> None:
    policy = play(
        policy_of(),
        at(100, fails(ATTACKER, attempts=2), counts(2)),
        at(101, fails(ATTACKER, attempts=9), starts(ATTACKER, failures=5)),
    )
    assert policy.failures_total == 11


def test_a_failure_from_the_future_counts_as_now() -> None:
    story = at(100, fails(ATTACKER, at=5000), starts(ATTACKER, since=100, until=160))
    play(policy_of(settings(maxretry=1)), story)


def test_a_failure_from_before_findtime_is_too_old() -> None:
    play(
        policy_of(),
        at(100, fails(ATTACKER, at=70), too_old()),
        at(100, fails(ATTACKER, at=70.5), counts(1)),
    )


def test_a_ban_that_would_be_over_is_not_started() -> None:
    policy = policy_of(settings(maxretry=1, findtime=600, bantime=60))
    play(policy, at(160, fails(ATTACKER, at=100), too_old()))
    assert policy.bans == {}
    assert policy.failing(Instant(160)) == 0
    play(policy, at(160, fails(ATTACKER, at=101), starts(ATTACKER, since=101, until=161)))


def test_failures_of_the_banned_are_in_the_total_and_counted_beside_it() -> None:
    policy = play(
        policy_of(settings(maxretry=1)),
        at(100, fails(ATTACKER), starts(ATTACKER)),
        at(101, fails(ATTACKER), known(ATTACKER)),
    )
    policy.count_while_banned(3)
    assert (policy.failures_total, policy.failures_while_banned) == (5, 4)


def test_a_ban_whose_end_was_not_ticked_yet_still_holds() -> None:
    play(
        policy_of(settings(maxretry=1)),
        at(100, fails(ATTACKER), starts(ATTACKER)),
        at(161, fails(ATTACKER), known(ATTACKER)),
        at(161, tick, ends(ATTACKER)),
        at(162, fails(ATTACKER), starts(ATTACKER, since=162, until=222)),
    )


def test_a_ban_without_end_never_ends_by_itself() -> None:
    policy = policy_of(settings(maxretry=1, bantime=None))
    play(policy, at(100, fails(ATTACKER), starts(ATTACKER, until=None)))
    assert policy.due is None
    play(policy, at(9e9, tick))


def test_an_address_in_a_banned_network_is_already_banned() -> None:
    play(
        policy_of(),
        at(100, bans(NETWORK), starts(NETWORK)),
        at(101, fails(INSIDE), known(NETWORK)),
        at(101, fails(SIX), counts(1)),
        at(101, fails(ATTACKER), counts(1)),
        at(160, tick, ends(NETWORK)),
        at(161, fails(INSIDE), counts(1)),
    )


def test_an_exempt_subject_is_not_counted_and_the_reason_is_given() -> None:
    policy = policy_of(ignore=["192.0.2.0/24"])
    play(policy, at(100, fails(ATTACKER), exempt("ignoreip 192.0.2.0/24")))
    assert (policy.exempt_total, policy.failures_total) == (1, 0)


def test_a_failure_that_an_answer_exempts_is_not_counted() -> None:
    policy = policy_of()
    play(policy, at(9, fails(ATTACKER, exempt_by="ignorecommand"), exempt("ignorecommand")))
    assert (policy.exempt_total, policy.failures_total) == (1, 0)


def test_only_what_would_be_counted_is_worth_asking_about() -> None:
    policy = policy_of(settings(maxretry=1, findtime=30), ["192.0.2.2"])
    assert policy.would_count(failed(ATTACKER, 100), Instant(100))
    assert not policy.would_count(failed(ATTACKER, 70), Instant(100))
    assert not policy.would_count(failed(BYSTANDER, 100), Instant(100))
    assert not policy.would_count(failed(parse_subject("bob"), 9, address=BYSTANDER), Instant(9))
    judge(policy, ATTACKER, 100)
    assert not policy.would_count(failed(ATTACKER, 101), Instant(101))


def test_an_identifier_is_exempt_with_the_address_it_came_from() -> None:
    root = parse_subject("root")
    play(
        policy_of(ignore=["192.0.2.1"]),
        at(9, fails(root, address=ATTACKER), exempt("ignoreip 192.0.2.1")),
        at(9, fails(root, address=BYSTANDER), counts(1)),
    )


def test_due_is_the_earliest_end() -> None:
    policy = policy_of(settings(maxretry=1))
    assert policy.due is None
    judge(policy, BYSTANDER, 110)
    judge(policy, ATTACKER, 100.5)
    assert policy.due == Instant(160.5)


def test_failing_counts_subjects_within_findtime() -> None:
    policy = policy_of()
    judge(policy, ATTACKER, 100)
    judge(policy, BYSTANDER, 110, 115)
    assert policy.failing(Instant(115)) == 2
    assert policy.failing(Instant(130)) == 1
    policy.tick(Instant(145))
    assert policy.failing(Instant(145)) == 0


def test_old_failures_are_forgotten_even_if_nobody_ticks() -> None:
    policy = policy_of()
    for number in range(window.PURGE_EVERY - 1):
        judge(policy, parse_subject(f"user{number}"), 100)
    judge(policy, ATTACKER, 200)
    assert list(policy.memory().tallies) == [ATTACKER]


def test_review_ends_bans_that_have_become_exempt() -> None:
    policy = play(
        policy_of(ignore=["host.example"]),
        *(at(100, bans(subject), starts(subject)) for subject in (ATTACKER, NETWORK, BYSTANDER)),
        at(101, review),
    )
    policy.exempt.resolve("host.example", [INSIDE])
    policy.exempt.set_own([BYSTANDER])
    play(policy, at(101, review, ends(NETWORK, "exempt"), ends(BYSTANDER, "exempt")))
    assert list(policy.bans) == [ATTACKER]


# Bans that grow

GROWING_AT_TWO = settings(maxretry=2, escalation=Escalation(increment=True))
GROWING = settings(maxretry=1, escalation=Escalation(increment=True))


def ban_over_and_over(policy: JailPolicy, times: int) -> list[tuple[int, float]]:
    found, now = [], 1000.0
    for _ in range(times):
        verdict = judge(policy, ATTACKER, now)
        assert isinstance(verdict, StartBan)
        assert verdict.ban.until is not None
        found.append((verdict.ban.count, verdict.ban.until - now))
        now = verdict.ban.until
        policy.tick(Instant(now))
    return found


def test_each_ban_of_a_subject_is_longer_from_its_first_moment() -> None:
    assert ban_over_and_over(policy_of(GROWING), 4) == [(1, 60), (2, 120), (3, 240), (4, 480)]


def test_without_increment_bans_are_counted_and_stay_as_long() -> None:
    assert ban_over_and_over(policy_of(settings(maxretry=1)), 3) == [(1, 60), (2, 60), (3, 60)]


def test_rndtime_adds_a_drawn_part() -> None:
    escalation = Escalation(increment=True, rndtime=Seconds(100))
    policy = policy_of(settings(maxretry=1, escalation=escalation), draw=lambda: 0.25)
    assert ban_over_and_over(policy, 2) == [(1, 60), (2, 145)]


def test_a_count_from_elsewhere_decides_how_long() -> None:
    policy = policy_of(GROWING, count_of=lambda subject, now: 3)
    assert ban_over_and_over(policy, 1) == [(1, 480)]


def test_a_pardon_begins_the_count_anew() -> None:
    policy = policy_of(GROWING)
    ban_over_and_over(policy, 2)
    policy.ban(ATTACKER, Instant(2000), None)
    assert policy.count(ATTACKER, Instant(2000)) == 3
    policy.unban(ATTACKER, "operator")
    assert policy.count(ATTACKER, Instant(2000)) == 0


def test_a_past_ban_is_forgotten_three_times_its_length_and_a_day_later() -> None:
    policy = policy_of(GROWING)
    ban_over_and_over(policy, 1)
    forgotten_at = 1000 + 3 * 60 + 86_400
    assert policy.count(ATTACKER, Instant(forgotten_at - 1)) == 1
    assert policy.count(ATTACKER, Instant(forgotten_at)) == 0
    assert policy.memory().past == {}


def test_an_endless_ban_that_was_lifted_is_remembered() -> None:
    policy = policy_of()
    policy.ban(ATTACKER, Instant(0), Seconds(-1))
    policy.unban(ATTACKER, "fleet")
    assert policy.count(ATTACKER, Instant(9e9)) == 1


def test_only_the_newest_bans_keep_their_lines_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inforce, "EVIDENCE_BANS", 1)
    policy = policy_of(settings(maxretry=1))
    for number, subject in enumerate((ATTACKER, BYSTANDER)):
        policy.judge(failed(subject, 100 + number, text="line"), Instant(101))
    assert [len(ban.evidence) for ban in policy.bans.values()] == [0, 1]
    policy.unban(BYSTANDER, "operator")
    policy.judge(failed(SIX, 110, text="line"), Instant(110))
    assert [len(ban.evidence) for ban in policy.bans.values()] == [0, 1]


def test_a_ban_that_is_over_keeps_no_newer_ban_from_its_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inforce, "EVIDENCE_BANS", 2)
    policy = policy_of(settings(maxretry=1))
    policy.judge(failed(ATTACKER, 100, text="line"), Instant(100))
    policy.unban(ATTACKER, "fleet")
    policy.judge(failed(ATTACKER, 101, text="line"), Instant(101))
    policy.judge(failed(BYSTANDER, 102, text="line"), Instant(102))
    assert [len(ban.evidence) for ban in policy.bans.values()] == [1, 1]


def test_a_past_ban_that_counts_no_more_is_forgotten_though_nobody_asks_for_it() -> None:
    policy = policy_of()
    policy.ban(ATTACKER, Instant(0), Seconds(10))
    policy.tick(Instant(10))
    assert list(policy.memory().past) == [ATTACKER]
    policy.tick(Instant(30 + DAY))
    assert policy.memory().past == {}


def test_subjects_counted_past_capacity_are_forgotten_and_counted() -> None:
    policy = JailPolicy(settings(), policy_of().exempt, capacity=1)
    judge(policy, ATTACKER, 100, 101)
    judge(policy, BYSTANDER, 102)
    assert policy.evicted_total == 1
    assert judge(policy, ATTACKER, 103) == Counted(1)


def test_a_jail_is_named_as_its_settings_say() -> None:
    assert policy_of().name == "sshd"
    assert Subject("x", SubjectKind.ID) not in policy_of().bans


def test_a_ban_knows_what_its_deciding_line_captured() -> None:
    policy = policy_of(settings(maxretry=1, maxmatches=0))
    failure = msgspec.structs.replace(
        failed(ATTACKER, 0),
        details=KnownDetails(tags={"user": "bob", "users": ("bob", "eve" * 1_000)}),
    )
    decision = policy.judge(failure, Instant(0))
    assert isinstance(decision, StartBan)
    assert dict(decision.ban.tags) == {"user": "bob", "users": ("bob, " + "eve" * 1_000)[:2_048]}
