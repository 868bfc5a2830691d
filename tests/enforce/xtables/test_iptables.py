"""The iptables enforcer against the real kernel, in a network namespace of its own."""

import asyncio
import os
import shutil
from collections.abc import Iterator, Sequence

import pytest

from banish.config.addons import FIREWALLS
from banish.enforce.firewalls.ipset import IPSET_QUESTION
from banish.enforce.firewalls.iptables import (
    DELETED_RULES,
    IptablesFirewall,
    iptables_enforcer,
)
from banish.enforce.xtables.chains import short_names
from banish.enforce.xtables.tool import probe, run_program
from banish.errors import EnforceError
from banish.model.address import Subject, parse_subject
from banish.model.decision import Decision
from banish.model.instant import Seconds
from banish.model.settings import Enforcement, PortRange
from banish.testing.netns import NetworkNamespace
from tests.enforce.contract import (
    ATTACKER,
    ATTACKER6,
    BYSTANDER,
    NOW,
    SSHD,
    WEB,
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

FLAVOURS = [
    pytest.param(
        flavour,
        marks=pytest.mark.skipif(
            shutil.which(f"iptables{flavour}-restore") is None, reason=f"needs iptables{flavour}"
        ),
    )
    for flavour in ("-nft", "-legacy")
]

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
]


class RuleFirewall(XtablesHost):
    def __init__(self, namespace: NetworkNamespace, flavour: str) -> None:
        super().__init__(namespace, flavour, IptablesFirewall)

    def lift(self, jail: str, subject: Subject) -> None:
        chain = f"banish-{short_names([jail])[jail]}"
        program = self.program(subject.family)
        self.namespace.run(program, "-D", chain, "-s", subject.text, "-g", "banish.refuse")

    def slip_in(self, jail: str, subject: Subject) -> None:
        chain = f"banish-{short_names([jail])[jail]}"
        program = self.program(subject.family)
        self.namespace.run(program, "-A", chain, "-s", subject.text, "-g", "banish.refuse")

    def shows(self, subject: Subject) -> bool:
        program = f"{self.program(subject.family)}-save"
        return f"-s {subject.network()} -g banish.refuse\n" in self.namespace.run(program)


@pytest.fixture(params=FLAVOURS)
def firewall(request: pytest.FixtureRequest) -> Iterator[RuleFirewall]:
    with NetworkNamespace() as namespace, namespace.inside():
        yield RuleFirewall(namespace, request.param)


class TestIptablesEnforcer(EnforcerContract):
    @pytest.fixture
    def firewall(self, firewall: RuleFirewall) -> Firewall:
        return firewall


def test_the_rules_read_as_they_are_documented(firewall: RuleFirewall) -> None:
    async def script(_: Firewall) -> None:
        await firewall.enforcer.apply([start(ATTACKER), start(ATTACKER6)], NOW)
        shown = firewall.namespace.run(f"iptables{firewall.flavour}-save", "-t", "filter")
        for line in (
            "-A INPUT -j banish",
            "-A FORWARD -j banish",
            "-A banish -p tcp -m multiport --dports 22 -j banish-sshd",
            "-A banish -p udp -m multiport --dports 80,8000:8100 -j banish-web",
            "-A banish -p icmp -j banish-ping",
            "-A banish-sshd -s 192.0.2.1/32 -g banish.refuse",
            "-A banish.refuse -p tcp -j REJECT --reject-with tcp-reset",
            "-A banish.refuse -j REJECT --reject-with icmp-port-unreachable",
        ):
            assert f"{line}\n" in shown, shown
        shown = firewall.namespace.run(f"ip6tables{firewall.flavour}-save", "-t", "filter")
        assert "-A banish-sshd -s 2001:db8::1/128 -g banish.refuse\n" in shown
        assert "-A banish -p ipv6-icmp -j banish-ping\n" in shown
        assert "-A banish -p icmp " not in shown
        # What iptables-save writes, ip6tables-restore reads: the operator can keep it.
        firewall.namespace.run(f"ip6tables{firewall.flavour}-restore", stdin=shown)

    play(firewall, script, [SSHD, WEB, Enforcement("ping", ("icmp",), (), "drop")])


def test_more_ports_than_one_rule_takes_are_all_closed(firewall: RuleFirewall) -> None:
    ports = (*(PortRange(n, n) for n in range(100, 140, 2)), PortRange(200, 300))

    async def script(_: Firewall) -> None:
        shown = firewall.namespace.run(f"iptables{firewall.flavour}-save", "-t", "filter")
        lists = [line.split()[7] for line in shown.splitlines() if line.startswith("-A banish -p")]
        assert ",".join(lists).split(",") == [*(str(n) for n in range(100, 140, 2)), "200:300"]

    play(firewall, script, [Enforcement("many", ("tcp",), ports)])


@pytest.mark.parametrize(
    ("family", "command"),
    [
        (4, "-F"),
        (6, "-F INPUT"),
        (4, "-F banish"),
        (6, "-I INPUT -p tcp --dport 22 -j ACCEPT"),
        (4, "-I FORWARD -j ACCEPT"),
        (6, "-I banish -j RETURN"),
        (4, "-I banish-sshd -s 192.0.2.1 -j ACCEPT"),
        (6, "-A banish.refuse -j ACCEPT"),
        (4, "-D INPUT -j banish"),
        (6, "-A INPUT -j banish"),
        (4, "-N banish-more"),
    ],
)
def test_what_others_do_to_our_rules_is_noticed_and_mended(
    firewall: RuleFirewall, family: int, command: str
) -> None:
    words = (firewall.program(family), *command.split())
    is_noticed_and_mended(firewall, lambda: firewall.namespace.run(*words), shows_at_once=True)


