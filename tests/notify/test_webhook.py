"""Bans as JSON to a service that is sometimes slow, away, or talks nonsense."""

import asyncio
import hashlib
import hmac
import json
from pathlib import Path

import pytest
from aiohttp import web

from banish.errors import ActionError
from banish.model.decision import StartBan
from banish.model.failure import Evidence
from banish.notify import outbox
from banish.notify.addons.webhook import signature
from banish.telemetry.events import PartFailed, PartRecovered
from tests.notify.service import service
from tests.notify.stage import HOSTILE, Running, ban, end, make, play


@pytest.fixture
def secret(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text("quite secret\n")
    return str(path)


def test_a_ban_is_told_with_a_signature_that_the_other_side_can_check(secret: str) -> None:
    async def part() -> None:
        async with service() as hook:
            action = make("webhook", url=f"{hook.url}/x", secret_file=secret, token_file=secret)
            running = Running(action)
            running.start()
            running.acting.act([StartBan(ban())])
            asked = await hook.take()
            await running.finish()
            said = asked.json()
            assert said["version"] == 1
            assert said["host"] == "web1.example.org"
            (event,) = said["events"]
            assert (event["kind"], event["jail"]) == ("ban", "sshd")
            assert event["ban"]["subject"] == "192.0.2.1"
            assert event["ban"]["failures"] == 5
            assert event["ban"]["captured"] == {"user": "root"}
            assert "Failed password" in event["ban"]["evidence"][0]["text"]
            stamp = asked.headers["x-banish-timestamp"]
            expected = hmac.new(
                b"quite secret", stamp.encode() + b"." + asked.body, hashlib.sha256
            ).hexdigest()
            assert asked.headers["x-banish-signature"] == f"v1={expected}"
            assert asked.headers["authorization"] == "Bearer quite secret"
            assert running.told == []

    play(part)


def test_the_signature_is_what_the_manual_says() -> None:
    assert signature(b"k", 1_790_000_000, b"{}") == (
        "v1=" + hmac.new(b"k", b"1790000000.{}", hashlib.sha256).hexdigest()
    )


def test_whatever_attackers_write_is_valid_json() -> None:
    async def part() -> None:
        async with service() as hook:
            action = make("webhook", url=hook.url)
            await action.ban(ban(evidence=(Evidence(HOSTILE),), tags=(("user", "\ud800\0"),)))
            await action.tick()
            await end(action)
            text = hook.asked[0].body.decode("ascii")
            said = json.loads(text)
            shown = said["events"][0]["ban"]["evidence"][0]["text"]
            assert "<script>" in shown
            shown.encode("utf-8")  # no half of a character is left

    play(part)


def test_each_try_of_a_message_has_the_same_number_and_status_tells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "FIRST_WAIT", 0.05)

    async def part() -> None:
        async with service() as hook:
            hook.next = [web.Response(status=500, text="oh no"), web.Response(status=502)]
            running = Running(make("webhook", url=hook.url))
            running.start()
            running.acting.act([StartBan(ban()), StartBan(ban("192.0.2.2"))])
            met = await running.heard(PartFailed)
            assert isinstance(met, PartFailed)
            assert "answered 500: oh no" in met.what
            await running.heard(PartRecovered)
            await hook.take(4)
            await running.finish()
            numbers = [asked.headers["x-banish-delivery"] for asked in hook.asked]
            assert numbers[0] == numbers[1] == numbers[2] != numbers[3]
            assert running.acting.trouble("sshd") == ""

    play(part)


@pytest.mark.parametrize(
    ("answer", "says", "is_tried_again"),
    [
        (web.Response(status=400, text="no\x1b[2J"), "answered 400: no", False),
        (web.Response(status=404), "answered 404: nothing more", False),
        (web.Response(status=302, headers={"Location": "/y"}), "redirect", False),
        (web.Response(status=401), "answered 401", True),
        (web.Response(status=429, headers={"Retry-After": "7"}), "answered 429", True),
        (web.Response(status=503, headers={"Retry-After": "soon"}), "answered 503", True),
        (web.Response(body=b"x" * 2_000_000), "longer than", True),
    ],
)
def test_each_answer_is_dealt_with(answer: web.Response, says: str, is_tried_again: bool) -> None:
    async def part() -> None:
        async with service() as hook:
            hook.next = [answer]
            action = make("webhook", url=hook.url)
            await action.ban(ban())
            with pytest.raises(ActionError, match=says) as caught:
                await action.tick()
            assert caught.value.cure
            assert "\x1b" not in str(caught.value)
            assert (action.due is not None) is is_tried_again
            if answer.headers.get("Retry-After") == "7":
                assert action.due is not None
                wait = action.due - asyncio.get_running_loop().time()
                assert 6 < wait <= 7
            await end(action)

    play(part)


