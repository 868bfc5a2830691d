"""Networks that are counted and banned in place of addresses, or beside them."""

from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from banish.model.address import Subject, parse_subject
from banish.model.decision import (
    AlreadyBanned,
    Counted,
    Decision,
    EndBan,
    Exempt,
    ProlongBan,
    StartBan,
)
from banish.model.instant import Instant, Seconds
from banish.model.settings import ActionSettings, JailSettings, Networks
from banish.model.snapshot import JailMemory, Member, Tally
from banish.policy.exempt import BY_ANSWER, ExemptList
from banish.policy.jail import JailPolicy
from banish.policy.prefix import WIDEST
from banish.policy.widening import Refusal
from tests.policy.script import ATTACKER, ended, failed, judge, policy_of, settings, started

NET = parse_subject("198.51.100.0/24")
SIX = parse_subject("2001:db8:0:1::/64")


def host(last: int, third: int = 100) -> Subject:
    return parse_subject(f"198.51.{third}.{last}")


def jail(
    prefix4: int = 32,
    prefix6: int = 128,
    after: int = 0,
    levels4: tuple[int, ...] = (24,),
    levels6: tuple[int, ...] = (48,),
    *,
    maxretry: int = 1,
    bantime: float | None = 60,
    findtime: float = 1_000,
    netbantime: float = 0,
    actions: tuple[ActionSettings, ...] = (),
) -> JailSettings:
    networks = Networks(
        prefix4, prefix6, after, levels4, levels6, Seconds(findtime), Seconds(netbantime)
    )
    own = settings(maxretry=maxretry, findtime=1_000, bantime=bantime)
    return msgspec.structs.replace(own, networks=networks, actions=actions)


def ban(policy: JailPolicy, at: float, *subjects: Subject) -> list[str]:
    """Let each of *subjects* fail once; return what that leads to, in order."""
    told: list[str] = []
    for subject in subjects:
        verdict = judge(policy, subject, at)
        if isinstance(verdict, StartBan):
            told.append(f"ban {verdict.ban.subject}")
        told.extend(say(decision) for decision in policy.follow())
    return told


def say(decision: Decision) -> str:
    match decision:
        case StartBan(found):
            return f"ban {found.subject}"
        case EndBan(found, reason):
            return f"{reason} {found.subject}"
        case ProlongBan(found):
            return f"prolong {found.subject}"


def names(policy: JailPolicy) -> list[str]:
    return sorted(subject.text for subject in policy.bans)


# What an address counts as


def test_addresses_of_one_network_count_as_one() -> None:
    policy = policy_of(jail(prefix6=64, maxretry=3))
    for number in (1, 2):
        address = parse_subject(f"2001:db8:0:1::{number}")
        assert judge(policy, address, 100 + number) == Counted(number)
    last = judge(policy, parse_subject("2001:db8:0:1:ffff::"), 110)
    assert started(last) == (SIX, 110, 170)
    assert policy.bans[SIX].seen == parse_subject("2001:db8:0:1:ffff::")
    assert judge(policy, parse_subject("2001:db8:0:1::99"), 111) == AlreadyBanned(SIX)
    assert judge(policy, parse_subject("2001:db8:0:2::99"), 111) == Counted(1)
    assert judge(policy, ATTACKER, 111) == Counted(1)


def test_ipv4_has_a_prefix_of_its_own() -> None:
    policy = policy_of(jail(prefix4=28))
    assert ban(policy, 100, host(17), host(31), host(32)) == [
        "ban 198.51.100.16/28",
        "ban 198.51.100.32/28",
    ]


def test_what_is_no_address_counts_as_itself() -> None:
    policy = policy_of(jail(prefix4=28, prefix6=64))
    assert ban(policy, 100, parse_subject("root"), parse_subject("198.51.100.64/30")) == [
        "ban root",
        "ban 198.51.100.64/30",
    ]


