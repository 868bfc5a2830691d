"""The nftables enforcer against the real kernel, in a network namespace of its own."""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from banish.enforce.firewalls.nftables import NftablesEnforcer, probe
from banish.enforce.foreign import ForeignWatch
from banish.enforce.netlink import NetlinkSocket
from banish.enforce.ruleset import name_jails, plan_ruleset
from banish.enforce.wire import build_table
from banish.model.address import Subject, parse_subject
from banish.model.decision import Decision, EndBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement, PortRange
from banish.ports import Enforcer
from banish.telemetry.events import Event
from banish.testing.netns import NetworkNamespace
from tests.enforce.contract import (
    ATTACKER,
    ATTACKER6,
    BYSTANDER,
    HALF,
    NOW,
    SSHD,
    WEB,
    WIDE,
    WIDE6,
    ChangingJails,
    EnforcerContract,
    Firewall,
    ban,
    end,
    held,
    is_noticed_and_mended,
    play,
    prolong,
    start,
)

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
    pytest.mark.skipif(shutil.which("nft") is None, reason="needs the nft program to look on"),
]


class KernelFirewall:
    def __init__(self, namespace: NetworkNamespace, grace: float = 60) -> None:
        self.namespace = namespace
        self.told: list[Event] = []
        self.enforcer = NftablesEnforcer(emit=self.told.append, grace=Seconds(grace))

    def lift(self, jail: str, subject: Subject) -> None:
        kind = ("net" if subject.is_network else "") + str(subject.family)
        name = f"{name_jails([jail])[jail]}-{kind}"
        self.nft(f"delete element inet banish {name} {{ {subject} }}")

    def slip_in(self, jail: str, subject: Subject) -> None:
        name = f"{name_jails([jail])[jail]}-{subject.family}"
        self.nft(f"add element inet banish {name} {{ {subject} timeout 1h }}")

    def destroy(self) -> None:
        self.nft("flush ruleset")

    def others(self) -> str:
        if "f2b-table" not in self.nft("list tables"):
            self.nft(FOREIGN)
        return self.nft("list table inet f2b-table") + self.nft("list table ip banish")

    def shows(self, subject: Subject) -> bool:
        return f" {subject} " in self.nft("list ruleset").replace(",", " ")

    def again(self) -> Enforcer:
        return NftablesEnforcer(emit=self.told.append)

    def nft(self, *commands: str) -> str:
        return self.namespace.run("nft", "-f", "-", stdin="\n".join(commands) + "\n")

    def elements(self, name: str) -> list[Any]:
        text = self.namespace.run("nft", "-j", "list", "set", "inet", "banish", name)
        for part in json.loads(text)["nftables"]:
            if "set" in part:
                return list(part["set"].get("elem", []))
        raise AssertionError(text)


@pytest.fixture
def firewall() -> Iterator[KernelFirewall]:
    with NetworkNamespace() as namespace, namespace.inside():
        yield KernelFirewall(namespace)


class TestNftablesEnforcer(ChangingJails, EnforcerContract):
    @pytest.fixture
    def firewall(self, firewall: KernelFirewall) -> Firewall:
        return firewall


def test_the_table_reads_in_nft_as_it_is_documented(firewall: KernelFirewall) -> None:
    async def script(_: Firewall) -> None:
        await firewall.enforcer.apply([start(ATTACKER, None), start(WIDE6, None)], NOW)
        shown = firewall.nft("list table inet banish")
        for line in (
            "type ipv4_addr",
            'comment "sshd"',
            "elements = { 192.0.2.1 }",
            "elements = { 2001:db8::/32 }",
            "meta l4proto tcp reject with tcp reset",
            "ip saddr @sshd-4 counter packets 0 bytes 0 goto refuse",
            "ip6 saddr @sshd-net6 counter packets 0 bytes 0 goto refuse",
            "ip saddr @web-4 counter packets 0 bytes 0 goto refuse",
            "ip saddr @quiet-4 counter packets 0 bytes 0 drop",
            "type filter hook prerouting priority mangle; policy accept;",
            "type filter hook input priority filter - 10; policy accept;",
            "type filter hook forward priority filter - 10; policy accept;",
            "tcp dport 22 jump jail-sshd",
            "tcp dport { 80, 8000-8100 } jump jail-web",
            "udp dport { 80, 8000-8100 } jump jail-web",
            "udp dport 1000-2000 jump jail-quiet",
        ):
            assert f"{line}\n" in shown, shown
        # What nft writes, nft reads: the operator can save and restore it.
        firewall.nft("flush ruleset", shown)

    quiet = Enforcement("quiet", ("udp",), (PortRange(1000, 2000),), "drop")
    play(firewall, script, [SSHD, WEB, quiet])


