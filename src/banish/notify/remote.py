"""Keeps subjects out at a service elsewhere, such as Cloudflare.

A ban is put down at the `Edge`, which is quick; `tick` then does what there is to do.
"""

import asyncio
from collections.abc import Iterable
from typing import Protocol

import msgspec

from banish.errors import ActionError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Seconds
from banish.model.settings import ActionSettings
from banish.notify.notifier import LaterError

FIRST_WAIT = Seconds(5)
LONGEST_WAIT = Seconds(300)


class Edge(Protocol):
    """One place at a service, where subjects are banned."""

    @property
    def due(self) -> float | None:
        """When there is something to do, in the event loop's time; None: never."""
        ...

    @property
    def is_behind(self) -> bool:
        """Whether it is known that what is there is not what should be."""
        ...

    def hold(self, jail: str, subject: Subject) -> bool:
        """Want *subject* there; tell whether the service can hold it."""
        ...

    def release(self, jail: str, subjects: Iterable[Subject]) -> None:
        """Want *subjects* there no more, as far as *jail* goes."""
        ...

    async def bring(self) -> None:
        """Do the next part of what is to be done.

        Raises:
            ActionError: Something was not done; what was done is taken note of.

        """
        ...


class RemoteAction:
    """Implements `banish.ports.Action` for one jail on an edge that others share."""

    def __init__(self, jail: str, settings: ActionSettings, edge: Edge) -> None:
        self.jail = jail
        self.settings = settings
        self.held: dict[Subject, Ban] = {}
        self.needs_rebans = False
        self.was_repaired = False
        self._edge = edge
        self._wait = FIRST_WAIT
        self._not_before = 0.0
        self._is_open = False

    @property
    def due(self) -> float | None:
        """When there is something to do at the edge."""
        at = self._edge.due if self._is_open else None
        return None if at is None else max(at, self._not_before)

    async def start(self) -> None:
        """Begin; what is there is read when it is first needed."""
        self._is_open = True

    async def ban(self, ban: Ban, *, restored: bool = False) -> None:  # noqa: ARG002
        """Note that a subject is to be banned; `tick` does it."""
        if self._edge.hold(self.jail, ban.subject):
            self.held[ban.subject] = msgspec.structs.replace(ban, evidence=(), tags=())

    async def reban(self, ban: Ban) -> None:
        """Note that a subject is to be banned again."""
        await self.ban(ban)

    async def prolong(self, ban: Ban, *, restored: bool = False) -> None:  # noqa: ARG002
        """Take note of a ban's other end, of which the service knows nothing."""
        if ban.subject in self.held:
            self.held[ban.subject] = msgspec.structs.replace(ban, evidence=(), tags=())

    def adopt(self, ban: Ban) -> None:
        """Do nothing: what stands there with our mark is read there."""

    async def unban(self, ban: Ban) -> None:
        """Note that a subject is to be unbanned; `tick` does it."""
        self.held.pop(ban.subject, None)
        self._edge.release(self.jail, [ban.subject])

    async def check(self) -> None:
        """Find nothing amiss."""

    async def flush(self) -> bool:
        """Let everybody of this jail in.

        Raises:
            ActionError: Some are still banned; the next start unbans them.

        """
        self._edge.release(self.jail, list(self.held))
        self.held.clear()
        while self._edge.is_behind:
            await self._edge.bring()
        return True

    async def stop(self) -> None:
        """Do no more."""
        self._is_open = False

    async def tick(self) -> None:
        """Do the next part of what is to be done.

        Raises:
            ActionError: It was not done, and is tried again later.

        """
        now = asyncio.get_running_loop().time
        try:
            await self._edge.bring()
        except ActionError as error:
            pause = error.wait if isinstance(error, LaterError) else self._wait
            self._not_before = now() + pause
            self._wait = Seconds(min(self._wait * 2, LONGEST_WAIT))
            raise
        self._wait = FIRST_WAIT
        self._not_before = 0.0