def test_a_network_with_somebody_exempt_is_not_banned_its_addresses_are() -> None:
    policy = policy_of(jail(prefix4=24), ["198.51.100.200"])
    assert ban(policy, 100, host(1), host(2), host(200), host(1, third=101)) == [
        "ban 198.51.100.1",
        "ban 198.51.100.2",
        "ban 198.51.101.0/24",
    ]


def test_an_address_that_is_exempt_by_an_answer_exempts_its_networks_too() -> None:
    policy = policy_of(jail(prefix4=24))
    exempt = msgspec.structs.replace(failed(host(200), 100), exempt_by="ignorecommand")
    assert policy.judge(exempt, Instant(100)) == Exempt("ignorecommand")
    assert ban(policy, 101, host(1)) == ["ban 198.51.100.1"]


def test_a_pardon_of_an_address_is_one_of_the_network_it_counts_as() -> None:
    policy = policy_of(jail(prefix6=64, maxretry=2))
    inside = parse_subject("2001:db8:0:1::1")
    judge(policy, inside, 100, 101)
    assert names(policy) == [SIX.text]
    assert policy.unban(inside, "fleet") == []
    assert ended(policy.unban(inside, "operator")) == [(SIX, "operator")]
    judge(policy, inside, 102)
    policy.unban(inside, "operator")
    assert judge(policy, inside, 103) == Counted(1)


def test_a_ban_by_hand_inside_is_ended_with_its_network() -> None:
    policy = policy_of(jail(prefix6=64))
    inside = parse_subject("2001:db8:0:1::1")
    policy.ban(inside, Instant(99), None)
    judge(policy, parse_subject("2001:db8:0:1::2"), 100)
    assert [found.subject for found in policy.holding(inside)] == [inside, SIX]
    assert [found.subject for found in policy.holding(SIX)] == [SIX]
    assert policy.holding(ATTACKER) == []
    assert ended(policy.unban(inside, "operator")) == [(inside, "operator"), (SIX, "operator")]


def test_a_network_past_the_cap_is_none_whatever_a_filter_finds() -> None:
    policy = policy_of(jail())
    for text in ("10.0.0.0/8", "2001::/16"):
        assert judge(policy, parse_subject(text), 100) == Exempt("too wide a network")
        assert not policy.would_count(failed(parse_subject(text), 100), Instant(100))
    assert isinstance(judge(policy, parse_subject("10.1.0.0/16"), 100), StartBan)


# Networks of several


def test_a_network_is_banned_when_enough_of_its_members_are() -> None:
    policy = policy_of(jail(after=3, bantime=60, netbantime=600))
    assert ban(policy, 100, host(1), host(2), ATTACKER) == [
        "ban 198.51.100.1",
        "ban 198.51.100.2",
        "ban 192.0.2.1",
    ]
    third = policy.judge(failed(host(3), 110, text="third"), Instant(110))
    assert started(third) == (host(3), 110, 170)
    wide, *folded = policy.follow()
    assert started(wide) == (NET, 110, 710)
    assert wide.ban.cause == "network"
    assert wide.ban.failures == 3
    assert wide.ban.seen is None
    assert [line.text for line in wide.ban.evidence] == ["third"]
    assert ended(folded) == [(host(last), "folded") for last in (1, 2, 3)]
    assert names(policy) == ["192.0.2.1", "198.51.100.0/24"]
    assert judge(policy, host(9), 111) == AlreadyBanned(NET)
    assert policy.bans_total == 5


def test_evidence_of_a_network_is_one_line_of_each_member_at_most_maxmatches() -> None:
    for most, lines in ((2, ["two b", "three"]), (0, [])):
        own = msgspec.structs.replace(jail(after=3), maxmatches=most)
        policy = policy_of(own)
        for last, text in ((1, "one"), (2, "two b"), (3, "three")):
            policy.judge(failed(host(last), 100, text=text), Instant(100))
        assert [line.text for line in policy.bans[NET].evidence] == lines


