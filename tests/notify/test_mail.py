"""Mail about bans, taken by real servers on loopback and by programs in the place of sendmail."""

import asyncio
from email.message import EmailMessage
from pathlib import Path

import msgspec
import pytest
import trustme

from banish.errors import ActionError
from banish.model.address import parse_subject
from banish.model.decision import EndBan, StartBan
from banish.model.failure import Evidence
from banish.model.settings import OptionValue
from banish.telemetry.events import NotificationsDropped, PartFailed, PartRecovered
from tests.notify.stage import (
    HOSTILE,
    KnownFacts,
    Running,
    ban,
    certificate,
    mail_server,
    make,
    play,
    write_program,
)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


def smtp(port: int, **changed: OptionValue) -> dict[str, OptionValue]:
    common: dict[str, OptionValue] = {
        "via": "smtp",
        "host": "localhost",
        "port": port,
        "security": "none",
    }
    return common | changed


def test_a_ban_is_told_by_smtp_with_all_that_is_known() -> None:
    async def part() -> None:
        async with mail_server() as box:
            facts = KnownFacts({"192.0.2.1": "scan.example.net"})
            action = make("mail", facts=facts, to=("admin@example.org",), options=smtp(box.port))
            running = Running(action)
            running.start()
            running.acting.act([StartBan(ban(count=3))])
            mail = await box.take()
            await running.finish()
            assert mail["Subject"] == "[banish] 192.0.2.1 banned on web1.example.org by sshd"
            assert mail["To"] == "admin@example.org"
            assert mail["Auto-Submitted"] == "auto-generated"
            assert box.envelopes[0].rcpt_tos == ["admin@example.org"]
            for kind in ("plain", "html"):
                said = text_of(mail, kind)
                for each in (
                    "192.0.2.1",
                    "scan.example.net",
                    "(10m)",
                    "number 3",
                    "Failed password",
                ):
                    assert each in said
            assert "banish unban 192.0.2.1" in text_of(mail)
            assert running.told == []

    play(part)


def test_what_attackers_write_steers_neither_headers_nor_terminal_nor_page() -> None:
    hostile = ban(
        evidence=(Evidence(HOSTILE),), tags=(("user", "a\r\nBcc: x@example.org"), ("other", "x"))
    )

    async def part() -> None:
        async with mail_server() as box:
            facts = KnownFacts({"192.0.2.1": 'evil"<b>\r\nBcc: y@example.org' + "x" * 500})
            action = make("mail", facts=facts, options=smtp(box.port))
            await action.ban(hostile)
            await action.tick()
            odd = msgspec.structs.replace(hostile, subject=parse_subject("$(reboot)\nBcc: z"))
            await action.stop()
            lone = make("mail", facts=facts, options=smtp(box.port))
            await lone.ban(odd)
            await lone.tick()
            assert len(box.mails) == 2
            for mail in box.mails:
                assert mail["Bcc"] is None
                assert "\n" not in mail["Subject"]
                plain, page = text_of(mail), text_of(mail, "html")
                for letter in "\x1b\u202e\0":
                    assert letter not in plain + page
                assert "<script>" not in page
                assert "<b>" not in page
                assert r"\u202eevil" in plain
                assert len(plain) < 3_000
            assert "banish unban" not in text_of(box.mails[1])

    play(part)


def test_many_bans_are_two_mails() -> None:
    async def part() -> None:
        async with mail_server() as box:
            action = make("mail", most=20, digest=0.2, options=smtp(box.port))
            running = Running(action)
            running.start()
            running.acting.act([StartBan(ban("198.51.100.1"))])
            await box.take()
            running.acting.act([StartBan(ban(f"198.51.100.{n}")) for n in range(2, 51)])
            digest = await box.take(2)
            await running.finish()
            assert "198.51.100.1 banned" in box.mails[0]["Subject"]
            assert digest["Subject"] == "[banish] 49 bans on web1.example.org by sshd"
            said = text_of(digest)
            assert sum("198.51.100." in line for line in said.splitlines()) == 20
            assert "and 29 more" in said
            assert len(box.mails) == 2

    play(part)


