"""The transactions that build our table anew, so that none is long and no ban is missing.

The kernel's work on a transaction grows faster than the number of its elements, and nobody
can interrupt it: 600,000 bans at once take 5 to 11 s, in slices 2 s. So bans go in by slices
of some 9,000, each a transaction of its own.

Where there is a table already, its bans must stand until the new ones do. Up to `WHOLE_LIMIT`
bans the whole table is exchanged in one transaction. More are filled into sets beside the old
ones, under names with a suffix, a slice at a time; one transaction then has the rules look
into these. The same again gives the sets their usual names. Whoever stops between two
transactions leaves a table that blocks every banned subject: the old one's bans, then the
new ones.
"""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import msgspec

from banish.enforce import wire
from banish.enforce.layout import Layout, names_of
from banish.enforce.netlink import KernelError, Message, gather
from banish.enforce.ruleset import BASE_CHAINS, From, Rule, Ruleset, SetPlan

SLICE_BYTES = 256 * 1024
"""Most of a slice: some 9,000 IPv4 addresses, for which the kernel takes 0.03 to 0.1 s."""

WHOLE_LIMIT = 100_000
"""Bans that are exchanged in one transaction, which takes 0.3 to 1.5 s."""

SUFFIXES = (".next", ".last")
"""Of sets that stand in for the usual ones. Two, as a server may end while one is in use."""

Run = Sequence[Message]
"""The messages of one transaction."""

Fill = Callable[[Iterable[tuple[SetPlan, str]]], Iterator[Message]]
"""Yields what fills sets, each with the bans of the planned set whose name stands beside it."""


def fresh(ruleset: Ruleset, fill: Fill) -> Iterator[Run]:
    """Yield what makes the table, whatever is there, and fills it a slice at a time."""
    head = wire.build_table(ruleset)
    units: Iterator[Run] = ([message] for message in fill(_same(ruleset)))
    yield from gather(chain([head], units), SLICE_BYTES)


def whole(ruleset: Ruleset, fill: Fill, limit_bytes: int) -> Iterator[Run]:
    """Yield what exchanges the table at once, as far as *limit_bytes* allows."""
    messages = [*wire.build_table(ruleset), *fill(_same(ruleset))]
    yield from gather(([message] for message in messages), limit_bytes)


def exchange(layout: Layout, ruleset: Ruleset, suffix: str, fill: Fill) -> Iterator[Run]:
    """Yield what exchanges the table that reads *layout*, in slices, each ban always in force.

    No set of it may end with *suffix* any more.
    """
    table = ruleset.table
    beside = _with_suffix(ruleset, suffix)
    yield wire.build_sets(beside)
    pairs = [(new, old.name) for new, old in zip(beside.sets, ruleset.sets, strict=True)]
    yield from gather(([message] for message in fill(pairs)), SLICE_BYTES)
    old_chains, old_sets = names_of(layout)
    old_sets = [name for name in old_sets if not name.endswith(suffix)]
    yield [
        *wire.remove_rules(table, old_chains),
        *wire.remove_sets(table, old_sets),
        *wire.build_sets(ruleset),
        *wire.build_rules(beside),
    ]
    yield from gather(([message] for message in fill(_same(ruleset))), SLICE_BYTES)
    chains = [*ruleset.chains, *(one.name for one in BASE_CHAINS)]
    yield [
        *wire.remove_rules(table, chains),
        *wire.remove_sets(table, [one.name for one in beside.sets]),
        *wire.build_rules(ruleset),
    ]


def missing_sets(
    layout: Layout | None, ruleset: Ruleset, before: Ruleset | None
) -> Sequence[SetPlan] | None:
    """Return the sets of *ruleset* that the table lacks, which reads *layout* and was *before*.

    None where a set of that name is there and is another one.
    """
    known = {} if before is None else {one.name: one for one in before.sets}
    missing = [one for one in ruleset.sets if one.name not in known]
    is_other = any(known.get(one.name, one) != one for one in ruleset.sets)
    if layout is None or is_other or any(one.name in layout.sets for one in missing):
        return None
    return missing


def rearrange(
    layout: Layout, ruleset: Ruleset, fresh_sets: Sequence[SetPlan], fill: Fill
) -> Iterator[Run]:
    """Yield what makes the table that reads *layout* serve *ruleset*, sets that stay untouched.

    *fresh_sets* are those of *ruleset* that are not there yet. They are filled first, a slice
    at a time; one transaction then exchanges the rules and takes away the sets left over.
    """
    table = ruleset.table
    if fresh_sets:
        yield wire.build_sets(ruleset, fresh_sets)
    pairs = [(one, one.name) for one in fresh_sets]
    yield from gather(([message] for message in fill(pairs)), SLICE_BYTES)
    old_chains, old_sets = names_of(layout)
    staying = {one.name for one in ruleset.sets}
    yield [
        *wire.remove_rules(table, old_chains),
        *wire.remove_sets(table, [name for name in old_sets if name not in staying]),
        *wire.build_rules(ruleset),
    ]


def free_suffix(layout: Layout, table: str, transact: Callable[[Run], None]) -> str:
    """Return a suffix that no set has; *transact* takes away sets that have one in vain.

    An earlier server may have ended while sets of one suffix were in use, and others half full.

    Raises:
        KernelError: There is none.

    """
    for suffix in SUFFIXES:
        left = [name for name in names_of(layout)[1] if name.endswith(suffix)]
        if not left:
            return suffix
        try:
            transact(wire.remove_sets(table, left))
        except KernelError:
            continue  # rules look into them
        return suffix
    raise KernelError(errno.EBUSY, "the table holds sets of others")


def _same(ruleset: Ruleset) -> Iterable[tuple[SetPlan, str]]:
    return ((one, one.name) for one in ruleset.sets)


def _with_suffix(ruleset: Ruleset, suffix: str) -> Ruleset:
    """Return *ruleset* with sets of other names."""

    def renamed(one: SetPlan) -> SetPlan:
        return msgspec.structs.replace(one, name=one.name + suffix)

    def elsewhere(rule: Rule) -> Rule:
        matches = tuple(
            From(renamed(match.set)) if isinstance(match, From) else match for match in rule.matches
        )
        return msgspec.structs.replace(rule, matches=matches)

    jails = {
        jail: msgspec.structs.replace(
            plan,
            hash4=renamed(plan.hash4),
            hash6=renamed(plan.hash6),
            net4=renamed(plan.net4),
            net6=renamed(plan.net6),
        )
        for jail, plan in ruleset.jails.items()
    }
    return msgspec.structs.replace(
        ruleset, jails=jails, rules=tuple(elsewhere(rule) for rule in ruleset.rules)
    )
