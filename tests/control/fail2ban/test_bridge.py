"""Fail2Ban's protocol at a real socket: what clients send, and what they must not."""

import asyncio
import os
import pickle
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from banish.control.client import Client
from banish.control.fail2ban import bridge as module
from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.bridge import CLOSE, END, Fail2BanBridge
from banish.control.listener import Peer
from banish.errors import ControlError, OperatorError
from banish.telemetry.events import Event, RequestRefused


class Answers:
    """Answers a few commands, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[Value]] = []
        self.gate: asyncio.Event | None = None
        self.was_asked = asyncio.Event()

    async def answer(self, command: list[Value], peer: Peer) -> Value:
        self.asked.append(command)
        self.was_asked.set()
        match command:
            case ["ping", *_]:
                return "pong"
            case ["status", jail]:
                raise CommandError("UnknownJailException", jail)
            case ["wait"]:
                assert self.gate is not None
                await self.gate.wait()
                return "waited"
            case ["banned"]:
                return [{"sshd": [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(50_000)]}]
            case _:
                return command


def frame(*words: object, protocol: int = 2) -> bytes:
    return pickle.dumps(list(words), protocol) + END


async def say(path: Path, *parts: bytes) -> list[Any]:
    """Send *parts* and hang up; return what came back, unpickled."""
    reader, writer = await asyncio.open_unix_connection(str(path))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        writer.write_eof()
        said = await reader.read()
    except ConnectionError:
        return []
    finally:
        writer.close()
    assert said.endswith(END) or not said
    return [pickle.loads(each) for each in said.split(END) if each]


def serve(
    path: Path, play: Callable[[Fail2BanBridge], Awaitable[None]], answers: Answers, **limits: Any
) -> list[Event]:
    told: list[Event] = []

    async def run() -> None:
        bridge = Fail2BanBridge(path, answers, told.append, **limits)
        await bridge.start()
        try:
            async with asyncio.timeout(30):
                await play(bridge)
        finally:
            await bridge.close()

    asyncio.run(run())
    return told


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fail2ban.sock"


@pytest.fixture
def answers() -> Answers:
    return Answers()


def test_many_commands_of_one_connection_are_answered_in_order(
    path: Path, answers: Answers
) -> None:
    async def play(_: Fail2BanBridge) -> None:
        sent = frame("ping", "100") + frame("echo", 1, protocol=5) + frame("ping", protocol=0)
        assert await say(path, sent) == [(0, "pong"), (0, ["echo", 1]), (0, "pong")]
        pieces = [sent[at : at + 7] for at in range(0, len(sent), 7)]
        assert await say(path, *pieces) == [(0, "pong"), (0, ["echo", 1]), (0, "pong")]

    assert serve(path, play, answers) == []
    assert path.exists() is False


def test_an_error_is_a_reply_with_code_1(path: Path, answers: Answers) -> None:
    async def play(_: Fail2BanBridge) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(frame("status", "nosuch") + CLOSE + END + frame("ping"))
        said = await reader.read()
        writer.close()
        # The class is Fail2Ban's, which this test does not have.
        assert said == (
            b"\x80\x02K\x01cfail2ban.exceptions\nUnknownJailException\n"
            b"X\x06\x00\x00\x00nosuch\x85R\x86." + END
        )

    assert serve(path, play, answers) == []
    assert answers.asked == [["status", "nosuch"]]


def test_whoever_connects_and_hangs_up_is_not_worth_a_word(path: Path, answers: Answers) -> None:
    async def play(_: Fail2BanBridge) -> None:
        for _number in range(20):
            assert await say(path) == []
            assert await say(path, b"half a fra") == []
            assert await say(path, CLOSE + END) == []

    assert serve(path, play, answers) == []


@pytest.mark.parametrize(
    "sent",
    [
        b"nonsense" + END,
        pickle.dumps("ping") + END,
        pickle.dumps([]) + END,
        pickle.dumps([7]) + END,
        pickle.dumps({"ping": 1}) + END,
        b"cos\nsystem\n(S'touch /tmp/banish-must-not-be'\ntR." + END,
        b"]" * 1_000 + b"a" * 999 + b"." + END,
    ],
)
def test_what_is_no_command_is_answered_in_words_and_reported_once(
    path: Path, answers: Answers, sent: bytes
) -> None:
    async def play(_: Fail2BanBridge) -> None:
        for _number in range(3):
            first, second = await say(path, sent + frame("ping"))
            assert isinstance(first, str)
            assert first.startswith("ERROR: ")
            assert second == (0, "pong")

    told = serve(path, play, answers)
    assert [type(each) for each in told].count(RequestRefused) == 1
    assert answers.asked == [["ping"]] * 3


def test_a_frame_without_an_end_is_let_go(
    path: Path, answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FRAME_LIMIT_BYTES", 10_000)

    async def play(_: Fail2BanBridge) -> None:
        (said,) = await say(path, b"x" * 9_000, b"x" * 2_000)
        assert "at most 10000 bytes" in said
        assert await say(path, frame("ping")) == [(0, "pong")]

    assert len(serve(path, play, answers)) == 1


def test_who_says_nothing_or_does_not_listen_is_let_go(path: Path, answers: Answers) -> None:
    async def play(_: Fail2BanBridge) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        assert await reader.read() == b""
        writer.close()
        with socket.socket(socket.AF_UNIX) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            deaf.setblocking(False)
            deaf.connect(str(path))
            deaf.sendall(frame("banned") * 4)
            await answers.was_asked.wait()
            assert await say(path, frame("ping")) == [(0, "pong")]

    serve(path, play, answers, idle_seconds=0.2, slow_seconds=0.2)


def test_a_slow_command_holds_up_nobody(path: Path, answers: Answers) -> None:
    async def play(_: Fail2BanBridge) -> None:
        answers.gate = asyncio.Event()
        slow = asyncio.create_task(say(path, frame("wait")))
        assert await say(path, frame("ping")) == [(0, "pong")]
        assert not slow.done()
        answers.gate.set()
        assert await slow == [(0, "waited")]

    assert serve(path, play, answers) == []


def test_a_long_answer_comes_whole(path: Path, answers: Answers) -> None:
    async def play(_: Fail2BanBridge) -> None:
        ((code, value),) = await say(path, frame("banned"))
        assert (code, len(value[0]["sshd"])) == (0, 50_000)

    assert serve(path, play, answers) == []


def test_a_socket_of_another_server_is_left_to_it(path: Path, answers: Answers) -> None:
    async def play(_: Fail2BanBridge) -> None:
        second = Fail2BanBridge(path, Answers(), print)
        with pytest.raises(OperatorError, match="another server, such as Fail2Ban"):
            await second.start()
        await second.close()
        assert await say(path, frame("ping")) == [(0, "pong")]

    serve(path, play, answers)


def test_a_socket_that_was_removed_is_made_again_and_else_stays(
    path: Path, answers: Answers
) -> None:
    async def play(bridge: Fail2BanBridge) -> None:
        before = os.stat(path).st_ino
        await bridge.start()
        assert os.stat(path).st_ino == before
        os.unlink(path)
        await bridge.start()
        assert await say(path, frame("ping")) == [(0, "pong")]

    serve(path, play, answers)


def test_a_client_of_ours_learns_at_once_that_it_has_the_wrong_socket(tmp_path: Path) -> None:
    path = tmp_path / "f.sock"

    async def play() -> None:
        bridge = Fail2BanBridge(path, Answers(), lambda _: None)
        await bridge.start()
        with pytest.raises(ControlError, match="for clients of Fail2Ban"):
            await asyncio.to_thread(Client(path).status)
        assert await say(path, frame("ping")) == [(0, "pong")]
        await bridge.close()

    asyncio.run(play())
