"""An enforcer around another keeps all promises by the other."""

import pytest

from banish.enforce.wrapped import WrappedEnforcer
from banish.model.address import Subject
from banish.ports import Enforcer
from banish.testing.memory_enforcer import ScriptedEnforcer
from tests.enforce.contract import EnforcerContract, Firewall


class WrappedFirewall:
    def __init__(self) -> None:
        self._inner = ScriptedEnforcer()
        self.enforcer = WrappedEnforcer(self._inner)

    def lift(self, jail: str, subject: Subject) -> None:
        self._inner.meddle(jail=jail, subject=subject)

    def slip_in(self, jail: str, subject: Subject) -> None:
        self._inner.slip_in(jail, subject)

    def destroy(self) -> None:
        self._inner.meddle()

    def others(self) -> str:
        return "a dictionary has no others"

    def shows(self, subject: Subject) -> bool:
        return any(subject in bans for bans in self._inner.bans.values())

    def again(self) -> Enforcer:
        return self.enforcer


class TestWrappedEnforcer(EnforcerContract):
    @pytest.fixture
    def firewall(self) -> Firewall:
        return WrappedFirewall()


def test_it_is_called_what_the_other_is_called() -> None:
    firewall = WrappedFirewall()
    assert firewall.enforcer.name == ScriptedEnforcer().name
    assert firewall.enforcer.changed_by == ""
