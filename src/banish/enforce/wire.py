"""A planned ruleset in the bytes of nf_tables: the messages that make and remove it.

Numbers are from the kernel's ``include/uapi/linux/netfilter/nf_tables.h``; they
are part of its promise to programs and do not change. What `ruleset` plans
becomes the same expressions that ``nft`` makes of the text shown there, so
``nft list table inet banish`` reads as expected.
"""

import struct
from collections.abc import Iterable, Sequence

from banish.enforce.elements import KEY_BYTES, LIST_ELEMENT, NEWSETELEM, element, range_end
from banish.enforce.netattributes import attribute, nested, number, text
from banish.enforce.netlink import APPEND, CREATE, Message
from banish.enforce.ruleset import (
    BASE_CHAINS,
    BaseChain,
    End,
    From,
    Go,
    Match,
    Ports,
    Protocol,
    Rule,
    Ruleset,
    SetPlan,
    Verdict,
)
from banish.model.settings import PortRange

NEWTABLE, GETTABLE, DELTABLE = 0, 1, 2
NEWCHAIN, GETCHAIN, DELCHAIN = 3, 4, 5
NEWRULE, GETRULE, DELRULE = 6, 7, 8
NEWSET, GETSET, DELSET = 9, 10, 11
GETGEN = 16

_REGISTER_VERDICT, _REGISTER = 0, 1
SET_ANONYMOUS, _SET_CONSTANT, _SET_INTERVAL, _SET_TIMEOUT = 0x1, 0x2, 0x4, 0x10
_KEY_TYPE = {4: 7, 6: 8}
"""nft's own numbers for ipv4_addr and ipv6_addr; the kernel only hands them back."""
_KEY_TYPE_PORT = 13
_NAMELESS = "__set%d"
_META_NFPROTO, _META_L4PROTO = 15, 16
_NETWORK, _TRANSPORT = 1, 2
_EQUAL, _AT_MOST, _AT_LEAST = 0, 3, 5
_BYTE_ORDER_BIG = struct.pack("=BBI", 0, 4, 2)
"""nft's user data of a set: the key is big-endian (NFTNL_UDATA_SET_KEYBYTEORDER)."""


def table(name: str) -> bytes:
    """Return the attribute that names a table; it is the first of every object in it."""
    return text(1, name)


def remove_table(name: str) -> list[Message]:
    """Return messages that take the table away whether or not it is there."""
    return [Message(NEWTABLE, CREATE, table(name)), Message(DELTABLE, 0, table(name))]


def build_table(ruleset: Ruleset) -> list[Message]:
    """Return messages that replace the table, whatever is in it, by *ruleset* without bans."""
    name = ruleset.table
    made = Message(NEWTABLE, CREATE, table(name))
    return [*remove_table(name), made, *build_sets(ruleset), *build_rules(ruleset)]


def build_sets(ruleset: Ruleset, sets: Iterable[SetPlan] | None = None) -> list[Message]:
    """Return messages that make *sets*, or all, empty; those that are there stay as they are."""
    return [_build_set(ruleset.table, one) for one in (ruleset.sets if sets is None else sets)]


def build_rules(ruleset: Ruleset) -> list[Message]:
    """Return messages that make chains and rules."""
    name = ruleset.table
    messages = [Message(NEWCHAIN, CREATE, table(name) + text(3, chain)) for chain in ruleset.chains]
    messages += [_build_base_chain(name, chain) for chain in BASE_CHAINS]
    for count, rule in enumerate(ruleset.rules, 1):
        messages += _build_rule(name, rule, count)
    return messages


def remove_rules(name: str, chains: Iterable[str]) -> list[Message]:
    """Return messages that take all rules away, and *chains*."""
    gone = [Message(DELCHAIN, 0, table(name) + text(3, chain)) for chain in chains]
    return [Message(DELRULE, 0, table(name)), *gone]


def remove_sets(name: str, sets: Iterable[str]) -> list[Message]:
    """Return messages that take *sets* away, into which no rule may look any more."""
    return [Message(DELSET, 0, table(name) + text(2, one)) for one in sets]


def _build_base_chain(name: str, chain: BaseChain) -> Message:
    hook = nested(4, number(1, chain.hook), number(2, chain.priority))
    accept = number(5, 1)
    return Message(
        NEWCHAIN, CREATE, table(name) + text(3, chain.name) + hook + accept + text(7, "filter")
    )


