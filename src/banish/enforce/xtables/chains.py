"""Plans our chains of the filter table, and reads them back; pure text in, text out.

For one jail ``sshd`` on port 22, as ``iptables-save`` shows it::

    -A INPUT -j banish
    -A FORWARD -j banish
    -A banish -p tcp -m multiport --dports 22 -j banish-sshd
    -A banish-sshd -s 192.0.2.1/32 -g banish.refuse
    -A banish.refuse -p tcp -j REJECT --reject-with tcp-reset
    -A banish.refuse -j REJECT --reject-with icmp-port-unreachable

Ours are the chains called ``banish``, ``banish-...`` and ``banish.refuse`` and the
jumps to ``banish``; nothing else is ever named in a change. The jumps stand first
in INPUT and FORWARD, since a rule before them could let a banned subject in.

Two things are less than with nftables (`banish.enforce.ruleset`): the port that
counts is the one behind a redirect (REJECT is only to be had there), and rules
have no time of their own, so bans outlive a server that died until the next one.
"""

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from banish.enforce.jailnames import unique_names
from banish.enforce.ruleset import Go, Match, Ports, Protocol, plan_ruleset
from banish.model.settings import Enforcement, PortRange

ENTRY = "banish"
REFUSE = "banish.refuse"
HOOKS = ("INPUT", "FORWARD")

NAME_LIMIT = 20
"""Longest name of a jail in a name; a chain's has 28 characters (XT_EXTENSION_MAXNAMELEN)."""

MULTIPORT_LIMIT = 15
"""Most ports in one rule, where a range counts twice (XT_MULTI_PORTS)."""

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*", re.ASCII)
_OURS = re.compile(rf"{ENTRY}(?:-.*)?|{re.escape(REFUSE)}", re.ASCII)
JUMP = f"-j {ENTRY}"
_ICMP = {4: 1, 6: 58}


