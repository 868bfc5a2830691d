"""Our table in the kernel, step by step; blocks, so it lives in a thread of its own.

Addresses stand in hash sets: the kernel's set is the only account of them, and
every step is written so that it comes out the same whatever was there before:
to ban, an element is added, deleted and added with its new timeout; to free, it
is added and deleted. All of it in one transaction, so no packet slips through.
Networks stand in sets of ranges, cut so that none overlap; `BlockAccount` knows
which networks those ranges are.
"""

import errno
import ipaddress
import socket
from collections.abc import Iterable, Mapping, Sequence

from banish.enforce import wire
from banish.enforce.fold import LONGEST, FirewallContents, fold, fold_bans
from banish.enforce.foreign import ForeignWatch
from banish.enforce.netlink import KernelError, Message, NetlinkSocket, attributes, split
from banish.enforce.ranges import AddressRange, Block, BlockAccount
from banish.enforce.ruleset import BASE_CHAINS, JailPlan, Ruleset, SetPlan
from banish.model.address import Subject, SubjectKind
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant, Seconds

QUIET_ABOVE_BYTES = 16_384
"""From here on (some 300 addresses) the watch looks away during a transaction.

The kernel sets aside a page for each element that a listener is notified of.
"""

_BITS = {4: 32, 6: 128}
_SOCKET_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_KIND = {4: SubjectKind.IPV4, 6: SubjectKind.IPV6}


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
        self._layout: wire.Layout | None = None
        self._networks: dict[str, BlockAccount] = {}
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

    def replace(self, ruleset: Ruleset, bans: Sequence[Ban], now: Instant) -> None:
        """Make the table hold *ruleset* and *bans*, whatever is there.

        One transaction, up to `NetlinkSocket.limit_bytes`; what is more follows
        in further ones.

        Raises:
            KernelError: Nothing changed, or only some of the last bans are missing.

        """
        by_jail = fold_bans(bans, ruleset.jails, now)
        networks: dict[str, BlockAccount] = {}
        messages = wire.build_table(ruleset)
        for jail, plan in ruleset.jails.items():
            hosts, blocks = sort_subjects(by_jail.pop(jail, {}))
            for family, (host_set, block_set) in _sets(plan).items():
                timed = ((key, self._timeout(until, now)) for key, until in hosts[family].items())
                messages += self._add(host_set, wire.pack_addresses(timed))
                account = BlockAccount(_BITS[family], blocks[family])
                networks[block_set.name] = account
                messages += self._add_pieces(block_set, account.pieces(), now)
        self._transact(messages)
        self._ruleset, self._networks = ruleset, networks
        self._layout = self._read_layout()
        if self._layout is None or not _is_as_planned(self._layout, ruleset):
            raise KernelError(
                errno.EAGAIN, "another program changed the table while it was being built"
            )

    def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Make each subject stand as *batch* leaves it.

        Raises:
            KernelError: Nothing changed.

        """
        if self._ruleset is None:
            return
        messages: list[Message] = []
        changes: list[tuple[BlockAccount, Mapping[Block, Instant | None], Iterable[Block]]] = []
        for jail, state in fold(batch, self._ruleset.jails, now).items():
            wanted_hosts, wanted_blocks = sort_subjects(state.banned)
            free_hosts, free_blocks = sort_subjects(dict.fromkeys(state.free))
            for family, (host_set, block_set) in _sets(self._ruleset.jails[jail]).items():
                wanted = wanted_hosts[family]
                cleared = [(key, 0) for key in (*wanted, *free_hosts[family])]
                messages += self._clear(host_set, list(wire.pack_addresses(cleared)))
                timed = ((key, self._timeout(until, now)) for key, until in wanted.items())
                messages += self._add(host_set, wire.pack_addresses(timed))
                if wanted_blocks[family] or free_blocks[family]:
                    account = self._networks[block_set.name]
                    changes.append((account, wanted_blocks[family], free_blocks[family]))
                    exchange = account.plan(wanted_blocks[family], free_blocks[family])
                    gone = [(piece.first, piece.last, 0) for piece in exchange.gone]
                    messages += self._clear(block_set, list(wire.pack_ranges(gone, family)))
                    messages += self._add_pieces(block_set, exchange.new, now)
        self._transact(messages)
        for account, starts, ends in changes:
            account.commit(starts, ends)

    def read(self) -> FirewallContents:
        """Return what the kernel holds.

        Raises:
            KernelError: It cannot be read.

        """
        layout = self._read_layout()
        if self._ruleset is None or layout is None:
            return FirewallContents()
        held: dict[str, frozenset[Subject]] = {}
        left: dict[str, dict[Subject, float | None]] = {}
        is_whole = layout == self._layout
        for jail, plan in self._ruleset.jails.items():
            subjects: list[Subject] = []
            times = left[jail] = {}
            for family, (host_set, block_set) in _sets(plan).items():
                if host_set.name in layout.sets:
                    for key, milliseconds in wire.unpack_timed(self._dump(host_set), family):
                        subject = to_subject(key, family)
                        subjects.append(subject)
                        times[subject] = None if milliseconds is None else milliseconds / 1000
                if block_set.name in layout.sets:
                    timed = wire.unpack_timed_ranges(self._dump(block_set), family)
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
        self._transact(wire.remove_table(self._name))
        self._ruleset = self._layout = None
        self._networks = {}

    def check(self, ruleset: Ruleset) -> None:
        """Find out whether the kernel would take *ruleset*; changes nothing.

        Raises:
            KernelError: It would not.

        """
        self._socket.transact(wire.build_table(ruleset), check=True)

    def _transact(self, messages: Sequence[Message]) -> None:
        size = sum(len(message.body) for message in messages)
        quiet = self.watch is not None and size > QUIET_ABOVE_BYTES
        before = self._generation() if quiet else 0
        if quiet and self.watch is not None:
            self.watch.look_away()
        done = 0
        try:
            for run in split(messages, self._socket.limit_bytes):
                self._socket.transact(run)
                done += 1
        finally:
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

    def _timeout(self, until: Instant | None, now: Instant) -> int:
        """Return the kernel's time limit in milliseconds, 0 for none."""
        if until is None:
            return 0
        left = until - now + self._grace
        return max(1, int(left * 1000)) if left <= LONGEST else 0

    def _add(self, one: SetPlan, elements: Iterable[bytes]) -> Iterable[Message]:
        return wire.add_elements(self._name, one.name, elements)

    def _add_pieces(
        self, one: SetPlan, pieces: Iterable[AddressRange], now: Instant
    ) -> Iterable[Message]:
        timed = ((piece.first, piece.last, self._timeout(piece.until, now)) for piece in pieces)
        return self._add(one, wire.pack_ranges(timed, one.family))

    def _clear(self, one: SetPlan, elements: Sequence[bytes]) -> Iterable[Message]:
        """Return messages after which *elements* are not there, whether or not they were."""
        yield from wire.add_elements(self._name, one.name, elements)
        yield from wire.delete_elements(self._name, one.name, elements)

    def _dump(self, one: SetPlan) -> list[bytes]:
        return self._socket.dump(wire.list_elements(self._name, one.name))

    def _read_layout(self) -> wire.Layout | None:
        """Return what stands around the bans, or None where there is no such table."""
        try:
            found = self._socket.ask(Message(wire.GETTABLE, 0, wire.table(self._name)))
        except KernelError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return wire.read_layout(
            self._name,
            found,
            self._socket.dump(Message(wire.GETCHAIN, 0, b"")),
            self._socket.dump(Message(wire.GETRULE, 0, wire.table(self._name))),
            self._socket.dump(Message(wire.GETSET, 0, wire.table(self._name))),
        )