def test_bans_alone_are_told_unless_more_is_asked_for() -> None:
    async def part() -> None:
        async with mail_server() as box:
            quiet = make("mail", options=smtp(box.port))
            await quiet.start()
            await quiet.unban(ban())
            await quiet.prolong(ban())
            await quiet.stop()
            assert box.mails == []
            every = ("ban", "unban", "prolong", "start", "stop")
            loud = make("mail", on=every, digest=0.0, options=smtp(box.port))
            running = Running(loud)
            running.start()
            running.acting.act([StartBan(ban()), EndBan(ban(), "expired")])
            await box.take(3)
            await running.finish()
            assert [mail["Subject"].removeprefix("[banish] ") for mail in box.mails] == [
                "jail sshd started on web1.example.org",
                "192.0.2.1 banned on web1.example.org by sshd",
                "192.0.2.1 unbanned on web1.example.org by sshd",
                "jail sshd stopped on web1.example.org",
            ]

    play(part)


def test_what_waits_when_the_server_stops_is_sent_without_looking_anything_up() -> None:
    async def part() -> None:
        async with mail_server() as box:
            facts = KnownFacts()
            action = make("mail", facts=facts, options=smtp(box.port))
            running = Running(action)
            running.start()
            running.acting.act([StartBan(ban())])
            await box.take()
            facts.hangs = True
            running.acting.act([StartBan(ban("192.0.2.2"))])
            await running.finish()
            assert len(box.mails) == 2

    play(part)


@pytest.mark.parametrize(("security", "from_start"), [("starttls", False), ("tls", True)])
def test_the_way_is_encrypted_and_the_password_comes_from_a_file(
    security: str, from_start: bool, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "password").write_text("right\n")

    async def part() -> None:
        tls = certificate(authority)
        async with mail_server(tls=tls, from_start=from_start, needs_login=True) as box:
            action = make(
                "mail",
                options=smtp(
                    box.port,
                    security=security,
                    ca_file=str(tmp_path / "ca.pem"),
                    user="banish",
                    password_file=str(tmp_path / "password"),
                ),
            )
            await action.ban(ban())
            await action.tick()
            assert box.logins == [("banish", "right")]
            assert box.was_encrypted == [True]

    play(part)


