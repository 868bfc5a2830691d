"""Mail as it reads, and that nothing an attacker writes gets out of its place."""

import asyncio
import re
from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.notify.addons.xarf import compose as compose_xarf
from banish.notify.jailevent import JailEvent
from banish.notify.lookup import Lookup
from banish.notify.mailtext import compose
from banish.notify.report import Report, make_report
from tests.notify.stage import NOW, KnownFacts, ban

HEADERS = {
    "Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "X-Mailer", "MIME-Version",
    "Content-Type",
}  # fmt: skip


def report(*events: JailEvent, names: dict[str, str] | None = None) -> Report:
    lookup = Lookup(KnownFacts(names), names=True, whois=False)
    return asyncio.run(make_report(events, lookup=lookup, most_lines=10, most_rows=20))


def mail(said: Report) -> EmailMessage:
    made = compose(said, sender="root", to=("root",), now=NOW, with_html=True)
    found = message_from_bytes(made.as_bytes(), policy=default)
    assert isinstance(found, EmailMessage)
    return found


def body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    found = part.get_content()
    assert isinstance(found, str)
    return found


def event(made: Ban, kind: str = "ban") -> JailEvent:
    return JailEvent(kind, made.jail, NOW, made)  # type: ignore[arg-type]


class Tags(HTMLParser):
    """Lists the tags of a page and what they ask for."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


def test_a_mail_reads_like_this() -> None:
    made = ban(count=2)
    text = body(mail(report(event(made), names={"192.0.2.1": "a.example.net"})), "plain")
    times = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", "TIME", text)
    assert times == (
        "192.0.2.1 banned on web1.example.org by sshd.\n"
        "\n"
        "  address   192.0.2.1\n"
        "  name      a.example.net\n"
        "  jail      sshd\n"
        "  host      web1.example.org\n"
        "  at        TIME\n"
        "  until     TIME (10m)\n"
        "  failures  5\n"
        "  ban       number 2 of this address\n"
        "  user      root\n"
        "\n"
        "What the log says:\n"
        "\n"
        "  sshd[7]: Failed password for root from 192.0.2.1 port 40022\n"
        "\n"
        "See all about it  banish why 192.0.2.1\n"
        "Let it in again   banish unban 192.0.2.1\n"
        "\n"
        "-- \n"
        "banish on web1.example.org\n"
    )


def test_a_digest_has_a_row_for_each_in_columns() -> None:
    events = [event(ban(f"192.0.2.{n}")) for n in (1, 20)]
    events += [event(ban(), "unban"), event(ban(), "prolong"), JailEvent("start", "web", NOW)]
    said = report(*events)
    assert said.title == "2 bans, 1 unban, 1 longer ban on web1.example.org by 2 jails"
    lines = body(mail(said), "plain").splitlines()
    rows = [line for line in lines if line.startswith("  ")]
    assert [row.split()[0] for row in rows] == [
        "what",
        "banned",
        "banned",
        "unbanned",
        "banned",
        "started",
    ]
    assert len({row.index("sshd") for row in rows[1:5]}) == 1


def test_a_ban_by_hand_and_one_without_end_say_so() -> None:
    said = report(event(ban(cause="operator", until=None, failures=0, evidence=(), tags=())))
    facts = dict(said.facts)
    assert facts["by"] == "hand"
    assert facts["until"] == "for ever"
    assert "failures" not in facts
    assert report(JailEvent("stop", "sshd", NOW)).title == "jail sshd stopped on web1.example.org"


nasty = st.text(
    st.characters() | st.sampled_from("\r\n\0\x1b<>\"'&\u202e\ud800\udc80\u2028%=?"), max_size=80
)


@settings(max_examples=150, deadline=None)
@given(line=nasty, user=nasty, name=nasty, identifier=nasty, many=st.booleans())
def test_whatever_attackers_write_stays_in_its_place(
    line: str, user: str, name: str, identifier: str, many: bool
) -> None:
    made = ban(evidence=(Evidence(line),), tags=(("user", user),))
    subject = parse_subject(identifier or "x")
    odd = msgspec.structs.replace(made, subject=subject, address=parse_subject("192.0.2.1"))
    events = [event(made), event(odd)] if many else [event(odd)]
    message = mail(report(*events, names={"192.0.2.1": name}))
    assert set(message.keys()) == HEADERS
    assert message["To"] == "root"
    assert "\n" not in message["Subject"]
    plain, page = body(message, "plain"), body(message, "html")
    assert all(letter.isprintable() or letter == "\n" for letter in plain + page)
    tags = Tags()
    tags.feed(page)
    assert tags.names <= {
        "html", "head", "meta", "body", "div", "table", "tr", "th", "td", "pre", "span", "code",
    } | {"p"}  # fmt: skip
    assert tags.attributes <= {"style", "charset", "name", "content"}
    report_mail = compose_xarf(
        {}, ban=made, address=made.subject, sender="a@example.org", to=("b@example.org",),
        now=NOW, lines=[],
    )  # fmt: skip
    assert b"\nTo: b@example.org\n" in report_mail.as_bytes()
