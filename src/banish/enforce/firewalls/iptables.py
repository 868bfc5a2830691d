"""The iptables enforcer: a chain for each jail, a rule for each banned subject.

For hosts without nf_tables and without ipset. A packet to a jail's ports is held
against its rules one by one, so thousands of bans cost every such packet; ipset
has no such cost.

New bans are appended and ended ones deleted, in one transaction for each family;
where what stands there may differ from our account, the jail's whole chain is
written anew, which comes out the same whatever was there.
"""

import functools
import re
from collections.abc import Sequence

from banish.enforce.fold import FirewallContents, Folded, fold, fold_bans
from banish.enforce.xtables.chains import ChainPlan, SavedChains, plan_chains
from banish.enforce.xtables.enforcer import xtables_addon, xtables_enforcer
from banish.enforce.xtables.tables import Tables
from banish.errors import EnforceError
from banish.model.address import Subject, parse_address
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant
from banish.model.settings import Enforcement
from banish.telemetry.events import Emit, WarningGiven

EVERYBODY = {4: "0.0.0.0/0", 6: "::/0"}

DELETED_RULES = 50
"""Of more than so many ended bans the chain is written anew: each is looked for from its start."""

_FROM = re.compile(r"(?:-s (\S+) )?(-[gj] \S+)")