def test_the_kernel_counts_down_what_is_left_of_a_ban_and_the_grace(
    firewall: KernelFirewall,
) -> None:
    async def script(_: Firewall) -> None:
        batch = [start(ATTACKER, 600), start(WIDE, 600), start(BYSTANDER, None)]
        await firewall.enforcer.apply(batch, NOW)
        await firewall.enforcer.apply([start(ATTACKER6, 9e9)], NOW)
        timed = [e["elem"] for e in firewall.elements("sshd-4") if isinstance(e, dict)]
        assert [(e["val"], e["timeout"]) for e in timed] == [("192.0.2.1", 660)]
        assert 650 <= timed[0]["expires"] <= 660
        assert "198.51.100.7" in firewall.elements("sshd-4")
        assert firewall.elements("sshd-net4")[0]["elem"]["timeout"] == 660
        # Too long for a kernel timeout: no timeout, and our own expiry ends it.
        assert firewall.elements("sshd-6") == ["2001:db8::1"]
        await firewall.enforcer.apply([prolong(ATTACKER, 40), prolong(WIDE, 40)], NOW)
        timed = [e["elem"] for e in firewall.elements("sshd-4") if isinstance(e, dict)]
        assert [e["timeout"] for e in timed] == [100]
        assert firewall.elements("sshd-net4")[0]["elem"]["timeout"] == 100

    play(firewall, script)


def test_the_longer_of_two_bans_inside_each_other_holds_where_they_overlap(
    firewall: KernelFirewall,
) -> None:
    async def script(_: Firewall) -> None:
        await firewall.enforcer.apply([start(WIDE, 100), start(HALF, 500)], NOW)
        shown = [e["elem"] for e in firewall.elements("sshd-net4")]
        assert [(e["val"]["prefix"], e["timeout"]) for e in shown] == [
            ({"addr": "192.0.2.0", "len": 25}, 160),
            ({"addr": "192.0.2.128", "len": 25}, 560),
        ]
        await firewall.enforcer.apply([prolong(WIDE, 900)], NOW)
        shown = [e["elem"] for e in firewall.elements("sshd-net4")]
        assert [(e["val"]["prefix"]["len"], e["timeout"]) for e in shown] == [(24, 960)]

    play(firewall, script)


def test_bans_that_the_kernel_let_expire_can_be_ended_and_started_again() -> None:
    with NetworkNamespace() as namespace, namespace.inside():
        firewall = KernelFirewall(namespace, grace=0)

        async def script(_: Firewall) -> None:
            for batch in ([start(ATTACKER, 0.01), start(WIDE, 0.01)], [start(HALF, 0.01)]):
                await firewall.enforcer.apply(batch, NOW)
                while (await held(firewall.enforcer))["sshd"]:
                    pass
            await firewall.enforcer.apply([end(ATTACKER), end(HALF), start(BYSTANDER)], NOW)
            await firewall.enforcer.apply([start(WIDE), start(ATTACKER)], NOW)
            assert (await held(firewall.enforcer))["sshd"] == {WIDE, ATTACKER, BYSTANDER}

        play(firewall, script)


FOREIGN = """
table inet f2b-table {
    set banish { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 }; }
    chain input { type filter hook input priority filter; policy accept;
        ip saddr @banish tcp dport 22 drop
    }
}
table ip banish { chain banish { accept
    }
}
"""


def test_tables_of_others_stay_as_they_are(firewall: KernelFirewall) -> None:
    async def script(_: Firewall) -> None:
        firewall.nft(FOREIGN)
        before = [firewall.nft("list table inet f2b-table"), firewall.nft("list table ip banish")]
        await firewall.enforcer.start([SSHD], [ban(), ban(WIDE)], NOW)
        await firewall.enforcer.apply([end(ATTACKER), end(WIDE), start(BYSTANDER)], NOW)
        await firewall.enforcer.stop(keep=False)
        shown = firewall.nft("list ruleset")
        assert shown == "".join(before)

    play(firewall, script)


