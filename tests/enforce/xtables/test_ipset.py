"""The ipset enforcer against the real kernel, in a network namespace of its own."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence

import pytest

from banish.enforce.firewalls.ipset import IpsetFirewall, ipset_enforcer
from banish.enforce.xtables.sets import plan_sets
from banish.enforce.xtables.tool import run_program
from banish.errors import EnforceError
from banish.model.address import Subject, parse_subject
from banish.model.decision import Decision
from banish.model.instant import Seconds
from banish.testing.netns import NetworkNamespace
from tests.enforce.contract import (
    ATTACKER,
    ATTACKER6,
    BYSTANDER,
    NOW,
    SSHD,
    WIDE,
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
from tests.enforce.xtables.host import XtablesHost

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
    pytest.mark.skipif(
        None in [shutil.which(program) for program in ("ipset", "iptables-nft", "iptables-legacy")],
        reason="needs iptables and ipset",
    ),
]


class SetFirewall(XtablesHost):
    def __init__(self, namespace: NetworkNamespace, flavour: str = "") -> None:
        super().__init__(namespace, flavour, IpsetFirewall)

    def slip_in(self, jail: str, subject: Subject) -> None:
        for plan in plan_sets([jail])[jail]:
            if plan.version == subject.family:
                self.namespace.run("ipset", "add", plan.name, subject.text)

    def lift(self, jail: str, subject: Subject) -> None:
        for plan in plan_sets([jail])[jail]:
            if plan.version == subject.family:
                self.namespace.run("ipset", "del", plan.name, subject.text)

    def destroy(self) -> None:
        super().destroy()
        self.namespace.run("ipset", "destroy")

    def others(self) -> str:
        if "theirs" not in self.namespace.run("ipset", "list", "-n").split():
            self.namespace.run("ipset", "create", "theirs", "hash:ip")
            self.namespace.run("ipset", "add", "theirs", "192.0.2.1")
        return super().others() + self.namespace.run("ipset", "list", "theirs")

    def shows(self, subject: Subject) -> bool:
        return f" {subject} timeout" in self.namespace.run("ipset", "save")


@pytest.fixture(params=["-nft", "-legacy"])
def firewall(request: pytest.FixtureRequest) -> Iterator[SetFirewall]:
    with NetworkNamespace() as namespace, namespace.inside():
        yield SetFirewall(namespace, request.param)


class TestIpsetEnforcer(EnforcerContract):
    @pytest.fixture
    def firewall(self, firewall: SetFirewall) -> Firewall:
        return firewall


@pytest.mark.parametrize(
    "command",
    [
        "ipset flush banish-sshd-4",
        "ipset del banish-sshd-4 192.0.2.1",
        "ipset add banish-sshd-6 2001:db8::7",
        "iptables{flavour} -D INPUT -j banish",
        "ip6tables{flavour} -I banish-sshd -j RETURN",
        "iptables{flavour} -F banish-sshd",
    ],
)
def test_what_others_do_is_noticed_and_mended(firewall: SetFirewall, command: str) -> None:
    words = command.format(flavour=firewall.flavour).split()
    is_noticed_and_mended(firewall, lambda: firewall.namespace.run(*words))


def test_the_kernel_counts_down_what_is_left_of_a_ban(firewall: SetFirewall) -> None:
    def timeouts() -> dict[str, int]:
        text = firewall.namespace.run("ipset", "save", "banish-sshd-4")
        return {
            line.split()[2]: int(line.split()[4])
            for line in text.splitlines()
            if line.startswith("add")
        }

    async def script(_: Firewall) -> None:
        await firewall.enforcer.apply([start(ATTACKER, 600), start(BYSTANDER, None)], NOW)
        assert 650 <= timeouts()["192.0.2.1"] <= 660
        assert timeouts()["198.51.100.7"] == 0
        await firewall.enforcer.apply([prolong(ATTACKER, 40), prolong(BYSTANDER, 9e9)], NOW)
        assert 90 <= timeouts()["192.0.2.1"] <= 100
        assert timeouts()["198.51.100.7"] == 0

    play(firewall, script)


def test_sets_of_ours_that_are_of_another_kind_or_of_no_use_are_replaced(
    firewall: SetFirewall,
) -> None:
    for words in (
        "create banish-sshd-4 hash:ip",
        "create banish-gone-4 hash:net",
        "create banish.new hash:net family inet6",
        "create banisher hash:ip",
    ):
        firewall.namespace.run("ipset", *words.split())
    firewall.namespace.run(
        *f"iptables{firewall.flavour} -A INPUT -m set --match-set banisher src -j DROP".split()
    )

    async def script(_: Firewall) -> None:
        await firewall.enforcer.start([SSHD], [ban(WIDE)], NOW)
        assert await held(firewall.enforcer) == {"sshd": {WIDE}}
        names = set(firewall.namespace.run("ipset", "list", "-n").split())
        assert names == {"banish-sshd-4", "banish-sshd-6", "banisher"}

    play(firewall, script, [SSHD])


class Limited:
    """Runs programs, and fails as a full set does, half way through a batch."""

    def __init__(self) -> None:
        self.orders: int | None = None

    def __call__(self, words: Sequence[str], text: str) -> str:
        if self.orders is not None and words[-1] == "restore" and "add " in text:
            some = "\n".join((*text.splitlines()[: self.orders], ""))
            self.orders = None
            run_program(words, some)
            raise EnforceError("ipset: Hash is full")
        return run_program(words, text)


def test_a_batch_that_fails_half_way_is_taken_back(firewall: SetFirewall) -> None:
    run = Limited()
    enforcer = ipset_enforcer(emit=print, flavour=firewall.flavour, run=run)
    other = parse_subject("192.0.2.2")

    async def script() -> None:
        await enforcer.start([SSHD], [ban(ATTACKER), ban(WIDE), ban(ATTACKER6)], NOW)
        batch: list[Decision] = [end(ATTACKER), start(BYSTANDER), prolong(WIDE, 5), start(other)]
        for orders in range(5):
            run.orders = orders
            with pytest.raises(EnforceError, match="full"):
                await enforcer.apply(batch, NOW)
            assert await held(enforcer) == {"sshd": {ATTACKER, WIDE, ATTACKER6}}
        await enforcer.apply(batch, NOW)
        assert await held(enforcer) == {"sshd": {BYSTANDER, WIDE, ATTACKER6, other}}
        await enforcer.stop(keep=False)

    asyncio.run(script())


def test_a_host_without_ipv6_notes_its_bans(firewall: SetFirewall) -> None:
    enforcer = ipset_enforcer(
        emit=print, has_ipv6=False, flavour=firewall.flavour, pause=Seconds(0.02)
    )

    async def script() -> None:
        await enforcer.start([SSHD], [ban(ATTACKER6)], NOW)
        await enforcer.apply([start(ATTACKER)], NOW)
        assert await held(enforcer) == {"sshd": {ATTACKER, ATTACKER6}}
        assert "banish-sshd-6" not in firewall.namespace.run("ipset", "list", "-n")
        await enforcer.apply([end(ATTACKER6)], NOW)
        assert await held(enforcer) == {"sshd": {ATTACKER}}
        await enforcer.stop(keep=False)

    asyncio.run(script())


def test_before_the_start_there_is_nothing_to_do_and_nothing_held(firewall: SetFirewall) -> None:
    async def script() -> None:
        await firewall.enforcer.apply([start(ATTACKER)], NOW)
        assert not (await firewall.enforcer.read()).is_whole
        await firewall.enforcer.stop(keep=True)
        assert firewall.namespace.run("ipset", "save") == ""

    asyncio.run(script())


@pytest.mark.parametrize("subject", [ATTACKER, ATTACKER6, WIDE])
@pytest.mark.parametrize(("timeout", "is_kept"), [("660", True), ("5", False), ("0", True)])
def test_a_ban_that_others_let_end_sooner_is_seen_and_gets_its_time_again(
    firewall: SetFirewall, subject: Subject, timeout: str, is_kept: bool
) -> None:
    async def script(_: Firewall) -> None:
        wanted = ban(subject)
        await firewall.enforcer.apply([start(subject)], NOW)
        assert (await firewall.enforcer.read()).keeps(wanted, NOW)
        (plan,) = (one for one in plan_sets(["sshd"])["sshd"] if one.version == subject.family)
        firewall.namespace.run(
            "ipset", "-exist", "add", plan.name, subject.text, "timeout", timeout
        )
        assert (await firewall.enforcer.read()).keeps(wanted, NOW) is is_kept
        await firewall.enforcer.apply([start(subject)], NOW)
        assert (await firewall.enforcer.read()).keeps(wanted, NOW)

    play(firewall, script)


def test_a_ban_without_end_that_others_gave_one_is_seen(firewall: SetFirewall) -> None:
    async def script(_: Firewall) -> None:
        wanted = ban(lasts=None)
        await firewall.enforcer.apply([start(ATTACKER, None)], NOW)
        assert (await firewall.enforcer.read()).keeps(wanted, NOW)
        firewall.namespace.run(
            "ipset", "-exist", "add", "banish-sshd-4", ATTACKER.text, "timeout", "1000"
        )
        assert not (await firewall.enforcer.read()).keeps(wanted, NOW)

    play(firewall, script)
