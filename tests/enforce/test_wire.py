"""What goes to the kernel and comes back, without a kernel."""

import errno

from hypothesis import given
from hypothesis import strategies as st

from banish.enforce import elements, wire
from banish.enforce.firewalls.nftables import explain
from banish.enforce.netattributes import attributes
from banish.enforce.netlink import Message, frames, split
from banish.enforce.ruleset import plan_ruleset
from tests.enforce.contract import SSHD, WEB


@given(st.binary(max_size=200))
def test_bytes_that_make_no_sense_are_read_without_harm(data: bytes) -> None:
    list(attributes(data))
    list(frames(data))
    elements.unpack_timed_ranges([data], 4)
    list(elements.unpack_timed([data], 6))


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
    first = kinds.index(elements.NEWSETELEM)
    assert kinds[first - 1 : first + 2] == [wire.NEWSET, elements.NEWSETELEM, wire.NEWRULE]


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
