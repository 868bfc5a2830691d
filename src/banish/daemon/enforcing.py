"""Carries decisions out in their order: firewall, then ledger, then position.

One task owns the firewall and the store, so nothing is done out of turn. What
waits in the queue is taken together: a burst of a thousand bans is one batch
for the kernel and one transaction for the database.

Steps that bring no decision (a block of harmless lines moved a position) are
written at most once a second; a crash then reads a second of log again, and
since window and position are one snapshot, counts nothing twice.

When the firewall fails, decisions stay wanted: the whole desired state is put
back as soon as it works again, and status says so until then. When the store
fails, bans go on and the unwritten steps are kept and tried again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from banish.errors import EnforceError, StoreError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement
from banish.model.snapshot import Commit, Memory
from banish.model.status import EnforcementTruth
from banish.policy.reconcile import reconcile
from banish.ports import Clock, Enforcer, Store
from banish.telemetry.happenings import (
    BanEnded,
    BanStarted,
    Emit,
    FirewallRepaired,
    TroubleMet,
    TroubleOver,
)

QUEUE_LIMIT = 256
"""Steps that may wait; a full queue makes the sources wait."""

WRITE_PAUSE = Seconds(1)
"""How long a step without decisions may stay unwritten."""

READ_BACK_PAUSE = Seconds(60)
"""How often the firewall is read back though nobody is known to have touched it."""

READ_BACK_SHARE = 20
"""The pause is at least this many times what the last reading took: 5 % of the time at most."""

TOLD_LIMIT = 1_000
"""Up to so many restored bans are told one by one; of more, only how many they are."""

LONGEST_RETRY = Seconds(30)
UNWRITTEN_EVIDENCE_LIMIT = 10_000
"""Decisions that may wait for the database with their evidence; more wait without."""


class Step(msgspec.Struct):
    """One commit on its way, and whom to tell when it is carried out."""

    commit: Commit
    done: asyncio.Future[None] | None = None


class Enforcing:
    """Owns the enforcer and the store; `run` is its task."""

    def __init__(
        self,
        enforcer: Enforcer,
        open_store: Callable[[], Awaitable[Store]],
        *,
        emit: Emit,
        clock: Clock,
        on_memory: Callable[[Memory], Commit],
        on_done: Callable[[Sequence[Decision]], None] = lambda _decisions: None,
    ) -> None:
        """Prepare; nothing is touched before `begin`.

        *open_store* opens the database again when it could not be used at the
        start; *on_memory* then gets what is in it and returns the step that puts it back.
        *on_done* gets all that the firewall has taken, and never waits.
        """
        self._enforcer = enforcer
        self._open_store = open_store
        self._on_memory = on_memory
        self._on_done = on_done
        self._emit = emit
        self._clock = clock
        self._jails: tuple[Enforcement, ...] = ()
        self._in_force: dict[tuple[str, Subject], Ban] = {}
        self._queue: asyncio.Queue[Step] = asyncio.Queue()
        self._has_room = asyncio.Event()
        self._unwritten: list[Commit] = []
        self._written_at = 0.0
        self._check_wanted = asyncio.Event()
        self._untold: list[Decision] = []
        self._store: Store | None = None
        self._retry_at = 0.0
        self._retry_pause = Seconds(0.5)
        self._store_retry_at = 0.0
        self._read_back_at = 0.0
        self._read_took = 0.0
        self._enforced: int | None = None
        self._checked_at: Instant | None = None
        self._repairs = 0
        self._trouble = ""
        self.store_trouble = ""

    # -- the beginning and the end ------------------------------------------------

    def use_store(self, store: Store) -> None:
        """Write to *store* from now on."""
        self._store = store

    @property
    def store(self) -> Store | None:
        """The store, if one is open."""
        return self._store

    async def begin(self, jails: Sequence[Enforcement], bans: Sequence[Ban]) -> None:
        """Put the bans of an earlier run back into the firewall, in one step.

        Raises:
            EnforceError: The firewall cannot be used.

        """
        self._jails = tuple(jails)
        self._in_force = {(ban.jail, ban.subject): ban for ban in bans}
        await self._enforcer.start(self._jails, list(self._in_force.values()), self._clock())
        self._enforced = len(self._in_force)
        self._checked_at = self._clock()
        self._read_back_at = self._time() + READ_BACK_PAUSE
        if len(bans) <= TOLD_LIMIT:
            for ban in bans:
                self._emit(BanStarted(jail=ban.jail, subject=ban.subject, restored=True))

    async def finish(self, *, keep: bool) -> None:
        """Carry out what still waits, write it, and leave the firewall in order."""
        steps = self._take_waiting()
        if steps:
            await self._carry_out(steps)
        await self._write(final=True)
        if self._store is not None:
            await self._store.close()
        await self._enforcer.stop(keep=keep)

    # -- what others ask ----------------------------------------------------------

    async def put(self, commit: Commit) -> None:
        """Queue a step, then wait while the queue is full.

        The step is taken before anything waits: whoever is cancelled meanwhile
        has lost nothing.
        """
        self._queue.put_nowait(Step(commit))
        while self._queue.qsize() > QUEUE_LIMIT:
            self._has_room.clear()
            await self._has_room.wait()

    async def carry_out(self, commit: Commit) -> None:
        """Queue a step and wait until the firewall has taken it.

        Raises:
            EnforceError: It has not; the decisions stay wanted and are tried again.

        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(Step(commit, done))
        await done

    def truth(self) -> EnforcementTruth:
        """Return what we want the firewall to hold and what it held when read last."""
        return EnforcementTruth(
            enforcer=self._enforcer.name,
            wanted=len(self._in_force),
            enforced=self._enforced,
            checked_at=self._checked_at,
            repairs=self._repairs,
            trouble=self._trouble,
        )

    # -- the task -----------------------------------------------------------------

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Carry steps out for ever."""
        while True:
            steps = await self._next_steps()
            if steps:
                await self._carry_out(steps)
            if self._trouble and self._time() >= self._retry_at:
                await self._mend()
            elif not self._trouble and (
                self._check_wanted.is_set() or self._time() >= self._read_back_at
            ):
                await self._verify()
            if self._is_write_due():
                await self._write()

    async def watch(self) -> None:
        """Ask for a check whenever somebody else may have changed the firewall."""
        while True:
            await self._enforcer.wait_for_foreign_change()
            self._check_wanted.set()
            await self.put(Commit(at=self._clock()))

    async def _next_steps(self) -> list[Step]:
        pause = WRITE_PAUSE if self._unwritten or self._trouble else READ_BACK_PAUSE
        try:
            async with asyncio.timeout(pause):
                first = await self._queue.get()
        except TimeoutError:
            return []
        return [first, *self._take_waiting()]

    def _take_waiting(self) -> list[Step]:
        steps = []
        while not self._queue.empty():
            steps.append(self._queue.get_nowait())
        self._has_room.set()
        return steps

    def _is_write_due(self) -> bool:
        if not self._unwritten or self._time() < self._store_retry_at:
            return False
        return (
            any(commit.decisions for commit in self._unwritten)
            or self._time() - self._written_at >= WRITE_PAUSE
        )

    # -- firewall -----------------------------------------------------------------

    async def _carry_out(self, steps: list[Step]) -> None:
        decisions = [decision for step in steps for decision in step.commit.decisions]
        error: EnforceError | None = None
        if decisions:
            self._note(decisions)
            error = await self._apply(decisions)
        self._unwritten.extend(
            step.commit
            for step in steps
            if step.commit.decisions or step.commit.changes or step.commit.positions
        )
        for step in steps:
            if step.done is None or step.done.done():
                continue
            if error is None or not step.commit.decisions:
                step.done.set_result(None)
            else:
                step.done.set_exception(error)

    def _note(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            key = (decision.ban.jail, decision.ban.subject)
            match decision:
                case StartBan(ban) | ProlongBan(ban):
                    self._in_force[key] = ban
                case EndBan():
                    self._in_force.pop(key, None)

    async def _apply(self, decisions: list[Decision]) -> EnforceError | None:
        if self._trouble:
            self._untold.extend(decisions)
            return EnforceError(self._trouble)
        try:
            await self._enforcer.apply(decisions, self._clock())
        except EnforceError as error:
            self._untold.extend(decisions)
            self._note_trouble(error)
            # The usual cause is a foreign flush: put everything back at once.
            return None if await self._mend() else error
        self._enforced = len(self._in_force)
        self._tell(decisions)
        return None

    def _note_trouble(self, error: EnforceError) -> None:
        if str(error) != self._trouble:
            self._emit(TroubleMet(part="firewall", what=str(error)))
        self._trouble = str(error)
        self._enforced = None
        self._retry_at = self._time() + self._retry_pause

    async def _mend(self) -> bool:
        """Make the firewall hold exactly what is wanted, from nothing; tell whether it does."""
        try:
            await self._enforcer.start(self._jails, list(self._in_force.values()), self._clock())
        except EnforceError as error:
            self._note_trouble(error)
            self._retry_pause = min(Seconds(self._retry_pause * 2), LONGEST_RETRY)
            self._retry_at = self._time() + self._retry_pause
            return False
        self._repairs += 1
        self._emit(FirewallRepaired(missing=len(self._in_force), foreign=0, rebuilt=True))
        self._note_well()
        untold, self._untold = self._untold, []
        self._tell(untold)
        return True

    def _note_well(self) -> None:
        if self._trouble:
            self._emit(TroubleOver(part="firewall"))
        self._trouble = ""
        self._retry_pause = Seconds(0.5)
        self._enforced = len(self._in_force)
        self._checked_at = self._clock()
        pause = max(READ_BACK_PAUSE, self._read_took * READ_BACK_SHARE)
        self._read_back_at = self._time() + pause
        self._check_wanted.clear()

    async def _verify(self) -> None:
        """Compare what the firewall holds with what it should, and mend the difference."""
        self._check_wanted.clear()
        wanted = [
            ban
            for ban in self._in_force.values()
            if ban.subject.is_enforceable and not ban.is_over(self._clock())
        ]
        jails = {jail.jail for jail in self._jails}
        wanted = [ban for ban in wanted if ban.jail in jails]
        began = self._time()
        try:
            enforced = await self._enforcer.read()
        except EnforceError as error:
            self._note_trouble(error)
            await self._mend()
            return
        self._read_took = self._time() - began
        if not enforced.is_whole:
            await self._mend()
            return
        repairs = reconcile(wanted, enforced.subjects)
        if repairs:
            missing = sum(isinstance(decision, StartBan) for decision in repairs)
            foreign = len(repairs) - missing
            try:
                await self._enforcer.apply(repairs, self._clock())
            except EnforceError as error:
                self._note_trouble(error)
                await self._mend()
                return
            self._repairs += 1
            self._emit(FirewallRepaired(missing=missing, foreign=foreign, rebuilt=False))
        self._note_well()

    def _tell(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            ban = decision.ban
            match decision:
                case StartBan():
                    self._emit(
                        BanStarted(jail=ban.jail, subject=ban.subject, restored=decision.restored)
                    )
                case EndBan():
                    self._emit(BanEnded(jail=ban.jail, subject=ban.subject))
                case ProlongBan():
                    pass
        self._on_done(decisions)

    # -- ledger and positions -----------------------------------------------------

    async def _write(self, *, final: bool = False) -> None:
        if not self._unwritten:
            return
        if self._store is None and not await self._reopen():
            return
        assert self._store is not None
        commits = self._unwritten
        try:
            await self._store.commit(commits)
        except StoreError as error:
            self._note_store_trouble(error)
            if final:
                return
            self._unwritten = _without_evidence_past(commits, UNWRITTEN_EVIDENCE_LIMIT)
            return
        self._unwritten = []
        self._written_at = self._time()
        if self.store_trouble:
            self.store_trouble = ""
            self._emit(TroubleOver(part="database"))

    async def _reopen(self) -> bool:
        try:
            store = await self._open_store()
            memory = await store.load(self._clock())
        except StoreError as error:
            self._note_store_trouble(error)
            return False
        self._store = store
        await self._carry_out([Step(self._on_memory(memory))])
        return True

    def _note_store_trouble(self, error: StoreError) -> None:
        if str(error) != self.store_trouble:
            self._emit(TroubleMet(part="database", what=str(error)))
        self.store_trouble = str(error)
        self._store_retry_at = self._time() + 5


def _without_evidence_past(commits: list[Commit], limit: int) -> list[Commit]:
    """Return *commits* as one or more, evidence taken off all but the newest decisions."""
    if sum(len(commit.decisions) for commit in commits) <= limit and len(commits) <= limit:
        return commits
    kept: list[Commit] = []
    room = limit
    for commit in reversed(commits):
        room -= len(commit.decisions)
        if room < 0:
            bare = tuple(
                msgspec.structs.replace(
                    decision, ban=msgspec.structs.replace(decision.ban, evidence=())
                )
                for decision in commit.decisions
            )
            commit = msgspec.structs.replace(commit, decisions=bare)  # noqa: PLW2901
        kept.append(commit)
    kept.reverse()
    return [_merged(kept)] if len(kept) > limit else kept


def _merged(commits: Sequence[Commit]) -> Commit:
    """Return one commit that leaves what *commits* leave in order."""
    positions = {key: place for commit in commits for key, place in commit.positions.items()}
    return Commit(
        at=commits[-1].at,
        decisions=tuple(decision for commit in commits for decision in commit.decisions),
        changes=tuple(change for commit in commits for change in commit.changes),
        positions=positions,
    )
