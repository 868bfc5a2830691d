"""A host's iptables in a network namespace of its own, and what others keep there."""

from banish.enforce.threaded import ThreadedEnforcer
from banish.enforce.xtables.enforcer import MakeFirewall, xtables_enforcer
from banish.model.instant import Seconds
from banish.telemetry.events import Event
from banish.testing.netns import NetworkNamespace


class XtablesHost:
    """An enforcer by what *make* makes, and a stranger who can run the same programs."""

    def __init__(self, namespace: NetworkNamespace, flavour: str, make: MakeFirewall) -> None:
        self.namespace = namespace
        self.flavour = flavour
        self.told: list[Event] = []
        self._make = make
        self.enforcer = xtables_enforcer(
            make, emit=self.told.append, flavour=flavour, pause=Seconds(0.05)
        )

    def program(self, family: int) -> str:
        return f"{'iptables' if family == 4 else 'ip6tables'}{self.flavour}"

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

    def again(self) -> ThreadedEnforcer:
        return xtables_enforcer(self._make, emit=self.told.append, flavour=self.flavour)
