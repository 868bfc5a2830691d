"""Plans the firewall of a set of jails: which sets, chains and rules there are.

Pure: settings in, values out; `wire` turns them into what the kernel reads, and
``str`` of a rule is what ``nft list`` would show. The whole table, for one jail
``sshd`` on port 22::

    table inet banish {
        set sshd-4    { type ipv4_addr; flags timeout; }
        set sshd-6    { type ipv6_addr; flags timeout; }
        set sshd-net4 { type ipv4_addr; flags interval,timeout; }
        set sshd-net6 { type ipv6_addr; flags interval,timeout; }
        chain refuse {
            meta l4proto tcp reject with tcp reset
            reject
        }
        chain jail-sshd {
            ip saddr @sshd-4 counter goto refuse
            ip saddr @sshd-net4 counter goto refuse
            ip6 saddr @sshd-6 counter goto refuse
            ip6 saddr @sshd-net6 counter goto refuse
        }
        chain prerouting { ... priority -150; tcp dport 22 jump jail-sshd }
        chain input      { ... priority -10;  tcp dport 22 jump jail-sshd }
        chain forward    { ... priority -10;  tcp dport 22 jump jail-sshd }
    }

Three places, since a port may be rewritten on the way (a published container
port, a local redirect): ``prerouting`` stands before DNAT (priority -100) and
sees the port that the client chose, ``input`` and ``forward`` stand after it
and see the port that the program listens on, where Fail2Ban's INPUT and
DOCKER-USER rules stand. A jail bans on either. ``ct original proto-dst`` would
do the same, but would switch connection tracking on for hosts that rightly run
without. A jail without ports needs ``prerouting`` only.

Cost: a packet meets one gate (protocol and port) a jail and place, some 17 ns
each; sets are looked up only behind a gate that fits, two for its family, some
0.25 us a place with small sets and 0.8 us with 100,000 addresses and 10,000
networks (docs/adr/0020).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from banish.enforce.jailnames import unique_names
from banish.model.settings import BlockType, Enforcement, PortRange

TABLE = "banish"
REFUSE = "refuse"

PROTOCOL_NUMBERS: Mapping[str, tuple[int, ...]] = {
    "tcp": (6,),
    "udp": (17,),
    "sctp": (132,),
    "dccp": (33,),
    "udplite": (136,),
    "icmp": (1, 58),
    "ipv6-icmp": (58,),
    "icmpv6": (58,),
    "esp": (50,),
    "ah": (51,),
    "gre": (47,),
}
"""IANA's protocol numbers. ``icmp`` means both families' since a jail has both."""

_WITH_PORTS = frozenset((6, 17, 33, 132, 136))
_NAMES = {numbers[0]: name for name, numbers in PROTOCOL_NUMBERS.items()}
_LAST_PORT = 65_535
_NAME_LIMIT = 48
"""Longest readable part of a name; the kernel takes 255 (NFT_NAME_MAXLEN)."""
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*", re.ASCII)
_COMMENT_LIMIT = 120
"""nft shows comments of at most 128 bytes (NFTNL_UDATA_COMMENT_MAXLEN)."""


class SetPlan(msgspec.Struct, frozen=True):
    """One set of the table."""

    name: str
    family: int
    """4 or 6."""
    is_interval: bool
    comment: str = ""

    def __str__(self) -> str:
        flags = "interval,timeout" if self.is_interval else "timeout"
        kind = f"type ipv{self.family}_addr; flags {flags};"
        return f'set {self.name} {{ {kind} comment "{self.comment}"; }}'


class JailPlan(msgspec.Struct, frozen=True):
    """What one jail has in the table."""

    jail: str
    chain: str
    hash4: SetPlan
    hash6: SetPlan
    net4: SetPlan
    net6: SetPlan

    @property
    def sets(self) -> tuple[SetPlan, SetPlan, SetPlan, SetPlan]:
        """All four sets."""
        return (self.hash4, self.hash6, self.net4, self.net6)


class BaseChain(msgspec.Struct, frozen=True):
    """A chain that the kernel calls for packets."""

    name: str
    hook: int
    """``NF_INET_*``: 0 prerouting, 1 local in, 2 forward."""
    priority: int


BASE_CHAINS = (
    BaseChain("prerouting", 0, -150),
    BaseChain("input", 1, -10),
    BaseChain("forward", 2, -10),
)
"""-150 is after connection tracking (-200), so that a reset finds its
connection, and before DNAT (-100); -10 is before the usual filters (0)."""


class Protocol(msgspec.Struct, frozen=True, tag=True):
    """Matches packets of one transport protocol."""

    number: int

    def __str__(self) -> str:
        return f"meta l4proto {_NAMES.get(self.number, self.number)}"


class Ports(msgspec.Struct, frozen=True, tag=True):
    """Matches destination ports; only behind a `Protocol` that has ports."""

    ranges: tuple[PortRange, ...]
    """In order, not overlapping, at least one."""

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.ranges))
        return f"th dport {{ {shown} }}" if len(self.ranges) > 1 else f"th dport {shown}"


class From(msgspec.Struct, frozen=True, tag=True):
    """Matches packets whose source address is in a set, and counts them."""

    set: SetPlan

    def __str__(self) -> str:
        return f"{'ip' if self.set.family == 4 else 'ip6'} saddr @{self.set.name} counter"


class Go(msgspec.Struct, frozen=True, tag=True):
    """Goes on in another chain."""

    chain: str
    comes_back: bool

    def __str__(self) -> str:
        return f"{'jump' if self.comes_back else 'goto'} {self.chain}"


class End(msgspec.Struct, frozen=True, tag=True):
    """Ends the packet's way."""

    how: Literal["drop", "reset", "unreachable"]
    """``reset`` is for TCP only."""

    def __str__(self) -> str:
        return {"reset": "reject with tcp reset", "unreachable": "reject"}.get(self.how, self.how)