def test_a_service_that_never_answers_is_left_after_the_time_limit() -> None:
    async def part() -> None:
        async with service() as hook:
            hook.next = [None]
            action = make("webhook", url=hook.url, timeout=0.2)
            await action.ban(ban())
            with pytest.raises(ActionError, match=r"not answer within|longer than"):
                await action.tick()
            hook.end()
            await end(action)

    play(part)


async def nonsense(answer: bytes) -> tuple[asyncio.Server, str]:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/secret-path"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_nonsense_is_an_error_that_shows_no_secret(answer: bytes) -> None:
    async def part() -> None:
        server, url = await nonsense(answer)
        action = make("webhook", url=url)
        await action.ban(ban())
        with pytest.raises(ActionError) as caught:
            await action.tick()
        assert "cannot be reached" in caught.value.what
        assert "secret-path" not in str(caught.value)
        assert len(str(caught.value)) < 500
        await end(action)
        server.close()
        await server.wait_closed()

    play(part)


def test_what_is_wrong_with_the_address_is_told(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("ftp://hooks.example.org/secret-path")

    async def part() -> None:
        action = make("webhook", url_file=str(tmp_path / "url"))
        await action.ban(ban())
        with pytest.raises(ActionError, match="not an http:// or https:// URL") as caught:
            await action.tick()
        assert "secret-path" not in str(caught.value)
        nobody = make("webhook", url="http://127.0.0.1:1/secret-path")
        await nobody.ban(ban())
        with pytest.raises(ActionError, match="cannot be reached") as caught:
            await nobody.tick()
        assert "secret-path" not in str(caught.value)
        untrusted = make("webhook", url="https://127.0.0.1:1", ca_file="/nowhere")
        await untrusted.ban(ban())
        with pytest.raises(ActionError, match="/nowhere cannot be used"):
            await untrusted.tick()
        for each in (action, nobody, untrusted):
            await end(each)

    play(part)


def test_a_service_that_repeats_our_secrets_has_them_hidden(secret: str) -> None:
    async def part() -> None:
        async with service() as hook:
            hook.next = [
                web.Response(status=400, text="POST /hidden-path?key=hidden-too secret Bearer")
            ]
            url = f"{hook.url}/hidden-path?key=hidden-too"
            action = make("webhook", url=url, token_file=secret)
            await action.ban(ban())
            with pytest.raises(ActionError, match="answered 400") as caught:
                await action.tick()
            assert "hidden" not in str(caught.value)
            assert "POST ***" in str(caught.value)
            await end(action)

    play(part)


def test_a_burst_that_meets_a_slow_service_is_told_whole() -> None:
    async def part() -> None:
        async with service() as hook:
            hook.next = [None]
            running = Running(make("webhook", url=hook.url, digest=0.01, most=1_000))
            running.start()
            running.acting.act([StartBan(ban("192.0.2.1"))])
            await hook.take()
            bans = [ban(f"198.18.{number // 250}.{number % 250}") for number in range(5_000)]
            running.acting.act([StartBan(each) for each in bans])
            hook.end()
            await hook.until(
                lambda: sum(len(asked.json()["events"]) for asked in hook.asked) > 5_000
            )
            await running.finish()
            assert running.told == []

    play(part)


def test_the_address_may_stand_in_a_file(tmp_path: Path) -> None:
    async def part() -> None:
        async with service() as hook:
            (tmp_path / "url").write_text(f"{hook.url}/hidden\n")
            action = make("webhook", url_file=str(tmp_path / "url"), digest=300.0)
            for number in range(1, 4):
                await action.ban(ban(f"192.0.2.{number}"))
            await action.tick()
            await end(action)
            assert [asked.path for asked in hook.asked] == ["/hidden"]
            assert len(hook.asked[0].json()["events"]) == 3

    play(part)
