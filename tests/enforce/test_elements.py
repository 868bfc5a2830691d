"""Elements of sets: they come back as they went, without a kernel."""

from hypothesis import given
from hypothesis import strategies as st

from banish.enforce import elements

KEYS4 = st.binary(min_size=4, max_size=4)
KEYS6 = st.binary(min_size=16, max_size=16)
TIMEOUTS = st.integers(0, 2**63)


@given(st.lists(st.tuples(KEYS4, TIMEOUTS), max_size=20))
def test_ipv4_addresses_come_back_as_they_went(keys: list[tuple[bytes, int]]) -> None:
    messages = elements.add_elements("banish", "sshd-4", elements.pack_addresses(keys))
    assert [key for key, _ in elements.unpack_timed([one.body for one in messages], 4)] == [
        key for key, _ in keys
    ]


@given(st.lists(st.tuples(KEYS6, TIMEOUTS), max_size=20))
def test_ipv6_addresses_come_back_as_they_went(keys: list[tuple[bytes, int]]) -> None:
    messages = elements.add_elements("banish", "sshd-6", elements.pack_addresses(keys))
    assert [key for key, _ in elements.unpack_timed([one.body for one in messages], 6)] == [
        key for key, _ in keys
    ]


@given(st.sets(st.integers(0, 2**32 - 1), max_size=12))
def test_ranges_come_back_as_they_went(bounds: set[int]) -> None:
    order = sorted(bounds)
    ranges = list(zip(order[::2], order[1::2], strict=False))
    timed = [(first, last, first % 3 * 1000) for first, last in ranges]
    messages = list(elements.add_elements("banish", "sshd-net4", elements.pack_ranges(timed, 4)))
    assert [
        each[:2] for each in elements.unpack_timed_ranges([one.body for one in messages], 4)
    ] == ranges


def test_ranges_side_by_side_stay_two() -> None:
    timed = [(0, 9, 0), (10, 2**128 - 1, 5)]
    messages = list(elements.add_elements("banish", "x", elements.pack_ranges(timed, 6)))
    back = elements.unpack_timed_ranges([messages[0].body], 6)
    assert [each[:2] for each in back] == [(0, 9), (10, 2**128 - 1)]


def test_many_elements_are_spread_over_lists_that_an_attribute_can_hold() -> None:
    keys = [(n.to_bytes(16, "big"), 1) for n in range(10_000)]
    messages = list(elements.add_elements("banish", "x", elements.pack_addresses(keys)))
    assert len(messages) > 1
    assert all(len(one.body) < 65_535 for one in messages)
    assert len(list(elements.unpack_timed([one.body for one in messages], 6))) == 10_000