def test_the_same_member_again_and_again_is_no_network() -> None:
    policy = policy_of(jail(after=2, bantime=1))
    for at in (100, 102, 104, 106):
        assert ban(policy, at, host(1)) == ["ban 198.51.100.1"]
        policy.tick(Instant(at + 1))


def test_members_banned_longer_ago_than_findtime_do_not_count() -> None:
    policy = policy_of(jail(after=2, findtime=50))
    ban(policy, 100, host(1))
    assert ban(policy, 150, host(2)) == ["ban 198.51.100.2"]
    assert ban(policy, 199, host(3))[1:2] == ["ban 198.51.100.0/24"]


def test_a_ban_that_ends_later_than_that_of_its_network_stays() -> None:
    policy = policy_of(jail(after=2, bantime=600, netbantime=60))
    ban(policy, 100, host(1))
    assert ban(policy, 110, host(2)) == ["ban 198.51.100.2", "ban 198.51.100.0/24"]
    assert names(policy) == ["198.51.100.0/24", "198.51.100.1", "198.51.100.2"]
    forever = policy_of(jail(after=2, bantime=None, netbantime=60))
    assert ban(forever, 100, host(1), host(2))[-1] == "ban 198.51.100.0/24"
    both = policy_of(jail(after=2, bantime=None, netbantime=-1))
    assert ban(both, 100, host(1), host(2))[-1] == "folded 198.51.100.2"


def test_a_ban_by_hand_is_neither_a_member_nor_taken_in() -> None:
    policy = policy_of(jail(after=2))
    policy.ban(host(1), Instant(100), Seconds(10))
    assert ban(policy, 101, host(2)) == ["ban 198.51.100.2"]
    policy.unban(host(2), "expired")
    policy.ban(host(2), Instant(102), Seconds(10))
    assert ban(policy, 103, host(3)) == [
        "ban 198.51.100.3",
        "ban 198.51.100.0/24",
        "folded 198.51.100.3",
    ]
    assert names(policy) == ["198.51.100.0/24", "198.51.100.1", "198.51.100.2"]


def test_where_commands_ban_nothing_is_folded() -> None:
    command = ActionSettings(
        "route", way="commands", properties={"actionban": "a", "actionunban": "b"}
    )
    mail = ActionSettings("mail", way="commands", properties={"actionban": "a"})
    native = msgspec.structs.replace(command, way="native")
    policy = policy_of(jail(after=2, actions=(command,)))
    assert ban(policy, 100, host(1), host(2))[-1] == "ban 198.51.100.0/24"
    python = msgspec.structs.replace(mail, way="python")
    policy = policy_of(jail(after=2, actions=(python,)))
    assert ban(policy, 100, host(1), host(2))[-1] == "ban 198.51.100.0/24"
    policy = policy_of(jail(after=2, actions=(mail, native)))
    assert ban(policy, 100, host(1), host(2))[-1] == "folded 198.51.100.2"


def test_networks_are_members_of_wider_networks() -> None:
    policy = policy_of(jail(after=2, levels4=(16, 24)))
    assert ban(policy, 100, host(1, 1), host(2, 1), host(1, 2)) == [
        "ban 198.51.1.1",
        "ban 198.51.1.2",
        "ban 198.51.1.0/24",
        "folded 198.51.1.1",
        "folded 198.51.1.2",
        "ban 198.51.2.1",
    ]
    assert ban(policy, 101, host(2, 2)) == [
        "ban 198.51.2.2",
        "ban 198.51.2.0/24",
        "folded 198.51.2.1",
        "folded 198.51.2.2",
        "ban 198.51.0.0/16",
        "folded 198.51.1.0/24",
        "folded 198.51.2.0/24",
    ]
    assert names(policy) == ["198.51.0.0/16"]


def test_prefixes_are_members_of_networks() -> None:
    policy = policy_of(jail(prefix6=64, after=2))
    found = ban(policy, 100, parse_subject("2001:db8:0:1::1"), parse_subject("2001:db8:0:2::1"))
    assert found[2] == "ban 2001:db8::/48"
    assert names(policy) == ["2001:db8::/48"]


