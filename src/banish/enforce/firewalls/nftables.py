"""The nftables enforcer: one table of ours, a set of addresses for each jail.

The work is in `table`; here are the thread it runs in, so that a kernel busy
with somebody else's ruleset never holds up the event loop, and the words in
which the kernel's refusals reach the operator. Needs CAP_NET_ADMIN in the
network namespace and Linux 5.9 or newer (``reject`` in prerouting); no program
and no library.
"""

import asyncio
import errno
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from banish.addon.declare import FirewallAddon
from banish.enforce.fold import FirewallContents
from banish.enforce.foreign import ForeignWatch
from banish.enforce.halt import Check, Halt
from banish.enforce.ruleset import TABLE, Ruleset, plan_ruleset
from banish.enforce.table import KernelTable
from banish.errors import DisturbedError, EnforceError
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement, PortRange
from banish.telemetry.events import Emit, WarningGiven

GRACE = Seconds(60)
"""How much longer than wanted the kernel keeps a ban: our own expiry comes first."""

Result = TypeVar("Result")


class NftablesEnforcer:
    """Bans in the kernel's nf_tables (`banish.ports.Enforcer`)."""

    def __init__(self, *, emit: Emit, table: str = TABLE, grace: Seconds = GRACE) -> None:
        """Prepare; nothing is touched before `start`.

        Args:
            emit: Gets a warning for each odd setting.
            table: The name of our table, of plain letters; everything in it is ours.
            grace: See `GRACE`.

        """
        self._emit = emit
        self._table_name = table
        self._grace = grace
        self._table: KernelTable | None = None
        self._waiting: asyncio.Future[None] | None = None
        # One thread: whatever reaches the kernel does so in the order it was asked for.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="nftables")

    @property
    def name(self) -> str:
        """What status and logs call it."""
        return f"nftables (table inet {self._table_name})"

    @property
    def changed_by(self) -> str:
        """The program that changed our table last, by the kernel's word."""
        watch = self._table.watch if self._table is not None else None
        return watch.changed_by if watch is not None else ""

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Replace the table by one for exactly *jails* and *bans*.

        It may be cancelled: the table is then left with the old bans, or some of the new ones.
        """
        ruleset = plan_ruleset(jails, self._table_name)
        for warning in ruleset.warnings:
            self._emit(WarningGiven(part="nftables", what=warning))
        await self._in_thread(
            "build the table", lambda check: self._replace(ruleset, bans, now, check)
        )
        self._wake_if_missed()

    async def change(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> bool:
        """Have the table serve exactly *jails*; the sets of jails that stay are not touched.

        Where somebody else changed the table, it is replaced as by `start`.
        """
        ruleset = plan_ruleset(jails, self._table_name)
        for warning in ruleset.warnings:
            self._emit(WarningGiven(part="nftables", what=warning))
        is_new = await self._in_thread(
            "change the table", lambda check: self._opened().rearrange(ruleset, bans, now, check)
        )
        self._wake_if_missed()
        return is_new

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*, up to some 12,000 bans in one transaction."""
        table = self._table
        if batch and table is not None:
            await self._in_thread("change bans", lambda check: table.apply(batch, now, check))
            self._wake_if_missed()

    async def read(self) -> FirewallContents:
        """Return what the kernel holds."""
        return await self._in_thread("read bans", self._read)

    async def wait_for_foreign_change(self) -> None:
        """Return once somebody else may have changed our table."""
        watch = await self._in_thread("watch the ruleset", lambda _: self._watched())
        loop = asyncio.get_running_loop()
        while not watch.look():
            waiting: asyncio.Future[None] = loop.create_future()
            self._waiting = waiting
            loop.add_reader(watch.fileno(), _wake, waiting)
            try:
                await waiting
            finally:
                self._waiting = None
                loop.remove_reader(watch.fileno())

    async def stop(self, *, keep: bool) -> None:
        """Take the table away, or with *keep* leave it; its bans then end by themselves."""
        try:
            if not keep:
                await self._in_thread("delete the table", lambda _: self._opened().remove())
        finally:
            await self._in_thread("close", lambda _: self._close())

    async def _in_thread(self, what: str, work: Callable[[Check], Result]) -> Result:
        """Do *work* in the thread; if we are cancelled, have it end at its next step."""
        is_unwanted = False

        def check() -> None:
            if is_unwanted:
                raise Halt

        job = asyncio.get_running_loop().run_in_executor(self._thread, work, check)
        try:
            return await asyncio.shield(job)
        except asyncio.CancelledError:
            is_unwanted = True
            await asyncio.gather(job, return_exceptions=True)
            raise
        except OSError as error:
            raise explain(f"cannot {what}", error) from error

    def _opened(self) -> KernelTable:
        if self._table is None:
            self._table = KernelTable(self._table_name, self._grace)
        return self._table

    def _watched(self) -> ForeignWatch:
        table = self._opened()
        if table.watch is None:
            table.watch = ForeignWatch(self._table_name, table.port)
        return table.watch

    def _replace(self, ruleset: Ruleset, bans: Sequence[Ban], now: Instant, check: Check) -> None:
        self._watched()  # from now on, so that no change goes unseen
        self._opened().replace(ruleset, bans, now, check)

    def _read(self, check: Check) -> FirewallContents:
        return self._opened().read(check)

    def _close(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

    def _wake_if_missed(self) -> None:
        watch = self._table.watch if self._table is not None else None
        if watch is not None and watch.has_missed and self._waiting is not None:
            _wake(self._waiting)


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def explain(what: str, error: OSError) -> EnforceError:
    """Return *error* in words that say what to do."""
    said = f"nftables: {what}: {error.strerror or error}"
    match error.errno:
        case errno.EAGAIN:
            return DisturbedError(said)
        case errno.EPERM | errno.EACCES:
            cure = "run as root, or with CAP_NET_ADMIN (systemd: AmbientCapabilities=CAP_NET_ADMIN)"
            return EnforceError(said, cure=cure, retry=False)
        case errno.EAFNOSUPPORT | errno.EPROTONOSUPPORT | errno.EOPNOTSUPP | errno.EINVAL:
            cure = (
                "Linux 5.9 or newer with nf_tables is needed: try modprobe nf_tables; "
                "without, set firewall = ipset or iptables in banish.local"
            )
            return EnforceError(said, cure=cure, retry=False)
        case errno.ENOENT:
            cure = "another program deleted the banish table or a part of it; it is rebuilt"
        case errno.EEXIST | errno.ENOTEMPTY | errno.EBUSY:
            cure = "another program added something to the banish table; it is rebuilt"
        case errno.ENOMEM | errno.ENOBUFS | errno.EMSGSIZE:
            cure = "not enough memory; try fewer bans at a time, or a higher net.core.wmem_max"
        case _:
            cure = ""
    return EnforceError(said, cure=cure)


def probe() -> str | None:
    """Return None where the nftables enforcer can work, else what is missing and the cure.

    Asks the kernel to check a whole ruleset of ours without carrying it out.
    """
    every_kind = [
        Enforcement("a", ("tcp", "udp"), (PortRange(22, 22), PortRange(80, 90))),
        Enforcement("b", (), (), "drop"),
    ]
    try:
        table = KernelTable(TABLE, GRACE)
        try:
            table.check(plan_ruleset(every_kind))
        finally:
            table.close()
    except OSError as error:
        return str(explain("cannot be used here", error))
    return None


ADDON = FirewallAddon(
    make=lambda context: NftablesEnforcer(emit=context.emit),
    probe=probe,
    owns=f"table inet {TABLE}",
    works="the kernel takes our nftables rules",
)
