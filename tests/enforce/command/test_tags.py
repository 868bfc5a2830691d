"""What tags stand for."""

import asyncio

import pytest

from banish.enforce.command.tags import reverse, values
from banish.model.address import Subject, SubjectKind, parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.shell.fitting import FittedValue

NOW = Instant(1_790_000_000.5)

BAN = Ban(
    "web",
    parse_subject("192.0.2.7"),
    Instant(NOW - 60),
    Instant(NOW + 540),
    failures=3,
    count=2,
    evidence=(Evidence("one"), Evidence("two")),
    tags=(("user", "bob"), ("port", "4022")),
)

OLDER = Ban(
    "mail", BAN.subject, Instant(NOW - 9000), None, failures=5,
    evidence=(Evidence("zero"), Evidence("one")),
)  # fmt: skip


class Facts:
    """Knows one earlier ban, and this one."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def host_of(self, address: Subject) -> str:
        self.asked.append("host")
        return f"host-{address}"

    async def past(self, subject: Subject, jail: str | None) -> tuple[Ban, ...]:
        self.asked.append(f"past {jail}")
        return tuple(ban for ban in (OLDER, BAN) if jail in (None, ban.jail))

    def counts(self, jail: str) -> tuple[int, int, int, int]:
        self.asked.append("counts")
        return (1, 2, 3, 4)

    async def names(self) -> tuple[str, str]:
        self.asked.append("names")
        return ("gate.example", "gate")


def tags(*wanted: str, ban: Ban | None = BAN, restored: bool = False) -> list[str]:
    found = asyncio.run(
        values(
            wanted, jail="web", family="inet4", now=NOW, facts=Facts(), ban=ban, restored=restored
        )
    )
    return [found.get(tag, FittedValue("-")).text for tag in wanted]


def test_tags_tell_of_the_ban() -> None:
    assert tags(
        "ip", "fid", "family", "failures", "time", "bantime", "bancount", "matches", "restored",
        "F-USER", "F-PORT", "F-ID", "F-NONE", "jail.name",
    ) == [
        "192.0.2.7", "192.0.2.7", "inet4", "3", "1789999940", "600", "2", "one\ntwo", "0",
        "bob", "4022", "192.0.2.7", "", "web",
    ]  # fmt: skip
    assert tags("restored", restored=True) == ["1"]
    assert "192.0.2.7" in tags("raw-ticket")[0]


def test_tags_tell_of_the_host_and_the_jail() -> None:
    assert tags("ip-host", "fq-hostname", "sh-hostname", "jail.banned", "jail.found_total") == [
        "host-192.0.2.7", "gate.example", "gate", "1", "4",
    ]  # fmt: skip


def test_tags_tell_of_earlier_bans() -> None:
    assert tags("ipmatches", "ipfailures", "ipjailmatches", "ipjailfailures") == [
        "zero\none\ntwo", "8", "one\ntwo", "3",
    ]  # fmt: skip


def test_nobody_is_asked_for_what_no_command_needs() -> None:
    facts = Facts()
    asyncio.run(values(["ip"], jail="web", family="", now=NOW, facts=facts, ban=BAN))
    assert facts.asked == []


def test_a_start_has_no_ban() -> None:
    assert tags("ip", "time", "failures", "bantime", "matches", "F-USER", ban=None) == [
        "-", "1790000000", "0", "-1", "-", "",
    ]  # fmt: skip


def test_a_ban_without_end_lasts_minus_one_second() -> None:
    assert tags("bantime", ban=OLDER) == ["-1"]


def test_an_identifier_is_not_of_our_making_and_has_the_address_of_its_line() -> None:
    subject = Subject("x; id", SubjectKind.ID)
    ban = Ban("web", subject, NOW, None, address=parse_subject("2001:db8::7"))
    found = asyncio.run(
        values(["ip", "fid", "F-ID"], jail="web", family="", now=NOW, facts=Facts(), ban=ban)
    )
    assert found == {
        "ip": FittedValue("2001:db8::7", is_ours=True),
        "fid": FittedValue("x; id"),
        "F-ID": FittedValue("x; id"),
    }


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.7", "7.2.0.192."),
        ("2001:db8::7", "7." + "0." * 23 + "8.b.d.0.1.0.0.2."),
        ("192.0.2.0/24", "0.2.0.192."),
        ("bob", ""),
    ],
)
def test_an_address_is_turned_round_for_dns(address: str, expected: str) -> None:
    assert reverse(parse_subject(address)) == expected