def test_a_network_with_somebody_exempt_is_told_and_not_banned() -> None:
    policy = policy_of(jail(after=2), ["198.51.100.200/30"])
    assert ban(policy, 100, host(1), host(2)) == ["ban 198.51.100.1", "ban 198.51.100.2"]
    assert policy.drain_refusals() == [Refusal(NET, 2, "ignoreip 198.51.100.200/30")]
    assert policy.drain_refusals() == []
    answered = policy_of(jail(after=2))
    answered.judge(msgspec.structs.replace(failed(host(9), 99), exempt_by="x"), Instant(99))
    ban(answered, 100, host(1), host(2))
    assert [refusal.by for refusal in answered.drain_refusals()] == [BY_ANSWER]


def test_a_ban_that_would_be_over_is_none_of_a_network() -> None:
    policy = policy_of(jail(after=2, bantime=60, netbantime=10))
    judge(policy, host(1), 100)
    policy.judge(failed(host(2), 100), Instant(120))
    assert policy.follow() == []


def test_decisions_that_nobody_fetched_come_with_the_next_tick() -> None:
    policy = policy_of(jail(after=2))
    judge(policy, host(1), 100)
    assert policy.due == Instant(160)
    judge(policy, host(2), 100)
    assert policy.due == Instant(0)
    assert [say(decision) for decision in policy.tick(Instant(101))] == [
        "ban 198.51.100.0/24",
        "folded 198.51.100.1",
        "folded 198.51.100.2",
    ]
    assert policy.due == Instant(160)


def test_members_are_forgotten_in_time() -> None:
    policy = policy_of(jail(after=3, findtime=50))
    judge(policy, host(1), 100)
    assert NET in policy.memory().tallies
    policy.tick(Instant(150))
    assert policy.memory().tallies == {}


# The way back


def test_a_network_exempt_by_now_gives_back_what_it_took_in_once_past_bans_are_known() -> None:
    before = policy_of(jail(after=3, netbantime=600))
    ban(before, 100, host(1), host(2), host(3))
    memory = before.memory()
    after = policy_of(jail(after=3, netbantime=600))
    after.exempt.set_own([host(3)])
    now = Instant(110)
    assert after.restore(JailMemory(memory.bans), now, more=True) == []
    after.restore(JailMemory(past=memory.past), now, more=True)
    after.restore(JailMemory(), now)
    assert sorted(say(decision) for decision in after.tick(now)) == [
        "ban 198.51.100.1",
        "ban 198.51.100.2",
        "exempt 198.51.100.0/24",
    ]
    assert names(after) == ["198.51.100.1", "198.51.100.2"]


def test_a_network_that_becomes_exempt_gives_back_what_it_took_in() -> None:
    policy = policy_of(jail(after=3, netbantime=600))
    ban(policy, 100, host(1))
    ban(policy, 110, host(2), host(3))
    policy.exempt.set_own([host(3)])
    end, *starts = policy.review(Instant(165))
    assert say(end) == "exempt 198.51.100.0/24"
    assert [started(start) for start in starts] == [(host(2), 165, 170)]
    assert names(policy) == ["198.51.100.2"]
    assert policy.bans[host(2)].count == 1


def test_what_is_banned_again_by_hand_is_not_put_back_twice() -> None:
    policy = policy_of(jail(after=2, netbantime=600))
    ban(policy, 100, host(1), host(2))
    policy.ban(host(1), Instant(101), Seconds(5))
    policy.exempt.set_own([host(200)])
    assert [say(decision) for decision in policy.review(Instant(102))] == [
        "exempt 198.51.100.0/24",
        "ban 198.51.100.2",
    ]


def test_a_pardon_of_a_network_is_one_of_all_it_took_in() -> None:
    policy = policy_of(jail(after=2))
    ban(policy, 100, host(1), host(2))
    assert ended(policy.unban(NET, "operator")) == [(NET, "operator")]
    assert policy.count(host(1), Instant(101)) == 0
    assert ban(policy, 101, host(3)) == ["ban 198.51.100.3"]
    assert policy.bans[host(3)].count == 1


