"""nf_tables in bytes: a planned ruleset and banned addresses to messages and back.

Numbers are from the kernel's ``include/uapi/linux/netfilter/nf_tables.h``; they
are part of its promise to programs and do not change. What `ruleset` plans
becomes the same expressions that ``nft`` makes of the text shown there, so
``nft list table inet banish`` reads as expected.

An element of a hash set takes 28 bytes (IPv4) or 40 (IPv6), so the bytes are
laid down ready-made around key and timeout.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from banish.enforce.netlink import (
    APPEND,
    CREATE,
    Message,
    attribute,
    attributes,
    nested,
    number,
    text,
)
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
NEWSETELEM, GETSETELEM, DELSETELEM = 12, 13, 14
GETGEN = 16

_LIST_ELEMENT = 1
_REGISTER_VERDICT, _REGISTER = 0, 1
_SET_ANONYMOUS, _SET_CONSTANT, _SET_INTERVAL, _SET_TIMEOUT = 0x1, 0x2, 0x4, 0x10
_KEY_TYPE = {4: 7, 6: 8}
"""nft's own numbers for ipv4_addr and ipv6_addr; the kernel only hands them back."""
_KEY_TYPE_PORT = 13
_BYTES = {4: 4, 6: 16}
_NAMELESS = "__set%d"
_META_NFPROTO, _META_L4PROTO = 15, 16
_NETWORK, _TRANSPORT = 1, 2
_EQUAL, _AT_MOST, _AT_LEAST = 0, 3, 5
_INTERVAL_END = 1
_ELEMENT = struct.Struct("=HHHHHH")
_LENGTH = struct.Struct("=H")
_TIMEOUT = struct.pack("=HH", 12, 4)
_EXPIRATION = struct.pack("=HH", 12, 5)
_ELEMENTS_LIMIT_BYTES = 60_000
"""An attribute ends at 65,535 bytes, and so does a list of elements."""

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


def build_sets(ruleset: Ruleset) -> list[Message]:
    """Return messages that make the sets, empty; those that are there stay as they are."""
    return [_build_set(ruleset.table, one) for one in ruleset.sets]


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


def names_of(layout: "Layout") -> tuple[list[str], list[str]]:
    """Return the names of chains and sets; nameless sets, which go with their rules, left out."""
    chains = [row.partition(b"\0")[0].decode("ascii", "surrogateescape") for row in layout.chains]
    named = [name for name, row in layout.sets.items() if not _is_nameless(row)]
    return chains, named


def _is_nameless(row: bytes) -> bool:
    """Whether the set that *row* of a layout tells of is one that goes with its rule."""
    return bool(int.from_bytes(row.partition(b"\0")[2][:4], "big") & _SET_ANONYMOUS)


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
        + number(5, _BYTES[one.family])
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
    flags = _SET_ANONYMOUS | _SET_CONSTANT | (_SET_INTERVAL if is_interval else 0)
    order = attribute(13, _BYTE_ORDER_BIG)
    head = table(name) + text(2, _NAMELESS) + number(3, flags)
    keys = number(4, _KEY_TYPE_PORT) + number(5, 2) + number(10, identity) + order
    elements: list[bytes] = []
    for one in ranges:
        elements.append(_element(one.first.to_bytes(2, "big")))
        if is_interval and one.last < 0xFFFF:
            elements.append(_range_end((one.last + 1).to_bytes(2, "big")))
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
                _load(_NETWORK, offset, _BYTES[source.family]),
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
    return nested(_LIST_ELEMENT, text(1, name), nested(2, *data))


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


def _element(key: bytes, timeout_ms: int = 0) -> bytes:
    padded = key + bytes(-len(key) % 4)
    size = 12 + len(padded)
    if not timeout_ms:
        return _ELEMENT.pack(size, 0x8001, size - 4, 0x8001, 4 + len(key), 1) + padded
    head = _ELEMENT.pack(size + 12, 0x8001, size - 4, 0x8001, 4 + len(key), 1)
    return head + padded + _TIMEOUT + timeout_ms.to_bytes(8, "big")


def _range_end(key: bytes) -> bytes:
    value = nested(1, attribute(1, key))
    return nested(_LIST_ELEMENT, value, number(3, _INTERVAL_END))


