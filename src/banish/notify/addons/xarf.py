"""The kind ``xarf``: reports to whoever answers for the attacker's network, as mail with XARF.

The mail is a ``multipart/report`` (RFC 5965) of three parts: words for people, the
type for programs, and a report in XARF 4 of the type ``login_attack``. Log lines in
it hold no users, no hosts of ours and no addresses but the attacker's.
"""

import base64
import hashlib
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from typing import Annotated, Literal

import msgspec

from banish import __version__
from banish.addon.declare import ActionAddon, ActionContext
from banish.addon.options import Bounds, MailAddresses
from banish.errors import ActionError
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds, iso_text
from banish.notify.contact import Contacts
from banish.notify.jailevent import JailEvent
from banish.notify.jsontext import to_json
from banish.notify.lookup import SLACK
from banish.notify.mailtext import mail_address
from banish.notify.notifier import Notifier, Retry, each_alone
from banish.notify.post import MailOptions, post
from banish.notify.private import Reported, attacker, redacted
from banish.notify.wording import clock, count, word
from banish.ports import BanFacts, Clock

XARF_VERSION = "4.2.0"

_PORT = re.compile(r"\bport (\d{1,5})\b", re.ASCII)
_NEVER = "1970-01-01T00:00:00Z"

_NAMES = uuid.UUID("7b0a9a4e-4c1c-5d52-8f0e-3a6f0a5d0c11")
"""The same ban has the same number of report, at every try."""


class Xarf(MailOptions, frozen=True):
    """The options of its own."""

    sender: Annotated[MailAddresses, "Who reports, and reads the answers."] = ()
    organisation: Annotated[str, "What the reporter is called; empty: its domain."] = ""
    to: Annotated[MailAddresses, "Who gets it; empty: found for each address."] = ()
    contacts: Annotated[str, "A DNS zone of abuse contacts; empty: none is asked."] = ""
    dns_server: Annotated[str, "Who is asked, as ADDRESS:PORT; empty: as this host."] = ""
    whois: Annotated[bool, "Whether the program whois is asked for contacts."] = True
    protocol: Annotated[Literal["tcp", "udp", "icmp", "sctp"], "What the attack came by."] = "tcp"
    again: Annotated[Seconds, "How long an address is not reported again."] = Seconds(86_400)
    lines: Annotated[int, "The most log lines in a report.", Bounds(most=100)] = 10
    retry: Retry = Seconds(3_600)


def report(
    ban: Ban,
    address: Subject,
    *,
    lines: Sequence[str],
    contact: str,
    organisation: str,
    protocol: str,
) -> dict[str, object]:
    """Return the report on *ban* in XARF 4, as plain values."""
    domain = contact.partition("@")[2]
    who = {"org": organisation or domain, "contact": contact, "domain": domain}
    now = iso_text(ban.since) or _NEVER
    times = [line.at for line in ban.evidence if 0 < line.at <= ban.since]
    said: dict[str, object] = {
        "xarf_version": XARF_VERSION,
        "report_id": str(uuid.uuid5(_NAMES, f"{contact} {ban.jail} {address} {ban.since:.3f}")),
        "timestamp": now,
        "reporter": who,
        "sender": who,
        "source_identifier": address.text,
        "category": "connection",
        "type": "login_attack",
        "evidence_source": "automated_filter",
        "protocol": protocol,
        "first_seen": iso_text(min(times, default=ban.since)) or now,
        "last_seen": now,
        "description": f"{count(ban.failures, 'failure')} counted by the jail {word(ban.jail)}",
    }
    if port := _port(ban):
        said["source_port"] = port
    if lines:
        payload = "\n".join(lines).encode()
        said["evidence"] = [
            {
                "content_type": "text/plain",
                "description": "Lines of the log, private parts taken out",
                "payload": base64.b64encode(payload).decode("ascii"),
                "size": len(payload),
                "hash": f"sha256:{hashlib.sha256(payload).hexdigest()}",
            }
        ]
    return said


def _port(ban: Ban) -> int:
    """Return the port that the attacker came from, as captured or as the log says it; 0: unknown.

    Editions of XARF 4.2 differ on whether a report needs it; where many share an
    address, it alone tells a provider who it was.
    """
    tags = dict(ban.tags)
    texts = [tags.get("fport", ""), tags.get("port", "")]
    texts += [match[1] for line in ban.evidence if (match := _PORT.search(line.text))]
    found = (int(text) for text in texts if re.fullmatch("[0-9]{1,5}", text))
    return next((port for port in found if 0 < port < 65_536), 0)


