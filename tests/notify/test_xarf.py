"""Reports in XARF: valid as the format's own library judges, sent to whom DNS or whois names."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import xarf

from banish.errors import ActionError
from banish.model.address import parse_subject
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.notify.addons.xarf import report
from banish.notify.contact import Contacts, addresses
from tests.notify.stage import HOSTILE, ban, mail_server, make, play

REPORTER = ("abuse@example.org",)


class Zone(asyncio.DatagramProtocol):
    """A name server that knows some TXT records."""

    def __init__(self, records: dict[str, list[str]]) -> None:
        self.records = records
        self.asked: list[str] = []
        self.is_silent = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, address: Any) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text()
        self.asked.append(name)
        if self.is_silent:
            return
        answer = dns.message.make_response(query)
        texts = self.records.get(name)
        if texts is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            words = [f'"{text}"' for text in texts]
            answer.flags |= dns.flags.RA
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", *words))
        self._transport.sendto(answer.to_wire(), address)


@asynccontextmanager
async def zone(records: dict[str, list[str]]) -> AsyncIterator[tuple[Zone, str]]:
    made = Zone(records)
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: made, ("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    try:
        yield made, f"127.0.0.1:{port}"
    finally:
        transport.close()


def whois(folder: Path, answer: str) -> str:
    (folder / "answer").write_text(answer)
    path = folder / "whois"
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/asked\ncat {folder}/answer\n')
    path.chmod(0o755)
    return str(path)


def test_a_report_is_valid_and_reaches_the_contact_that_dns_names() -> None:
    line = "web1 sshd[9]: Failed password for alice from 203.0.113.9 port 40022"

    async def part() -> None:
        records = {"9.113.0.203.abuse.example.net.": ["abuse@provider.example.net"]}
        async with mail_server() as box, zone(records) as (names, server):
            action = make(
                "xarf", sender=REPORTER, organisation="Example", contacts="abuse.example.net",
                dns_server=server, via="smtp", host="127.0.0.1", port=box.port, security="none",
            )  # fmt: skip
            made = ban("203.0.113.9", tags=(("user", "alice"), ("port", "40022")))
            evidence = tuple(Evidence(line, at=made.since) for _ in range(3))
            await action.ban(ban("203.0.113.9", tags=made.tags, evidence=evidence))
            await action.tick()
            (mail,) = box.mails
            assert names.asked == ["9.113.0.203.abuse.example.net."]
            assert box.envelopes[0].rcpt_tos == ["abuse@provider.example.net"]
            assert mail.get_content_type() == "multipart/report"
            assert mail.get_param("report-type") == "feedback-report"
            parts = list(mail.iter_parts())
            assert [part.get_content_type() for part in parts] == [
                "text/plain", "message/feedback-report", "application/json",
            ]  # fmt: skip
            assert b"Feedback-Type: xarf" in box.envelopes[0].content  # type: ignore[operator]
            assert parts[2].get_filename() == "xarf.json"
            said = json.loads(parts[2].get_payload(decode=True))  # type: ignore[arg-type]
            judged = xarf.parse(said)
            assert judged.errors == []
            assert judged.report is not None
            assert said["source_identifier"] == "203.0.113.9"
            assert said["source_port"] == 40022
            text = base64.b64decode(said["evidence"][0]["payload"]).decode()
            whole = text + str(parts[0].get_payload(decode=True))
            assert "Failed password for *** from 203.0.113.9" in whole
            assert "alice" not in whole
            assert "web1" not in whole

    play(part)


FAR = Instant(1e18)


@pytest.mark.parametrize(
    ("changes", "port"),
    [
        ({}, 40022),
        ({"evidence": ()}, 0),
        ({"evidence": (Evidence(HOSTILE, at=FAR),)}, 0),
        ({"since": FAR}, 40022),
        ({"tags": (("port", "99999999"),)}, 40022),
        ({"tags": (("port", "٣"), ("fport", "7"))}, 7),
        ({"evidence": (Evidence("port 0"), Evidence("port 70000"))}, 0),
        ({"until": None, "failures": 0}, 40022),
    ],
)
@pytest.mark.parametrize("address", ["203.0.113.9", "2001:db8::9"])
def test_every_report_is_valid(changes: dict[str, Any], port: int, address: str) -> None:
    made = ban(address, **changes)

    def said() -> dict[str, object]:
        return report(
            made,
            made.subject,
            lines=("a line",),
            contact="abuse@example.org",
            organisation="",
            protocol="tcp",
        )

    assert said() == said()
    assert said().get("source_port", 0) == port
    # The edition that the library has wants a port always.
    judged = xarf.parse(said() if port else said() | {"source_port": 1})
    assert judged.errors == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("% Abuse contact for '203.0.113.0/24' is 'a@example.net'\n", ["a@example.net"]),
        ("abuse-mailbox:  a@example.net\nabuse-mailbox: a@example.net\n", ["a@example.net"]),
        ("OrgAbuseEmail:  noc@example.net\r\n", ["noc@example.net"]),
        ("remarks: a@example.net\n", []),
        ("abuse-mailbox: -oQ/tmp@x\nabuse-mailbox: a b@c\nabuse-mailbox: a@b\n", []),
        ("abuse-mailbox: a@x.example\nabuse-mailbox: b@x.example\nabuse-mailbox: c@x.example", 2),
        ("abuse-mailbox: " + "x" * 100_000 + "@example.net", []),
        ("", []),
    ],
)  # fmt: skip
def test_whois_names_contacts_if_they_are_plainly_mail_addresses(
    answer: str, expected: list[str] | int, tmp_path: Path
) -> None:
    async def part() -> None:
        contacts = Contacts(zone="", whois=True, whois_program=whois(tmp_path, answer))
        address = parse_subject("203.0.113.9")
        found = await contacts.of(address)
        assert len(found) == expected if isinstance(expected, int) else list(found) == expected
        assert await contacts.of(address) == found
        assert (tmp_path / "asked").read_text() == "203.0.113.9\n"

    play(part)


def test_dns_that_is_silent_or_knows_nothing_leaves_whois_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from banish.notify import contact

    monkeypatch.setattr(contact, "DNS_SPAN", 0.2)
    path = whois(tmp_path, "abuse-mailbox: a@example.net\n")

    async def part() -> None:
        async with zone({}) as (names, server):
            for is_silent in (False, True):
                names.is_silent = is_silent
                contacts = Contacts(
                    zone="abuse.example.net", whois=True, dns_server=server, whois_program=path
                )
                assert await contacts.of(parse_subject("2001:db8::9")) == ("a@example.net",)
            assert names.asked[0].startswith("9.0.0.0.")
            assert names.asked[0].endswith(".8.b.d.0.1.0.0.2.abuse.example.net.")

    play(part)


def test_a_missing_program_is_told_with_the_cure() -> None:
    async def part() -> None:
        contacts = Contacts(zone="", whois=True, whois_program="/nowhere/whois")
        with pytest.raises(ActionError, match="cannot be started") as caught:
            await contacts.of(parse_subject("203.0.113.9"))
        assert "install whois" in caught.value.cure

    play(part)


def test_an_address_is_reported_once_a_day_and_strangers_nowhere_known_not_at_all() -> None:
    async def part() -> None:
        async with mail_server() as box:
            shared: dict[str, object] = {}
            how: Any = {
                "sender": REPORTER, "to": ("noc@example.net",), "via": "smtp",
                "host": "127.0.0.1", "port": box.port, "security": "none",
            }  # fmt: skip
            for jail in ("sshd", "web"):
                action = make("xarf", jail=jail, shared=shared, options=how)
                await action.ban(ban("203.0.113.9"))
                await action.tick()
            assert len(box.mails) == 1
            lost = make("xarf", options=how | {"to": (), "whois": False})
            await lost.ban(ban("203.0.113.9"))
            await lost.tick()
            own = make("xarf", options=how)
            await own.ban(ban("192.168.7.7"))
            await own.tick()
            assert len(box.mails) == 1
            late = make("xarf", options=how | {"to": ()})
            await late.ban(ban("203.0.113.9"))
            with pytest.raises(ActionError, match="no time"):
                await late.stop()

    play(part)


def test_words_around_an_address_are_no_address() -> None:
    assert addresses("mailto:a@example.net <b@example.net> c@example.net,d@example.net") == (
        "c@example.net",
        "d@example.net",
    )