def pack_addresses(keys: Iterable[tuple[bytes, int]]) -> Iterator[bytes]:
    """Yield one element for each address and its timeout in milliseconds; 0: none."""
    shapes: dict[tuple[int, bool], bytes] = {}
    for key, timeout_ms in keys:
        shape = (len(key), timeout_ms > 0)
        head = shapes.get(shape)
        if head is None:
            head = shapes[shape] = _element(key, timeout_ms)[:12]
        if timeout_ms:
            yield head + key + _TIMEOUT + timeout_ms.to_bytes(8, "big")
        else:
            yield head + key


def pack_ranges(ranges: Iterable[tuple[int, int, int]], family: int) -> Iterator[bytes]:
    """Yield the elements for ranges given by first, last and timeout in milliseconds.

    The end of a range is an element of its own, just after the last address.
    """
    size = _BYTES[family]
    for first, last, timeout_ms in ranges:
        yield _element(first.to_bytes(size, "big"), timeout_ms)
        if last + 1 < 1 << size * 8:
            yield _range_end((last + 1).to_bytes(size, "big"))


def add_elements(table_name: str, set_name: str, elements: Iterable[bytes]) -> Iterator[Message]:
    """Yield messages that add *elements*; one that is there stays as it is."""
    for body in _listings(table_name, set_name, elements):
        yield Message(NEWSETELEM, CREATE, body)


def delete_elements(table_name: str, set_name: str, elements: Iterable[bytes]) -> Iterator[Message]:
    """Yield messages that delete *elements*; each must be there."""
    for body in _listings(table_name, set_name, elements):
        yield Message(DELSETELEM, 0, body)


def _listings(table_name: str, set_name: str, elements: Iterable[bytes]) -> Iterator[bytes]:
    head = table(table_name) + text(2, set_name)
    part: list[bytes] = []
    size = 0
    for element in elements:
        part.append(element)
        size += len(element)
        if size > _ELEMENTS_LIMIT_BYTES:
            yield head + nested(3, *part)
            part, size = [], 0
    if part:
        yield head + nested(3, *part)


def list_elements(table_name: str, set_name: str) -> Message:
    """Return the question for all elements of a set."""
    return Message(GETSETELEM, 0, table(table_name) + text(2, set_name))


def unpack_timed(bodies: Iterable[bytes], family: int) -> Iterator[tuple[bytes, int | None]]:
    """Yield key and milliseconds left (None: no end) of each element of a set of addresses."""
    size = _BYTES[family]
    for body in bodies:
        for kind, elements in attributes(body):
            if kind != 3:
                continue
            at = 0
            while at + 12 + size <= len(elements):
                end = at + ((_LENGTH.unpack_from(elements, at)[0] + 3) & ~3)
                key = elements[at + 12 : at + 12 + size]
                # Both times follow the key as a rule, and then need no search.
                if (
                    elements[at + 24 + size : at + 28 + size] == _EXPIRATION
                    and end >= at + 36 + size
                ):
                    yield key, int.from_bytes(elements[at + 28 + size : at + 36 + size], "big")
                else:
                    left = dict(attributes(elements[at + 4 : end])).get(5)
                    yield key, None if left is None else int.from_bytes(left, "big")
                at = max(end, at + 4)


def unpack_timed_ranges(bodies: Iterable[bytes], family: int) -> list[tuple[int, int, int | None]]:
    """Return first address, last address and milliseconds left (None: no end) of each range."""
    bounds: list[tuple[int, bool, int | None]] = []
    for body in bodies:
        for kind, elements in attributes(body):
            if kind == 3:
                bounds.extend(_bound(element) for _, element in attributes(elements))
    # Where one range ends and the next begins at one address, the end comes first.
    bounds.sort(key=lambda bound: (bound[0], not bound[1]))
    ranges: list[tuple[int, int, int | None]] = []
    begin: tuple[int, int | None] | None = None
    for at, is_end, left in bounds:
        if begin is not None:
            ranges.append((begin[0], at - 1, begin[1]))
        begin = None if is_end else (at, left)
    if begin is not None:
        ranges.append((begin[0], (1 << _BYTES[family] * 8) - 1, begin[1]))
    return ranges


def _bound(element: bytes) -> tuple[int, bool, int | None]:
    at, is_end = 0, False
    left: int | None = None
    for kind, payload in attributes(element):
        if kind == 1:
            at = int.from_bytes(payload[4:], "big")
        elif kind == 3:
            is_end = bool(payload[3] & _INTERVAL_END)
        elif kind == 5:
            left = int.from_bytes(payload, "big")
    return at, is_end, left


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