def test_a_pardon_of_a_member_does_not_count_against_its_network() -> None:
    policy = policy_of(jail(after=2))
    ban(policy, 100, host(1))
    policy.unban(host(1), "operator")
    assert ban(policy, 101, host(2)) == ["ban 198.51.100.2"]
    policy.unban(None, "operator")
    assert ban(policy, 102, host(3)) == ["ban 198.51.100.3"]
    assert ban(policy, 103, host(4))[1] == "ban 198.51.100.0/24"


def test_a_pardon_of_all_forgets_what_was_counted_of_networks() -> None:
    policy = policy_of(jail(after=2))
    ban(policy, 100, host(1))
    assert ended(policy.tick(Instant(160))) == [(host(1), "expired")]
    assert policy.unban(None, "operator") == []
    assert ban(policy, 161, host(2)) == ["ban 198.51.100.2"]


# Across a restart


def successor(policy: JailPolicy, at: float, ignore: Iterable[str] = ()) -> JailPolicy:
    heir = JailPolicy(policy.settings, ExemptList(ignore))
    heir.restore(policy.memory(), Instant(at))
    return heir


def test_members_are_remembered() -> None:
    policy = policy_of(jail(after=3))
    ban(policy, 100, host(1), host(2))
    changes = policy.changes()
    assert changes is not None
    assert changes.tallies[NET] == Tally(
        (), (), (Member(host(1), Instant(100)), Member(host(2), Instant(100)))
    )
    heir = successor(policy, 101)
    assert heir.changes() is None
    assert ban(heir, 102, host(3))[1] == "ban 198.51.100.0/24"
    told = heir.changes()
    assert told is not None
    assert told.tallies[NET] is None


def test_a_network_that_fails_itself_keeps_both_counts() -> None:
    policy = policy_of(jail(after=3, maxretry=2))
    judge(policy, NET, 100)
    judge(policy, host(1), 100, 101)
    changes = policy.changes()
    assert changes is not None
    both = Tally((Instant(100),), (), (Member(host(1), Instant(101)),))
    assert changes.tallies[NET] == both
    assert policy.memory().tallies[NET] == both
    heir = successor(policy, 102)
    assert heir.memory().tallies[NET] == both
    assert isinstance(judge(heir, NET, 103), StartBan)
    told = heir.changes()
    assert told is not None
    assert told.tallies[NET] == Tally((), (), both.members)


def test_members_of_what_is_no_network_any_more_are_left_out() -> None:
    policy = policy_of(jail(after=3))
    ban(policy, 100, host(1))
    heir = policy_of(jail(after=3, levels4=(20,)))
    heir.restore(policy.memory(), Instant(101))
    assert heir.memory().tallies == {}


def test_what_was_folded_comes_back_if_the_network_is_exempt_at_the_start() -> None:
    policy = policy_of(jail(after=2, netbantime=600))
    ban(policy, 100, host(1), host(2))
    heir = JailPolicy(policy.settings, ExemptList(["198.51.100.200"]))
    assert heir.restore(policy.memory(), Instant(130)) == []
    assert names(heir) == ["198.51.100.1", "198.51.100.2"]
    end, *starts = heir.tick(Instant(130))
    assert say(end) == "exempt 198.51.100.0/24"
    assert [started(start) for start in starts] == [(host(1), 130, 160), (host(2), 130, 160)]


def test_an_exempt_address_takes_nobody_back() -> None:
    policy = policy_of(jail(after=2))
    ban(policy, 100, host(1))
    heir = JailPolicy(policy.settings, ExemptList([host(1).text]))
    assert heir.restore(policy.memory(), Instant(101)) == []
    assert ended(heir.tick(Instant(101))) == [(host(1), "exempt")]
    assert heir.restore(JailMemory(), Instant(102)) == []


