"""The kind ``mail``: mail about bans, by a local program or by SMTP."""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from banish.addon.declare import ActionAddon, ActionContext
from banish.addon.options import MailAddresses
from banish.notify.jailevent import JailEvent
from banish.notify.lookup import SLACK, Lookup
from banish.notify.mailtext import compose
from banish.notify.notifier import LogLines, LookUp, Notifier, NotifierOptions
from banish.notify.post import MailOptions, post
from banish.notify.report import make_report
from banish.ports import Clock


class Mail(MailOptions, frozen=True):
    """The options of its own."""

    to: Annotated[MailAddresses, "Who gets it."] = ("root",)
    sender: Annotated[MailAddresses, "Who it comes from."] = ("root",)
    html: Annotated[bool, "Whether it has a part to look at in colour."] = True
    lookup: LookUp = True
    whois: Annotated[bool, "Whether the program whois is asked about an address."] = False
    lines: LogLines = 10
    most: int = 100


class MailChannel:
    """Sends each message as one mail."""

    def __init__(self, options: Mail, lookup: Lookup, *, clock: Clock) -> None:
        self._options = options
        self._lookup = lookup
        self._clock = clock

    async def send(self, events: Sequence[JailEvent], *, is_last: bool) -> None:
        """Send one mail about *events*.

        Raises:
            ActionError: It was not taken.

        """
        how = self._options
        report = await make_report(
            events, lookup=self._lookup, most_lines=how.lines, most_rows=how.most, in_haste=is_last
        )
        sender = how.sender[0] if how.sender else "root"
        message = compose(report, sender=sender, to=how.to, now=self._clock(), with_html=how.html)
        await post(message, sender=sender, to=how.to, how=how)

    async def close(self) -> None:
        """Have nothing open."""


def make(context: ActionContext) -> Notifier:
    """Return the notifier of one jail."""
    options = msgspec.convert(context.settings.options, Mail)
    lookup = Lookup(context.facts, names=options.lookup, whois=options.whois)
    channel = MailChannel(options, lookup, clock=context.clock)
    telling = msgspec.convert(context.settings.options, NotifierOptions)
    return Notifier(context, channel, telling, whole=True, slack=SLACK)


ADDON = ActionAddon(
    "Mail about bans, gathered where there are many.",
    (Mail, NotifierOptions),
    make,
    required=("to",),
)
