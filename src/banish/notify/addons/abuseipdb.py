"""The kind ``abuseipdb``: reports who was banned to AbuseIPDB, by its API in version 2.

Facts of that API: an address may be reported once in 15 minutes, a report names
1 to 30 categories by number, a comment has at most 1,024 characters, and who asks
too often gets 429 with ``Retry-After`` until the day is over. A report is public,
so the comment holds nothing of this host but the name of the jail.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from banish.addon.declare import ActionAddon, ActionContext
from banish.addon.options import Bounds, Choices, SecretFile, Url
from banish.errors import ActionError
from banish.model.instant import Seconds, iso_text
from banish.notify.jailevent import JailEvent
from banish.notify.notifier import Notifier, Retry, each_alone
from banish.notify.private import Reported, attacker, redacted
from banish.notify.secret import read_secret
from banish.notify.web import CaFile, Proxy, Web
from banish.notify.wording import count, word
from banish.ports import BanFacts, Clock

SAME_ADDRESS_PAUSE = Seconds(900)
COMMENT_CHARACTERS = 1_024


class AbuseIpDb(msgspec.Struct, frozen=True):
    """The options of its own."""

    url: Annotated[Url, "Where reports go: the API's call report, version 2."] = ""
    key_file: Annotated[SecretFile, "The file with the API key."] = ""
    categories: Annotated[
        tuple[str, ...],
        "What the attacker did, by AbuseIPDB's numbers.",
        Choices(tuple(map(str, range(1, 24)))),
    ] = ("18",)
    lines: Annotated[
        int,
        "Log lines in the report, which everybody may read; private parts are taken out.",
        Bounds(most=10),
    ] = 0
    retry: Retry = Seconds(3_600)
    ca_file: CaFile = ""
    proxy: Proxy = ""
    timeout: Seconds = Seconds(30)


class AbuseIpDbChannel:
    """Sends one report for each ban."""

    def __init__(
        self, options: AbuseIpDb, facts: BanFacts, reported: Reported, *, clock: Clock
    ) -> None:
        self._options = options
        self._facts = facts
        self._reported = reported
        self._clock = clock
        self._web = Web(
            "AbuseIPDB", timeout=options.timeout, ca_file=options.ca_file, proxy=options.proxy
        )

    async def send(self, events: Sequence[JailEvent], *, is_last: bool) -> None:  # noqa: ARG002
        """Report the ban of the first of *events*; there is no more than one.

        Raises:
            ActionError: It was not taken.

        """
        ban = events[0].of
        address, now = attacker(ban), self._clock()
        if address is None or self._reported.is_recent(address, now, SAME_ADDRESS_PAUSE):
            return
        how = self._options
        comment = f"{count(ban.failures, 'failure')} in {word(ban.jail)}, banned"
        lines = redacted(ban, hosts=await self._facts.names(), most=how.lines)
        form = {
            "ip": address.text,
            "categories": ",".join(how.categories),
            "comment": "\n".join([comment, *lines])[:COMMENT_CHARACTERS],
        }
        if at := iso_text(ban.since):
            form["timestamp"] = at
        headers = {"Key": read_secret(how.key_file), "Accept": "application/json"}
        answer = await self._web.ask("POST", how.url, headers=headers, form=form)
        if answer.is_good or (answer.status == 429 and _is_known(answer.json())):
            self._reported.note(address, now)
            return
        if answer.status in (401, 403):
            raise self._web.failed(answer, cure=f"write your API key into {how.key_file}")
        if answer.status == 422:
            what = f"AbuseIPDB does not take the report of {address}: {answer.said()}"
            raise ActionError(what, cure="correct categories=", retry=False)
        raise self._web.failed(answer)

    async def close(self) -> None:
        """Hang up."""
        await self._web.close()


def _is_known(answer: object) -> bool:
    """Whether *answer* says that the address was reported within the last 15 minutes."""
    errors = answer.get("errors") if isinstance(answer, dict) else None
    return any(
        isinstance(error, dict) and "15 minutes" in str(error.get("detail", ""))
        for error in (errors if isinstance(errors, list) else ())
    )


def make(context: ActionContext) -> Notifier:
    """Return the notifier of one jail."""
    options = msgspec.convert(context.settings.options, AbuseIpDb)
    reported = context.shared.setdefault("abuseipdb", Reported())
    assert isinstance(reported, Reported)
    channel = AbuseIpDbChannel(options, context.facts, reported, clock=context.clock)
    return Notifier(context, channel, each_alone(options.retry, options.timeout))


ADDON = ActionAddon(
    "Reports to AbuseIPDB.",
    (AbuseIpDb,),
    make,
    required=("url", "key_file", "categories"),
    needs="aiohttp",
    extra="web",
)