def test_a_foreign_table_of_ranges_does_not_come_into_the_way(firewall: KernelFirewall) -> None:
    async def script(_: Firewall) -> None:
        firewall.nft(FOREIGN)
        await firewall.enforcer.apply([start(WIDE)], NOW)
        assert (await held(firewall.enforcer))["sshd"] == {WIDE}

    play(firewall, script)


@pytest.mark.parametrize(
    "command",
    [
        "flush ruleset",
        "delete table inet banish",
        "flush chain inet banish input",
        "flush chain inet banish jail-sshd",
        "insert rule inet banish prerouting accept",
        "add rule inet banish input accept",
        "add chain inet banish more",
        "add set inet banish more { type ipv4_addr; }",
        "add chain inet banish input { policy drop; }",
        "add table inet banish { flags dormant; }",
        "flush table inet banish",
        "add element inet banish sshd-net4 { 198.51.100.0/24 }",
    ],
)
def test_what_others_do_to_our_table_is_noticed_and_mended(
    firewall: KernelFirewall, command: str
) -> None:
    is_noticed_and_mended(firewall, lambda: firewall.nft(command), shows_at_once=True)


def test_an_address_that_others_put_in_is_seen_and_can_be_taken_out(
    firewall: KernelFirewall,
) -> None:
    async def script(_: Firewall) -> None:
        firewall.nft("add element inet banish sshd-4 { 198.51.100.7 timeout 1h }")
        assert (await held(firewall.enforcer))["sshd"] == {BYSTANDER}
        await firewall.enforcer.apply([end(BYSTANDER)], NOW)
        assert (await held(firewall.enforcer))["sshd"] == frozenset()

    play(firewall, script)


@pytest.mark.parametrize("subject", [ATTACKER, ATTACKER6])
@pytest.mark.parametrize(
    ("timeout", "lasts", "is_kept"),
    [
        ("timeout 11m", 600, True),
        ("timeout 1m", 600, False),
        ("timeout 3h", 600, False),
        ("", 600, False),
        ("", None, True),
        ("timeout 11m", None, False),
    ],
)
def test_a_ban_that_others_gave_another_time_is_seen_and_gets_its_own_again(
    firewall: KernelFirewall, subject: Subject, timeout: str, lasts: float | None, is_kept: bool
) -> None:
    async def script(_: Firewall) -> None:
        wanted = ban(subject, lasts=lasts)
        await firewall.enforcer.apply([StartBan(wanted)], NOW)
        assert (await firewall.enforcer.read()).keeps(wanted, NOW)
        name = f"sshd-{subject.family}"
        firewall.nft(
            f"delete element inet banish {name} {{ {subject} }}",
            f"add element inet banish {name} {{ {subject} {timeout} }}",
        )
        assert (await firewall.enforcer.read()).keeps(wanted, NOW) is is_kept
        await firewall.enforcer.apply([StartBan(wanted, restored=True)], NOW)
        assert (await firewall.enforcer.read()).keeps(wanted, NOW)

    play(firewall, script)


@pytest.mark.parametrize(
    "change",
    [
        ["add chain inet banish input { policy drop; }"],
        [
            "flush chain inet banish input",
            "delete chain inet banish input",
            "add chain inet banish input { type filter hook input priority 50; }",
            "add rule inet banish input tcp dport 22 jump jail-sshd",
        ],
        [
            "flush chain inet banish jail-sshd",
            "add rule inet banish jail-sshd ip saddr @sshd-4 accept",
        ],
        ["insert rule inet banish jail-sshd accept"],
        ["add table inet banish { flags dormant; }"],
        [
            "flush chain inet banish jail-sshd",
            "delete set inet banish sshd-4",
            "add set inet banish sshd-4 { type ipv4_addr; }",
        ],
    ],
    ids=["policy", "priority", "rules swapped", "rule put before", "dormant", "set made anew"],
)
def test_each_change_around_the_bans_is_seen_and_healed_by_a_start(
    firewall: KernelFirewall, change: list[str]
) -> None:
    async def script(_: Firewall) -> None:
        await firewall.enforcer.start([SSHD], [ban(ATTACKER)], NOW)
        before = firewall.nft("list table inet banish")
        firewall.nft(*change)
        assert not (await firewall.enforcer.read()).is_whole
        await firewall.enforcer.start([SSHD], [ban(ATTACKER)], NOW)
        assert (await firewall.enforcer.read()).is_whole
        assert without_times(firewall.nft("list table inet banish")) == without_times(before)

    play(firewall, script)


