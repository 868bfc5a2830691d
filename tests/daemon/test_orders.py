"""What waits for an action."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from banish.daemon.orders import Order, OrderQueue
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant


def ban(address: str) -> Ban:
    return Ban("web", parse_subject(address), Instant(0), None)


ONE, TWO = ban("192.0.2.1"), ban("192.0.2.2")

KINDS = st.lists(st.tuples(st.sampled_from("bu"), st.integers(0, 3)), max_size=40)


def is_banned_after(orders: Iterable[Order]) -> dict[str, list[bool]]:
    """Return for each subject the states that orders bring, in their order."""
    states: dict[str, list[bool]] = {}
    for order in orders:
        states.setdefault(order.ban.subject.text, []).append(order.kind == "ban")
    return states


@given(wanted=KINDS, limit=st.integers(0, 10))
def test_past_its_bound_a_line_leaves_every_subject_as_all_orders_would(
    wanted: list[tuple[str, int]], limit: int
) -> None:
    line = OrderQueue(keeps_all=True, limit=limit)
    banned: set[int] = set()
    given_orders: list[Order] = []
    for kind, number in wanted:
        if (kind == "b") == (number in banned):
            continue  # policy never decides that
        banned ^= {number}
        order = Order("ban" if kind == "b" else "unban", ban(f"192.0.2.{number}"))
        given_orders.append(order)
        line.put(order)
    assert len(line) <= limit + 8
    taken: list[Order] = []
    while (order_taken := line.get()) is not None:
        taken.append(order_taken)
    expected = is_banned_after(given_orders)
    for subject, states in is_banned_after(taken).items():
        assert states[-1] == expected[subject][-1]
        assert all(first != second for first, second in pairwise(states))
    left_out = set(expected) - set(is_banned_after(taken))
    assert all(not expected[subject][-1] for subject in left_out)


@pytest.mark.parametrize("keeps_all", [True, False])
def test_a_line_gives_orders_back_in_order(keeps_all: bool) -> None:
    line = OrderQueue(keeps_all=keeps_all, limit=2)
    orders = [Order("ban", ONE), Order("unban", ONE), Order("check", TWO), Order("prolong", TWO)]
    for order in orders:
        line.put(order)
    taken = [line.get() for _ in range(4)]
    assert taken == [*orders[:2], orders[3] if keeps_all else None, None]
    assert line.dropped == (0 if keeps_all else 2)