@pytest.mark.parametrize(
    ("changed", "says", "cure"),
    [
        ({"security": "starttls", "ca_file": ""}, "not trusted", "ca_file"),
        ({"host": "127.0.0.1", "security": "starttls"}, "not trusted", "ca_file"),
        ({"security": "tls"}, "could not agree", "security="),
        ({"security": "none"}, "cannot do what is asked", "security="),
        ({"security": "starttls", "password": "wrong"}, "refused the login", "password"),
        ({"security": "starttls", "password": ""}, "holds no secret", "first line"),
        ({"security": "starttls", "password_file": "/nowhere"}, "cannot be read", "chmod"),
        ({"security": "starttls", "ca_file": "/nowhere"}, "/nowhere cannot be used", "PEM"),
    ],
)
def test_what_is_wrong_with_a_server_is_told_with_the_cure(
    changed: dict[str, OptionValue], says: str, cure: str, authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    (tmp_path / "password").write_text(str(changed.pop("password", "right")) + "\n")

    async def part() -> None:
        async with mail_server(tls=certificate(authority), needs_login=True) as box:
            options = smtp(
                box.port,
                user="banish",
                ca_file=str(tmp_path / "ca.pem"),
                password_file=str(tmp_path / "password"),
            )
            action = make("mail", options=options | changed)
            await action.ban(ban())
            with pytest.raises(ActionError) as caught:
                await action.tick()
            assert says in caught.value.what
            assert cure in caught.value.cure
            assert "right" not in str(caught.value)
            assert box.mails == []
            assert action.due is not None

    play(part)


def test_a_server_that_is_away_is_tried_again_and_status_tells() -> None:
    async def part() -> None:
        async with mail_server() as box:
            box.answers = ["451 later, please"]
            action = make("mail", options=smtp(box.port))
            running = Running(action)
            running.start()
            running.acting.act([StartBan(ban())])
            met = await running.heard(PartFailed)
            assert isinstance(met, PartFailed)
            assert "451 later, please" in met.what
            shown = running.acting.trouble("sshd")
            assert "refused the mail" in shown
            assert "see its log" in shown
            running.acting.act([StartBan(ban("192.0.2.2"))])
            await asyncio.sleep(0)
            assert running.acting.trouble("sshd")
            await box.take()
            await running.heard(PartRecovered)
            await running.finish()
            assert "192.0.2.1 banned" in box.mails[0]["Subject"]
            assert running.acting.trouble("sshd") == ""

    from banish.notify import outbox

    patch = pytest.MonkeyPatch()
    patch.setattr(outbox, "FIRST_WAIT", 0.05)
    try:
        play(part)
    finally:
        patch.undo()


@pytest.mark.parametrize("answer", ["554 no such thing here", "552 too much"])
def test_a_mail_that_will_never_be_taken_is_given_up(answer: str) -> None:
    async def part() -> None:
        async with mail_server() as box:
            box.answers = [answer]
            running = Running(make("mail", **smtp(box.port)))  # type: ignore[arg-type]
            running.workers[0].action._emit = running.told.append  # type: ignore[attr-defined]
            running.start()
            running.acting.act([StartBan(ban())])
            await running.heard(PartFailed)
            await running.finish()
            assert (
                running.told.count(NotificationsDropped(jail="sshd", action="mail", count=1)) == 1
            )
            assert box.mails == []

    play(part)


def test_what_failed_before_is_tried_once_more_when_the_server_stops() -> None:
    async def part() -> None:
        async with mail_server() as box:
            box.answers = ["451 later, please"]
            running = Running(make("mail", options=smtp(box.port)))
            running.start()
            running.acting.act([StartBan(ban())])
            await running.heard(PartFailed)
            await running.finish()
            assert len(box.mails) == 1

    play(part)


def test_a_server_that_says_nothing_is_left_after_the_time_limit() -> None:
    async def part() -> None:
        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Ends when the other side hangs up.
            await reader.read()
            writer.close()
            gone.set()

        gone = asyncio.Event()
        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        action = make("mail", lookup=False, timeout=0.2, options=smtp(port))
        action._slack = 0.0  # type: ignore[attr-defined]
        await action.ban(ban())
        with pytest.raises(ActionError, match=r"longer than|cannot be reached"):
            await action.tick()
        await gone.wait()
        server.close()
        await server.wait_closed()

    play(part)


# -- sendmail --------------------------------------------------------------------


def test_a_local_program_gets_addresses_as_arguments_and_the_mail_as_input(tmp_path: Path) -> None:
    path = write_program(
        tmp_path, "sendmail", f'echo "$@" > {tmp_path}/words; cat > {tmp_path}/mail'
    )

    async def part() -> None:
        action = make(
            "mail", sendmail=path, to=("root", "a@example.org"), sender=("banish@example.org",)
        )
        await action.ban(ban(evidence=(Evidence(HOSTILE), Evidence("."), Evidence("end"))))
        await action.tick()

    play(part)
    assert (tmp_path / "words").read_text() == "-i -f banish@example.org root a@example.org\n"
    mail = (tmp_path / "mail").read_bytes()
    assert b"\r" not in mail
    assert b"Subject: [banish] 192.0.2.1 banned" in mail
    assert b"Bcc:" not in mail.partition(b"\n\n")[0]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("echo 'no such user' >&2; exit 67", r"exit code 67\): no such user"),
        ("exec sleep 60", "longer than"),
        ("head -c 100000 /dev/zero | tr '\\0' x; exit 1", "exit code 1"),
    ],
)
def test_a_program_that_fails_or_hangs_is_told(tmp_path: Path, body: str, says: str) -> None:
    path = write_program(tmp_path, "sendmail", body)

    async def part() -> None:
        action = make("mail", sendmail=path, timeout=1.0, lookup=False)
        action._slack = 0.0  # type: ignore[attr-defined]
        await action.ban(ban())
        with pytest.raises(ActionError, match=says) as caught:
            await action.tick()
        assert len(str(caught.value)) < 600

    play(part)


def test_a_program_that_is_not_there_is_told_with_the_cure(tmp_path: Path) -> None:
    async def part() -> None:
        action = make("mail", sendmail=str(tmp_path / "none"))
        await action.ban(ban())
        with pytest.raises(ActionError, match="cannot be started") as caught:
            await action.tick()
        assert "via=smtp" in caught.value.cure

    play(part)


def test_a_program_that_leaves_something_behind_is_not_waited_for(tmp_path: Path) -> None:
    path = write_program(tmp_path, "sendmail", f"sleep 30 & echo $! > {tmp_path}/left; exit 0")

    async def part() -> None:
        action = make("mail", sendmail=path, timeout=10.0)
        await action.ban(ban())
        async with asyncio.timeout(8):
            await action.tick()

    play(part)
    import os
    import signal

    os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)
