"""The ipset enforcer against the real kernel, in a network namespace of its own."""

import os
import shutil
from collections.abc import Iterator

import pytest

from banish.enforce.xtables.ipset import ipset_enforcer
from banish.enforce.xtables.sets import plan_sets
from banish.model.address import Subject
from banish.model.instant import Seconds
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

    def lift(self, jail: str, subject: Subject) -> None:
        for plan in plan_sets([jail])[jail]:
            if plan.version == subject.family:
                self.namespace.run("ipset", "del", plan.name, subject.text)

    def destroy(self) -> None:
        for program in ("iptables", "ip6tables"):
            self.namespace.run(f"{program}{self.flavour}", "-F")
            self.namespace.run(f"{program}{self.flavour}", "-X")
        self.namespace.run("ipset", "destroy")


@pytest.fixture(params=["-nft", "-legacy"])
def firewall(request: pytest.FixtureRequest) -> Iterator[SetFirewall]:
    with NetworkNamespace() as namespace, namespace.inside():
        yield SetFirewall(namespace, request.param)


class TestIpsetEnforcer(EnforcerContract):
    @pytest.fixture
    def firewall(self, firewall: SetFirewall) -> Firewall:
        return firewall
