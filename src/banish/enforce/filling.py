"""The bans that go into sets as our table is built: sorted once, written as messages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from banish.enforce.addresskeys import sort_subjects
from banish.enforce.elements import add_elements, pack_addresses, pack_ranges
from banish.enforce.fold import LONGEST, fold_bans
from banish.enforce.halt import Check, checked
from banish.enforce.netlink import Message
from banish.enforce.ranges import AddressRange, BlockAccount
from banish.enforce.ruleset import JailPlan, SetPlan
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds

_BITS = {4: 32, 6: 128}


def timeout(until: Instant | None, now: Instant, grace: Seconds) -> int:
    """Return the kernel's time limit in milliseconds, 0 for none."""
    if until is None:
        return 0
    left = until - now + grace
    return max(1, int(left * 1000)) if left <= LONGEST else 0


def sets_of(plan: JailPlan) -> dict[int, tuple[SetPlan, SetPlan]]:
    """Return the set of addresses and the set of networks for each family."""
    return {4: (plan.hash4, plan.net4), 6: (plan.hash6, plan.net6)}


class Filling:
    """What the sets of *jails* are filled with out of *bans*; those of other jails are skipped."""

    def __init__(
        self,
        table: str,
        jails: Mapping[str, JailPlan],
        bans: Sequence[Ban],
        now: Instant,
        grace: Seconds,
        check: Check,
    ) -> None:
        """Sort *bans*; *check* is called at least ten times a second, and may end that."""
        self._table, self._now, self._grace = table, now, grace
        self._hosts: dict[str, dict[bytes, Instant | None]] = {}
        self.networks: dict[str, BlockAccount] = {}
        """By the name of the set."""
        by_jail = fold_bans(checked(bans, check), jails, now)
        for jail, plan in jails.items():
            subjects = by_jail.pop(jail, {})
            each, blocks = sort_subjects(checked(subjects.items(), check))
            for family, (host_set, block_set) in sets_of(plan).items():
                self._hosts[host_set.name] = each[family]
                self.networks[block_set.name] = BlockAccount(_BITS[family], blocks[family])

    def messages(self, sets: Iterable[tuple[SetPlan, str]]) -> Iterator[Message]:
        """Yield what fills *sets*, each with the bans of the planned set of that name."""
        for one, name in sets:
            if one.is_interval:
                elements = pack_ranges(self._timed(self.networks[name].pieces()), one.family)
            else:
                elements = pack_addresses(
                    (key, timeout(end, self._now, self._grace))
                    for key, end in self._hosts[name].items()
                )
            yield from add_elements(self._table, one.name, elements)

    def _timed(self, pieces: Iterable[AddressRange]) -> Iterator[tuple[int, int, int]]:
        for piece in pieces:
            yield piece.first, piece.last, timeout(piece.until, self._now, self._grace)