class ChainPlan(msgspec.Struct, frozen=True):
    """What our chains are to be, apart from who is banned."""

    chains: Mapping[str, str]
    """The chain of each jail."""
    verdicts: Mapping[str, str]
    """What each jail's chain does to a banned packet, as the end of a rule."""
    gates: tuple[tuple[str, tuple[Match, ...]], ...]
    """What leads into a jail's chain: the jail, and what a packet must be."""
    warnings: tuple[str, ...]

    def rules(self, version: int, bodies: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Return the rules of every chain of ours for IPv4 or IPv6; *bodies* gives the jails'."""
        found = {ENTRY: [], REFUSE: _refuse(version)} if self.chains else {ENTRY: []}
        found.update({chain: list(bodies[jail]) for jail, chain in self.chains.items()})
        for jail, gate in self.gates:
            found[ENTRY] += [f"{way}-j {self.chains[jail]}" for way in _ways(gate, version)]
        return found


class SavedChains(NamedTuple):
    """What ``iptables-save`` shows of ours."""

    chains: Mapping[str, Sequence[str]]
    """The rules of each chain that is ours."""
    jumps: Sequence[tuple[str, str]]
    """Rules in others' chains that go to ours: the chain and the rule."""
    first: frozenset[str]
    """The chains whose first rule is our jump."""

    @property
    def is_hooked(self) -> bool:
        """Whether every packet on its way in meets our chains before anything else."""
        return self.first == frozenset(HOOKS) and len(self.jumps) == len(HOOKS)


def plan_chains(jails: Sequence[Enforcement]) -> ChainPlan:
    """Return the chains for *jails*; of two entries for one jail the last counts."""
    settings = {enforcement.jail: enforcement for enforcement in jails}
    names = short_names(settings)
    ruleset = plan_ruleset(jails)
    jail_of = {plan.chain: jail for jail, plan in ruleset.jails.items()}
    gates = [
        (jail_of[rule.verdict.chain], rule.matches)
        for rule in ruleset.rules
        if rule.chain == "prerouting" and isinstance(rule.verdict, Go)
    ]
    return ChainPlan(
        {jail: f"{ENTRY}-{name}" for jail, name in names.items()},
        {
            jail: "-j DROP" if enforcement.blocktype == "drop" else f"-g {REFUSE}"
            for jail, enforcement in settings.items()
        },
        tuple(gates),
        ruleset.warnings,
    )


def short_names(jails: Iterable[str]) -> dict[str, str]:
    """Return a name of at most `NAME_LIMIT` plain characters for each jail, no two alike."""

    def is_plain(jail: str) -> bool:
        return len(jail) <= NAME_LIMIT and _PLAIN.fullmatch(jail) is not None

    def candidates(jail: str, digest: str) -> Iterator[str]:
        readable = re.sub(r"[^A-Za-z0-9_]+", "_", jail, flags=re.ASCII)[: NAME_LIMIT - 9]
        front = f"{readable.strip('_') or 'jail'}."
        return (front + digest[start : start + 8] for start in range(len(digest) - 8))

    return unique_names(jails, is_plain=is_plain, candidates=candidates)


def _refuse(version: int) -> list[str]:
    unreachable = "icmp-port-unreachable" if version == 4 else "icmp6-port-unreachable"
    return ["-p tcp -j REJECT --reject-with tcp-reset", f"-j REJECT --reject-with {unreachable}"]


def _ways(gate: Sequence[Match], version: int) -> list[str]:
    """Return *gate* as beginnings of rules; none where the family has no such packets."""
    ways = [""]
    for match in gate:
        if isinstance(match, Protocol):
            if match.number in _ICMP.values() and match.number != _ICMP[version]:
                return []
            ways = [f"-p {match.number} "]
        elif isinstance(match, Ports):
            ways = [
                f"{way}-m multiport --dports {ports} "
                for way in ways
                for ports in _port_lists(match.ranges)
            ]
    return ways


def _port_lists(ranges: Iterable[PortRange]) -> list[str]:
    lists: list[list[str]] = []
    room = 0
    for one in ranges:
        size = 1 if one.first == one.last else 2
        if size > room:
            lists.append([])
            room = MULTIPORT_LIMIT
        lists[-1].append(str(one.first) if size == 1 else f"{one.first}:{one.last}")
        room -= size
    return [",".join(ports) for ports in lists]


def parse_save(text: str) -> SavedChains:
    """Return what of ours stands in the output of ``iptables-save -t filter``."""
    chains: dict[str, list[str]] = {}
    jumps: list[tuple[str, str]] = []
    first: set[str] = set()
    seen: set[str] = set()
    for line in text.splitlines():
        if line.startswith(":"):
            name = line[1:].partition(" ")[0]
            if _OURS.fullmatch(name):
                chains[name] = []
            continue
        order, _, rest = line.partition(" ")
        if order != "-A":
            continue
        chain, _, rule = rest.partition(" ")
        if chain in chains:
            chains[chain].append(rule)
        elif (target := _target(rule)) is not None and _OURS.fullmatch(target):
            jumps.append((chain, rule))
            if rule == JUMP and chain in HOOKS and chain not in seen:
                first.add(chain)
        seen.add(chain)
    return SavedChains(chains, jumps, frozenset(first))


def _target(rule: str) -> str | None:
    """Return the chain of ours that *rule* may go to; words in its comment do not count."""
    if ENTRY not in rule:
        return None
    try:
        words = shlex.split(rule)
    except ValueError:
        return None
    for mark, target in itertools.pairwise(words):
        if mark in ("-j", "-g"):
            return target
    return None


def render(wanted: Mapping[str, Sequence[str]], found: SavedChains) -> str:
    """Return the input of ``iptables-restore --noflush`` that turns *found* into *wanted*.

    Without chains in *wanted*, nothing of ours remains.
    """
    lines = ["*filter"]
    lines += [f"-D {chain} {rule}" for chain, rule in found.jumps]
    lines += [f"-F {chain}" for chain in found.chains]
    lines += [f"-X {chain}" for chain in found.chains if chain not in wanted]
    lines += [f":{chain} - [0:0]" for chain in wanted]
    lines += [f"-A {chain} {rule}" for chain, rules in wanted.items() for rule in rules]
    if ENTRY in wanted:
        lines += [f"-I {chain} 1 {JUMP}" for chain in HOOKS]
    return "\n".join((*lines, "COMMIT", ""))


def render_changes(changes: Iterable[str]) -> str:
    """Return the input of ``iptables-restore --noflush`` that carries out *changes*."""
    return "\n".join(("*filter", *changes, "COMMIT", ""))
