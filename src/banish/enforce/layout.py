"""What stands in our table around the bans, as the kernel says it."""

from collections.abc import Mapping
from typing import NamedTuple

from banish.enforce.netattributes import attributes
from banish.enforce.ruleset import BASE_CHAINS, Ruleset
from banish.enforce.wire import SET_ANONYMOUS


class Layout(NamedTuple):
    """What tells whether the things around the bans are still the same ones.

    The kernel gives each object of a table a number that it never gives again,
    and a changed rule a new one; so numbers, names, hooks and flags are enough.
    """

    table: tuple[bytes, ...]
    chains: tuple[bytes, ...]
    rules: tuple[bytes, ...]
    """In the order in which they are tried."""
    sets: Mapping[str, bytes]
    """By name; nameless ones have a name too, of the kernel's choice."""

    def holds(self, ruleset: Ruleset) -> bool:
        """Whether nothing of *ruleset* is missing, and no chain or rule is too many."""
        return (
            len(self.chains) == len(ruleset.chains) + len(BASE_CHAINS)
            and len(self.rules) == len(ruleset.rules)
            and self.sets.keys() >= {one.name for one in ruleset.sets}
        )


def read_layout(
    name: str, found: bytes, chains: list[bytes], rules: list[bytes], sets: list[bytes]
) -> Layout:
    """Return the layout of table *name* out of what the kernel says about everything."""
    return Layout(
        _pick(name, [found], 2, 4),
        _pick(name, chains, 3, 2, 4, 5, 7),
        _pick(name, rules, 2, 3),
        {
            row.partition(b"\0")[0].decode("ascii", "surrogateescape"): row
            for row in _pick(name, sets, 2, 3, 16)
        },
    )


def _pick(name: str, bodies: list[bytes], *kinds: int) -> tuple[bytes, ...]:
    """Return the attributes *kinds* of each object in table *name*, put together."""
    ours = name.encode("ascii") + b"\0"
    rows = []
    for body in bodies:
        parts = dict(attributes(body))
        if parts.get(1) == ours:
            rows.append(b"".join(parts.get(kind, b"") for kind in kinds))
    return tuple(rows)


def names_of(layout: Layout) -> tuple[list[str], list[str]]:
    """Return the names of chains and sets; nameless sets, which go with their rules, left out."""
    chains = [row.partition(b"\0")[0].decode("ascii", "surrogateescape") for row in layout.chains]
    named = [name for name, row in layout.sets.items() if not _is_nameless(row)]
    return chains, named


def _is_nameless(row: bytes) -> bool:
    """Whether the set that *row* of a layout tells of is one that goes with its rule."""
    return bool(int.from_bytes(row.partition(b"\0")[2][:4], "big") & SET_ANONYMOUS)
