"""What a jail remembers across a restart."""

from banish.model.decision import (
    AlreadyBanned,
    EndBan,
    StartBan,
)
from banish.model.instant import Instant, Seconds
from banish.model.settings import Escalation
from banish.model.snapshot import JailChanges, JailMemory, PastBan, Tally
from tests.policy.script import (
    ATTACKER,
    BYSTANDER,
    INSIDE,
    NETWORK,
    SIX,
    judge,
    policy_of,
    remembered,
    settings,
    started,
)

GROWING = settings(maxretry=1, escalation=Escalation(increment=True))

# Memory


def test_bans_come_back_with_the_time_they_were_given() -> None:
    policy = policy_of(GROWING)
    bans = (remembered(BYSTANDER, 60, None), remembered(ATTACKER, 50, 5000, count=4))
    assert policy.restore(JailMemory(bans, {}, 9, 2), Instant(100)) == [
        StartBan(bans[1], restored=True),
        StartBan(bans[0], restored=True),
    ]
    assert (policy.failures_total, policy.bans_total) == (9, 2)
    assert judge(policy, ATTACKER, 101) == AlreadyBanned(ATTACKER)
    assert policy.due == Instant(5000)
    policy.tick(Instant(5000))
    assert started(judge(policy, ATTACKER, 5001)) == (ATTACKER, 5001, 5001 + 60 * 16)


def test_bans_that_are_over_or_exempt_are_ended_at_the_next_tick() -> None:
    policy = policy_of(ignore=["192.0.2.2"])
    over, exempt = remembered(ATTACKER, 0, 100, count=2), remembered(BYSTANDER, 0, None)
    assert policy.restore(JailMemory((over, exempt)), Instant(100)) == []
    assert policy.due == Instant(0)
    assert policy.tick(Instant(100)) == [EndBan(over, "expired"), EndBan(exempt, "exempt")]
    assert policy.due is None
    assert policy.tick(Instant(101)) == []
    assert policy.count(ATTACKER, Instant(101)) == 2


def test_restoring_twice_starts_nothing_twice() -> None:
    policy = policy_of()
    memory = JailMemory((remembered(ATTACKER, 50, 5000),))
    assert len(policy.restore(memory, Instant(100))) == 1
    assert policy.restore(memory, Instant(100)) == []


def test_what_is_restored_in_parts_is_what_is_restored_at_once() -> None:
    bans = (remembered(NETWORK, 0, 1000), remembered(BYSTANDER, 50, 5000))
    past = {
        ATTACKER: PastBan(3, Instant(10), Instant(20)),
        BYSTANDER: PastBan(7, Instant(1), Instant(2)),
    }
    tallies = {ATTACKER: Tally((Instant(90), Instant(95))), INSIDE: Tally((Instant(99),))}
    whole, parts = policy_of(), policy_of()
    now = Instant(100)
    every = JailMemory(bans, tallies, 5, 2, past)
    starts = whole.restore(every, now)
    found = parts.restore(JailMemory(failures_total=5, bans_total=2), now, more=True)
    for ban in bans:
        found += parts.restore(JailMemory((ban,)), now, more=True)
    for subject, last in past.items():
        parts.restore(JailMemory(past={subject: last}), now, more=True)
        parts.restore(JailMemory(past={subject: PastBan(1, Instant(0), None)}), now, more=True)
    for subject, tally in tallies.items():
        parts.restore(JailMemory(tallies={subject: tally}), now, more=True)
    parts.restore(JailMemory(), now)
    assert found == starts
    assert parts.memory() == whole.memory()
    assert parts.changes() is None
    assert [p.count(ATTACKER, Instant(20)) for p in (whole, parts)] == [3, 3]


def test_windows_go_on_where_they_were() -> None:
    policy = policy_of()
    tallies = {
        ATTACKER: Tally((Instant(90), Instant(95))),
        BYSTANDER: Tally((Instant(70),)),
        SIX: Tally(()),
        INSIDE: Tally((Instant(99),)),
    }
    policy.restore(JailMemory((remembered(NETWORK, 0, 1000),), tallies), Instant(100))
    assert policy.failing(Instant(100)) == 1
    assert policy.changes() is None
    assert isinstance(judge(policy, ATTACKER, 100), StartBan)


def test_past_bans_count_after_a_restart() -> None:
    policy = policy_of(GROWING)
    past = {ATTACKER: PastBan(2, Instant(50), Instant(90))}
    policy.restore(JailMemory(past=past), Instant(100))
    assert started(judge(policy, ATTACKER, 100)) == (ATTACKER, 100, 100 + 240)


def test_a_policy_hands_everything_over_to_its_successor() -> None:
    old = policy_of()
    judge(old, ATTACKER, 100, 101)
    old.ban(NETWORK, Instant(101), None)
    old.ban(SIX, Instant(90), Seconds(5))
    old.tick(Instant(102))
    new = policy_of(settings(bantime=999))
    new.restore(old.memory(), Instant(102))
    assert new.memory() == old.memory()
    assert started(judge(new, ATTACKER, 103)) == (ATTACKER, 103, 1102)


def test_changes_are_told_once() -> None:
    policy = policy_of()
    assert policy.changes() is None
    judge(policy, ATTACKER, 100, 101)
    tally = Tally((Instant(100), Instant(101)))
    assert policy.changes() == JailChanges("sshd", {ATTACKER: tally}, 2, 0)
    assert policy.changes() is None
    judge(policy, ATTACKER, 102)
    assert policy.changes() == JailChanges("sshd", {ATTACKER: None}, 3, 1)


def test_a_total_alone_is_a_change() -> None:
    policy = policy_of()
    policy.ban(ATTACKER, Instant(0), None)
    assert policy.changes() == JailChanges("sshd", {}, 0, 1)
