"""Our chains in the kernel, IPv4's and IPv6's, changed as one as far as that goes.

A change of one family is one transaction. Of both it is two; if the second fails
the first is taken back.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from banish.enforce.xtables.chains import (
    ENTRY,
    HOOKS,
    JUMP,
    SavedChains,
    parse_save,
    render,
    render_changes,
)
from banish.enforce.xtables.tool import RunProgram
from banish.errors import EnforceError

LOCK_SECONDS = 10
"""How long the programs wait for the lock that all of them share."""


class Family(NamedTuple):
    """IPv4 or IPv6."""

    version: int
    program: str


IPV4 = Family(4, "iptables")
IPV6 = Family(6, "ip6tables")


class Tables:
    """The filter tables of this host."""

    def __init__(self, run: RunProgram, *, has_ipv6: bool, flavour: str = "") -> None:
        """Prepare; nothing runs yet.

        Args:
            run: Runs a program.
            has_ipv6: Whether there is an IPv6 firewall.
            flavour: ``-legacy`` or ``-nft`` for the programs of that kind; empty: the usual.

        """
        self.run = run
        """Runs a program on the same host."""
        self._flavour = flavour
        self.families = (IPV4, IPV6) if has_ipv6 else (IPV4,)

    def read(self) -> dict[int, SavedChains]:
        """Return what of ours stands in each family.

        Raises:
            EnforceError: It cannot be read.

        """
        return {
            family.version: parse_save(
                self.run([f"{family.program}{self._flavour}-save", "-t", "filter"], "")
            )
            for family in self.families
        }

    def replace(
        self, wanted: Mapping[int, Mapping[str, Sequence[str]]], found: Mapping[int, SavedChains]
    ) -> None:
        """Turn *found* into *wanted*, both by IP version.

        Raises:
            EnforceError: Nothing changed.

        """
        self._transact(
            {version: render(rules, found[version]) for version, rules in wanted.items()},
            {
                version: render(found[version].chains, _standing(rules))
                for version, rules in wanted.items()
            },
        )

    def change(
        self, changes: Mapping[int, Sequence[str]], undo: Mapping[int, Sequence[str]]
    ) -> None:
        """Carry out *changes* by IP version; *undo* takes them back.

        Raises:
            EnforceError: Nothing changed.

        """
        self._transact(
            {version: render_changes(lines) for version, lines in changes.items() if lines},
            {version: render_changes(lines) for version, lines in undo.items()},
        )

    def _transact(self, inputs: Mapping[int, str], undo: Mapping[int, str]) -> None:
        done: list[Family] = []
        for family in self.families:
            if family.version not in inputs:
                continue
            try:
                self._restore(family, inputs[family.version])
            except EnforceError:
                for other in done:
                    self._restore(other, undo[other.version])
                raise
            done.append(family)

    def _restore(self, family: Family, text: str) -> None:
        program = f"{family.program}{self._flavour}-restore"
        self.run([program, "-w", str(LOCK_SECONDS), "--noflush"], text)


def _standing(rules: Mapping[str, Sequence[str]]) -> SavedChains:
    """Return what stands once *rules* are in place."""
    jumps = [(hook, JUMP) for hook in HOOKS] if ENTRY in rules else []
    return SavedChains(rules, jumps, frozenset(hook for hook, _ in jumps))