def without_times(text: str) -> str:
    return re.sub(r" (timeout|expires) \w+|packets \d+ bytes \d+", "", text)


def test_neither_our_own_bans_nor_other_tables_count_as_foreign(firewall: KernelFirewall) -> None:
    async def script(_: Firewall) -> None:
        notice = asyncio.create_task(firewall.enforcer.wait_for_foreign_change())
        many = [start(parse_subject(f"203.0.{n >> 8}.{n & 255}")) for n in range(3000)]
        await firewall.enforcer.apply([start(ATTACKER)], NOW)
        await firewall.enforcer.apply(many, NOW)
        await firewall.enforcer.start([SSHD], [ban(WIDE)], NOW)
        firewall.nft(FOREIGN)
        await firewall.enforcer.read()
        assert not notice.done()
        firewall.nft("delete table inet banish")
        await notice

    play(firewall, script)


def test_a_change_while_the_watch_looks_away_is_noticed_all_the_same(
    firewall: KernelFirewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [parse_subject(f"203.0.{n >> 8}.{n & 255}") for n in range(3000)]
    look_away = ForeignWatch.look_away

    def look_away_for_long(watch: ForeignWatch) -> None:
        look_away(watch)
        firewall.nft("flush chain inet banish input")

    async def script(_: Firewall) -> None:
        notice = asyncio.create_task(firewall.enforcer.wait_for_foreign_change())
        await firewall.enforcer.apply([start(ATTACKER)], NOW)
        monkeypatch.setattr(ForeignWatch, "look_away", look_away_for_long)
        await firewall.enforcer.apply([start(subject) for subject in many], NOW)
        await notice
        assert not (await firewall.enforcer.read()).is_whole

    play(firewall, script)


def test_a_flood_of_changes_counts_as_foreign_rather_than_being_lost() -> None:
    with NetworkNamespace() as namespace, namespace.inside():
        nft = KernelFirewall(namespace).nft
        nft("add table inet other", "add set inet other s { type ipv4_addr; }")
        with closing(ForeignWatch("banish", own_port=1)) as watch:
            nft("add element inet other s { 192.0.2.0 }")
            assert not watch.look()
            for third in range(40):
                many = ", ".join(f"203.0.{third}.{n}" for n in range(256))
                nft(f"add element inet other s {{ {many} }}")
            assert watch.look()
            while watch.look():
                pass
            nft("add element inet other s { 192.0.2.1 }")
            assert not watch.look()
            nft("add table inet banish")
            assert watch.look()
            assert not watch.look()


def test_the_watch_drops_what_our_own_socket_did_even_without_a_filter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(watch: ForeignWatch) -> None:
        raise PermissionError("no filters here")

    monkeypatch.setattr(ForeignWatch, "_leave_out_own", refuse)
    with (
        NetworkNamespace() as namespace,
        namespace.inside(),
        closing(NetlinkSocket()) as ours,
        closing(ForeignWatch("banish", ours.port)) as watch,
    ):
        ours.transact(build_table(plan_ruleset([SSHD])))
        assert not watch.look()


def test_with_keep_the_bans_outlive_the_enforcer_and_the_next_one_takes_over(
    firewall: KernelFirewall,
) -> None:
    async def script(_: Firewall) -> None:
        await firewall.enforcer.apply([start(ATTACKER)], NOW)
        await firewall.enforcer.stop(keep=True)
        assert "192.0.2.1" in firewall.nft("list ruleset")
        second = KernelFirewall(firewall.namespace)
        await second.enforcer.start([SSHD], [ban(BYSTANDER)], NOW)
        assert await held(second.enforcer) == {"sshd": {BYSTANDER}}
        await second.enforcer.stop(keep=False)
        assert firewall.nft("list ruleset") == ""

    play(firewall, script)


def test_an_unknown_protocol_is_told_and_covers_all(firewall: KernelFirewall) -> None:
    async def script(_: Firewall) -> None:
        assert [event.text() for event in firewall.told if "frob" in event.text()]
        assert "\t\tjump jail-odd\n" in firewall.nft("list table inet banish")

    play(firewall, script, [Enforcement("odd", ("frob",), (PortRange(1, 1),))])


def test_before_the_start_there_is_nothing_to_do_and_nothing_held(
    firewall: KernelFirewall,
) -> None:
    async def script() -> None:
        await firewall.enforcer.apply([start(ATTACKER)], NOW)
        assert not (await firewall.enforcer.read()).is_whole
        await firewall.enforcer.stop(keep=True)
        assert firewall.nft("list ruleset") == ""

    asyncio.run(script())


def test_more_bans_than_fit_into_one_transaction_are_all_loaded(
    firewall: KernelFirewall, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As inside a user namespace, where the kernel grants no bigger buffer.
    monkeypatch.setattr("banish.enforce.netlink.TRANSACTION_LIMIT_BYTES", 70_000)
    many = [parse_subject(f"203.0.{n >> 8}.{n & 255}") for n in range(8000)]

    async def script(_: Firewall) -> None:
        await firewall.enforcer.start([SSHD], [ban(subject) for subject in many], NOW)
        assert (await held(firewall.enforcer))["sshd"] == frozenset(many)
        await firewall.enforcer.apply([end(subject) for subject in many], NOW)
        assert (await held(firewall.enforcer))["sshd"] == frozenset()

    play(firewall, script)


WITHOUT_RIGHTS = """
import asyncio
from banish.enforce.firewalls.nftables import NftablesEnforcer, probe
from banish.errors import EnforceError

try:
    asyncio.run(NftablesEnforcer(emit=print).start([], [], 0))
except EnforceError as error:
    assert not error.retry
    print(error)
print(probe())
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv of util-linux")
def test_without_the_right_to_change_the_firewall_the_cure_is_told(
    firewall: KernelFirewall,
) -> None:
    assert probe() is None
    told = firewall.namespace.run(
        "setpriv",
        "--bounding-set=-net_admin",
        "--inh-caps=-net_admin",
        sys.executable,
        "-c",
        WITHOUT_RIGHTS,
    )
    first, second, third, fourth = told.splitlines()
    assert first == "nftables: cannot build the table: Operation not permitted"
    assert third == "nftables: cannot be used here: Operation not permitted"
    assert second == fourth
    assert "CAP_NET_ADMIN" in second


NETWORKS = st.builds(
    lambda bits, length: parse_subject(f"192.0.{bits >> 8 & 3}.{bits & 255}/{length}"),
    st.integers(0, 1023),
    st.integers(20, 32),
)
STEPS = st.lists(
    st.builds(
        lambda subject, lasts: end(subject) if lasts == 0 else start(subject, lasts),
        NETWORKS,
        st.sampled_from([0, 0, 100, 200, 300, None]),
    ),
    max_size=12,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, min_size=1, max_size=5))
def test_any_networks_in_any_order_are_held_as_wanted(
    firewall: KernelFirewall, batches: list[list[Decision]]
) -> None:
    wanted: set[Subject] = set()

    async def script(_: Firewall) -> None:
        for batch in batches:
            await firewall.enforcer.apply(batch, NOW)
            for decision in batch:
                if isinstance(decision, EndBan):
                    wanted.discard(decision.ban.subject)
                else:
                    wanted.add(decision.ban.subject)
            assert (await held(firewall.enforcer))["sshd"] == wanted
            await firewall.enforcer.apply(batch, NOW)
            assert (await held(firewall.enforcer))["sshd"] == wanted
        await firewall.enforcer.apply([end(subject) for subject in wanted], Instant(NOW + 1))
        assert (await held(firewall.enforcer))["sshd"] == frozenset()
        assert firewall.elements("sshd-net4") == []

    play(firewall, script)