def test_a_rule_that_others_made_for_our_chain_goes_whatever_its_comment(
    firewall: RuleFirewall,
) -> None:
    async def script(_: Firewall) -> None:
        run, program = firewall.namespace.run, firewall.program(4)
        mine = ["-p", "tcp", "-m", "comment", "--comment", '"größe" -j x \\', "-j", "banish"]
        run(program, "-A", "OUTPUT", *mine)
        theirs = ["-m", "comment", "--comment", "not -j banish", "-j", "DROP"]
        run(program, "-A", "OUTPUT", *theirs)
        await firewall.enforcer.start([SSHD], [ban()], NOW)
        assert await held(firewall.enforcer) == {"sshd": {ATTACKER}}
        left = [line for line in run(program, "-S", "OUTPUT").splitlines() if "-A" in line]
        assert left == ['-A OUTPUT -m comment --comment "not -j banish" -j DROP']

    play(firewall, script)


def test_bans_that_others_doubled_end_all_the_same(firewall: RuleFirewall) -> None:
    async def script(_: Firewall) -> None:
        await firewall.enforcer.apply([start(ATTACKER)], NOW)
        firewall.slip_in("sshd", ATTACKER)
        await firewall.enforcer.apply([end(ATTACKER)], NOW)
        assert (await held(firewall.enforcer))["sshd"] == {ATTACKER}  # and is seen, and ends
        await firewall.enforcer.apply([end(ATTACKER)], NOW)
        assert (await held(firewall.enforcer))["sshd"] == frozenset()

    play(firewall, script)


def test_few_and_many_ends_leave_the_same(firewall: RuleFirewall) -> None:
    for count in (DELETED_RULES, DELETED_RULES + 1):
        many = [parse_subject(f"203.0.113.{n}") for n in range(count)]

        async def script(_: Firewall, many: Sequence[Subject] = many) -> None:
            await firewall.enforcer.apply([start(one) for one in (*many, BYSTANDER)], NOW)
            await firewall.enforcer.apply([end(one) for one in many], NOW)
            assert (await held(firewall.enforcer))["sshd"] == {BYSTANDER}

        play(firewall, script)


def test_before_the_start_there_is_nothing_to_do_and_nothing_held(firewall: RuleFirewall) -> None:
    async def script() -> None:
        await firewall.enforcer.apply([start(ATTACKER)], NOW)
        assert not (await firewall.enforcer.read()).is_whole
        await firewall.enforcer.stop(keep=True)
        assert "banish" not in firewall.namespace.run("iptables-save")

    asyncio.run(script())


class Interrupted:
    """Runs programs, and fails at those it is told to."""

    def __init__(self) -> None:
        self.fails: frozenset[str] = frozenset()
        self.ran: list[str] = []

    def __call__(self, words: Sequence[str], text: str) -> str:
        self.ran.append(words[0])
        if words[0] in self.fails:
            raise EnforceError(f"{words[0]}: told to fail", retry=False)
        return run_program(words, text)


def test_if_ipv6_fails_ipv4_is_put_back(firewall: RuleFirewall) -> None:
    run = Interrupted()
    enforcer = iptables_enforcer(emit=print, flavour=firewall.flavour, run=run)

    async def script() -> None:
        await enforcer.start([SSHD], [ban(ATTACKER), ban(WIDE), ban(ATTACKER6)], NOW)
        before = firewall.namespace.run(f"iptables{firewall.flavour}", "-S")
        run.fails = frozenset({f"ip6tables{firewall.flavour}-restore"})
        other6 = parse_subject("2001:db8::2")
        batches: list[list[Decision]] = [
            [end(ATTACKER), start(BYSTANDER), start(other6)],
            [prolong(ATTACKER, 5), end(WIDE), end(ATTACKER6)],
        ]
        for batch in batches:
            with pytest.raises(EnforceError, match="told to fail"):
                await enforcer.apply(batch, NOW)
            assert (await held(enforcer))["sshd"] == {ATTACKER, WIDE, ATTACKER6}
        with pytest.raises(EnforceError, match="told to fail"):
            await enforcer.start([WEB], [], NOW)
        after = firewall.namespace.run(f"iptables{firewall.flavour}", "-S")
        assert sorted(after.splitlines()) == sorted(before.splitlines())
        run.fails = frozenset()
        await enforcer.stop(keep=False)

    asyncio.run(script())


def test_a_host_without_ipv6_notes_its_bans_and_runs_no_program_for_them(
    firewall: RuleFirewall,
) -> None:
    run = Interrupted()
    enforcer = iptables_enforcer(
        emit=print, has_ipv6=False, flavour=firewall.flavour, run=run, pause=Seconds(0.05)
    )

    async def script() -> None:
        await enforcer.start([SSHD], [ban(ATTACKER6)], NOW)
        await enforcer.apply([start(ATTACKER), start(parse_subject("::/0"))], NOW)
        assert (await held(enforcer))["sshd"] == {ATTACKER, ATTACKER6, parse_subject("::/0")}
        await enforcer.apply([end(ATTACKER6)], NOW)
        assert (await held(enforcer))["sshd"] == {ATTACKER, parse_subject("::/0")}
        await enforcer.stop(keep=False)
        assert not [program for program in run.ran if program.startswith("ip6")]

    asyncio.run(script())


def test_the_programs_are_asked_whether_they_can_be_used(firewall: RuleFirewall) -> None:
    assert FIREWALLS["iptables"].probe() is None
    assert FIREWALLS["ipset"].probe() is None
    run = Interrupted()
    run.fails = frozenset({"ipset"})
    assert probe(run) is None
    assert probe(run, IPSET_QUESTION) == "ipset: told to fail"
