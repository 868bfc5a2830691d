"""What goes to the kernel and comes back, without a kernel."""

import errno
import ipaddress
import struct

from hypothesis import given
from hypothesis import strategies as st

from banish.enforce import wire
from banish.enforce.firewalls.nftables import explain
from banish.enforce.netlink import (
    Message,
    attribute,
    attributes,
    frames,
    nested,
    number,
    split,
    text,
)
from banish.enforce.ruleset import plan_ruleset
from banish.enforce.table import sort_subjects, to_subject
from banish.model.address import parse_subject
from tests.enforce.contract import SSHD, WEB

KEYS4 = st.binary(min_size=4, max_size=4)
KEYS6 = st.binary(min_size=16, max_size=16)
TIMEOUTS = st.integers(0, 2**63)


def test_an_attribute_is_length_kind_and_padded_bytes() -> None:
    assert attribute(7, b"abc") == struct.pack("=HH", 7, 7) + b"abc\0"
    assert text(1, "ab") == struct.pack("=HH", 7, 1) + b"ab\0\0"
    assert number(2, -3) == struct.pack("=HH", 8, 2) + b"\xff\xff\xff\xfd"
    assert nested(1, number(2, 1))[:4] == struct.pack("=HH", 12, 0x8001)


@given(st.binary(max_size=200))
def test_bytes_that_make_no_sense_are_read_without_harm(data: bytes) -> None:
    list(attributes(data))
    list(frames(data))
    wire.unpack_timed_ranges([data], 4)
    list(wire.unpack_timed([data], 6))


@given(st.lists(st.tuples(st.integers(0, 0x3FFF), st.binary(max_size=9)), max_size=6))
def test_attributes_come_back_as_they_went(parts: list[tuple[int, bytes]]) -> None:
    body = b"".join(attribute(kind, payload) for kind, payload in parts)
    assert list(attributes(body)) == parts


@given(st.lists(st.tuples(KEYS4, TIMEOUTS), max_size=20))
def test_ipv4_addresses_come_back_as_they_went(keys: list[tuple[bytes, int]]) -> None:
    messages = wire.add_elements("banish", "sshd-4", wire.pack_addresses(keys))
    assert [key for key, _ in wire.unpack_timed([one.body for one in messages], 4)] == [
        key for key, _ in keys
    ]


@given(st.lists(st.tuples(KEYS6, TIMEOUTS), max_size=20))
def test_ipv6_addresses_come_back_as_they_went(keys: list[tuple[bytes, int]]) -> None:
    messages = wire.add_elements("banish", "sshd-6", wire.pack_addresses(keys))
    assert [key for key, _ in wire.unpack_timed([one.body for one in messages], 6)] == [
        key for key, _ in keys
    ]


@given(st.sets(st.integers(0, 2**32 - 1), max_size=12))
def test_ranges_come_back_as_they_went(bounds: set[int]) -> None:
    order = sorted(bounds)
    ranges = list(zip(order[::2], order[1::2], strict=False))
    timed = [(first, last, first % 3 * 1000) for first, last in ranges]
    messages = list(wire.add_elements("banish", "sshd-net4", wire.pack_ranges(timed, 4)))
    assert [
        each[:2] for each in wire.unpack_timed_ranges([one.body for one in messages], 4)
    ] == ranges


def test_ranges_side_by_side_stay_two() -> None:
    timed = [(0, 9, 0), (10, 2**128 - 1, 5)]
    messages = list(wire.add_elements("banish", "x", wire.pack_ranges(timed, 6)))
    back = wire.unpack_timed_ranges([messages[0].body], 6)
    assert [each[:2] for each in back] == [(0, 9), (10, 2**128 - 1)]


def test_many_elements_are_spread_over_lists_that_an_attribute_can_hold() -> None:
    keys = [(n.to_bytes(16, "big"), 1) for n in range(10_000)]
    messages = list(wire.add_elements("banish", "x", wire.pack_addresses(keys)))
    assert len(messages) > 1
    assert all(len(one.body) < 65_535 for one in messages)
    assert len(list(wire.unpack_timed([one.body for one in messages], 6))) == 10_000


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 100))
def test_a_split_loses_nothing_and_keeps_to_the_limit(sizes: list[int], limit: int) -> None:
    messages = [Message(0, 0, bytes(size)) for size in sizes]
    runs = list(split(messages, limit))
    assert [one for run in runs for one in run] == messages
    for run in runs:
        assert len(run) == 1 or sum(len(one.body) + 20 for one in run) <= limit


def test_a_table_is_replaced_whatever_was_there() -> None:
    kinds = [one.kind for one in wire.build_table(plan_ruleset([SSHD, WEB]))]
    assert kinds[:3] == [wire.NEWTABLE, wire.DELTABLE, wire.NEWTABLE]
    assert kinds.count(wire.NEWSET) == 8 + 6  # the ports of web: tcp and udp in three places
    assert kinds.count(wire.NEWCHAIN) == 6
    assert kinds.count(wire.NEWRULE) == 2 + 8 + 3 + 6


def test_a_nameless_set_of_ports_comes_just_before_its_rule() -> None:
    kinds = [one.kind for one in wire.build_table(plan_ruleset([WEB]))]
    first = kinds.index(wire.NEWSETELEM)
    assert kinds[first - 1 : first + 2] == [wire.NEWSET, wire.NEWSETELEM, wire.NEWRULE]


ADDRESSES = st.ip_addresses() | st.builds(ipaddress.IPv6Address, st.integers(0, 2**48))


@given(ADDRESSES)
def test_an_address_comes_back_as_the_subject_it_was(address: ipaddress.IPv4Address) -> None:
    subject = parse_subject(str(address))
    hosts, blocks = sort_subjects([(subject, None)])
    assert blocks == {4: {}, 6: {}}
    ((family, key),) = [(family, key) for family, keys in hosts.items() for key in keys]
    assert to_subject(key, family) == subject


def test_refusals_are_told_with_their_cure() -> None:
    told = explain("cannot change bans", OSError(errno.EPERM, "Operation not permitted"))
    assert str(told).startswith("nftables: cannot change bans: Operation not permitted\n")
    assert "CAP_NET_ADMIN" in told.cure
    assert not told.retry
    assert explain("x", OSError(errno.ENOENT, "gone")).retry
    assert "modprobe" in explain("x", OSError(errno.EOPNOTSUPP, "no")).cure
    assert "memory" in explain("x", OSError(errno.ENOBUFS, "no")).cure
    assert "rebuilt" in explain("x", OSError(errno.EEXIST, "there")).cure
    assert str(explain("x", OSError(errno.EIO, "odd"))) == "nftables: x: odd"