Match = Protocol | Ports | From
Verdict = Go | End


class Rule(msgspec.Struct, frozen=True):
    """One rule: where it stands, what it matches, what it does."""

    chain: str
    matches: tuple[Match, ...]
    verdict: Verdict

    def __str__(self) -> str:
        return " ".join(map(str, (*self.matches, self.verdict)))


class Ruleset(msgspec.Struct, frozen=True):
    """Everything that stands in our table but the banned addresses."""

    table: str
    jails: Mapping[str, JailPlan]
    rules: tuple[Rule, ...]
    warnings: tuple[str, ...] = ()
    """What is odd in the settings, each with what is done about it."""

    @property
    def chains(self) -> tuple[str, ...]:
        """Chains that rules go to, in an order in which they can be made."""
        return (REFUSE, *(jail.chain for jail in self.jails.values()))

    @property
    def sets(self) -> tuple[SetPlan, ...]:
        """Every set, in the order of the jails."""
        return tuple(one for jail in self.jails.values() for one in jail.sets)


def plan_ruleset(jails: Sequence[Enforcement], table: str = TABLE) -> Ruleset:
    """Return the ruleset for *jails*; of two entries for one jail the last counts."""
    settings = {enforcement.jail: enforcement for enforcement in jails}
    names = name_jails(settings)
    plans = {jail: _plan_jail(jail, names[jail]) for jail in settings}
    warnings: list[str] = []
    inner = [
        Rule(REFUSE, (Protocol(6),), End("reset")),
        Rule(REFUSE, (), End("unreachable")),
    ]
    outer: list[Rule] = []
    for jail, enforcement in settings.items():
        chain = plans[jail].chain
        verdict = _verdict(enforcement.blocktype)
        inner += [Rule(chain, (From(one),), verdict) for one in plans[jail].sets]
        for gate in _gates(enforcement, warnings):
            has_ports = any(isinstance(match, Ports) for match in gate)
            places = BASE_CHAINS if has_ports else BASE_CHAINS[:1]
            outer += [Rule(base.name, gate, Go(chain, comes_back=True)) for base in places]
    return Ruleset(table, plans, (*inner, *outer), tuple(warnings))


def name_jails(jails: Iterable[str]) -> dict[str, str]:
    """Return a name for each jail that nft takes, different for different jails.

    A plain short name stays as it is; of any other the plain characters are
    kept and a hash of the whole is added, so that the name says which jail it
    is and cannot say anything else.
    """

    def candidates(jail: str, digest: str) -> Iterator[str]:
        readable = re.sub(r"[^A-Za-z0-9_-]+", "_", jail)[:_NAME_LIMIT].strip("_-")
        front = f"j-{readable}-" if readable else "j-"
        return (front + digest[:length] for length in range(8, len(digest) + 1))

    return unique_names(jails, is_plain=_is_plain, candidates=candidates)


def _is_plain(jail: str) -> bool:
    return len(jail) <= _NAME_LIMIT and _PLAIN_NAME.fullmatch(jail) is not None


def _plan_jail(jail: str, name: str) -> JailPlan:
    comment = "".join(
        sign if " " <= sign <= "~" and sign not in '"\\' else "?" for sign in jail[:_COMMENT_LIMIT]
    )
    return JailPlan(
        jail=jail,
        chain=f"jail-{name}",
        hash4=SetPlan(f"{name}-4", 4, False, comment),
        hash6=SetPlan(f"{name}-6", 6, False, comment),
        net4=SetPlan(f"{name}-net4", 4, True, comment),
        net6=SetPlan(f"{name}-net6", 6, True, comment),
    )


def _verdict(blocktype: BlockType) -> Verdict:
    return End("drop") if blocktype == "drop" else Go(REFUSE, comes_back=False)


def _gates(enforcement: Enforcement, warnings: list[str]) -> list[tuple[Match, ...]]:
    """Return what leads into the jail's chain; one empty gate lets every packet in."""
    numbers: dict[int, None] = {}
    for protocol in enforcement.protocols:
        name = protocol.strip().lower()
        if name in PROTOCOL_NUMBERS:
            numbers.update(dict.fromkeys(PROTOCOL_NUMBERS[name]))
        elif name.isdecimal() and len(name) < 4 and int(name) < 256:
            numbers[int(name)] = None
        else:
            if name != "all":
                warnings.append(
                    f"jail {enforcement.jail!r}: protocol {protocol!r} is not known; "
                    "its bans cover every protocol\n    write tcp, udp, sctp, icmp, all or a number"
                )
            return [()]
    if not numbers:
        return [()]
    ports = merge_ports(enforcement.ports)
    covers_all = not ports or (ports[0].first == 0 and ports[0].last == _LAST_PORT)
    return [
        (Protocol(number),)
        if covers_all or number not in _WITH_PORTS
        else (Protocol(number), Ports(ports))
        for number in numbers
    ]


def merge_ports(ranges: Iterable[PortRange]) -> tuple[PortRange, ...]:
    """Return the same ports in order, with neither overlap nor ranges side by side.

    Ports outside 0 to 65535 and ranges that end before they begin are left out.
    """
    merged: list[PortRange] = []
    for one in sorted(ranges):
        first, last = max(one.first, 0), min(one.last, _LAST_PORT)
        if first > last:
            continue
        if merged and first <= merged[-1].last + 1:
            merged[-1] = PortRange(merged[-1].first, max(merged[-1].last, last))
        else:
            merged.append(PortRange(first, last))
    return tuple(merged)
