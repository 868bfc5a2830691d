"""No jail starts more bans than its budget, and whoever is held back is banned later."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from banish.model.address import Subject, parse_subject
from banish.model.decision import Counted, EndBan, HeldBack, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import BudgetSettings, JailSettings, Networks
from banish.policy import budget as module
from banish.policy.budget import BanBudget, BudgetNews
from banish.policy.jail import JailPolicy
from tests.policy.script import failed, judge, policy_of, settings

CROWD = [parse_subject(f"198.51.100.{n}") for n in range(1, 250)]
ONE, TWO, THREE, FOUR = CROWD[:4]


def budget(most: int = 2, span: float = 10, pause: float = 100) -> BanBudget:
    return BanBudget(BudgetSettings(most, Seconds(span), Seconds(pause)))


def jail(
    most: int = 2, maxretry: int = 1, bantime: float = 10_000, networks: Networks | None = None
) -> JailSettings:
    return msgspec.structs.replace(
        settings(maxretry=maxretry, findtime=1_000, bantime=bantime),
        budget=BudgetSettings(most, Seconds(10), Seconds(100)),
        networks=networks or Networks(),
    )


def starts(held: BanBudget, *times: float) -> list[bool]:
    """Ask for a ban at each of *times*; return which may start."""
    found = []
    for at in times:
        found.append(held.has_room(Instant(at)))
        if found[-1]:
            held.spend(Instant(at))
    return found


def test_without_a_budget_every_ban_starts() -> None:
    held = budget(0)
    assert not held.is_on
    assert all(starts(held, *[5] * 1_000))
    assert not held.is_spent(Instant(5))
    assert not held.release(Instant(5))
    assert held.drain_news() == []


def test_past_the_budget_no_ban_starts_for_the_pause_and_then_all_may() -> None:
    held = budget()
    assert starts(held, 1, 2, 3, 50, 102.9) == [True, True, False, False, False]
    assert held.until == Instant(103)
    assert starts(held, 103, 103) == [True, True]
    assert held.until is None


def test_a_spent_budget_is_no_trouble_until_one_more_ban_is_asked_for() -> None:
    held = budget()
    starts(held, 1, 2)
    assert held.is_spent(Instant(3))
    assert held.until is None
    assert not held.is_spent(Instant(11))
    assert starts(held, 11, 12) == [True, True]


def test_a_pause_is_no_shorter_than_the_span_of_the_budget() -> None:
    held = budget(most=1, span=50, pause=5)
    starts(held, 1, 2)
    assert held.until == Instant(52)


def test_pauses_double_while_it_comes_again_soon_and_end_at_a_day() -> None:
    held, now, lengths = budget(most=1, pause=20_000), 0.0, []
    for _ in range(5):
        starts(held, now, now)
        assert held.until is not None
        lengths.append(held.until - now)
        now = held.until
    assert lengths == [20_000, 40_000, 80_000, 86_400, 86_400]
    now += 86_400
    starts(held, now, now)
    assert held.until == now + 20_000


def test_a_release_gives_the_budget_back_at_once_and_the_next_pause_is_a_first_one() -> None:
    held = budget()
    starts(held, 1, 2, 3)
    assert held.hold(ONE)
    assert held.release(Instant(4))
    assert starts(held, 5, 5, 5) == [True, True, False]
    assert held.until == Instant(105)
    assert held.drain_news() == [
        BudgetNews("exceeded", Instant(103)),
        BudgetNews("returned", Instant(4), 1),
        BudgetNews("exceeded", Instant(105)),
    ]
    assert held.drain_news() == []


def test_a_clock_that_is_set_back_prolongs_no_pause() -> None:
    held = budget()
    starts(held, 1_000_001, 1_000_002, 1_000_003)
    assert not held.has_room(Instant(3))
    assert held.until == Instant(103)
    assert held.has_room(Instant(103))


def test_each_subject_held_back_is_told_once_a_pause_and_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HELD_LIMIT", 2)
    held = budget()
    assert [held.hold(each) for each in (ONE, ONE, TWO, THREE)] == [True, False, True, True]
    assert held.held == 1
    assert held.held_total == 3


def test_a_subject_held_back_keeps_its_count_and_is_banned_at_its_next_failure() -> None:
    policy = policy_of(jail(maxretry=3))
    for subject in (ONE, TWO):
        assert isinstance(judge(policy, subject, 1, 1, 1), StartBan)
    assert judge(policy, THREE, 2, 2, 2) == HeldBack(THREE, is_new=True)
    assert judge(policy, THREE, 3) == HeldBack(THREE, is_new=False)
    assert judge(policy, FOUR, 3, 3) == Counted(2)
    assert set(policy.bans) == {ONE, TWO}
    assert isinstance(judge(policy, THREE, 102), StartBan)
    assert policy.budget.drain_news()[-1] == BudgetNews("returned", Instant(102), 1)


def test_the_pause_ends_by_itself() -> None:
    policy = policy_of(jail())
    for subject in (ONE, TWO, THREE):
        judge(policy, subject, 1)
    assert policy.tick(Instant(101)) == []
    assert [news.what for news in policy.budget.drain_news()] == ["exceeded", "returned"]


def test_bans_by_hand_and_those_put_back_do_not_count_and_are_not_held_back() -> None:
    policy = policy_of(jail())
    for subject in CROWD[10:20]:
        assert policy.ban(subject, Instant(1), None) is not None
    assert isinstance(judge(policy, ONE, 1), StartBan)
    new = policy_of(jail())
    assert len(new.restore(policy.memory(), Instant(2))) == 11
    assert [isinstance(judge(new, each, 2), StartBan) for each in (TWO, THREE, FOUR)] == [
        True, True, False,
    ]  # fmt: skip
    assert new.ban(FOUR, Instant(3), None) is not None


def test_a_ban_that_would_be_over_costs_nothing() -> None:
    policy = policy_of(jail(bantime=10))
    for subject in CROWD[:50]:
        policy.judge(failed(subject, 100), Instant(200))
    assert isinstance(judge(policy, ONE, 200), StartBan)


def test_the_ban_of_a_network_counts_and_none_starts_past_the_budget() -> None:
    networks = Networks(after=2, levels4=(24,))
    policy = policy_of(jail(most=3, networks=networks))
    judge(policy, ONE, 1)
    judge(policy, TWO, 1)
    wide = [decision for decision in policy.follow() if isinstance(decision, StartBan)]
    assert [decision.ban.cause for decision in wide] == ["network"]
    other = parse_subject("203.0.113.1")
    assert judge(policy, other, 1) == HeldBack(other, is_new=True)
    tight = policy_of(jail(most=2, networks=networks))
    judge(tight, ONE, 1)
    judge(tight, TWO, 1)
    assert tight.follow() == []
    assert tight.budget.until is None


events = st.lists(
    st.tuples(st.sampled_from(CROWD[:12]), st.integers(0, 8), st.sampled_from(["fail", "tick"])),
    max_size=120,
)


def play(policy: JailPolicy, story: list[tuple[Subject, int, str]]) -> list[tuple[int, Subject]]:
    """Play *story*; return who was banned when."""
    now, found = 1_000, []
    for subject, step, what in story:
        now += step
        at = Instant(now)
        if what == "tick":
            assert all(isinstance(each, EndBan) for each in policy.tick(at))
            continue
        room = policy.budget.until is None
        verdict = policy.judge(failed(subject, now), at)
        if isinstance(verdict, StartBan):
            assert room or policy.budget.until is None
            found.append((now, subject))
        assert not isinstance(verdict, HeldBack) or policy.budget.until is not None
    return found


@examples(max_examples=200, deadline=None)
@given(events, st.integers(1, 4))
def test_in_no_span_do_more_bans_start_than_the_budget_allows(
    story: list[tuple[Subject, int, str]], most: int
) -> None:
    found = play(policy_of(jail(most=most, maxretry=2, bantime=15)), story)
    for first, _ in found:
        assert sum(first <= at < first + 10 for at, _ in found) <= most


@examples(max_examples=200, deadline=None)
@given(events, st.integers(1, 4))
def test_whoever_is_held_back_and_goes_on_is_banned_once_the_budget_is_back(
    story: list[tuple[Subject, int, str]], most: int
) -> None:
    policy = policy_of(jail(most=most, maxretry=2, bantime=15))
    play(policy, story)
    now = 3_000.0
    for subject in CROWD[:12]:
        policy.tick(Instant(now))
        verdict = judge(policy, subject, now, now)
        if isinstance(verdict, HeldBack):
            assert policy.budget.until is not None
            now = policy.budget.until
            assert judge(policy, subject, now - 2, now - 1) == HeldBack(subject, is_new=False)
            verdict = judge(policy, subject, now)
        assert isinstance(verdict, StartBan)


def test_a_flood_of_thousands_is_banned_within_a_budget_of_ten_thousand() -> None:
    big = msgspec.structs.replace(jail(), budget=BudgetSettings(10_000))
    policy = policy_of(big)
    flood = [parse_subject(f"2001:db8::{n:x}") for n in range(1, 10_003)]
    verdicts = [judge(policy, subject, 1_000 + n / 500) for n, subject in enumerate(flood)]
    assert all(isinstance(verdict, StartBan) for verdict in verdicts[:10_000])
    assert [verdict for verdict in verdicts if not isinstance(verdict, StartBan)] == [
        HeldBack(subject, is_new=True) for subject in flood[10_000:]
    ]
