"""Our table in the kernel, step by step; blocks, so it lives in a thread of its own.

Addresses stand in hash sets: the kernel's set is the only account of them, and
every step is written so that it comes out the same whatever was there before:
to ban, an element is added, deleted and added with its new timeout; to free, it
is added and deleted. All of it in one transaction, so no packet slips through.
Networks stand in sets of ranges, cut so that none overlap; `BlockAccount` knows
which networks those ranges are.
"""

import errno
import time
from collections.abc import Iterable, Mapping, Sequence

from banish.enforce import rebuild, wire
from banish.enforce.addresskeys import sort_subjects, to_network, to_subject
from banish.enforce.elements import (
    add_elements,
    delete_elements,
    list_elements,
    pack_addresses,
    pack_ranges,
    unpack_timed,
    unpack_timed_ranges,
)
from banish.enforce.filling import Filling, sets_of, timeout
from banish.enforce.fold import FirewallContents, fold
from banish.enforce.foreign import ForeignWatch
from banish.enforce.halt import Check, Halt, batched, no_check
from banish.enforce.layout import Layout, read_layout
from banish.enforce.netattributes import attributes
from banish.enforce.netlink import (
    KernelError,
    Message,
    NetlinkSocket,
    gather,
    size_of,
    split,
)
from banish.enforce.ranges import AddressRange, Block, BlockAccount
from banish.enforce.ruleset import Ruleset, SetPlan
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant, Seconds

QUIET_ABOVE_BYTES = 16_384
"""From here on (some 300 addresses) the watch looks away during a transaction.

The kernel sets aside a page for each element that a listener is notified of.
"""

QUIET_ABOVE_BANS = 300

SETTLED_AFTER = 10.0
"""Seconds after which the kernel has made room for many elements, on a busy machine, too."""

READINGS = 20
"""How often a set is read at most until two readings agree."""

APPLY_BYTES = 1024 * 1024
"""Most of a batch that goes in at once: some 12,000 bans, for which the kernel takes 0.1 s."""


