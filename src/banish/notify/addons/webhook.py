"""The kind ``webhook``: bans as JSON to an address of the web, signed.

The body is ``{"version": 1, "host": ..., "events": [...]}``. Three headers come
with it: ``X-Banish-Delivery`` is the same at each try of the same message, so that
the other side can skip what it knows; ``X-Banish-Timestamp`` is the UNIX time
of the try; and with a secret ``X-Banish-Signature`` is ``v1=`` and the HMAC-SHA256,
in hexadecimal, of the timestamp, a point, and the body.
"""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated

import msgspec

from banish.addon.declare import ActionAddon, ActionContext
from banish.addon.options import Bounds, SecretFile, Url
from banish.errors import ActionError
from banish.model.ban import Ban
from banish.model.instant import Seconds, iso_text
from banish.notify.jailevent import JailEvent
from banish.notify.jsontext import to_json, whole
from banish.notify.notifier import Immediately, Notifier
from banish.notify.secret import read_secret
from banish.notify.web import CaFile, Proxy, Web
from banish.ports import BanFacts, Clock


class Webhook(msgspec.Struct, frozen=True):
    """The options of its own."""

    url: Annotated[Url, "Where to; it is shown by banish config."] = ""
    url_file: Annotated[SecretFile, "In place of url, the file with it."] = ""
    secret_file: Annotated[SecretFile, "The file with the secret that signs."] = ""
    token_file: Annotated[SecretFile, "The file with a bearer token."] = ""
    lines: Annotated[int, "The most log lines of one ban.", Bounds(most=100)] = 10
    ca_file: CaFile = ""
    proxy: Proxy = ""
    timeout: Seconds = Seconds(30)


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """Return what ``X-Banish-Signature`` holds."""
    signed = f"{timestamp}.".encode() + body
    return f"v1={hmac.new(secret, signed, hashlib.sha256).hexdigest()}"


def request_body(events: Sequence[JailEvent], *, host: str, most_lines: int) -> dict[str, object]:
    """Return the body that tells of *events*, as plain values."""
    return {
        "version": 1,
        "host": host,
        "events": [
            {
                "kind": event.kind,
                "jail": whole(event.jail),
                "at": iso_text(event.at),
                "restored": event.restored,
                "ban": None if event.ban is None else _ban(event.ban, most_lines),
            }
            for event in events
        ],
    }


def _ban(ban: Ban, most_lines: int) -> dict[str, object]:
    return {
        "subject": whole(ban.subject.text),
        "subject_kind": ban.subject.kind.value,
        "address": ban.address.text if ban.address is not None else None,
        "since": iso_text(ban.since),
        "until": iso_text(ban.until),
        "failures": ban.failures,
        "count": ban.count,
        "cause": ban.cause,
        "captured": {whole(name): whole(value) for name, value in ban.tags},
        "evidence": [
            {"text": whole(line.text), "path": whole(line.path), "at": iso_text(line.at)}
            for line in (ban.evidence[-most_lines:] if most_lines else ())
        ],
    }


class WebhookChannel:
    """Sends each message as one request."""

    def __init__(self, options: Webhook, facts: BanFacts, *, clock: Clock) -> None:
        self._options = options
        self._facts = facts
        self._clock = clock
        self._web = Web(
            "the webhook", timeout=options.timeout, ca_file=options.ca_file, proxy=options.proxy
        )

    async def send(self, events: Sequence[JailEvent], *, is_last: bool) -> None:  # noqa: ARG002
        """Send one request about *events*.

        Raises:
            ActionError: It was not taken.

        """
        how = self._options
        host, _ = await self._facts.names()
        body = to_json(request_body(events, host=host, most_lines=how.lines))
        timestamp = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "X-Banish-Delivery": hashlib.sha256(body).hexdigest()[:32],
            "X-Banish-Timestamp": str(timestamp),
        }
        if how.secret_file:
            secret = read_secret(how.secret_file).encode()
            headers["X-Banish-Signature"] = signature(secret, timestamp, body)
        if how.token_file:
            headers["Authorization"] = f"Bearer {read_secret(how.token_file)}"
        url = how.url or read_secret(how.url_file)
        if not url.startswith(("https://", "http://")):
            raise ActionError(
                "its address is not an http:// or https:// URL", cure="correct the url_file"
            )
        answer = await self._web.ask("POST", url, headers=headers, body=body)
        if not answer.is_good:
            raise self._web.failed(answer)

    async def close(self) -> None:
        """Hang up."""
        await self._web.close()


def make(context: ActionContext) -> Notifier:
    """Return the notifier of one jail."""
    options = msgspec.convert(context.settings.options, Webhook)
    channel = WebhookChannel(options, context.facts, clock=context.clock)
    return Notifier(context, channel, msgspec.convert(context.settings.options, Immediately))


ADDON = ActionAddon(
    "Bans as JSON to an address of the web, signed.",
    (Webhook, Immediately),
    make,
    required=("url|url_file",),
    needs="aiohttp",
    extra="web",
)