class IptablesFirewall:
    """Bans as rules (`banish.enforce.threaded.BlockingEnforcer`)."""

    def __init__(self, tables: Tables, emit: Emit) -> None:
        self._tables = tables
        self._emit = emit
        self._plan: ChainPlan | None = None
        self._held: dict[str, set[Subject]] = {}
        self._frame: dict[int, SavedChains] = {}

    @property
    def name(self) -> str:
        """What status and logs call it."""
        return "iptables (chain banish)"

    def replace(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*.

        Raises:
            EnforceError: Nothing changed.

        """
        plan = plan_chains(jails)
        for warning in plan.warnings:
            self._emit(WarningGiven(part="iptables", what=warning))
        wanted = fold_bans(bans, plan.chains, now)
        held = {jail: set(wanted.get(jail, ())) for jail in plan.chains}
        rules = {
            family.version: plan.rules(family.version, self._bodies(plan, held, family.version))
            for family in self._tables.families
        }
        self._tables.replace(rules, self._tables.read())
        found = self._tables.read()
        self._plan, self._held = plan, held
        self._frame = {version: self._without_bans(plan, one) for version, one in found.items()}
        if any(
            {chain: len(body) for chain, body in found[version].chains.items()}
            != {chain: len(body) for chain, body in wanted_rules.items()}
            for version, wanted_rules in rules.items()
        ):
            raise EnforceError(
                "iptables: another program changed the banish chains while they were being built"
            )

    def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*.

        Raises:
            EnforceError: Nothing changed.

        """
        plan = self._plan
        if plan is None:
            return
        states = fold(batch, plan.chains, now)
        if not states:
            return
        held = dict(self._held)
        for jail, state in states.items():
            held[jail] = (held[jail] | state.banned.keys()).difference(state.free)
        if all(self._is_step(jail, state) for jail, state in states.items()):
            try:
                self._step(plan, states)
            except EnforceError as error:
                if not error.retry:
                    raise
                # A rule to delete is gone already: then write all of it anew.
                self._rewrite(plan, states, held)
        else:
            self._rewrite(plan, states, held)
        self._held = held

    def read(self) -> FirewallContents:
        """Return what the kernel holds.

        Raises:
            EnforceError: It cannot be read.

        """
        plan = self._plan
        if plan is None:
            return FirewallContents()
        found = self._tables.read()
        subjects: dict[str, set[Subject]] = {jail: set() for jail in plan.chains}
        for version, one in found.items():
            for jail, chain in plan.chains.items():
                for rule in one.chains.get(chain, ()):
                    subject = _subject(rule, plan.verdicts[jail], version)
                    if subject is not None:
                        subjects[jail].add(subject)
        for jail, account in self._held.items():
            # What no firewall of this host can meet is out as well as it can be.
            subjects[jail] |= {one for one in account if one.family not in found}
        is_whole = all(one.is_hooked for one in found.values()) and self._frame == {
            version: self._without_bans(plan, one) for version, one in found.items()
        }
        return FirewallContents(
            {jail: frozenset(found) for jail, found in subjects.items()}, is_whole
        )

    def has_foreign_change(self) -> bool:
        """Whether the kernel holds something else than was asked for.

        Raises:
            EnforceError: It cannot be read.

        """
        if self._plan is None:
            return False
        found = self.read()
        return not found.is_whole or found.subjects != self._held

    def remove(self) -> None:
        """Take all our chains away.

        Raises:
            EnforceError: They are still there.

        """
        self._plan = None
        self._held = {}
        found = self._tables.read()
        self._tables.replace({version: {} for version, one in found.items() if one.chains}, found)

    @staticmethod
    def _bodies(
        plan: ChainPlan, held: dict[str, set[Subject]], version: int
    ) -> dict[str, list[str]]:
        return {
            jail: [
                f"-s {subject} {plan.verdicts[jail]}"
                for subject in held[jail]
                if subject.family == version
            ]
            for jail in plan.chains
        }

    @staticmethod
    def _without_bans(plan: ChainPlan, found: SavedChains) -> SavedChains:
        """Return *found* with nothing in the jails' chains but what has no business there."""
        chains = dict(found.chains)
        for jail, chain in plan.chains.items():
            chains[chain] = [
                rule
                for rule in chains.get(chain, ("is gone",))
                if (match := _FROM.fullmatch(rule)) is None or match[2] != plan.verdicts[jail]
            ]
        return found._replace(chains=chains)

    def _is_step(self, jail: str, state: Folded) -> bool:
        """Whether all new bans are new, and the ended ones were in force and few."""
        held = self._held[jail]
        if len(state.free) > DELETED_RULES:
            return False
        return held.isdisjoint(state.banned) and held.issuperset(state.free)

    def _step(self, plan: ChainPlan, states: dict[str, Folded]) -> None:
        changes: dict[int, list[str]] = {family.version: [] for family in self._tables.families}
        undo: dict[int, list[str]] = {family.version: [] for family in self._tables.families}
        for jail, state in states.items():
            for order, back, subjects in (("-D", "-A", state.free), ("-A", "-D", state.banned)):
                for subject in subjects:
                    if subject.family in changes:
                        rule = f"{plan.chains[jail]} -s {subject} {plan.verdicts[jail]}"
                        changes[subject.family].append(f"{order} {rule}")
                        undo[subject.family].append(f"{back} {rule}")
        self._tables.change(changes, undo)

    def _rewrite(
        self, plan: ChainPlan, states: dict[str, Folded], held: dict[str, set[Subject]]
    ) -> None:
        """Write the chains of the jails of *states* anew; they must be there."""

        def lines(account: dict[str, set[Subject]], version: int) -> list[str]:
            bodies = self._bodies(plan, account, version)
            found: list[str] = []
            for jail in states:
                chain = plan.chains[jail]
                found.append(f"-F {chain}")
                found += [f"-A {chain} {rule}" for rule in bodies[jail]]
            return found

        versions = [family.version for family in self._tables.families]
        self._tables.change(
            {version: lines(held, version) for version in versions},
            {version: lines(self._held, version) for version in versions},
        )


def _subject(rule: str, verdict: str, version: int) -> Subject | None:
    """Return whom *rule* of a jail's chain bans, or None if it is none of our bans."""
    match = _FROM.fullmatch(rule)
    if match is None or match[2] != verdict:
        return None
    return parse_address(match[1] or EVERYBODY[version])


iptables_enforcer = functools.partial(xtables_enforcer, IptablesFirewall)
"""Make an enforcer that bans by iptables (`banish.ports.Enforcer`)."""

ADDON = xtables_addon(IptablesFirewall)
