"""An action that tells and keeps nobody out: gathers events and hands them to a channel."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec

from banish.addon.declare import ActionContext
from banish.addon.options import Bounds, Choices
from banish.errors import ActionError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Seconds
from banish.notify.jailevent import EventKind, JailEvent
from banish.notify.outbox import Outbox
from banish.telemetry.events import NotificationsDropped

Retry = Annotated[Seconds, "How long a message that cannot be sent is tried again."]
LogLines = Annotated[int, "The most log lines shown of one ban.", Bounds(most=100)]
LookUp = Annotated[bool, "Whether the name of an address is looked up."]


class NotifierOptions(msgspec.Struct, frozen=True):
    """The options of notifiers that gather events into messages."""

    on: Annotated[
        tuple[str, ...],
        "Which events are reported: ban, unban, prolong, start and stop of the jail.",
        Choices(("ban", "unban", "prolong", "start", "stop")),
    ] = ("ban",)
    digest: Annotated[
        Seconds, "After a message, so long what happens is gathered into the next one; 0: never."
    ] = Seconds(300)
    most: Annotated[int, "The most bans that one message shows.", Bounds(1, 1_000)] = 100
    retry: Retry = Seconds(3_600)
    timeout: Seconds = Seconds(30)


class Immediately(NotifierOptions, frozen=True):
    """As `NotifierOptions`, but nothing is gathered unless an option says so."""

    digest: Seconds = Seconds(0)


def each_alone(retry: Seconds, timeout: Seconds) -> NotifierOptions:
    """Return the options of a notifier that sends one message for each ban."""
    return NotifierOptions(digest=Seconds(0), most=1, retry=retry, timeout=timeout)


class LaterError(ActionError):
    """The other side says when it may be asked again."""

    def __init__(self, what: str, *, wait: Seconds, cure: str = "") -> None:
        super().__init__(what, cure=cure)
        self.wait = wait


class Channel(Protocol):
    """Sends messages one way."""

    async def send(self, events: Sequence[JailEvent], *, is_last: bool) -> None:
        """Send one message about *events*, of which there is at least one.

        With *is_last* the server is about to stop: what takes long is left out.

        Raises:
            ActionError: It was not sent; ``retry`` says whether another try can help.

        """
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


class Notifier:
    """Implements `banish.ports.Action` on a channel."""

    def __init__(
        self,
        context: ActionContext,
        channel: Channel,
        telling: NotifierOptions,
        *,
        whole: bool = False,
        slack: float = 1.0,
    ) -> None:
        """Tell what *telling* asks for; with *whole* a message takes all that waits.

        *slack* is how many seconds the channel may take to get ready, beyond a try's limit:
        more than none, so that a channel that knows what hangs can say so first.
        """
        self.jail = context.jail
        self.settings = context.settings
        self.held: dict[Subject, Ban] = {}
        self.needs_rebans = False
        self.was_repaired = False
        self._channel = channel
        self._on = frozenset(telling.on)
        self._timeout = telling.timeout
        self._slack = slack
        self._outbox = Outbox(
            pause=telling.digest, most=telling.most, retry=telling.retry, whole=whole
        )
        self._emit = context.emit
        self._clock = context.clock
        self._reported_lost = 0
        self._has_begun = False

    @property
    def due(self) -> float | None:
        """When the next message is to be sent."""
        return self._outbox.due

    def _put(self, kind: EventKind, ban: Ban | None = None, *, restored: bool = False) -> None:
        if kind in self._on:
            self._outbox.put(JailEvent(kind, self.jail, self._clock(), ban, restored))

    async def start(self) -> None:
        """Tell that the jail has started, once."""
        if not self._has_begun:
            self._has_begun = True
            self._put("start")

    async def ban(self, ban: Ban, *, restored: bool = False) -> None:
        """Tell of a ban."""
        self._put("ban", ban, restored=restored)

    async def reban(self, ban: Ban) -> None:
        """Tell nothing: the ban is known."""

    async def prolong(self, ban: Ban, *, restored: bool = False) -> None:
        """Tell of a ban that ends later."""
        self._put("prolong", ban, restored=restored)

    def adopt(self, ban: Ban) -> None:
        """Ban nobody."""

    async def unban(self, ban: Ban) -> None:
        """Tell of the end of a ban."""
        self._put("unban", ban)

    async def check(self) -> None:
        """Find nothing amiss."""

    async def flush(self) -> bool:
        """Keep nobody out."""
        return True

    async def tick(self) -> None:
        """Send the next message.

        Raises:
            ActionError: It was not sent.

        """
        await self._send()

    async def stop(self) -> None:
        """Send what waits, and that the jail has stopped.

        Raises:
            ActionError: Something was not sent.

        """
        self._put("stop")
        try:
            while self._outbox:
                await self._send(is_last=True)
        finally:
            self._outbox.lost += len(self._outbox)
            self._report_lost()
            await self._channel.close()

    async def _send(self, *, is_last: bool = False) -> None:
        events = self._outbox.next_events()
        if not events:
            return
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(self._timeout + self._slack):
                await self._channel.send(events, is_last=is_last)
        except TimeoutError as error:
            self._outbox.failed(now())
            raise ActionError(
                f"nothing was sent: it took longer than {self._timeout:g} s",
                cure="see whether the other side can be reached from this host",
            ) from error
        except ActionError as error:
            wait = error.wait if isinstance(error, LaterError) else None
            self._outbox.failed(now(), retry=error.retry, wait=wait)
            raise
        else:
            self._outbox.sent(now())
        finally:
            self._report_lost()

    def _report_lost(self) -> None:
        count = self._outbox.lost - self._reported_lost
        if count:
            self._reported_lost = self._outbox.lost
            name = self.settings.actname
            self._emit(NotificationsDropped(jail=self.jail, action=name, count=count))
