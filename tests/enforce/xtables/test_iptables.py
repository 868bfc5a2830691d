"""The iptables enforcer against the real kernel, in a network namespace of its own."""

import os
import shutil
from collections.abc import Iterator

import pytest

from banish.enforce.xtables.chains import short_names
from banish.enforce.xtables.iptables import iptables_enforcer
from banish.model.address import Subject
from banish.model.instant import Seconds
from banish.ports import Enforcer
from banish.telemetry.happenings import Happening
from banish.testing.netns import NetworkNamespace
from tests.enforce.contract import EnforcerContract, Firewall

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


class RuleFirewall:
    def __init__(self, namespace: NetworkNamespace, flavour: str) -> None:
        self.namespace = namespace
        self.flavour = flavour
        self.told: list[Happening] = []
        self.enforcer = iptables_enforcer(
            emit=self.told.append, flavour=flavour, pause=Seconds(0.05)
        )

    def program(self, family: int) -> str:
        return f"{'iptables' if family == 4 else 'ip6tables'}{self.flavour}"

    def lift(self, jail: str, subject: Subject) -> None:
        chain = f"banish-{short_names([jail])[jail]}"
        program = self.program(subject.family)
        self.namespace.run(program, "-D", chain, "-s", subject.text, "-g", "banish.refuse")

    def slip_in(self, jail: str, subject: Subject) -> None:
        chain = f"banish-{short_names([jail])[jail]}"
        program = self.program(subject.family)
        self.namespace.run(program, "-A", chain, "-s", subject.text, "-g", "banish.refuse")

    def destroy(self) -> None:
        for family in (4, 6):
            self.namespace.run(self.program(family), "-F")
            self.namespace.run(self.program(family), "-X")

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
        return shown

    def shows(self, subject: Subject) -> bool:
        program = f"{self.program(subject.family)}-save"
        return f"-s {subject.network()} -g banish.refuse\n" in self.namespace.run(program)

    def again(self) -> Enforcer:
        return iptables_enforcer(emit=self.told.append, flavour=self.flavour)


@pytest.fixture(params=FLAVOURS)
def firewall(request: pytest.FixtureRequest) -> Iterator[RuleFirewall]:
    with NetworkNamespace() as namespace, namespace.inside():
        yield RuleFirewall(namespace, request.param)


class TestIptablesEnforcer(EnforcerContract):
    @pytest.fixture
    def firewall(self, firewall: RuleFirewall) -> Firewall:
        return firewall
