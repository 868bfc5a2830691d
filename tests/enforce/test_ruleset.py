import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.enforce.ruleset import Ruleset, merge_ports, name_jails, plan_ruleset
from banish.model.settings import Enforcement, PortRange
from tests.enforce.contract import ODD_NAMES, SSHD

IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,100}", re.ASCII)


def rules(ruleset: Ruleset, chain: str) -> list[str]:
    return [str(rule) for rule in ruleset.rules if rule.chain == chain]


def gates(*protocols: str, ports: tuple[PortRange, ...] = (PortRange(22, 22),)) -> list[str]:
    found = rules(plan_ruleset([Enforcement("j", protocols, ports)]), "prerouting")
    return [gate.removesuffix("jump jail-j").strip() for gate in found]


def test_a_jail_has_four_sets_and_one_rule_for_each() -> None:
    ruleset = plan_ruleset([SSHD])
    assert [str(one) for one in ruleset.sets] == [
        'set sshd-4 { type ipv4_addr; flags timeout; comment "sshd"; }',
        'set sshd-6 { type ipv6_addr; flags timeout; comment "sshd"; }',
        'set sshd-net4 { type ipv4_addr; flags interval,timeout; comment "sshd"; }',
        'set sshd-net6 { type ipv6_addr; flags interval,timeout; comment "sshd"; }',
    ]
    assert rules(ruleset, "jail-sshd") == [
        "ip saddr @sshd-4 counter goto refuse",
        "ip6 saddr @sshd-6 counter goto refuse",
        "ip saddr @sshd-net4 counter goto refuse",
        "ip6 saddr @sshd-net6 counter goto refuse",
    ]
    assert rules(ruleset, "refuse") == ["meta l4proto tcp reject with tcp reset", "reject"]


def test_ports_are_watched_before_and_after_they_may_be_rewritten() -> None:
    ruleset = plan_ruleset([SSHD])
    for place in ("prerouting", "input", "forward"):
        assert rules(ruleset, place) == ["meta l4proto tcp th dport 22 jump jail-sshd"]


def test_a_jail_without_ports_is_watched_in_one_place() -> None:
    ruleset = plan_ruleset([Enforcement("all", ()), Enforcement("tcp", ("tcp",))])
    assert rules(ruleset, "prerouting") == ["jump jail-all", "meta l4proto tcp jump jail-tcp"]
    assert rules(ruleset, "input") == rules(ruleset, "forward") == []


def test_drop_ends_the_way_in_the_jails_own_chain() -> None:
    ruleset = plan_ruleset([Enforcement("j", (), (), "drop")])
    assert all(rule.endswith("counter drop") for rule in rules(ruleset, "jail-j"))


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [
        (("tcp",), ["meta l4proto tcp th dport 22"]),
        (("TCP", " udp"), ["meta l4proto tcp th dport 22", "meta l4proto udp th dport 22"]),
        (("tcp", "6"), ["meta l4proto tcp th dport 22"]),
        (("sctp",), ["meta l4proto sctp th dport 22"]),
        (("icmp",), ["meta l4proto icmp", "meta l4proto icmpv6"]),
        (("47",), ["meta l4proto gre"]),
        (("all",), [""]),
        ((), [""]),
        (("tcp", "all"), [""]),
    ],
)
def test_protocols_become_gates(protocols: tuple[str, ...], expected: list[str]) -> None:
    assert gates(*protocols) == expected


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ((), "meta l4proto tcp"),
        ((PortRange(0, 65535),), "meta l4proto tcp"),
        ((PortRange(1, 65535),), "meta l4proto tcp th dport 1-65535"),
        ((PortRange(443, 443), PortRange(80, 80)), "meta l4proto tcp th dport { 80, 443 }"),
        ((PortRange(80, 90), PortRange(85, 99)), "meta l4proto tcp th dport 80-99"),
    ],
)
def test_ports_are_put_in_order(ports: tuple[PortRange, ...], expected: str) -> None:
    assert gates("tcp", ports=ports) == [expected]


@pytest.mark.parametrize("protocol", ["frob", "tcp; drop", "256", "-1", "²", ""])
def test_an_unknown_protocol_covers_all_and_is_told(protocol: str) -> None:
    ruleset = plan_ruleset([Enforcement("j", (protocol,), (PortRange(22, 22),))])
    assert rules(ruleset, "prerouting") == ["jump jail-j"]
    (warning,) = ruleset.warnings
    assert repr(protocol) in warning


def test_of_two_entries_for_one_jail_the_last_counts() -> None:
    ruleset = plan_ruleset([SSHD, Enforcement("sshd", ())])
    assert rules(ruleset, "prerouting") == ["jump jail-sshd"]
    assert len(ruleset.sets) == 4


RANGES = st.builds(PortRange, st.integers(-5, 65540), st.integers(-5, 65540))


@given(st.lists(RANGES, max_size=6))
def test_merged_ports_are_the_same_ports_apart_and_in_order(ranges: list[PortRange]) -> None:
    merged = merge_ports(ranges)
    wanted = {port for one in ranges for port in range(max(one.first, 0), one.last + 1)}
    assert {port for one in merged for port in range(one.first, one.last + 1)} == {
        port for port in wanted if port <= 65535
    }
    for before, after in itertools.pairwise(merged):
        assert before.last + 1 < after.first


def test_plain_names_stay_as_they_are() -> None:
    assert name_jails(["sshd", "nginx-http-auth", "Web_2.x"]) == {
        "sshd": "sshd",
        "nginx-http-auth": "nginx-http-auth",
        "Web_2.x": "Web_2.x",
    }


def test_a_jail_cannot_take_the_name_made_for_another() -> None:
    made = name_jails(["a b"])["a b"]
    names = name_jails([made, "a b"])
    assert names[made] == made
    assert names["a b"] != made


@given(st.lists(st.text() | st.sampled_from(ODD_NAMES), unique=True, max_size=8))
def test_any_jail_names_become_different_identifiers(jails: list[str]) -> None:
    names = name_jails(jails)
    assert list(names) != [] or not jails
    assert set(names) == set(jails)
    assert len(set(names.values())) == len(jails)
    assert all(IDENTIFIER.fullmatch(name) for name in names.values())


@given(st.text(max_size=300) | st.sampled_from(ODD_NAMES))
def test_whatever_a_jail_is_called_its_comment_can_be_quoted(jail: str) -> None:
    ruleset = plan_ruleset([Enforcement(jail)])
    for one in ruleset.sets:
        assert re.fullmatch(r"[ !#-\[\]-~]{0,120}", one.comment)


@given(st.lists(st.text(max_size=60) | st.sampled_from(ODD_NAMES), unique=True, max_size=6))
def test_sets_and_chains_never_share_a_name(jails: list[str]) -> None:
    ruleset = plan_ruleset([Enforcement(jail) for jail in jails])
    names = [one.name for one in ruleset.sets]
    assert len(set(names)) == 4 * len(jails)
    chains = [*ruleset.chains, "prerouting", "input", "forward"]
    assert len(set(chains)) == len(jails) + 4
