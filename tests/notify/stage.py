"""What the tests of this folder share: bans, facts, mail servers that live as long as a test."""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import msgspec
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from banish.addon.declare import EVERY_ACTION, ActionContext
from banish.config.addons import ACTIONS
from banish.daemon.dispatcher import ActionDispatcher
from banish.errors import ActionError
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.duration import parse_duration
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.model.settings import ActionSettings, OptionValue
from banish.ports import Action
from banish.telemetry.events import Emit, Event

NOW = Instant(1_790_000_000)

HOSTILE = (
    'Failed password for "><script>alert(1)</script>\r\nBcc: all@example.org\x1b[2J'
    "\u202eevil\x00\udc80 from 192.0.2.66"
)
"""A line of an attacker who has read how reports are made."""


def ban(address: str = "192.0.2.1", *, jail: str = "sshd", **changes: Any) -> Ban:
    made = Ban(
        jail,
        parse_subject(address),
        NOW,
        Instant(NOW + 600),
        failures=5,
        evidence=(Evidence("sshd[7]: Failed password for root from 192.0.2.1 port 40022"),),
        tags=(("user", "root"),),
    )
    return msgspec.structs.replace(made, **changes)


class KnownFacts:
    """Implements `banish.ports.Facts` with what the test says."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._hosts = dict(names or {})
        self.hangs = False

    async def host_of(self, address: Subject) -> str:
        if self.hangs:
            await asyncio.Event().wait()
        return self._hosts.get(address.text, "")

    async def past(self, subject: Subject, jail: str | None) -> tuple[Ban, ...]:
        return ()

    def counts(self, jail: str) -> tuple[int, int, int, int]:
        return (0, 0, 0, 0)

    async def names(self) -> tuple[str, str]:
        return ("web1.example.org", "web1")


def settings(kind: str, **changed: OptionValue) -> ActionSettings:
    """Return the settings of an action as the configuration would give them."""
    row = ACTIONS[kind]
    options: dict[str, OptionValue] = {}
    for option in (*row.options, *EVERY_ACTION):
        default_value: OptionValue = option.default
        match option.kind:
            case "boolean":
                default_value = option.default == "true"
            case "number":
                default_value = int(option.default)
            case "duration":
                default_value = float(parse_duration(option.default))
            case "list" | "mail addresses":
                default_value = tuple(option.default.replace(",", " ").split())
            case _:
                pass
        options[option.name] = default_value
    options["norestored"] = not row.keeps_out
    assert set(changed) <= set(options), set(changed) - set(options)
    return ActionSettings(
        kind,
        way="built-in",
        actname=kind,
        kind=kind,
        options=options | changed,
        keeps_out=row.keeps_out,
    )


def make(
    kind: str,
    *,
    facts: KnownFacts | None = None,
    emit: Emit | None = None,
    jail: str = "sshd",
    shared: dict[str, object] | None = None,
    options: Mapping[str, OptionValue] | None = None,
    **changed: OptionValue,
) -> Action:
    """Return an action as the server makes it."""
    parts = ActionContext(
        jail,
        settings(kind, **(dict(options or {}) | changed)),
        facts or KnownFacts(),
        emit or (lambda _event: None),
        lambda: NOW,
        {} if shared is None else shared,
    )
    return ACTIONS[kind].make(parts)


async def end(action: Action) -> None:
    """Stop an action that may have something left to say to nobody."""
    with contextlib.suppress(ActionError):
        await action.stop()


class Running:
    """An action under the daemon's own worker."""

    def __init__(self, *actions: Action) -> None:
        self.told: list[Event] = []
        jail = actions[0].jail
        self.acting = ActionDispatcher({jail: actions}, emit=self._report, clock=lambda: NOW)
        self.workers = list(self.acting.workers)
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def _report(self, event: Event) -> None:
        self.told.append(event)
        self._news.set()

    def start(self) -> None:
        self._tasks = [asyncio.create_task(worker.run()) for worker in self.workers]

    async def heard(self, kind: type[Event]) -> Event:
        async with asyncio.timeout(20):
            while True:
                for event in self.told:
                    if isinstance(event, kind):
                        return event
                self._news.clear()
                await self._news.wait()

    async def finish(self, *, keep: bool = False) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.acting.finish(keep=keep)


def play(part: Callable[[], Awaitable[None]]) -> None:
    async def do() -> None:
        async with asyncio.timeout(60):
            await part()

    asyncio.run(do())


class Mailbox:
    """What a mail server took."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.logins: list[tuple[str, str]] = []
        self.answers: list[str] = []
        """What the server answers to the next mails instead of taking them."""
        self.was_encrypted: list[bool] = []
        self.port = 0
        self._news = asyncio.Event()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self._news.set()
        if self.answers:
            return self.answers.pop(0)
        assert isinstance(envelope.content, bytes)
        found = message_from_bytes(envelope.content, policy=default)
        assert isinstance(found, EmailMessage)
        self.mails.append(found)
        self.envelopes.append(envelope)
        wire = server.transport
        assert wire is not None
        self.was_encrypted.append(wire.get_extra_info("ssl_object") is not None)
        return "250 taken"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)

    async def take(self, count: int = 1) -> EmailMessage:
        """Wait until there are *count* mails; return the last."""
        async with asyncio.timeout(20):
            while len(self.mails) < count:
                self._news.clear()
                await self._news.wait()
                await asyncio.sleep(0)
        return self.mails[-1]


@asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, from_start: bool = False, needs_login: bool = False
) -> AsyncIterator[Mailbox]:
    """Give a mail server on loopback."""
    box = Mailbox()

    def protocol() -> SMTP:
        with warnings.catch_warnings():
            # It does not know that the way is encrypted before it hears anything.
            warnings.simplefilter("ignore")
            return made()

    def made() -> SMTP:
        return SMTP(
            box,
            hostname="mail.example.org",
            tls_context=None if from_start else tls,
            authenticator=box.authenticate if needs_login else None,
            auth_required=needs_login,
            auth_require_tls=tls is not None and not from_start,
            enable_SMTPUTF8=False,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(
        protocol, "127.0.0.1", 0, ssl=tls if from_start else None
    )
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        await server.wait_closed()


def certificate(authority: trustme.CA) -> ssl.SSLContext:
    """Return a server's side of TLS for ``localhost``, signed by *authority*."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def write_program(folder: Path, name: str, body: str) -> str:
    """Return the path of a new program called *name* that runs *body* in a shell."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)