def sort_subjects(
    subjects: Mapping[Subject, Instant | None],
) -> tuple[dict[int, dict[bytes, Instant | None]], dict[int, dict[Block, Instant | None]]]:
    """Return addresses and networks apart, each by family."""
    hosts: dict[int, dict[bytes, Instant | None]] = {4: {}, 6: {}}
    blocks: dict[int, dict[Block, Instant | None]] = {4: {}, 6: {}}
    for subject, until in subjects.items():
        family = subject.family
        if subject.is_address:
            hosts[family][socket.inet_pton(_SOCKET_FAMILY[family], subject.text)] = until
        else:
            network = subject.network()
            block = Block(int(network.network_address), network.prefixlen)
            blocks[family][block] = until
    return hosts, blocks


def _sets(plan: JailPlan) -> dict[int, tuple[SetPlan, SetPlan]]:
    return {4: (plan.hash4, plan.net4), 6: (plan.hash6, plan.net6)}


def to_subject(key: bytes, family: int) -> Subject:
    """Return the address that *key* is in network order."""
    written = socket.inet_ntop(_SOCKET_FAMILY[family], key)
    if family == 6 and "." in written:
        # The C library writes ::192.0.2.1 where a Subject says ::c000:201.
        written = str(ipaddress.IPv6Address(key))
    return Subject(written, _KIND[family])


def to_network(block: Block, family: int) -> Subject:
    """Return *block*, of more than one address, as a subject."""
    if family == 4:
        network = ipaddress.IPv4Network(block)
        return Subject(str(network), SubjectKind.NETWORK4)
    return Subject(str(ipaddress.IPv6Network(block)), SubjectKind.NETWORK6)


def _is_as_planned(layout: wire.Layout, ruleset: Ruleset) -> bool:
    return (
        len(layout.chains) == len(ruleset.chains) + len(BASE_CHAINS)
        and len(layout.rules) == len(ruleset.rules)
        and layout.sets.keys() >= {one.name for one in ruleset.sets}
    )