def _build_set(name: str, one: SetPlan) -> Message:
    comment = one.comment.encode("ascii") + b"\0"
    userdata = _BYTE_ORDER_BIG + bytes((7, len(comment))) + comment
    flags = _SET_TIMEOUT | (_SET_INTERVAL if one.is_interval else 0)
    return Message(
        NEWSET,
        CREATE,
        table(name)
        + text(2, one.name)
        + number(3, flags)
        + number(4, _KEY_TYPE[one.family])
        + number(5, KEY_BYTES[one.family])
        + number(10, 0)
        + attribute(13, userdata),
    )


def _build_rule(name: str, rule: Rule, identity: int) -> list[Message]:
    """Return a rule, after the nameless set of its ports if it needs one."""
    before: list[Message] = []
    expressions: list[bytes] = []
    for match in rule.matches:
        if isinstance(match, Ports) and len(match.ranges) > 1:
            before += _build_ports(name, match.ranges, identity)
        expressions += _match(match, identity)
    expressions += _verdict(rule.verdict)
    body = table(name) + text(2, rule.chain) + nested(4, *expressions)
    return [*before, Message(NEWRULE, CREATE | APPEND, body)]


def _build_ports(name: str, ranges: Sequence[PortRange], identity: int) -> list[Message]:
    """Return a nameless constant set, known to its rule by *identity*."""
    is_interval = any(one.first != one.last for one in ranges)
    flags = SET_ANONYMOUS | _SET_CONSTANT | (_SET_INTERVAL if is_interval else 0)
    order = attribute(13, _BYTE_ORDER_BIG)
    head = table(name) + text(2, _NAMELESS) + number(3, flags)
    keys = number(4, _KEY_TYPE_PORT) + number(5, 2) + number(10, identity) + order
    elements: list[bytes] = []
    for one in ranges:
        elements.append(element(one.first.to_bytes(2, "big")))
        if is_interval and one.last < 0xFFFF:
            elements.append(range_end((one.last + 1).to_bytes(2, "big")))
    listing = table(name) + text(2, _NAMELESS) + number(4, identity) + nested(3, *elements)
    return [Message(NEWSET, CREATE, head + keys), Message(NEWSETELEM, CREATE, listing)]


def _match(match: Match, identity: int) -> list[bytes]:
    match match:
        case Protocol(protocol):
            return [_load_meta(_META_L4PROTO), _compare(_EQUAL, bytes((protocol,)))]
        case Ports(ranges):
            port = _load(_TRANSPORT, 2, 2)
            if len(ranges) > 1:
                return [port, _look_up(_NAMELESS, identity)]
            first, last = (end.to_bytes(2, "big") for end in (ranges[0].first, ranges[0].last))
            if first == last:
                return [port, _compare(_EQUAL, first)]
            return [port, _compare(_AT_LEAST, first), _compare(_AT_MOST, last)]
        case From(source):
            family, offset = (2, 12) if source.family == 4 else (10, 8)
            return [
                _load_meta(_META_NFPROTO),
                _compare(_EQUAL, bytes((family,))),
                _load(_NETWORK, offset, KEY_BYTES[source.family]),
                _look_up(source.name, 0),
                _expression("counter", attribute(1, bytes(8)), attribute(2, bytes(8))),
            ]


def _verdict(verdict: Verdict) -> list[bytes]:
    match verdict:
        case Go(chain, comes_back):
            return [_immediate(number(1, -3 if comes_back else -4) + text(2, chain))]
        case End(how):
            match how:
                case "drop":
                    return [_immediate(number(1, 0))]
                case "reset":
                    return [_expression("reject", number(1, 1), attribute(2, b"\0"))]
                case "unreachable":
                    return [_expression("reject", number(1, 2), attribute(2, b"\1"))]


def _immediate(code: bytes) -> bytes:
    return _expression("immediate", number(1, _REGISTER_VERDICT), nested(2, nested(2, code)))


def _expression(name: str, *data: bytes) -> bytes:
    return nested(LIST_ELEMENT, text(1, name), nested(2, *data))


def _compare(operator: int, value: bytes) -> bytes:
    data = nested(3, attribute(1, value))
    return _expression("cmp", number(1, _REGISTER), number(2, operator), data)


def _load(base: int, offset: int, length: int) -> bytes:
    where = number(2, base) + number(3, offset) + number(4, length)
    return _expression("payload", number(1, _REGISTER), where)


def _load_meta(key: int) -> bytes:
    return _expression("meta", number(1, _REGISTER), number(2, key))


def _look_up(name: str, identity: int) -> bytes:
    by_identity = number(4, identity) if identity else b""
    return _expression("lookup", text(1, name), number(2, _REGISTER), by_identity)
