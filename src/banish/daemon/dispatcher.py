"""Has the actions of all jails carried out, beside the firewall and never before it.

Each action of each jail has a line of orders of its own and a worker that works
through it. Orders come in when the firewall has taken a decision; giving one never
waits. A line is bounded, and what an action that only tells (no ``actionunban``) did
not hear of is reported.
"""

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from banish.daemon.actionrecord import ActionRecords
from banish.daemon.orders import Order
from banish.daemon.worker import QUEUE_LIMIT, ActionWorker
from banish.model.actionban import ActionBan
from banish.model.actionresult import TROUBLE_LIMIT_CHARACTERS, ActionResult, ActionResultKind
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.ports import Action, Clock, Store
from banish.telemetry.events import (
    BannedSubjectFailed,
    Emit,
    Event,
    WarningGiven,
)

GATHERING_LIMIT = 10_000
"""Orders that wait for actions of ours that only tell: a slow one takes all at once then."""

FLUSH_BANS = 2
"""So many bans that end at once, and are all that an action holds, are flushed."""

RESULTS_LIMIT = 5_000
"""What actions did last, for whoever asks why; some 2 MB if all of it failed."""

SHOWN_SUBJECTS = 5
"""Subjects that are named where an action that banned them is gone."""

CHECK_PAUSE = Seconds(3)
"""A subject that fails so long after its ban was not blocked; checks are so far apart."""


