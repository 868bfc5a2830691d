"""Mail about networks."""

from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.decision import StartBan
from tests.notify.stage import KnownFacts, Running, ban, mail_server, make, play
from tests.notify.test_mail import smtp, text_of


def told(start: Ban) -> str:
    """Return the mail about one ban."""
    said: list[str] = []

    async def part() -> None:
        async with mail_server() as box:
            facts = KnownFacts({"2001:db8:0:1::9": "scan.example.net"})
            action = make("mail", facts=facts, to=("admin@example.org",), options=smtp(box.port))
            running = Running(action)
            running.start()
            running.acting.act([StartBan(start)])
            said.append(text_of(await box.take()))
            await running.finish()

    play(part)
    return said[0]


def test_a_banned_64_is_told_with_the_address_that_failed_and_its_name() -> None:
    said = told(ban("2001:db8:0:1::/64", seen=parse_subject("2001:db8:0:1::9")))
    assert "2001:db8:0:1::9" in said
    assert "scan.example.net" in said
    assert "banish unban 2001:db8:0:1::/64" in said


def test_a_network_banned_for_its_members_is_told_as_such() -> None:
    assert "the bans of several of its members" in told(ban("198.51.100.0/24", cause="network"))
