"""A bounded line of orders for one action.

An action that keeps subjects out never loses an order: past the bound its orders
are kept by subject, where a new ban and its end cancel out, so that there are never
more than two for each subject. Of a ban that the action may have carried out before,
such as a restored one, the end stays. An action that only tells is not given what
comes past the bound; that is counted.
"""

from collections import deque
from collections.abc import Callable
from typing import Literal

import msgspec

from banish.model.address import Subject
from banish.model.ban import Ban

Kind = Literal["ban", "unban", "prolong", "check", "flush"]
"""``flush``: let everybody in whom the action holds, at once if it knows how."""


class Order(msgspec.Struct, frozen=True):
    """One thing to be done by an action."""

    kind: Kind
    ban: Ban
    restored: bool = False
    """Whether an earlier run of the server has carried the ban out."""


class OrderQueue:
    """Orders that wait for one action."""

    def __init__(
        self,
        *,
        keeps_all: bool,
        limit: int,
        has_begun: Callable[[Subject], bool] = lambda _subject: False,
    ) -> None:
        """Begin empty; *has_begun* tells whether the action may keep a subject out now."""
        self._keeps_all = keeps_all
        self._has_begun = has_begun
        self._limit = limit
        self._orders: deque[Order] = deque()
        self._late: dict[Subject, list[Order]] = {}
        self.dropped = 0
        """Orders that found no room."""

    def __len__(self) -> int:
        return len(self._orders) + sum(map(len, self._late.values()))

    def put(self, order: Order) -> None:
        """Take *order*; past the bound as the class of the action asks for."""
        if len(self._orders) < self._limit and not self._late:
            self._orders.append(order)
        elif not self._keeps_all:
            self.dropped += 1
        elif order.kind != "check":
            self._put_late(order)

    def _put_late(self, order: Order) -> None:
        subject = order.ban.subject
        waiting = self._late.pop(subject, [])
        if order.kind == "unban" and any(other.kind == "ban" for other in waiting):
            bans = [other for other in waiting if other.kind == "ban"]
            is_restored = any(other.restored for other in bans)
            # Whatever came before that ban is to be done still.
            waiting = [other for other in waiting if other.kind == "unban"]
            if not waiting and (is_restored or self._has_begun(subject)):
                waiting = [msgspec.structs.replace(order, restored=is_restored)]
        else:
            waiting = [other for other in waiting if other.kind != order.kind] + [order]
        if waiting:
            self._late[subject] = waiting

    def get(self) -> Order | None:
        """Return the order that comes next, or None."""
        if not self._orders and self._late:
            orders = self._late.pop(next(iter(self._late)))
            self._orders.extend(orders)
        return self._orders.popleft() if self._orders else None