class KernelTable:
    """The table, as this process has built it. For one thread at a time."""

    def __init__(self, name: str, grace: Seconds) -> None:
        """Open the kernel.

        Raises:
            OSError: There is no netfilter here, or it is forbidden.

        """
        self._name = name
        self._grace = grace
        self._socket = NetlinkSocket()
        self._ruleset: Ruleset | None = None
        self._layout: Layout | None = None
        self._networks: dict[str, BlockAccount] = {}
        self._filled_at = -SETTLED_AFTER
        """When many elements came in last, by the monotonic clock."""
        self.watch: ForeignWatch | None = None

    @property
    def port(self) -> int:
        """The kernel's number for our changes."""
        return self._socket.port

    def close(self) -> None:
        """Let go of the kernel; the table stays."""
        self._socket.close()
        if self.watch is not None:
            self.watch.close()

    def replace(
        self, ruleset: Ruleset, bans: Sequence[Ban], now: Instant, check: Check = no_check
    ) -> None:
        """Make the table hold *ruleset* and *bans*, whatever is there (`banish.enforce.rebuild`).

        *check* is called at least ten times a second; what it raises ends the work.

        Raises:
            KernelError: Old bans stand, or some or all of the new ones.

        """
        filling = Filling(self._name, ruleset.jails, bans, now, self._grace, check)
        fill, is_big = filling.messages, len(bans) > QUIET_ABOVE_BANS
        found = self._read_layout()
        if found is None:
            self._transact(rebuild.fresh(ruleset, fill), check, is_big=is_big)
        elif len(bans) <= rebuild.WHOLE_LIMIT:
            limit = self._socket.limit_bytes
            self._transact(rebuild.whole(ruleset, fill, limit), check, is_big=is_big)
        else:
            try:
                self._exchange(found, ruleset, fill, check)
            except KernelError:
                # Somebody else is at work on it, or put something into it that we do not know.
                self._transact(rebuild.fresh(ruleset, fill), check, is_big=is_big)
        self._note_built(ruleset, filling.networks)

    def rearrange(
        self, ruleset: Ruleset, bans: Sequence[Ban], now: Instant, check: Check = no_check
    ) -> bool:
        """Have the table hold *ruleset* and *bans*; sets that are there already stay as they are.

        Where somebody else changed the table, or none of ours is there, it is replaced whole.
        Returns whether it was. *check* as in `replace`.

        Raises:
            KernelError: As `replace`; or rules and bans of before stand, and empty sets besides.

        """
        found = self._read_layout()
        new = rebuild.missing_sets(found, ruleset, self._ruleset)
        if found is None or found != self._layout or new is None:
            self.replace(ruleset, bans, now, check)
            return True
        names = {one.name for one in new}
        jails = {jail: plan for jail, plan in ruleset.jails.items() if plan.hash4.name in names}
        filling = Filling(self._name, jails, bans, now, self._grace, check)
        is_big = len(bans) > QUIET_ABOVE_BANS and bool(jails)
        runs = rebuild.rearrange(found, ruleset, new, filling.messages)
        self._transact(runs, check, is_big=is_big)
        staying = {one.name for one in ruleset.sets}
        networks = {name: self._networks[name] for name in self._networks if name in staying}
        self._note_built(ruleset, networks | filling.networks)
        return False

    def _note_built(self, ruleset: Ruleset, networks: dict[str, BlockAccount]) -> None:
        self._ruleset, self._networks = ruleset, networks
        self._layout = self._read_layout()
        if self._layout is None or not self._layout.holds(ruleset):
            raise KernelError(
                errno.EAGAIN, "another program changed the table while it was being built"
            )

    def _exchange(self, found: Layout, ruleset: Ruleset, fill: rebuild.Fill, check: Check) -> None:
        def transact(run: rebuild.Run) -> None:
            self._transact([run], check, is_big=False)

        suffix = rebuild.free_suffix(found, self._name, transact)
        self._transact(rebuild.exchange(found, ruleset, suffix, fill), check, is_big=True)

    def apply(self, batch: Sequence[Decision], now: Instant, check: Check = no_check) -> None:
        """Make each subject stand as *batch* leaves it; a big batch goes in by slices.

        *check* as in `replace`, but the first slice is done whatever it raises.

        Raises:
            KernelError: The last slices changed nothing: all of them, where it is one.

        """
        if self._ruleset is None:
            return
        units: list[rebuild.Run] = []
        changes: list[tuple[BlockAccount, Mapping[Block, Instant | None], Iterable[Block]]] = []
        for jail, state in fold(batch, self._ruleset.jails, now).items():
            wanted_hosts, wanted_blocks = sort_subjects(state.banned.items())
            free_hosts, free_blocks = sort_subjects((subject, None) for subject in state.free)
            for family, (host_set, block_set) in sets_of(self._ruleset.jails[jail]).items():
                units += [
                    self._clear(host_set, [(key, 0) for key in keys])
                    for keys in batched(free_hosts[family])
                ]
                for wanted in batched(wanted_hosts[family].items()):
                    timed = [(key, timeout(until, now, self._grace)) for key, until in wanted]
                    cleared = self._clear(host_set, [(key, 0) for key, _ in timed])
                    units.append([*cleared, *self._add(host_set, pack_addresses(timed))])
                if wanted_blocks[family] or free_blocks[family]:
                    account = self._networks[block_set.name]
                    changes.append((account, wanted_blocks[family], free_blocks[family]))
                    exchange = account.plan(wanted_blocks[family], free_blocks[family])
                    gone = [(piece.first, piece.last, 0) for piece in exchange.gone]
                    ranges = list(pack_ranges(gone, family))
                    gone_first = self._clear_elements(block_set, ranges)
                    units.append([*gone_first, *self._add_pieces(block_set, exchange.new, now)])
        is_big = sum(map(size_of, units)) > QUIET_ABOVE_BYTES
        limit = min(APPLY_BYTES, self._socket.limit_bytes)
        self._transact(gather(units, limit), check, is_big=is_big)
        for account, starts, ends in changes:
            account.commit(starts, ends)

    def read(self, check: Check = no_check) -> FirewallContents:
        """Return what the kernel holds; *check* as in `replace`.

        Raises:
            KernelError: It cannot be read.

        """
        try:
            return self._read(check)
        except Halt:
            # What is left of the kernel's answer would be in the way of the next question.
            self._socket.close()
            self._socket = NetlinkSocket()
            raise

    def _read(self, check: Check) -> FirewallContents:
        layout = self._read_layout()
        if self._ruleset is None or layout is None:
            return FirewallContents()
        held: dict[str, frozenset[Subject]] = {}
        left: dict[str, dict[Subject, float | None]] = {}
        is_whole = layout == self._layout
        for jail, plan in self._ruleset.jails.items():
            subjects: list[Subject] = []
            times = left[jail] = {}
            for family, (host_set, block_set) in sets_of(plan).items():
                if host_set.name in layout.sets:
                    for key, milliseconds in unpack_timed(self._dump(host_set, check), family):
                        subject = to_subject(key, family)
                        subjects.append(subject)
                        times[subject] = None if milliseconds is None else milliseconds / 1000
                if block_set.name in layout.sets:
                    timed = unpack_timed_ranges(self._dump(block_set, check), family)
                    ranges = [(first, last) for first, last, _ in timed]
                    account = self._networks[block_set.name]
                    subjects += [to_network(b, family) for b in account.blocks_within(ranges)]
                    in_seconds = [(f, x, None if m is None else m / 1000) for f, x, m in timed]
                    for block, seconds in account.times_left(in_seconds).items():
                        times[to_network(block, family)] = seconds
                    is_whole = is_whole and account.covers(ranges)
            held[jail] = frozenset(subjects)
        return FirewallContents(held, is_whole, left)

    def remove(self) -> None:
        """Take the table away, whether or not it is there.

        Raises:
            KernelError: It is still there.

        """
        self._transact([wire.remove_table(self._name)], no_check, is_big=False)
        self._ruleset = self._layout = None
        self._networks = {}

    def check(self, ruleset: Ruleset) -> None:
        """Find out whether the kernel would take *ruleset*; changes nothing.

        Raises:
            KernelError: It would not.

        """
        self._socket.transact(wire.build_table(ruleset), check=True)

    def _transact(self, runs: Iterable[rebuild.Run], check: Check, *, is_big: bool) -> None:
        """Carry out the transactions *runs*; between two of them *check* may end that.

        While a *big* one is carried out the watch looks away.
        """
        quiet = self.watch is not None and is_big
        before = self._generation() if quiet else 0
        if quiet and self.watch is not None:
            self.watch.look_away()
        done = 0
        try:
            for run in runs:
                if done:
                    check()
                for part in split(run, self._socket.limit_bytes):
                    self._socket.transact(part)
                    done += 1
        finally:
            if is_big:
                self._filled_at = time.monotonic()
            if quiet and self.watch is not None:
                self.watch.look_again()
                if self._generation() - before != done:
                    self.watch.miss()

    def _generation(self) -> int:
        """Return how often the ruleset has changed: each transaction counts one."""
        for kind, payload in attributes(self._socket.ask(Message(wire.GETGEN, 0, b"", 0))):
            if kind == 1:
                return int.from_bytes(payload, "big")
        return 0

    def _add(self, one: SetPlan, elements: Iterable[bytes]) -> Iterable[Message]:
        return add_elements(self._name, one.name, elements)

    def _add_pieces(
        self, one: SetPlan, pieces: Iterable[AddressRange], now: Instant
    ) -> Iterable[Message]:
        timed = (
            (piece.first, piece.last, timeout(piece.until, now, self._grace)) for piece in pieces
        )
        return self._add(one, pack_ranges(timed, one.family))

    def _clear(self, one: SetPlan, keys: Iterable[tuple[bytes, int]]) -> list[Message]:
        return list(self._clear_elements(one, list(pack_addresses(keys))))

    def _clear_elements(self, one: SetPlan, elements: Sequence[bytes]) -> Iterable[Message]:
        """Return messages after which *elements* are not there, whether or not they were."""
        yield from add_elements(self._name, one.name, elements)
        yield from delete_elements(self._name, one.name, elements)

    def _dump(self, one: SetPlan, check: Check) -> list[bytes]:
        """Return the elements of a set; soon after many came in, read until two readings agree.

        The kernel makes room for them afterwards, and meanwhile leaves some out of a reading.
        """
        question = list_elements(self._name, one.name)
        found: list[bytes] = []
        before = -1
        for _ in range(READINGS):
            began = time.monotonic()
            found = self._socket.dump(question, check)
            size = sum(map(len, found))
            if size == before or began - self._filled_at > SETTLED_AFTER:
                break
            before = size
        return found

    def _read_layout(self) -> Layout | None:
        """Return what stands around the bans, or None where there is no such table."""
        try:
            found = self._socket.ask(Message(wire.GETTABLE, 0, wire.table(self._name)))
        except KernelError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return read_layout(
            self._name,
            found,
            self._socket.dump(Message(wire.GETCHAIN, 0, b"")),
            self._socket.dump(Message(wire.GETRULE, 0, wire.table(self._name))),
            self._socket.dump(Message(wire.GETSET, 0, wire.table(self._name))),
        )