def compose(
    said: dict[str, object], *, ban: Ban, address: Subject, sender: str, to: Sequence[str],
    now: Instant, lines: Sequence[str],
) -> EmailMessage:  # fmt: skip
    """Return the mail that carries the report *said*."""
    domain = sender.partition("@")[2]
    message = EmailMessage(policy=SMTP.clone(linesep="\n"))
    message["Subject"] = f"Abuse report: login attack from {address}"
    message["From"] = mail_address(sender)
    message["To"] = [mail_address(each) for each in to]
    message["Date"] = format_datetime(datetime.fromtimestamp(int(now), UTC))
    message["Message-ID"] = make_msgid("abuse", domain)
    message["Auto-Submitted"] = "auto-generated"
    message["X-XARF"] = "PLAIN"
    what = count(ban.failures, "failed attempt")
    parts = [
        f"From {address} came {what} to log in to a server of ours.",
        f"It was banned at {clock(ban.since)}.",
        "Please see whether the machine behind that address is abused or broken into.",
    ]
    if lines:
        parts.append("What the log says, private parts taken out:")
        parts.append("\n".join(f"  {each}" for each in lines))
    parts.append(f"A program made this report, xarf.json holds it in XARF. Answers reach {sender}.")
    text = "\n\n".join(parts)
    message.set_content(text + "\n", cte="quoted-printable")
    message.make_mixed()
    kind = EmailMessage(policy=message.policy)
    kind["Content-Type"] = "message/feedback-report"
    kind.set_payload(
        f"Feedback-Type: xarf\nUser-Agent: banish/{__version__}\nVersion: 1\n"
        f"Source-IP: {address}\n\n"
    )
    message.attach(kind)
    message.add_attachment(
        to_json(said), maintype="application", subtype="json", filename="xarf.json"
    )
    message.replace_header("Content-Type", "multipart/report")
    message.set_param("report-type", "feedback-report")
    return message


class XarfChannel:
    """Sends one report for each ban."""

    def __init__(
        self,
        options: Xarf,
        facts: BanFacts,
        contacts: Contacts,
        reported: Reported,
        *,
        clock: Clock,
    ) -> None:
        self._options = options
        self._facts = facts
        self._contacts = contacts
        self._reported = reported
        self._clock = clock

    async def send(self, events: Sequence[JailEvent], *, is_last: bool) -> None:
        """Report the ban of the first of *events*; there is no more than one.

        Raises:
            ActionError: It was not sent.

        """
        how, ban, now = self._options, events[0].of, self._clock()
        address = attacker(ban)
        if address is None or self._reported.is_recent(address, now, how.again):
            return
        if not how.to and is_last:
            raise ActionError("there was no time to find the abuse contact", retry=False)
        to = how.to or await self._contacts.of(address)
        if not to:
            return
        sender = how.sender[0]
        hosts = (*await self._facts.names(), sender.partition("@")[2])
        lines = redacted(ban, hosts=hosts, most=how.lines)
        said = report(
            ban,
            address,
            lines=lines,
            contact=sender,
            organisation=how.organisation,
            protocol=how.protocol,
        )
        message = compose(
            said, ban=ban, address=address, sender=sender, to=to, now=now, lines=lines
        )
        await post(message, sender=sender, to=to, how=how)
        self._reported.note(address, now)

    async def close(self) -> None:
        """Have nothing open."""


def make(context: ActionContext) -> Notifier:
    """Return the notifier of one jail."""
    options = msgspec.convert(context.settings.options, Xarf)
    contacts = Contacts(zone=options.contacts, whois=options.whois, dns_server=options.dns_server)
    reported = context.shared.setdefault("xarf", Reported())
    assert isinstance(reported, Reported)
    channel = XarfChannel(options, context.facts, contacts, reported, clock=context.clock)
    return Notifier(context, channel, each_alone(options.retry, options.timeout), slack=SLACK)


ADDON = ActionAddon(
    "Reports in XARF by mail, to whom the attacker's network belongs.",
    (Xarf,),
    make,
    required=("sender",),
)
