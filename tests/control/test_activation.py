"""Sockets that systemd hands over."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.control.activation import handed_over
from banish.control.fail2ban.bridge import Fail2BanBridge
from tests.control.fail2ban.test_bridge import Answers, frame, say


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "f.sock"))
        made.listen(8)
        yield made


def handed(listening: socket.socket, path: str = "", **changes: str) -> socket.socket | None:
    environment = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", **changes}
    wanted = Path(path or listening.getsockname())
    return handed_over(wanted, environment, first=os.dup(listening.fileno()))


def test_the_socket_at_our_path_is_taken(listening: socket.socket) -> None:
    found = handed(listening)
    assert found is not None
    with found:
        assert found.getsockname() == listening.getsockname()
        assert not found.get_inheritable()


@pytest.mark.parametrize(
    "changes",
    [{"LISTEN_PID": "1"}, {"LISTEN_PID": "x"}, {"LISTEN_FDS": "0"}, {"LISTEN_FDS": "-1"}],
)
def test_what_is_meant_for_others_is_left_alone(
    listening: socket.socket, changes: dict[str, str]
) -> None:
    assert handed(listening, **changes) is None


def test_a_socket_that_does_not_listen_is_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as idle, socket.socket() as other:
        other.listen()
        idle.bind(str(tmp_path / "idle.sock"))
        assert handed(idle) is None
        assert handed(other, str(tmp_path / "idle.sock")) is None
        assert handed(idle, str(tmp_path)) is None
    number = os.dup(0)
    os.close(number)
    one = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    assert handed_over(tmp_path, one, first=number) is None


def test_clients_are_answered_at_the_socket_that_was_handed_over_and_it_stays(
    listening: socket.socket, tmp_path: Path
) -> None:
    path = tmp_path / "f.sock"
    before = path.stat().st_ino

    async def play() -> None:
        bridge = Fail2BanBridge(path, Answers(), lambda _: None, handed=handed(listening))
        await bridge.start()
        await bridge.start()
        assert await say(path, frame("ping")) == [(0, "pong")]
        await bridge.close()

    asyncio.run(play())
    assert path.stat().st_ino == before


def test_a_socket_at_another_path_is_not_ours(listening: socket.socket, tmp_path: Path) -> None:
    assert handed(listening, str(tmp_path / "g.sock")) is None


def test_where_the_file_of_the_socket_is_gone_a_new_one_is_made(
    listening: socket.socket, tmp_path: Path
) -> None:
    path = tmp_path / "f.sock"
    one = handed(listening)
    path.unlink()

    async def play() -> None:
        bridge = Fail2BanBridge(path, Answers(), lambda _: None, handed=one)
        await bridge.start()
        assert await say(path, frame("ping")) == [(0, "pong")]
        await bridge.close()

    asyncio.run(play())
    assert not path.exists()
