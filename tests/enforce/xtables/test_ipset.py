"""The ipset enforcer against the real kernel, in a network namespace of its own."""

import os
import shutil
from collections.abc import Iterator

import pytest

from banish.enforce.xtables.ipset import ipset_enforcer
from banish.enforce.xtables.sets import plan_sets
from banish.model.address import Subject
from banish.model.instant import Seconds
from banish.ports import Enforcer
from banish.telemetry.happenings import Happening
from banish.testing.netns import NetworkNamespace
from tests.enforce.contract import EnforcerContract, Firewall

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces"),
    pytest.mark.skipif(shutil.which("ipset") is None, reason="needs ipset"),
]


class SetFirewall:
    def __init__(self, namespace: NetworkNamespace, flavour: str = "") -> None:
        self.namespace = namespace
        self.flavour = flavour
        self.told: list[Happening] = []
        self.enforcer = ipset_enforcer(emit=self.told.append, flavour=flavour, pause=Seconds(0.05))

    def program(self, family: int) -> str:
        return f"{'iptables' if family == 4 else 'ip6tables'}{self.flavour}"

    def slip_in(self, jail: str, subject: Subject) -> None:
        for plan in plan_sets([jail])[jail]:
            if plan.version == subject.family:
                self.namespace.run("ipset", "add", plan.name, subject.text)

    def lift(self, jail: str, subject: Subject) -> None:
        for plan in plan_sets([jail])[jail]:
            if plan.version == subject.family:
                self.namespace.run("ipset", "del", plan.name, subject.text)

    def destroy(self) -> None:
        for family in (4, 6):
            self.namespace.run(self.program(family), "-F")
            self.namespace.run(self.program(family), "-X")
        self.namespace.run("ipset", "destroy")

    def others(self) -> str:
        shown = ""
        for family in (4, 6):
            run, program = self.namespace.run, self.program(family)
            if "-N theirs" not in run(program, "-S"):
                run(program, "-N", "theirs")
                run(program, "-A", "theirs", "-p", "tcp", "--dport", "23", "-j", "DROP")
                run(program, "-A", "INPUT", "-j", "theirs")
                run(program, "-A", "FORWARD", "-j", "ACCEPT")
                run(program, "-P", "OUTPUT", "DROP")
            lines = run(program, "-S").splitlines()
            shown += "\n".join(line for line in lines if "banish" not in line)
        if "theirs" not in self.namespace.run("ipset", "list", "-n").split():
            self.namespace.run("ipset", "create", "theirs", "hash:ip")
            self.namespace.run("ipset", "add", "theirs", "192.0.2.1")
        return shown + self.namespace.run("ipset", "list", "theirs")

    def shows(self, subject: Subject) -> bool:
        return f" {subject} timeout" in self.namespace.run("ipset", "save")

    def again(self) -> Enforcer:
        return ipset_enforcer(emit=self.told.append, flavour=self.flavour)


@pytest.fixture(params=["-nft", "-legacy"])
def firewall(request: pytest.FixtureRequest) -> Iterator[SetFirewall]:
    with NetworkNamespace() as namespace, namespace.inside():
        yield SetFirewall(namespace, request.param)


class TestIpsetEnforcer(EnforcerContract):
    @pytest.fixture
    def firewall(self, firewall: SetFirewall) -> Firewall:
        return firewall
