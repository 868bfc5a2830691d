"""Asking a running server."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from banish.control.client import Client
from banish.control.messages import SUBJECTS_LIMIT, BansReply, DoneReply, ErrorReply, encode_reply
from banish.errors import ControlError, EnforceError, RequestError
from banish.model.instant import Instant, Seconds
from banish.testing.operations import NOON, MemoryOperations, serving


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "banish.sock"


def test_bans_by_hand_are_seen_explained_and_ended(path: Path) -> None:
    client = Client(path)
    with serving(path, MemoryOperations(("sshd", "web"))):
        [short] = client.ban("sshd", ["192.0.2.1"], Seconds(60))
        assert short.until == Instant(NOON + 60)
        [endless] = client.ban("web", ["2001:db8::/64"], Seconds(-1))
        assert endless.until is None
        assert client.ban("sshd", ["192.0.2.1"], None) == []
        assert client.bans() == [short, endless]
        assert client.bans("web") == [endless]
        assert client.why("192.0.2.1") == [short]
        assert client.unban(["192.0.2.1"]) == [short]
        assert client.unban(["192.0.2.1"]) == []
        assert client.unban(None, "web") == [endless]
        assert client.bans() == []


def test_more_bans_than_fit_into_a_request_come_back_whole(path: Path) -> None:
    with serving(path, MemoryOperations()):
        client = Client(path)
        wanted = [f"2001:db8::{low:x}" for low in range(1, SUBJECTS_LIMIT + 2)]
        assert len(client.ban("sshd", wanted, None)) == SUBJECTS_LIMIT + 1
        assert [str(ban.subject) for ban in client.bans()] == wanted
        assert len(client.unban(wanted)) == SUBJECTS_LIMIT + 1


def test_what_is_no_text_is_refused(path: Path) -> None:
    with pytest.raises(RequestError, match="not text"):
        Client(path).why("\udcff")


def test_status_and_stop_reach_the_server(path: Path) -> None:
    operations = MemoryOperations()
    with serving(path, operations):
        assert Client(path).status().jails[0].name == "sshd"
        Client(path).stop()
    assert operations.stops == 1


def test_a_wish_that_cannot_be_is_a_request_error_with_the_servers_words(path: Path) -> None:
    with serving(path, MemoryOperations()), pytest.raises(RequestError) as caught:
        Client(path).bans("nosuch")
    assert str(caught.value) == "the jail 'nosuch' does not exist\n    running jails: sshd"


def test_a_failing_machine_is_a_control_error_with_the_cure(path: Path) -> None:
    operations = MemoryOperations()
    operations.trouble = EnforceError("no nftables", cure="apt install nftables", retry=False)
    with serving(path, operations), pytest.raises(ControlError, match="no nftables") as caught:
        Client(path).status()
    assert caught.value.cure == "apt install nftables"
    assert not caught.value.retry


def test_a_socket_far_down_is_reached(tmp_path: Path) -> None:
    path = tmp_path / ("far" * 30) / ("down" * 30) / "banish.sock"
    with pytest.raises(ControlError, match="no server answers"):
        Client(path).status()
    with serving(path, MemoryOperations()):
        assert Client(path).status().pid == 1
    with serving(path, MemoryOperations()):
        assert Client(path).status().pid == 1
    with pytest.raises(ControlError, match="no server answers"):
        Client(path).status()


@pytest.mark.parametrize("is_stale", [False, True])
def test_a_server_that_does_not_run_is_told_with_the_cure(path: Path, is_stale: bool) -> None:
    if is_stale:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(path))
    with pytest.raises(ControlError, match="no server answers") as caught:
        Client(path).status()
    assert caught.value.cure == "start it: banish run"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_no_permission_is_told_with_the_cure(path: Path) -> None:
    with serving(path, MemoryOperations()):
        path.parent.chmod(0o700)
        os.seteuid(65534)
        try:
            with pytest.raises(ControlError, match="no permission") as caught:
                Client(path).status()
        finally:
            os.seteuid(0)
    assert caught.value.cure == "ask with sudo"


@contextmanager
def scripted(path: Path, answer: bytes | None) -> Iterator[None]:
    """Answer the first request with *answer*, or (None) not at all until the end."""
    over = threading.Event()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            talk, _ = server.accept()
            with talk:
                talk.recv(65_536)
                if answer is None:
                    over.wait(20)
                else:
                    talk.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        over.set()
        thread.join(20)


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (None, "no answer within 0.05 seconds"),
        (b"", "closed the connection"),
        (b"what?\n", "not understood"),
        (encode_reply(DoneReply()), "does not fit the request"),
        (encode_reply(BansReply((), more=True)), "does not fit the request|closed the connection"),
        (encode_reply(ErrorReply("version", "this speaks version 2")), "version 2"),
    ],
)
def test_a_server_that_answers_oddly_is_a_control_error(
    path: Path, answer: bytes | None, what: str
) -> None:
    with scripted(path, answer), pytest.raises(ControlError, match=what):
        Client(path, answer_seconds=0.05 if answer is None else 20).status()


def test_an_answer_cut_short_is_not_taken_for_whole(path: Path) -> None:
    answer = encode_reply(BansReply((), more=True))
    with scripted(path, answer), pytest.raises(ControlError, match="closed the connection"):
        Client(path).bans()


def test_stopping_wants_to_hear_that_it_is_done(path: Path) -> None:
    with scripted(path, encode_reply(BansReply(()))), pytest.raises(ControlError):
        Client(path).stop()
