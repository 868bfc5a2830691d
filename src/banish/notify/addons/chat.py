"""The kind ``chat``: short messages to chats and phones, through the library Apprise.

Where they go is written in a file, one address of Apprise a line, since such
addresses hold secrets. What attackers wrote is shown as plain text only, with
marks that chats turn into links, mentions or styles taken out.
"""

import asyncio
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from banish.addon.declare import ActionAddon, ActionContext
from banish.addon.options import SecretFile
from banish.errors import ActionError
from banish.model.instant import Seconds
from banish.notify.jailevent import JailEvent
from banish.notify.lookup import SLACK, Lookup
from banish.notify.notifier import LogLines, LookUp, Notifier, NotifierOptions
from banish.notify.report import Report, make_report
from banish.notify.wording import line

ADDRESSES_LIMIT = 50
FILE_BYTES = 65_536
MESSAGE_CHARACTERS = 1_500
"""Below what the chats with the shortest messages take (Discord: 2,000)."""

_MARKS = re.compile(r"([*_`~|<>\[\]@#])")
"""What chats read as markup or as a call to somebody."""


class Chat(msgspec.Struct, frozen=True):
    """The options of its own."""

    urls_file: Annotated[SecretFile, "The file with Apprise's addresses."] = ""
    lookup: LookUp = True
    lines: LogLines = 2
    most: int = 100
    timeout: Seconds = Seconds(30)


class Gathering(NotifierOptions, frozen=True):
    """As `NotifierOptions`, with a shorter wait."""

    digest: Seconds = Seconds(60)


def text_of(report: Report) -> str:
    """Return *report* as the body of a short message."""
    said = [f"{name}: {plain(value)}" for name, value in report.facts if name != "host"]
    said += [
        " ".join(plain(part) for part in (row.what, row.subject, row.jail, row.until) if part)
        for row in report.rows
    ]
    if report.left_out:
        said.append(f"and {report.left_out:,} more")
    said += [plain(each) for each in report.lines]
    return "\n".join(said)[:MESSAGE_CHARACTERS] or report.title


def plain(text: str) -> str:
    """Return *text* with a zero-width mark behind what a chat would take for its own."""
    return _MARKS.sub("\\1\u200b", line(text))


class ChatChannel:
    """Sends each message to every address of the file."""

    def __init__(self, options: Chat, lookup: Lookup) -> None:
        self._options = options
        self._lookup = lookup
        self._events: tuple[JailEvent, ...] = ()
        self._reached: set[str] = set()
        """Who has the message about these events already, from an earlier try."""

    async def send(self, events: Sequence[JailEvent], *, is_last: bool) -> None:
        """Send one message about *events*.

        Raises:
            ActionError: Somebody did not get it.

        """
        how = self._options
        addresses = _read(how.urls_file)
        report = await make_report(
            events,
            lookup=self._lookup,
            most_lines=how.lines,
            most_rows=how.most,
            in_haste=is_last,
        )
        # Its log holds addresses with their secrets.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        if tuple(events) != self._events:
            self._events, self._reached = tuple(events), set()
        left = [each for each in addresses if each[1] not in self._reached]
        done = await asyncio.gather(*(self._notify(*each, report) for each in left))
        self._reached.update(each[1] for each, is_done in zip(left, done, strict=True) if is_done)
        missed = [number for (number, _), is_done in zip(left, done, strict=True) if not is_done]
        if missed:
            lines = ", ".join(map(str, missed))
            raise ActionError(
                f"the message did not arrive where these lines of {how.urls_file} say: {lines}",
                cure=f"try it by hand: apprise --config={how.urls_file} -b test",
            )

    async def _notify(self, number: int, address: str, report: Report) -> bool:
        import apprise  # noqa: PLC0415 - an extra, slow to import

        sender = apprise.Apprise(asset=apprise.AppriseAsset(app_id="banish", async_mode=True))
        if not sender.add(address):
            what = f"line {number} of {self._options.urls_file} is no address that Apprise knows"
            raise ActionError(what, cure="correct it; see the list of Apprise's services")
        return bool(
            await sender.async_notify(
                title=plain(report.title),
                body=text_of(report),
                body_format=apprise.NotifyFormat.TEXT,
            )
        )

    async def close(self) -> None:
        """Have nothing open."""


def _read(path: str) -> list[tuple[int, str]]:
    """Return the addresses in a file, each with the number of its line."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise ActionError(
            f"{path} cannot be read: {error.strerror}",
            cure=f"write one address of Apprise a line into it, then: chmod 600 {path}",
        ) from error
    found = [
        (number, text.strip())
        for number, text in enumerate(content.splitlines(), 1)
        if text.strip() and not text.lstrip().startswith(("#", ";"))
    ][:ADDRESSES_LIMIT]
    if not found:
        raise ActionError(f"{path} names nobody", cure="write one address of Apprise a line")
    return found


def make(context: ActionContext) -> Notifier:
    """Return the notifier of one jail."""
    options = msgspec.convert(context.settings.options, Chat)
    lookup = Lookup(context.facts, names=options.lookup, whois=False)
    telling = msgspec.convert(context.settings.options, Gathering)
    return Notifier(context, ChatChannel(options, lookup), telling, whole=True, slack=SLACK)


ADDON = ActionAddon(
    "Short messages to chats and phones, through Apprise.",
    (Chat, Gathering),
    make,
    required=("urls_file",),
    needs="apprise",
    extra="chat",
)
