"""The ipset enforcer: two sets for each jail, and one iptables rule for each set.

For hosts without nf_tables. A packet costs the same however many are banned; each
ban stands with its time, so bans end even where the server has died.

ipset carries a batch out order by order, and every order of ours comes out the same
whatever was there before. A batch that fails half way is taken back.
"""

import functools
import itertools
from collections.abc import Mapping, Sequence

from banish.enforce.fold import FirewallContents, fold, fold_bans
from banish.enforce.xtables.chains import ChainPlan, SavedChains, plan_chains
from banish.enforce.xtables.enforcer import xtables_addon, xtables_enforcer
from banish.enforce.xtables.sets import (
    SCRATCH,
    IpsetPlan,
    SavedSet,
    additions,
    count_elements,
    is_ours,
    parse_save,
    parse_sizes,
    plan_sets,
    removals,
    render_replacement,
    times_left,
    to_subjects,
)
from banish.enforce.xtables.tables import Tables
from banish.errors import EnforceError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant
from banish.model.settings import Enforcement
from banish.telemetry.events import Emit, WarningGiven

IPSET_QUESTION = (["ipset", "list", "-n"], "")
"""The program and its input that show whether ipset can be used."""

Account = dict[str, dict[int, dict[Subject, Instant | None]]]
"""When each ban ends, by jail and IP version."""


