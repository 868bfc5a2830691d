"""Works through the orders of one action, one by one, so that whatever hangs delays nobody else.

A ban that an action failed at which keeps subjects out is tried again until its end.
What such an action does is put on record (`banish.daemon.actionrecord`).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection

from banish.daemon.actionrecord import ActionRecord, ActionRecords
from banish.daemon.orders import Order, OrderQueue
from banish.errors import ActionError
from banish.model.actionresult import ActionResultKind
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.ports import Action
from banish.telemetry.events import (
    Emit,
    NotificationsDropped,
    PartFailed,
    PartRecovered,
    WarningGiven,
)

QUEUE_LIMIT = 1_000
"""Orders that wait in a line before the bound takes hold."""

ORDERS_LIMIT = 1_000
"""Orders in a row before what was put off has its turn."""

RETRY_PAUSE = Seconds(30)
"""How long after a failure the missed bans are tried again."""

END_TRIES = 10
"""How often one run tries to end a ban after it could not; a rule may be gone for good."""

DRAIN_SPAN = Seconds(5)
"""How long waiting orders are still worked through when the server stops."""

END_SPAN = Seconds(15)
"""How long the unbans of one action may take when the server stops: our unit has 30 s in all."""

STOP_SPAN = Seconds(5)
"""How long an action may take to stop when the server does."""


OnResult = Callable[[ActionResultKind, Subject, str], None]
"""Takes what was done to whom, and what it failed with, if it did."""


class ActionWorker:
    """Works through the orders of one action; `run` is its task."""

    def __init__(
        self,
        action: Action,
        *,
        emit: Emit,
        limit: int = QUEUE_LIMIT,
        retry_pause: Seconds = RETRY_PAUSE,
        on_result: OnResult = lambda _kind, _subject, _trouble: None,
        record: ActionRecords | None = None,
    ) -> None:
        self.action = action
        self.name = f"action {action.settings.actname} of {action.jail}"
        self.trouble = ""
        """What was tried last failed with; empty once something succeeded."""
        self.cure = ""
        """What the operator can do about it, where that is known."""
        self._emit = emit
        self._on_result = on_result
        self._record = ActionRecord(
            record or ActionRecords(lambda: None),
            action.jail,
            action.settings.actname,
            is_kept=action.settings.is_enforcing,
        )
        self._queue = OrderQueue(
            keeps_all=action.settings.is_enforcing,
            limit=limit,
            has_begun=self._record.__contains__,
        )
        self._stuck = 0
        """Bans of an earlier run that could not be ended, and were not reported yet."""
        self._tries: dict[Subject, int] = {}
        """How often the end of such bans was tried."""
        self._retry_pause = retry_pause
        self._retry_at = 0.0
        self._missed: dict[Subject, Order] = {}
        self._has_news = asyncio.Event()
        self._is_started = False
        self._reported_dropped = 0
        self._since_tick = 0
        self._busy: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._queue) + len(self._missed)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits for the action, and it does nothing."""
        return len(self._queue) == 0 and (self._busy is None or self._busy.done())

    def holds_only(self, bans: Collection[Subject]) -> bool:
        """Whether nothing waits, and it holds some of *bans* and nobody else."""
        held, missed = self.action.held.keys(), self._missed.keys()
        return self.is_idle and bool(held) and all(each in bans for each in (*held, *missed))

    def put(self, order: Order) -> None:
        """Give an order; never waits."""
        is_end = order.kind == "unban"
        if order.restored and not is_end and self.action.settings.flag("norestored"):
            return
        self._queue.put(order)
        self._has_news.set()

    def adopt(self, ban: Ban, now: Instant, *, goes_on: bool) -> None:
        """Take over *ban*, which the action carried out in an earlier run of the server.

        Unless it *goes_on* it is ended. Bans that this run knows better are skipped.
        """
        if not self.action.settings.is_enforcing or ban.subject in self._record:
            return
        self._record.adopt(ban)
        if goes_on:
            self.action.adopt(ban)
        elif self._record.is_to_end(ban, now):
            self.put(Order("unban", ban, restored=True))

    async def run(self) -> None:
        """Start the action and carry orders out for ever.

        A command that runs when this is cancelled goes on; `finish` waits for it.
        """
        if not self._is_started:
            self._is_started = True
            await self._go_on(self._try(self.action.start))
        while True:
            if not await self.step():
                self._has_news.clear()
                try:
                    async with asyncio.timeout_at(self._wakes_at()):
                        await self._has_news.wait()
                except TimeoutError:
                    # What has just come must not be followed by an order from before it.
                    if self._missed and self._retry_at <= self._time() and not len(self._queue):
                        self._put_missed()

    def _wakes_at(self) -> float | None:
        """Return when there is something to do without an order, in the event loop's time."""
        times = [self._retry_at] if self._missed else []
        if self.action.due is not None:
            times.append(self.action.due)
        return min(times, default=None)

    async def step(self) -> bool:
        """Carry the next order out, or what was put off; tell whether there was anything."""
        if self._busy is not None and not self._busy.done():
            await asyncio.wait({self._busy})
        due = self.action.due
        # Orders are quick where work is put off: what came together is done together.
        has_turn = not len(self._queue) or self._since_tick >= ORDERS_LIMIT
        if due is not None and due <= self._time() and has_turn:
            self._since_tick = 0
            await self._go_on(self._try(self.action.tick, is_proof=True))
            return True
        self._since_tick += 1
        order = self._queue.get()
        if order is None:
            self._report_dropped()
            await self._record.flush()
            return len(self._queue) > 0
        await self._go_on(self._do(order))
        return True

    async def _go_on(self, work: Awaitable[object]) -> None:
        async def do() -> None:
            await work

        self._busy = asyncio.create_task(do(), name=self.name)
        await asyncio.shield(self._busy)

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    def _put_missed(self) -> None:
        missed, self._missed = self._missed, {}
        for order in missed.values():
            self._queue.put(order)

    async def _do(self, order: Order) -> None:
        action, ban = self.action, order.ban
        if self._is_put_off(order):
            return
        match order.kind:
            case "ban":
                await self._record.begin(ban)
                is_done = await self._try(lambda: action.ban(ban, restored=order.restored))
                self._report_result("ban", ban, is_done=is_done)
                if not is_done and action.settings.is_enforcing:
                    self._miss(order)
            case "unban" if order.restored:
                await self._end_again(order)
            case "unban":
                await self._end(ban)
            case "prolong":
                is_done = await self._try(lambda: action.prolong(ban, restored=order.restored))
                self._report_result("prolong", ban, is_done=is_done)
            case "flush":
                ends = {who: each for who, each in self._missed.items() if each.kind == "unban"}
                self._missed = ends
                await self._release()
            case "check":
                action.was_repaired = False
                await self._try(action.check)
                if action.was_repaired and ban.subject in action.held:
                    await self._try(lambda: action.reban(action.held[ban.subject]))
        while action.needs_rebans:
            action.needs_rebans = False
            for held in list(action.held.values()):
                if held.subject != ban.subject or order.kind == "check":
                    await self._try(lambda held=held: action.reban(held))  # type: ignore[misc]

    def _is_put_off(self, order: Order) -> bool:
        """Forget what was missed of the subject; whether *order* only changes what is missed."""
        if order.kind in ("check", "flush"):
            return False
        missed = self._missed.pop(order.ban.subject, None)
        if missed is not None and missed.kind == "unban":
            self._tries.pop(order.ban.subject, None)  # what comes now takes its place
        if missed is None or missed.kind != "ban" or order.kind != "prolong":
            return False
        # The ban was never carried out, so there is nothing to prolong: it is tried again.
        self._missed[order.ban.subject] = Order("ban", order.ban, missed.restored)
        return True

    async def _end(self, ban: Ban) -> None:
        """End a ban; if that fails, it is tried again by `_end_again`."""
        is_done = await self._try(lambda: self.action.unban(ban))
        self._report_result("unban", ban, is_done=is_done)
        if is_done:
            await self._record.end(ban)
        elif self.action.settings.is_enforcing:
            self._tries[ban.subject] = 1
            self._miss(Order("unban", ban, restored=True))

    def _miss(self, order: Order) -> None:
        """Try *order* again after a pause."""
        self._missed[order.ban.subject] = order
        self._retry_at = self._time() + self._retry_pause

    async def _end_again(self, order: Order) -> None:
        """End a ban that could not be ended, or that an earlier run may have carried out.

        A failure is no trouble of the action: after a restart of the host there may be
        nothing left to end. It is tried some times more, and again at the next starts.
        """
        ban = order.ban
        self.action.adopt(ban)
        try:
            await self.action.unban(ban)
        except ActionError as error:
            self._on_result("unban", ban.subject, str(error))
            tries = self._tries.get(ban.subject, 0) + 1
            if tries == 1:
                self._note_stuck(error)
            if tries < END_TRIES:
                self._tries[ban.subject] = tries
                self._miss(order)
            else:
                self._tries.pop(ban.subject, None)
            return
        self._tries.pop(ban.subject, None)
        self._on_result("unban", ban.subject, "")
        await self._record.end(ban)
        self._recover(is_proof=False)

    def _note_stuck(self, error: ActionError) -> None:
        self._stuck += 1
        if self._stuck == 1:
            what = f"a ban of an earlier run could not be ended, and is tried again: {error.what}"
            self._emit(WarningGiven(part=self.name, what=what))

    def _report_result(self, kind: ActionResultKind, ban: Ban, *, is_done: bool) -> None:
        self._on_result(kind, ban.subject, "" if is_done else self.trouble)

    async def _try(self, work: Callable[[], Awaitable[object]], *, is_proof: bool = False) -> bool:
        """Do *work*; tell whether it succeeded, and the log when that changes.

        *is_proof*: it did what was put off, so that its success ends all trouble. Work that
        returns False did nothing, which proves nothing.
        """
        try:
            result = await work()
        except ActionError as error:
            if self.trouble:
                self._emit(WarningGiven(part=self.name, what=error.what))
            else:
                self._emit(PartFailed(part=self.name, what=str(error)))
            self.trouble, self.cure = str(error), error.cure
            return False
        if result is not False:
            self._recover(is_proof=is_proof)
        return True

    def _recover(self, *, is_proof: bool) -> None:
        """End the trouble of the action, as something succeeded and nothing is missed."""
        # To put something off always succeeds.
        is_proof = is_proof or self.action.due is None
        if self.trouble and not self._missed and is_proof:
            self.trouble = self.cure = ""
            self._emit(PartRecovered(part=self.name))

    def _report_dropped(self) -> None:
        if self._stuck > 1:
            what = (
                f"{self._stuck - 1} more bans of an earlier run could not be ended, "
                "and are tried again"
            )
            self._emit(WarningGiven(part=self.name, what=what))
        self._stuck = 0
        count = self._queue.dropped - self._reported_dropped
        if count:
            self._reported_dropped = self._queue.dropped
            settings = self.action.settings
            self._emit(
                NotificationsDropped(jail=self.action.jail, action=settings.actname, count=count)
            )

    # -- the end ------------------------------------------------------------------

    async def drain(self, span: Seconds = DRAIN_SPAN) -> None:
        """Carry out what waits, for a while; a command that runs still is ended then.

        Ends of bans that failed before are tried once more.
        """
        for order in self._missed.values():
            if order.kind == "unban":
                self._queue.put(order)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(span):
                while await self.step():
                    pass
        if self._busy is not None and not self._busy.done():
            self._busy.cancel()
            await asyncio.wait({self._busy})
            what = f"a command ran still after {span:g} s and was killed, as the server stops"
            self._emit(WarningGiven(part=self.name, what=what))
        left = len(self._queue)
        if left and not self.action.settings.is_enforcing:
            what = f"{left} orders were not carried out before the server stopped"
            self._emit(WarningGiven(part=self.name, what=what))
        self._report_dropped()

    async def release(self, span: Seconds = END_SPAN) -> None:
        """Let everybody in again: at once if there is a command for it, else one by one."""
        try:
            async with asyncio.timeout(span):
                await self._release()
        except TimeoutError:
            what = f"{len(self.action.held)} bans stay in place: there was no time to end them"
            self._emit(WarningGiven(part=self.name, what=what))

    async def _release(self) -> None:
        flushed = False

        async def flush() -> bool:
            nonlocal flushed
            flushed = await self.action.flush()
            return flushed

        if not await self._try(flush):
            await self._try(self.action.check)
        if flushed:
            await self._record.end_all()
            return
        for ban in list(self.action.held.values()):
            await self._end(ban)

    async def stop(self, span: Seconds = STOP_SPAN) -> None:
        """Undo what the action's start did."""
        try:
            async with asyncio.timeout(span):
                await self._try(self.action.stop)
        except TimeoutError:
            what = "it did not stop in time and was left as it is"
            self._emit(WarningGiven(part=self.name, what=what))
