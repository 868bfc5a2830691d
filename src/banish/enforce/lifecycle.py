"""The life of an action that runs code of its own: which bans it holds, and what it does to each.

Commands and Python actions live the same life and differ in how one step of it is
run. A ban is held once its step has worked, and no more once its end was tried.
"""

import abc
from typing import Literal

import msgspec

from banish.enforce.command.tags import FAMILIES, values
from banish.errors import ActionError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.settings import ActionSettings
from banish.ports import BanFacts, Clock
from banish.shell.script import Values

EVIDENCE_BANS = 1_000
"""Held bans that keep their lines and captures, for the steps that end them."""

Step = Literal["ban", "reban", "prolong", "unban"]


class ActionLifecycle(abc.ABC):
    """Implements what `banish.ports.Action` says of bans, but for how a step is run."""

    def __init__(
        self, jail: str, settings: ActionSettings, *, facts: BanFacts, clock: Clock
    ) -> None:
        self.jail = jail
        self.settings = settings
        self.held: dict[Subject, Ban] = {}
        """The bans that it has carried out and not ended."""
        self.needs_rebans = False
        """Whether it was started anew, so that what it held before is to be put back."""
        self.was_repaired = False
        """Whether a repair ran: which bans it left is unknown."""
        self._facts = facts
        self._clock = clock

    @property
    def due(self) -> None:
        """Nothing is put off."""
        return

    async def tick(self) -> None:  # noqa: B027
        """Do nothing: nothing was put off."""

    @abc.abstractmethod
    async def _step(self, step: Step, ban: Ban, *, restored: bool) -> bool:
        """Run *step* for *ban*; tell whether the ban is now in force by this action.

        Raises:
            ActionError: It failed.

        """

    async def ban(self, ban: Ban, *, restored: bool = False) -> None:
        """Ban a subject; *restored*: it was banned before the server was started.

        Raises:
            ActionError: It failed.

        """
        if await self._step("ban", ban, restored=restored):
            self._hold(ban)

    async def reban(self, ban: Ban) -> None:
        """Ban a subject again after another program had unbanned it.

        Raises:
            ActionError: As `ban`.

        """
        if await self._step("reban", ban, restored=True):
            self._hold(ban)

    async def prolong(self, ban: Ban, *, restored: bool = False) -> None:
        """Let a ban end later, if the action has a step for it.

        Raises:
            ActionError: As `ban`.

        """
        if ban.subject in self.held:
            self._hold(ban)
        await self._step("prolong", ban, restored=restored)

    async def unban(self, ban: Ban) -> None:
        """Unban a subject.

        Raises:
            ActionError: As `ban`; the subject is not tried again.

        """
        held = self.held.get(ban.subject)
        known = held if held is not None and not ban.evidence else ban
        try:
            await self._step("unban", known, restored=False)
        except ActionError:
            self.held.pop(ban.subject, None)
            raise
        self.held.pop(ban.subject, None)

    def adopt(self, ban: Ban) -> None:
        """Hold *ban*, which an earlier run of the server carried out."""
        self._hold(ban)

    def _hold(self, ban: Ban) -> None:
        if len(self.held) >= EVIDENCE_BANS and (ban.evidence or ban.tags):
            ban = msgspec.structs.replace(ban, evidence=(), tags=())
        self.held[ban.subject] = ban

    async def _values(
        self, wanted: frozenset[str], family: str, ban: Ban | None, *, restored: bool = False
    ) -> Values:
        """Return the values of the tags *wanted*, as they are now."""
        return await values(
            wanted,
            jail=self.jail,
            family=family,
            now=Instant(self._clock()),
            facts=self._facts,
            ban=ban,
            restored=restored,
        )


def family_of(ban: Ban) -> str:
    """Return how actions call the family of *ban*'s address."""
    return FAMILIES[(ban.address or ban.subject).family]
