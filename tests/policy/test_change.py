"""A jail whose settings change takes over all that it was."""

import msgspec
import pytest

from banish.model.address import parse_subject
from banish.model.decision import AlreadyBanned, Counted, EndBan, HeldBack, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import BudgetSettings, Escalation, Networks
from banish.policy.budget import BanBudget
from banish.policy.exempt import ExemptList
from banish.policy.jail import JailPolicy
from banish.policy.room import Room
from tests.policy.script import ATTACKER, BYSTANDER, failed, judge, policy_of, settings

NOW = Instant(100)
NETWORK = parse_subject("203.0.113.0/24")


def changed(policy: JailPolicy, *ignore: str, **changes: object) -> JailPolicy:
    policy.change(msgspec.structs.replace(policy.settings, **changes), ExemptList(ignore))
    return policy


def test_failures_of_before_count_by_the_new_limit() -> None:
    before = policy_of(settings(maxretry=5))
    judge(before, ATTACKER, 96, 97, 98)
    after = changed(before, maxretry=4)
    assert isinstance(judge(after, ATTACKER, 101), StartBan)
    before = policy_of(settings(maxretry=5))
    judge(before, ATTACKER, 96, 97, 98)
    assert judge(changed(before, maxretry=5, findtime=Seconds(4)), ATTACKER, 101) == Counted(2)


def test_a_ban_in_force_keeps_the_end_that_it_had() -> None:
    before = policy_of(settings(maxretry=1, bantime=60))
    judge(before, ATTACKER, 90)
    after = changed(before, bantime=Seconds(600))
    assert after.bans[ATTACKER].until == Instant(150)
    assert isinstance(judge(after, ATTACKER, 101), AlreadyBanned)
    ban = after.bans[ATTACKER]
    assert after.tick(Instant(150)) == [EndBan(ban, "expired")]
    # The next one is as long as the new settings say, and counts the one before.
    start = judge(after, ATTACKER, 151)
    assert isinstance(start, StartBan)
    assert (start.ban.until, start.ban.count) == (Instant(751), 2)


def test_whoever_the_new_settings_exempt_is_unbanned_by_the_review() -> None:
    before = policy_of(settings(maxretry=1))
    judge(before, ATTACKER, 90)
    judge(before, BYSTANDER, 90)
    ends = changed(before, "192.0.2.2").review(NOW)
    assert [(end.ban.subject, end.reason) for end in ends if isinstance(end, EndBan)] == [
        (BYSTANDER, "exempt")
    ]
    assert set(before.bans) == {ATTACKER}


def test_members_of_networks_go_on_counting_where_networks_are_banned_still() -> None:
    two = Networks(after=2, levels4=(24,))
    policy = policy_of(msgspec.structs.replace(settings(maxretry=1), networks=two))
    judge(policy, parse_subject("203.0.113.1"), 90)
    changed(policy, networks=msgspec.structs.replace(two, bantime=Seconds(999)))
    judge(policy, parse_subject("203.0.113.2"), 101)
    assert NETWORK in policy.bans
    assert policy.bans[NETWORK].until == Instant(101 + 999)


def test_a_formula_that_is_none_changes_nothing() -> None:
    policy = policy_of(settings(maxretry=1, bantime=60))
    with pytest.raises(ValueError, match="formula"):
        changed(policy, escalation=Escalation(increment=True, formula="ban.Nothing("), maxretry=9)
    assert policy.settings.maxretry == 1


def test_who_is_known_to_be_out_is_looked_up_anew() -> None:
    policy = policy_of(settings(maxretry=1))
    policy.banned_as()[ATTACKER] = ATTACKER
    assert changed(policy, "192.0.2.1").banned_as() == {}


def test_a_jail_that_ends_gives_its_room_back() -> None:
    room = Room(1_000_000)
    policy = JailPolicy(settings(), ExemptList(), room=room)
    judge(policy, ATTACKER, 99)
    assert room.used_bytes > 0
    policy.retire()
    assert room.used_bytes == 0


def test_the_ban_budget_is_not_given_anew() -> None:
    budget = BudgetSettings(1, Seconds(60), Seconds(60))
    before = policy_of(msgspec.structs.replace(settings(maxretry=1), budget=budget))
    assert isinstance(judge(before, ATTACKER, 99), StartBan)
    after = changed(before, findtime=Seconds(99))
    assert isinstance(after.judge(failed(BYSTANDER, 101), Instant(101)), HeldBack)
    assert after.budget.held_total == 1


@pytest.mark.parametrize(("most", "is_held"), [(1, True), (2, True), (0, False)])
def test_a_budget_that_was_exceeded_stays_so_unless_it_is_taken_off(
    most: int, is_held: bool
) -> None:
    budget = BanBudget(BudgetSettings(1, Seconds(60), Seconds(60)))
    budget.spend(Instant(0))
    assert not budget.has_room(Instant(1))
    budget.settle(BudgetSettings(most, Seconds(60), Seconds(60)))
    assert budget.has_room(Instant(2)) is not is_held
    assert (budget.until is not None) is is_held


def test_a_larger_budget_counts_what_was_spent() -> None:
    budget = BanBudget(BudgetSettings(1, Seconds(60), Seconds(60)))
    budget.spend(Instant(0))
    budget.settle(BudgetSettings(2, Seconds(60), Seconds(60)))
    assert budget.has_room(Instant(1))
    budget.spend(Instant(1))
    assert not budget.has_room(Instant(2))


def test_a_new_exempt_list_knows_what_the_old_one_had_learnt() -> None:
    older = ExemptList(["office.example", "gone.example"])
    older.resolve("office.example", [ATTACKER])
    older.resolve("gone.example", [BYSTANDER])
    older.set_temporary({parse_subject("198.51.100.1"): "guard"})
    older.add_answer([NETWORK], Instant(90))
    newer = ExemptList(["office.example"])
    assert not newer.knows("office.example")
    newer.take_answers(older)
    assert newer.knows("office.example")
    assert newer.exempts(ATTACKER) == "ignoreip office.example"
    assert newer.exempts(BYSTANDER) is None
    assert newer.exempts_for_now(parse_subject("198.51.100.1")) == "guard"
    assert newer.by_answer == {NETWORK: 90}


def test_a_newer_answer_is_not_replaced_by_an_older_one() -> None:
    older, newer = ExemptList(["office.example"]), ExemptList(["office.example"])
    older.resolve("office.example", [BYSTANDER])
    newer.resolve("office.example", [ATTACKER])
    newer.take_answers(older)
    assert newer.exempts(BYSTANDER) is None
