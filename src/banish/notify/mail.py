"""The kind ``mail``: mail about bans, by a local program or by SMTP."""

from collections.abc import Sequence

from banish.notify.event import Event
from banish.notify.lookup import Lookup
from banish.notify.mailtext import compose
from banish.notify.post import Posting, post
from banish.notify.report import make_report
from banish.ports import Clock


class Mail(Posting, frozen=True):
    """The options of the kind ``mail``."""

    to: tuple[str, ...] = ("root",)
    sender: tuple[str, ...] = ("root",)
    html: bool = True
    lookup: bool = True
    whois: bool = False
    lines: int = 10
    most: int = 100


class MailChannel:
    """Sends each message as one mail."""

    def __init__(self, options: Mail, lookup: Lookup, *, clock: Clock) -> None:
        self._options = options
        self._lookup = lookup
        self._clock = clock

    async def send(self, events: Sequence[Event], *, is_last: bool) -> None:
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