class ActionDispatcher:
    """The actions of all jails that are not the firewall's."""

    def __init__(
        self,
        actions: Mapping[str, Sequence[Action]],
        *,
        emit: Emit,
        clock: Clock,
        limit: int = QUEUE_LIMIT,
        store: Callable[[], Store | None] = lambda: None,
    ) -> None:
        """Prepare the actions of each jail, in their order; nothing runs before `workers` do.

        *store* returns the database, if it is open; what actions do is put on record there.
        """
        self._emit = emit
        self._clock = clock
        self._record = ActionRecords(store)
        self._queue_limit = limit
        self._jails: dict[str, list[ActionWorker]] = {}
        self._checked_at: dict[str, Instant] = {}
        self._results: deque[ActionResult] = deque(maxlen=RESULTS_LIMIT)
        for jail, found in actions.items():
            self.replace(jail, [self.worker(action) for action in found])

    def worker(self, action: Action) -> ActionWorker:
        """Return what works through the orders of *action*; nothing runs before its task does."""
        name = action.settings.actname
        return ActionWorker(
            action,
            emit=self._emit,
            limit=_limit(action, self._queue_limit),
            on_result=functools.partial(self._note_result, action.jail, name),
            record=self._record,
        )

    def workers_of(self, jail: str) -> Sequence[ActionWorker]:
        """Return the workers of *jail*, in the order of its actions."""
        return tuple(self._jails.get(jail, ()))

    def replace(self, jail: str, workers: Sequence[ActionWorker]) -> None:
        """Give orders for *jail* to these *workers* from now on, and to no others."""
        if workers:
            self._jails[jail] = list(workers)
        else:
            self._jails.pop(jail, None)

    async def end(self, workers: Sequence[ActionWorker], *, keep: bool = False) -> None:
        """Let *workers*, which get no more orders, finish: everybody in again, then stop.

        Their tasks must have ended. With *keep* actions that keep subjects out stay as they are.
        """
        await self._finish(workers, keep=keep)
        await self._record.flush()

    def _note_result(
        self, jail: str, action: str, kind: ActionResultKind, subject: Subject, trouble: str
    ) -> None:
        # The first line of a trouble says what; the cure below it is for `status`.
        what = trouble.partition("\n")[0][:TROUBLE_LIMIT_CHARACTERS]
        what = what.encode("utf-8", "replace").decode("utf-8")
        self._results.append(ActionResult(self._clock(), jail, action, kind, subject, what))

    def results(self, subject: Subject) -> tuple[ActionResult, ...]:
        """Return what actions did about *subject*, oldest first, as far as still known."""
        return tuple(result for result in self._results if result.subject == subject)

    @property
    def workers(self) -> Iterator[ActionWorker]:
        """Every worker; each is to be run by a task."""
        return (worker for workers in self._jails.values() for worker in workers)

    def restore(self, bans: Sequence[Ban], done: Sequence[ActionBan] = ()) -> None:
        """Order the bans of an earlier run to be put back, and those that are over to be ended.

        *bans* are in force; *done* is what actions did in earlier runs and have not undone.
        """
        self.adopt(done, bans)
        self.act([StartBan(ban, restored=True) for ban in bans])

    def adopt(self, done: Sequence[ActionBan], bans: Iterable[Ban]) -> None:
        """Take over what actions did in earlier runs; end what of it is not among *bans*."""
        in_force = {(ban.jail, ban.subject): ban for ban in bans} if done else {}
        workers = {
            (jail, worker.action.settings.actname): worker
            for jail, those in self._jails.items()
            for worker in those
        }
        orphans: dict[tuple[str, str], list[Subject]] = {}
        now = self._clock()
        for one in done:
            jail, subject = one.ban.jail, one.ban.subject
            worker = workers.get((jail, one.action))
            if worker is None or not worker.action.settings.is_enforcing:
                if self._record.is_to_end(one, now):
                    orphans.setdefault((jail, one.action), []).append(subject)
                continue
            ban = in_force.get((jail, subject))
            worker.adopt(ban or one.ban, now, goes_on=ban is not None)
        for (jail, action), subjects in orphans.items():
            self._emit(WarningGiven(part=f"action {action} of {jail}", what=_left(subjects)))

    def act(self, decisions: Sequence[Decision]) -> None:
        """Order what the firewall has done to be done by the actions, too; never waits."""
        flushed = self._flush(decisions)
        for decision in decisions:
            workers = self._jails.get(decision.ban.jail)
            if isinstance(decision, ProlongBan) and decision.same_span:
                continue
            if workers:
                order = _order(decision)
                for worker in workers:
                    if worker not in flushed:
                        worker.put(order)

    def _flush(self, decisions: Sequence[Decision]) -> set[ActionWorker]:
        """Have the actions flushed of which *decisions* end all bans, and return them."""
        ended: dict[str, dict[Subject, Ban]] = {}
        others: set[str] = set()
        for decision in decisions:
            if isinstance(decision, EndBan):
                ended.setdefault(decision.ban.jail, {})[decision.ban.subject] = decision.ban
            else:
                others.add(decision.ban.jail)
        flushed: set[ActionWorker] = set()
        for jail, bans in ended.items():
            if len(bans) < FLUSH_BANS or jail in others:
                continue
            for worker in self._jails.get(jail, ()):
                if worker.holds_only(bans):
                    worker.put(Order("flush", next(iter(bans.values()))))
                    flushed.add(worker)
        return flushed

    def hear(self, event: Event) -> None:
        """Have the actions of a jail checked when a subject that they ban fails again."""
        if not isinstance(event, BannedSubjectFailed):
            return
        now = self._clock()
        if now - self._checked_at.get(event.jail, Instant(0)) < CHECK_PAUSE:
            return
        for worker in self._jails.get(event.jail, ()):
            held = worker.action.held.get(event.holder or event.subject)
            if held is not None and now - held.since > CHECK_PAUSE:
                self._checked_at[event.jail] = now
                worker.put(Order("check", held))

    def trouble(self, jail: str) -> str:
        """Return what is wrong with the actions of *jail*, or nothing."""
        return "; ".join(
            f"{worker.name}: {worker.trouble.splitlines()[0]}"
            + (f" ({worker.cure})" if worker.cure else "")
            for worker in self._jails.get(jail, ())
            if worker.trouble
        )

    def enforces(self, jail: str) -> bool:
        """Whether an action of *jail* keeps its subjects out."""
        return any(worker.action.settings.is_enforcing for worker in self._jails.get(jail, ()))

    async def finish(self, *, keep: bool) -> None:
        """Carry out what waits, let everybody in, and stop the actions, the last one first.

        With *keep* the actions that keep subjects out are left as they are.
        """
        await asyncio.gather(
            *(self._finish(workers, keep=keep) for workers in self._jails.values())
        )
        await self._record.flush()

    @staticmethod
    async def _finish(workers: Sequence[ActionWorker], *, keep: bool) -> None:
        await asyncio.gather(*(worker.drain() for worker in workers))
        ending = [
            worker for worker in workers if not (keep and worker.action.settings.is_enforcing)
        ]
        for worker in ending:
            await worker.release()
        for worker in reversed(ending):
            await worker.stop()


def _left(subjects: Sequence[Subject]) -> str:
    """Return what to say of *subjects* still banned by an action that is no longer configured."""
    shown = ", ".join(map(str, subjects[:SHOWN_SUBJECTS]))
    more = f" and {len(subjects) - SHOWN_SUBJECTS} more" if len(subjects) > SHOWN_SUBJECTS else ""
    return (
        f"this action is no longer configured, and may still block {shown}{more}\n"
        "    configure the action again and start the server, which ends them; or end them by hand"
    )


def _limit(action: Action, limit: int) -> int:
    is_teller = action.settings.way == "built-in" and not action.settings.is_enforcing
    return max(limit, GATHERING_LIMIT) if is_teller else limit


def _order(decision: Decision) -> Order:
    match decision:
        case StartBan(ban, restored):
            return Order("ban", ban, restored)
        case EndBan(ban):
            return Order("unban", ban)
        case ProlongBan(ban, _):
            return Order("prolong", ban)