class IpsetFirewall:
    """Bans in sets (`banish.enforce.threaded.BlockingEnforcer`)."""

    def __init__(self, tables: Tables, emit: Emit) -> None:
        self._tables = tables
        self._run = tables.run
        self._emit = emit
        self._sets: dict[str, tuple[IpsetPlan, ...]] = {}
        self._held: Account = {}
        self._frame: dict[int, SavedChains] = {}

    @property
    def name(self) -> str:
        """What status and logs call it."""
        return "ipset (sets banish-*, chain banish)"

    def replace(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Hold exactly *bans* for exactly *jails*.

        Raises:
            EnforceError: It does not; what held before may hold still.

        """
        plan = plan_chains(jails)
        for warning in plan.warnings:
            self._emit(WarningGiven(part="ipset", what=warning))
        wanted = fold_bans(bans, plan.chains, now)
        held: Account = {jail: _by_version(wanted.get(jail, {})) for jail in plan.chains}
        versions = [family.version for family in self._tables.families]
        sets = {
            jail: tuple(one for one in both if one.version in versions)
            for jail, both in plan_sets(plan.chains).items()
        }
        self._make_room(sets)
        for jail, plans in sets.items():
            for one in plans:
                self._restore(render_replacement(one, held[jail][one.version], now))
        self._tables.replace(
            {version: self._rules(plan, sets, version) for version in versions},
            self._tables.read(),
        )
        self._destroy(set(self._names()) - {one.name for plans in sets.values() for one in plans})
        self._sets, self._held, self._frame = sets, held, self._tables.read()
        if not all(one.is_hooked for one in self._frame.values()):
            raise EnforceError(
                "ipset: another program changed the banish chains while they were being built"
            )

    def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*.

        Raises:
            EnforceError: Nothing of it took effect.

        """
        orders: list[str] = []
        undo: list[str] = []
        states = fold(batch, self._sets, now)
        for jail, state in states.items():
            free = set(state.free)
            banned = _by_version(state.banned)
            for plan in self._sets[jail]:
                before = self._held[jail][plan.version]
                new = banned[plan.version]
                ended = [one for one in free if one.family == plan.version]
                # Gone through only where it matters, which it hardly ever does.
                left = (one for one in itertools.chain(before, new) if one not in free)
                orders += removals(plan.name, ended, left)
                orders += additions(plan.name, new, now)
                undo += removals(plan.name, [one for one in new if one not in before], before)
                touched = [one for one in (*ended, *new) if one in before]
                undo += additions(plan.name, {one: before[one] for one in touched}, now)
        if orders:
            try:
                self._restore("\n".join((*orders, "")))
            except EnforceError:
                self._take_back(undo)
                raise
        for jail, state in states.items():
            for one in state.free:
                self._held[jail][one.family].pop(one, None)
            for one, until in state.banned.items():
                self._held[jail][one.family][one] = until

    def read(self) -> FirewallContents:
        """Return what the kernel holds.

        Raises:
            EnforceError: It cannot be read.

        """
        if not self._frame:
            return FirewallContents()
        found = self._read_sets()
        subjects: dict[str, frozenset[Subject]] = {}
        left: dict[str, dict[Subject, float | None]] = {}
        is_whole = self._tables.read() == self._frame
        for jail, plans in self._sets.items():
            versions = {plan.version for plan in plans}
            # What no firewall of this host can meet is out as well as it can be.
            unmet = [held for version, held in self._held[jail].items() if version not in versions]
            subjects[jail] = frozenset(one for held in unmet for one in held)
            for plan in plans:
                one_set = found.get(plan.name, SavedSet(is_as_planned=False, elements={}))
                is_whole = is_whole and one_set.is_as_planned
                account = self._held[jail][plan.version]
                held_now = to_subjects(one_set.elements, account)
                subjects[jail] |= held_now
                left.setdefault(jail, {}).update(times_left(one_set.elements, held_now))
        return FirewallContents(subjects, is_whole, left)

    def has_foreign_change(self) -> bool:
        """Whether sets or chains are not as they were left; sets are known by their sizes.

        So it costs the same however many are banned. Who puts one ban in another's
        place is found out when all is read back.

        Raises:
            EnforceError: It cannot be read.

        """
        if not self._frame:
            return False
        sizes = parse_sizes(self._run(["ipset", "list", "-t"], ""))
        return self._tables.read() != self._frame or any(
            sizes.get(plan.name) != count_elements(self._held[jail][plan.version])
            for jail, plans in self._sets.items()
            for plan in plans
        )

    def remove(self) -> None:
        """Take all our chains and sets away.

        Raises:
            EnforceError: They are still there.

        """
        self._sets, self._held, self._frame = {}, {}, {}
        found = self._tables.read()
        self._tables.replace({version: {} for version, one in found.items() if one.chains}, found)
        self._destroy(self._names())

    def _make_room(self, sets: Mapping[str, Sequence[IpsetPlan]]) -> None:
        """Take away what stands in the way: a scratch set, and sets of ours of another kind."""
        names = self._names()
        if SCRATCH in names:
            self._destroy([SCRATCH])
        wanted = {plan.name for plans in sets.values() for plan in plans}
        if any(not one.is_as_planned for name, one in self._read_sets().items() if name in wanted):
            self.remove()

    def _rules(
        self, plan: ChainPlan, sets: Mapping[str, Sequence[IpsetPlan]], version: int
    ) -> dict[str, list[str]]:
        bodies = {
            jail: [f"{one.rule} {plan.verdicts[jail]}" for one in plans if one.version == version]
            for jail, plans in sets.items()
        }
        return plan.rules(version, bodies)

    def _names(self) -> list[str]:
        return [name for name in self._run(["ipset", "list", "-n"], "").split() if is_ours(name)]

    def _read_sets(self) -> dict[str, SavedSet]:
        names = self._names()
        orders = "".join(f"save {name}\n" for name in names)
        return parse_save(self._run(["ipset", "restore"], orders)) if names else {}

    def _restore(self, orders: str) -> None:
        self._run(["ipset", "-exist", "restore"], orders)

    def _destroy(self, names: "Sequence[str] | set[str]") -> None:
        if names:
            self._restore("".join(f"destroy {name}\n" for name in sorted(names)))

    def _take_back(self, orders: Sequence[str]) -> None:
        try:
            self._restore("\n".join((*orders, "")))
        except EnforceError:
            # The sets are gone or full; the caller builds all of it anew, and tells.
            return


def _by_version(bans: Mapping[Subject, Instant | None]) -> dict[int, dict[Subject, Instant | None]]:
    return {
        version: {one: until for one, until in bans.items() if one.family == version}
        for version in (4, 6)
    }


ipset_enforcer = functools.partial(xtables_enforcer, IpsetFirewall)
"""Make an enforcer that bans by ipset (`banish.ports.Enforcer`)."""

ADDON = xtables_addon(IpsetFirewall, IPSET_QUESTION)
