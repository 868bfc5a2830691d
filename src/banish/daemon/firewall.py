"""Keeps the firewall as it should be: applies, reads back, repairs.

When the firewall fails, decisions stay wanted: the whole desired state is put
back as soon as it works again, and `status` says so until then.

Somebody else may change the firewall at any moment, also while it is read or repaired.
So each sign of a foreign change is counted, and a reading settles only the changes that
were counted before it began. A repair settles nothing: it is read back. What `status`
says of the kernel is what was read there, never what was written.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence

from banish.daemon.repairs import Repairs
from banish.errors import AnotherServerError, BanishError, DisturbedError, EnforceError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement
from banish.model.status import EnforcementStatus
from banish.policy.reconcile import reconcile
from banish.ports import Clock, Enforced, Enforcer
from banish.telemetry.events import (
    BanEnded,
    BanStarted,
    Emit,
    FirewallRepaired,
    PartFailed,
    PartRecovered,
)

READ_BACK_PAUSE = Seconds(60)
"""How often the firewall is read back though nobody is known to have touched it."""

READ_BACK_SHARE = 20
"""The pause is at least this many times what the last reading took: 5 % of the time at most."""

LOOKS_IN_A_ROW = 3
"""Readings and repairs before waiting decisions have their turn."""

CHEAP_READING = Seconds(0.1)
"""A reading that took no longer is made for everybody who asks: some 10,000 bans."""

THREAD_ABOVE = 10_000
"""So many bans are compared in a thread, so that everything else goes on meanwhile."""

REPORTED_LIMIT = 1_000
"""Up to this many restored bans are logged one by one; of more, only the number."""

FIRST_RETRY = Seconds(0.5)
LONGEST_RETRY = Seconds(30)


class Firewall:
    """Owns the enforcer and knows what it should hold; used by one task."""

    def __init__(
        self,
        enforcer: Enforcer,
        *,
        emit: Emit,
        clock: Clock,
        on_done: Callable[[Sequence[Decision]], None],
    ) -> None:
        """Prepare; nothing is touched before `begin`.

        *on_done* gets all that the firewall has taken, and never waits.
        """
        self._enforcer = enforcer
        self._emit = emit
        self._clock = clock
        self._on_done = on_done
        self._jails: tuple[Enforcement, ...] = ()
        self._names: frozenset[str] = frozenset()
        self._in_force: dict[tuple[str, Subject], Ban] = {}
        self._wanted_count = 0
        self._unreported: list[Decision] = []
        self._unreported_bans: set[tuple[str, Subject]] = set()
        self._changes = 0
        """Signs of changes by somebody else."""
        self._settled = 0
        """How many of them a reading has shown to be harmless or repaired."""
        self._is_unread = False
        """Whether something was repaired and not read back yet."""
        self._is_disturbed = False
        """Whether the last error was somebody else at work: their next sign ends the wait."""
        self._retry_at = 0.0
        self._retry_pause = FIRST_RETRY
        self._unsettled_pause = FIRST_RETRY
        self._read_at = float("-inf")
        self._read_took = 0.0
        self._read_back_at = 0.0
        self._enforced: int | None = None
        self._wanted_when_read = 0
        self._checked_at: Instant | None = None
        self._repairs = Repairs(enforcer, emit=emit)
        self._reported_trouble = ""
        self.trouble = ""
        """The last error, empty once it is over."""

    def status(self) -> EnforcementStatus:
        """Return what we want the firewall to hold and what it held when read last."""
        is_known = self._enforced is not None and not self._is_doubted
        return EnforcementStatus(
            enforcer=self._enforcer.name,
            wanted=self._wanted_when_read if is_known else self._wanted_count,
            enforced=self._enforced if is_known else None,
            checked_at=self._checked_at,
            repairs=self._repairs.count,
            trouble=self.trouble or self._repairs.trouble or self._doubt(),
        )

    def _doubt(self) -> str:
        """Say what is not known of the firewall; empty where it was read since."""
        if self._is_unread:
            return "the firewall was changed or repaired, and has not been read back yet"
        if self._is_doubted:
            by = self._enforcer.changed_by or "another program"
            return f"{by} changed {self._enforcer.name}, and it is not read back yet"
        return ""

    @property
    def _is_doubted(self) -> bool:
        return self._is_unread or self._settled != self._changes

    @property
    def is_dear(self) -> bool:
        """Whether a reading takes so long that nobody who asks should wait for one.

        It is made by and by all the same, and `status` says when the last one was.
        """
        return self._read_took >= CHEAP_READING

    @property
    def due_in(self) -> Seconds:
        """How long until `look_after` has something to do."""
        if self.trouble:
            return Seconds(max(self._retry_at - self._time(), 0))
        return Seconds(0 if self._is_doubted else max(self._read_back_at - self._time(), 0))

    async def begin(self, jails: Sequence[Enforcement], bans: Sequence[Ban]) -> None:
        """Put the bans of an earlier run back, in one step.

        Raises:
            EnforceError: The firewall cannot be used.
            AnotherServerError: Another server uses it.

        """
        self._jails = tuple(jails)
        self._names = frozenset(jail.jail for jail in jails)
        self._in_force = {(ban.jail, ban.subject): ban for ban in bans}
        self._wanted_count = sum(map(self._is_ours, self._in_force.values()))
        await self._enforcer.start(self._jails, list(self._in_force.values()), self._clock())
        self._read_back_at = self._time() + READ_BACK_PAUSE
        if len(bans) <= REPORTED_LIMIT:
            for ban in bans:
                self._emit(BanStarted(jail=ban.jail, subject=ban.subject, restored=True))

    async def change(
        self, jails: Sequence[Enforcement], ended: Collection[str], bans: Sequence[Ban]
    ) -> None:
        """Hold bans for exactly *jails* from now on, in one step.

        The bans of the jails that have *ended* are forgotten here, and *bans* are put back. An
        error is trouble, and is tried again as ever.
        """
        self._jails = tuple(jails)
        self._names = frozenset(jail.jail for jail in jails)
        gone = frozenset(ended)
        before = len(self._in_force)
        if gone:
            self._in_force = {key: b for key, b in self._in_force.items() if key[0] not in gone}
        is_other = bool(bans) or len(self._in_force) != before
        self._in_force |= {(ban.jail, ban.subject): ban for ban in bans}
        self._wanted_count = sum(map(self._is_ours, self._in_force.values()))
        if self.trouble:
            return
        try:
            is_new = await self._enforcer.change(
                self._jails, list(self._in_force.values()), self._clock()
            )
        except (EnforceError, AnotherServerError) as error:
            self.note_trouble(error)
            return
        # What was read before still holds for bans that nobody touched.
        self._is_unread = self._is_unread or is_new or is_other

    def is_reported(self, jail: str, subject: Subject) -> bool:
        """Whether the ban of *subject*, which *jail* decided, has been reported."""
        return (jail, subject) not in self._unreported_bans

    async def apply(self, decisions: Sequence[Decision]) -> EnforceError | None:
        """Carry *decisions* out; on an error they stay wanted and are tried again."""
        if not decisions:
            return None
        self._note(decisions)
        if self.trouble:
            self._put_off(decisions)
            return EnforceError(self.trouble)
        try:
            await self._enforcer.apply(decisions, self._clock())
        except EnforceError as error:
            self._put_off(decisions)
            self._note_error(error)
            # The usual cause is a foreign flush: put everything back at once.
            if not await self._mend():
                return error
            await self.look()
            return None
        self._report(decisions)
        return None

    async def look_after(self) -> None:
        """Mend or read back, if it is time to."""
        if self.trouble:
            if self._time() >= self._retry_at and await self._mend():
                await self.look()
        elif self._is_doubted or self._time() >= self._read_back_at:
            await self.look()
        self._repairs.look(self._time())

    async def wait_for_doubt(self) -> None:
        """Return once somebody else may have changed the firewall; `look_after` then looks."""
        await self._enforcer.wait_for_foreign_change()
        self._changes += 1
        if self._is_disturbed:
            self._retry_at = 0.0

    async def stop(self, *, keep: bool) -> None:
        """Take away all that is ours, or with *keep* leave the bans in force."""
        self._repairs.finish()
        await self._enforcer.stop(keep=keep)

    async def look(self) -> None:
        """Read the firewall and repair what differs, until it reads right; a few times at most."""
        first = self._changes
        is_quiet = first == self._settled
        for _ in range(LOOKS_IN_A_ROW):
            if self.trouble:
                return
            seen = self._changes
            is_right = await self._look_once()
            if is_right:
                self._settled, self._is_unread = seen, False
                self._unsettled_pause = FIRST_RETRY
                self._read_back_at = self._time() + max(
                    READ_BACK_PAUSE, self._read_took * READ_BACK_SHARE
                )
            if is_right and seen == self._changes:
                return
        self._settled = first
        if is_quiet and first == self._changes:
            # Nobody was seen at work, and yet it does not read as it was written.
            self._is_unread = False
            self._read_back_at = self._time() + self._unsettled_pause
            self._unsettled_pause = min(Seconds(self._unsettled_pause * 2), READ_BACK_PAUSE)

    def _note(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            key = (decision.ban.jail, decision.ban.subject)
            known = self._in_force.pop(key, None)
            if known is not None:
                self._wanted_count -= self._is_ours(known)
            if not isinstance(decision, EndBan):
                self._in_force[key] = decision.ban
                self._wanted_count += self._is_ours(decision.ban)

    def _put_off(self, decisions: Sequence[Decision]) -> None:
        """Report *decisions* only once the firewall works again."""
        self._unreported.extend(decisions)
        self._unreported_bans |= {
            (decision.ban.jail, decision.ban.subject)
            for decision in decisions
            if isinstance(decision, StartBan)
        }

    def _is_ours(self, ban: Ban) -> bool:
        """Whether the firewall can hold *ban*, and is to."""
        return ban.jail in self._names and ban.subject.is_enforceable

    def _note_error(self, error: BanishError) -> None:
        self.trouble = str(error)
        self._enforced = None
        self._is_disturbed = isinstance(error, DisturbedError)
        self._retry_at = self._time() + (FIRST_RETRY if self._is_disturbed else self._retry_pause)

    def note_trouble(self, error: BanishError) -> None:
        """Have everything put back as soon as the firewall works again; *error* says why not."""
        self._note_error(error)
        if self.trouble != self._reported_trouble:
            self._reported_trouble = self.trouble
            self._emit(PartFailed(part="firewall", what=self.trouble))

    async def _mend(self) -> bool:
        """Make the firewall hold exactly what is wanted, from nothing; tell whether it was done.

        It is to be read back then.
        """
        try:
            await self._enforcer.start(self._jails, list(self._in_force.values()), self._clock())
        except DisturbedError as error:
            self._note_error(error)
            self._repairs.note_vain(self._time())
            return False
        except (EnforceError, AnotherServerError) as error:
            self._retry_pause = min(Seconds(self._retry_pause * 2), LONGEST_RETRY)
            self.note_trouble(error)
            return False
        self._note_repair(FirewallRepaired(self._wanted_count, foreign=0, rebuilt=True))
        self.trouble = ""
        self._retry_pause = FIRST_RETRY
        if self._reported_trouble:
            self._reported_trouble = ""
            self._emit(PartRecovered(part="firewall"))
        unreported, self._unreported = self._unreported, []
        self._unreported_bans.clear()
        self._report(unreported)
        return True

    def _note_repair(self, repaired: FirewallRepaired) -> None:
        self._is_unread = True
        self._repairs.note(repaired, self._time())

    async def _look_once(self) -> bool:
        """Read the firewall once and repair the difference; return whether there was none."""
        began = self._time()
        try:
            enforced = await self._enforcer.read()
        except EnforceError as error:
            self._note_error(error)
            await self._mend()
            return False
        if not enforced.is_whole:
            self._note_reading(began, 0, None)
            await self._mend()
            return False
        if len(self._in_force) > THREAD_ABOVE:
            # Nobody changes what is wanted meanwhile: this task does, and it waits.
            found = await asyncio.to_thread(self._compare, enforced)
        else:
            found = self._compare(enforced)
        wanted, repairs, missing, mistimed = found
        self._note_reading(began, wanted, wanted - missing)
        if not repairs:
            return True
        foreign = len(repairs) - missing - mistimed
        try:
            await self._enforcer.apply(repairs, self._clock())
        except EnforceError as error:
            self._note_error(error)
            await self._mend()
            return False
        self._note_repair(FirewallRepaired(missing, foreign, rebuilt=False, mistimed=mistimed))
        return False

    def _note_reading(self, began: float, wanted: int, enforced: int | None) -> None:
        self._read_at = self._time()
        self._read_took = self._read_at - began
        self._checked_at = self._clock()
        self._wanted_when_read, self._enforced = wanted, enforced

    def _compare(self, enforced: Enforced) -> tuple[int, list[Decision], int, int]:
        """Return the number of wanted bans, the repairs, and how many are missing and mistimed."""
        now = self._clock()
        wanted = [ban for ban in self._in_force.values() if self._is_ours(ban)]
        # Whose time is over may stand there still: our own end of it is on its way.
        lasting = [ban for ban in wanted if not ban.is_over(now)]
        repairs: list[Decision] = [
            decision
            for decision in reconcile(lasting, enforced.subjects)
            if isinstance(decision, StartBan)
            or (decision.ban.jail, decision.ban.subject) not in self._in_force
        ]
        missing = sum(isinstance(decision, StartBan) for decision in repairs)
        mistimed = [ban for ban in lasting if not enforced.keeps(ban, now)]
        repairs += [StartBan(ban, restored=True) for ban in mistimed]
        return len(wanted), repairs, missing, len(mistimed)

    @staticmethod
    def _time() -> float:
        return asyncio.get_running_loop().time()

    def _report(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            ban = decision.ban
            match decision:
                case StartBan():
                    self._emit(
                        BanStarted(jail=ban.jail, subject=ban.subject, restored=decision.restored)
                    )
                case EndBan(reason=reason):
                    folded = reason == "folded"
                    self._emit(BanEnded(jail=ban.jail, subject=ban.subject, folded=folded))
                case ProlongBan():
                    pass
        self._on_done(decisions)
