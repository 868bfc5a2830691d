"""Keeps the firewall as it should be: applies, reads back, mends.

When the firewall fails, decisions stay wanted: the whole desired state is put
back as soon as it works again, and `truth` says so until then.
"""

import asyncio
from collections.abc import Callable, Sequence

from banish.errors import EnforceError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.settings import Enforcement
from banish.model.status import EnforcementTruth
from banish.policy.reconcile import reconcile
from banish.ports import Clock, Enforcer
from banish.telemetry.happenings import (
    BanEnded,
    BanStarted,
    Emit,
    FirewallRepaired,
    TroubleMet,
    TroubleOver,
)

READ_BACK_PAUSE = Seconds(60)
"""How often the firewall is read back though nobody is known to have touched it."""

READ_BACK_SHARE = 20
"""The pause is at least this many times what the last reading took: 5 % of the time at most."""

TOLD_LIMIT = 1_000
"""Up to so many restored bans are told one by one; of more, only how many they are."""

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
        self._in_force: dict[tuple[str, Subject], Ban] = {}
        self._untold: list[Decision] = []
        self._is_doubted = False
        self._retry_at = 0.0
        self._retry_pause = FIRST_RETRY
        self._read_back_at = 0.0
        self._read_took = 0.0
        self._enforced: int | None = None
        self._checked_at: Instant | None = None
        self._repairs = 0
        self.trouble = ""
        """The last error, empty once it is over."""

    def truth(self) -> EnforcementTruth:
        """Return what we want the firewall to hold and what it held when read last."""
        return EnforcementTruth(
            enforcer=self._enforcer.name,
            wanted=len(self._in_force),
            enforced=self._enforced,
            checked_at=self._checked_at,
            repairs=self._repairs,
            trouble=self.trouble,
        )

    async def begin(self, jails: Sequence[Enforcement], bans: Sequence[Ban]) -> None:
        """Put the bans of an earlier run back, in one step.

        Raises:
            EnforceError: The firewall cannot be used.

        """
        self._jails = tuple(jails)
        self._in_force = {(ban.jail, ban.subject): ban for ban in bans}
        await self._enforcer.start(self._jails, list(self._in_force.values()), self._clock())
        self._note_well()
        if len(bans) <= TOLD_LIMIT:
            for ban in bans:
                self._emit(BanStarted(jail=ban.jail, subject=ban.subject, restored=True))

    async def apply(self, decisions: Sequence[Decision]) -> EnforceError | None:
        """Carry *decisions* out; on an error they stay wanted and are tried again."""
        if not decisions:
            return None
        self._note(decisions)
        if self.trouble:
            self._untold.extend(decisions)
            return EnforceError(self.trouble)
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

    async def look_after(self) -> None:
        """Mend or read back, if it is time to."""
        now = asyncio.get_running_loop().time()
        if self.trouble:
            if now >= self._retry_at:
                await self._mend()
        elif self._is_doubted or now >= self._read_back_at:
            await self._verify()

    async def wait_for_doubt(self) -> None:
        """Return once somebody else may have changed the firewall; `look_after` then looks."""
        await self._enforcer.wait_for_foreign_change()
        self._is_doubted = True

    async def stop(self, *, keep: bool) -> None:
        """Take away all that is ours, or with *keep* leave the bans in force."""
        await self._enforcer.stop(keep=keep)

    def _note(self, decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            key = (decision.ban.jail, decision.ban.subject)
            match decision:
                case StartBan(ban) | ProlongBan(ban):
                    self._in_force[key] = ban
                case EndBan():
                    self._in_force.pop(key, None)

    def _note_trouble(self, error: EnforceError) -> None:
        if str(error) != self.trouble:
            self._emit(TroubleMet(part="firewall", what=str(error)))
        self.trouble = str(error)
        self._enforced = None
        self._retry_at = asyncio.get_running_loop().time() + self._retry_pause

    def _note_well(self) -> None:
        if self.trouble:
            self._emit(TroubleOver(part="firewall"))
        self.trouble = ""
        self._is_doubted = False
        self._retry_pause = FIRST_RETRY
        self._enforced = len(self._in_force)
        self._checked_at = self._clock()
        pause = max(READ_BACK_PAUSE, self._read_took * READ_BACK_SHARE)
        self._read_back_at = asyncio.get_running_loop().time() + pause

    async def _mend(self) -> bool:
        """Make the firewall hold exactly what is wanted, from nothing; tell whether it does."""
        try:
            await self._enforcer.start(self._jails, list(self._in_force.values()), self._clock())
        except EnforceError as error:
            self._retry_pause = min(Seconds(self._retry_pause * 2), LONGEST_RETRY)
            self._note_trouble(error)
            return False
        self._repairs += 1
        self._emit(FirewallRepaired(missing=len(self._in_force), foreign=0, rebuilt=True))
        self._note_well()
        untold, self._untold = self._untold, []
        self._tell(untold)
        return True

    async def _verify(self) -> None:
        """Compare what the firewall holds with what it should, and mend the difference."""
        self._is_doubted = False
        began = asyncio.get_running_loop().time()
        try:
            enforced = await self._enforcer.read()
        except EnforceError as error:
            self._note_trouble(error)
            await self._mend()
            return
        self._read_took = asyncio.get_running_loop().time() - began
        if not enforced.is_whole:
            await self._mend()
            return
        wanted, now = self._wanted(), self._clock()
        repairs = reconcile(wanted, enforced.subjects)
        missing = sum(isinstance(decision, StartBan) for decision in repairs)
        foreign = len(repairs) - missing
        mistimed = [ban for ban in wanted if not enforced.keeps(ban, now)]
        repairs += [StartBan(ban, restored=True) for ban in mistimed]
        if repairs:
            try:
                await self._enforcer.apply(repairs, self._clock())
            except EnforceError as error:
                self._note_trouble(error)
                await self._mend()
                return
            self._repairs += 1
            self._emit(
                FirewallRepaired(
                    missing=missing, foreign=foreign, rebuilt=False, mistimed=len(mistimed)
                )
            )
        self._note_well()

    def _wanted(self) -> list[Ban]:
        """Return the bans that the kernel should show: those it can hold and has not let go."""
        now = self._clock()
        jails = {jail.jail for jail in self._jails}
        return [
            ban
            for ban in self._in_force.values()
            if ban.jail in jails and ban.subject.is_enforceable and not ban.is_over(now)
        ]

    def _tell(self, decisions: Sequence[Decision]) -> None:
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