# Laws

HOSTS = st.tuples(st.integers(1, 4), st.integers(0, 3)).map(lambda at: host(at[1] * 5 + 1, at[0]))
SIXES = st.tuples(st.integers(0, 3), st.integers(0, 3)).map(
    lambda at: parse_subject(f"2001:db8:{at[0]}:{at[1]}::1")
)
EXEMPT = ["198.51.2.6", "198.51.3.128/25", "2001:db8:1::/48", "2001:db8:2:1::/64"]
EVENTS = st.lists(st.tuples(st.one_of(HOSTS, SIXES), st.integers(0, 30)), max_size=60)
LADDER = jail(30, 64, 2, (24, 20), (56, 48), bantime=40, findtime=100)


@tried(max_examples=200, deadline=None)
@given(EVENTS)
def test_nobody_exempt_is_ever_inside_a_ban_and_no_ban_is_wider_than_the_cap(
    events: list[tuple[Subject, int]],
) -> None:
    policy = policy_of(LADDER, EXEMPT)
    exempt = [parse_subject(text).network() for text in EXEMPT]
    held: dict[Subject, float | None] = {}
    now = 1_000.0
    for subject, step in events:
        now += step
        decisions: list[Decision] = list(policy.tick(Instant(now)))
        verdict = policy.judge(failed(subject, now), Instant(now))
        if isinstance(verdict, StartBan):
            decisions.append(verdict)
        decisions += policy.follow()
        for decision in decisions:
            if isinstance(decision, StartBan):
                assert decision.ban.subject not in held
                held[decision.ban.subject] = decision.ban.until
            else:
                assert held.pop(decision.ban.subject) == decision.ban.until
        assert held == {found: ban.until for found, ban in policy.bans.items()}
        for found in held:
            network = found.network()
            assert not any(
                network.version == one.version and network.overlaps(one) for one in exempt
            )
            assert network.prefixlen >= WIDEST[found.family]
            assert network.prefixlen >= {4: 20, 6: 48}[found.family]
        if isinstance(verdict, StartBan):
            assert policy.holding(subject)


@tried(max_examples=100, deadline=None)
@given(EVENTS, st.integers(0, 60))
def test_a_restart_at_any_moment_changes_no_decision(
    events: list[tuple[Subject, int]], cut: int
) -> None:
    first, second = policy_of(LADDER, EXEMPT), policy_of(LADDER, EXEMPT)
    now = 1_000.0
    for number, (subject, step) in enumerate(events):
        now += step
        if number == cut:
            second = successor(second, now, EXEMPT)
        assert second.tick(Instant(now)) == first.tick(Instant(now))
        one, other = (
            (policy.judge(failed(subject, now), Instant(now)), policy.follow())
            for policy in (first, second)
        )
        assert one == other


@tried(max_examples=100, deadline=None)
@given(st.lists(HOSTS, max_size=12), st.randoms(use_true_random=False))
def test_whoever_fails_first_in_a_batch_the_same_networks_are_banned(
    hosts: list[Subject], random: object
) -> None:
    shuffled = list(hosts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = []
    for order in (hosts, shuffled):
        policy = policy_of(jail(after=3, levels4=(24,)))
        ban(policy, 100, *order)
        found.append(names(policy))
    assert found[0] == found[1]


@tried(max_examples=100, deadline=None)
@given(EVENTS)
def test_the_store_knows_as_much_as_the_policy(events: list[tuple[Subject, int]]) -> None:
    policy = policy_of(LADDER, EXEMPT)
    kept: dict[Subject, Tally] = {}
    now = 1_000.0
    for subject, step in events:
        now += step
        policy.tick(Instant(now))
        policy.judge(failed(subject, now), Instant(now))
        policy.follow()
        changes = policy.changes()
        for changed, tally in (changes.tallies if changes else {}).items():
            if tally is None:
                kept.pop(changed, None)
            else:
                kept[changed] = tally
        assert kept == policy.memory().tallies
