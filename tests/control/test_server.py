"""The control socket's server."""

import asyncio
import fcntl
import os
import pickle
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from banish.control import server as server_module
from banish.control.listener import Peer
from banish.control.lock import Lock, holder, lock_path
from banish.control.messages import (
    LINE_LIMIT_BYTES,
    BanRequest,
    BansReply,
    ErrorReply,
    Reply,
    StatusReply,
    StatusRequest,
    StopRequest,
    WhyRequest,
    decode_reply,
    encode_request,
)
from banish.control.server import ControlServer
from banish.errors import AnotherServerError, EnforceError, OperatorError
from banish.model.ban import Ban
from banish.model.status import ServerStatus
from banish.telemetry.events import Event, RequestRefused, RequestRefusedAgain
from banish.testing.operations import MemoryOperations

PATIENCE_SECONDS = 20


def serve(
    path: Path,
    play: Callable[[ControlServer], Awaitable[None]],
    operations: MemoryOperations | None = None,
    *,
    idle_seconds: float = 60,
    slow_seconds: float = 10,
) -> list[Event]:
    """Play against a server at *path*; return what it told."""
    told: list[Event] = []

    async def run() -> None:
        server = ControlServer(
            path,
            operations or MemoryOperations(),
            told.append,
            idle_seconds=idle_seconds,
            slow_seconds=slow_seconds,
        )
        await server.start()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await play(server)
        finally:
            await server.close()

    asyncio.run(run())
    return told


async def say(path: Path, *lines: bytes) -> list[Reply]:
    """Send the lines and the end; return every reply."""
    reader, writer = await asyncio.open_unix_connection(str(path), limit=2**24)
    try:
        writer.write(b"".join(lines))
        writer.write_eof()
        await writer.drain()
        return [decode_reply(line) async for line in reader]
    except ConnectionError:
        return []
    finally:
        writer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "banish.sock"


def test_socket_and_directory_are_private_and_gone_afterwards(path: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)

    async def play(server: ControlServer) -> None:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(path.parent).st_mode) == 0o700
        assert os.umask(umask) == umask

    serve(path, play)
    assert not path.exists()


def test_every_request_of_a_connection_is_answered_in_order(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        replies = await say(
            path,
            encode_request(StatusRequest()),
            encode_request(BanRequest("sshd", ("192.0.2.1", "192.0.2.001x"))),
            encode_request(BanRequest("sshd", ("192.0.2.1", "::ffff:192.0.2.1"))),
            encode_request(WhyRequest("192.0.2.1")),
        )
        status, refused, banned, why = replies
        assert isinstance(status, StatusReply)
        assert isinstance(refused, ErrorReply)
        assert refused.fault == "request"
        assert isinstance(banned, BansReply)
        assert banned.bans == ()  # the first one was banned before the second was refused
        assert isinstance(why, BansReply)
        assert [str(ban.subject) for ban in why.bans] == ["192.0.2.1"]

    assert serve(path, play) == []


def test_a_long_answer_comes_in_several_lines(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        subjects = tuple(f"198.51.100.{low}/32" for low in range(256)) + tuple(
            f"2001:db8::{low:x}" for low in range(1_000)
        )
        replies = await say(path, encode_request(BanRequest("sshd", subjects)))
        assert [len(reply.bans) for reply in replies if isinstance(reply, BansReply)] == [
            500,
            500,
            256,
        ]
        assert [reply.more for reply in replies if isinstance(reply, BansReply)] == [
            True,
            True,
            False,
        ]

    serve(path, play)


@pytest.mark.parametrize("many", [0, 10_001])
def test_a_request_for_too_many_or_no_subjects_is_refused(path: Path, many: int) -> None:
    async def play(server: ControlServer) -> None:
        subjects = tuple(f"2001:db8::{low:x}" for low in range(many))
        [reply] = await say(path, encode_request(BanRequest("sshd", subjects)))
        assert isinstance(reply, ErrorReply)
        assert reply.what == f"{many} subjects in one request"

    serve(path, play)


def test_malformed_input_gets_an_error_is_counted_and_the_talk_goes_on(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        first, second, third = await say(
            path,
            b"hello\n",
            b'{"version":9,"request":{"ask":"status"}}\n',
            encode_request(StatusRequest()),
        )
        assert isinstance(first, ErrorReply)
        assert first.fault == "malformed"
        assert isinstance(second, ErrorReply)
        assert second.fault == "version"
        assert isinstance(third, StatusReply)

    told = serve(path, play)
    assert [type(event) for event in told] == [RequestRefused, RequestRefused]
    assert isinstance(told[0], RequestRefused)
    assert told[0].uid == os.geteuid()
    assert told[0].pid == os.getpid()


def test_a_line_without_end_is_refused_and_costs_bounded_memory(path: Path) -> None:
    def shout() -> Reply:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
            talk.connect(str(path))
            talk.settimeout(PATIENCE_SECONDS)
            with pytest.raises(ConnectionError):
                talk.sendall(b"{" * (16 * LINE_LIMIT_BYTES))
            return decode_reply(talk.recv(4_096))

    async def play(server: ControlServer) -> None:
        reply = await asyncio.to_thread(shout)
        assert isinstance(reply, ErrorReply)
        assert reply.what == "a request has at most 1048576 bytes"

    told = serve(path, play)
    assert len(told) == 1


def test_others_than_root_and_oneself_are_refused_with_the_cure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "peer_of", lambda connection: Peer(77, 65534, 65534))

    async def play(server: ControlServer) -> None:
        [reply] = await say(path, encode_request(StopRequest()))
        assert reply == ErrorReply("refused", "only root may use this socket", cure="ask with sudo")

    operations = MemoryOperations()
    assert serve(path, play, operations) == [
        RequestRefused("only root may use this socket", uid=65534, pid=77)
    ]
    assert operations.stops == 0


@pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/usr/bin/python3").exists(),
    reason="only root can start somebody else's process",
)
def test_somebody_else_is_known_by_the_kernels_word() -> None:
    script = (
        "import socket, sys\n"
        "talk = socket.socket(socket.AF_UNIX)\n"
        "talk.connect(sys.argv[1])\n"
        "print(talk.makefile().readline())\n"
    )

    def ask(path: Path) -> Reply:
        done = subprocess.run(
            ["/usr/bin/python3", "-c", script, str(path)],
            user=65534,
            capture_output=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        )
        return decode_reply(done.stdout)

    async def play(server: ControlServer) -> None:
        os.chmod(folder, 0o755)
        os.chmod(server.path, 0o666)
        reply = await asyncio.to_thread(ask, server.path)
        assert isinstance(reply, ErrorReply)
        assert reply.fault == "refused"

    with tempfile.TemporaryDirectory() as folder:
        [told] = serve(Path(folder) / "s", play)
    assert isinstance(told, RequestRefused)
    assert told.uid == 65534


def test_an_error_of_the_machine_says_whether_to_ask_again(path: Path) -> None:
    operations = MemoryOperations()
    operations.trouble = EnforceError("nft is gone", cure="apt install nftables", retry=False)

    async def play(server: ControlServer) -> None:
        assert await say(path, encode_request(BanRequest("sshd", ("192.0.2.1",)))) == [
            ErrorReply("machine", "nft is gone", cure="apt install nftables", retry=False)
        ]

    serve(path, play, operations)


def test_a_bug_ends_its_own_connection_only(path: Path) -> None:
    class Buggy(MemoryOperations):
        async def status(self) -> ServerStatus:
            raise AssertionError("a bug")

    caught: list[object] = []

    async def play(server: ControlServer) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: caught.append(context["exception"]))
        assert await say(path, encode_request(StatusRequest())) == []
        [reply] = await say(path, encode_request(WhyRequest("192.0.2.1")))
        assert reply == BansReply(())

    serve(path, play, Buggy())
    assert [str(error) for error in caught] == ["a bug"]


def test_a_client_that_does_not_read_is_dropped_and_holds_up_nobody(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        many = tuple(f"2001:db8::{low:x}" for low in range(10_000))
        await say(path, encode_request(BanRequest("sshd", many)))
        deaf = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        deaf.connect(str(path))
        deaf.sendall(encode_request(WhyRequest("192.0.2.9")))
        deaf.sendall(b'{"version":1,"request":{"ask":"bans"}}\n' * 10)
        [reply] = await say(path, encode_request(WhyRequest("2001:db8::1")))
        assert isinstance(reply, BansReply)
        while server._tasks:
            await asyncio.wait(set(server._tasks))
        deaf.close()

    serve(path, play, slow_seconds=0.2)


def test_a_silent_client_is_let_go(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path))
        assert await reader.read() == b""
        writer.close()

    serve(path, play, idle_seconds=0.05)


def test_too_many_operators_at_once_are_turned_away(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS_LIMIT", 2)

    async def play(server: ControlServer) -> None:
        talks = [await asyncio.open_unix_connection(str(path)) for _ in range(3)]
        reply = decode_reply(await talks[2][0].readline())
        assert isinstance(reply, ErrorReply)
        assert "too many" in reply.what
        for _, writer in talks:
            writer.close()

    serve(path, play)


def test_closing_ends_an_operation_that_never_ends(path: Path) -> None:
    class Stuck(MemoryOperations):
        async def unban(self, subjects: object, jail: object) -> list[Ban]:
            begun.set()
            await asyncio.Event().wait()
            return []

    begun = asyncio.Event()

    async def play(server: ControlServer) -> None:
        _, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b'{"version":1,"request":{"ask":"unban","subjects":null}}\n')
        await writer.drain()
        await begun.wait()
        await server.close()
        writer.close()

    serve(path, play, Stuck())


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("turns", range(6))
def test_closing_ends_a_connection_that_is_being_accepted(path: Path, turns: int) -> None:
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE_SECONDS)

    async def play(server: ControlServer) -> None:
        client.connect(str(path))
        for _ in range(turns):
            await asyncio.sleep(0)

    with client:
        serve(path, play)
        assert _is_closed(client)


def test_a_live_server_is_not_replaced_and_named_by_its_pid(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        rival = ControlServer(path, MemoryOperations(), print)
        with pytest.raises(OperatorError, match=rf"another banish .*pid {os.getpid()}") as caught:
            await rival.start()
        assert "-s SOCKET" in caught.value.cure
        assert len(await say(path, encode_request(StatusRequest()))) == 1

    serve(path, play)


def test_a_socket_left_by_a_crash_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))

    async def play(server: ControlServer) -> None:
        assert len(await say(path, encode_request(StatusRequest()))) == 1

    serve(path, play)
    serve(path, play)


def test_the_socket_of_a_server_without_our_lock_is_respected(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(OperatorError, match="another banish"):
            asyncio.run(ControlServer(path, MemoryOperations(), print).start())
    assert path.is_socket()


def test_a_lock_is_free_once_its_process_is_dead(path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys, os\n"
        "from banish.control.server import ControlServer\n"
        "from banish.testing.operations import MemoryOperations\n"
        "async def run():\n"
        "    await ControlServer(pathlib.Path(sys.argv[1]), MemoryOperations(), print).start()\n"
        "    os._exit(9)\n"
        "asyncio.run(run())\n"
    )
    crashed = subprocess.run([sys.executable, "-c", script, str(path)], check=False, timeout=30)
    assert crashed.returncode == 9
    assert path.is_socket()

    async def play(server: ControlServer) -> None:
        assert len(await say(path, encode_request(StatusRequest()))) == 1

    serve(path, play)


def test_what_is_no_socket_is_not_overwritten(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(OperatorError, match="not a socket"):
        asyncio.run(ControlServer(path, MemoryOperations(), print).start())
    assert path.read_text() == "precious"


def test_a_directory_that_everybody_may_write_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(OperatorError, match="everybody may write"):
        asyncio.run(ControlServer(path, MemoryOperations(), print).start())


def test_a_path_too_long_for_a_socket_is_said_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)
    with pytest.raises(OperatorError, match="too long") as caught:
        asyncio.run(ControlServer(path, MemoryOperations(), print).start())
    assert "--state DIR" in caught.value.cure


def kinds(told: list[Event]) -> list[type[Event]]:
    return [type(event) for event in told]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            pickle.dumps(["status"], pickle.HIGHEST_PROTOCOL) + b"<F2B_END_COMMAND>", id="new"
        ),
        pytest.param(pickle.dumps(["a" * 10, "b"], 2) + b"<F2B_END_COMMAND>", id="with newlines"),
        pytest.param(pickle.dumps(["ping"], 0) + b"<F2B_END_COMMAND>", id="text"),
        pytest.param(b"GET / HTTP/1.1", id="http"),
        pytest.param(b"\0\0\0\0", id="binary"),
        pytest.param(b"  rubbish", id="rubbish"),
    ],
)
def test_what_cannot_become_a_request_is_let_go_at_once_and_told_once(
    path: Path, sent: bytes
) -> None:
    async def play(server: ControlServer) -> None:
        for _ in range(3):
            reader, writer = await asyncio.open_unix_connection(str(path))
            writer.write(sent)  # and no end: a client of Fail2Ban waits for its answer
            *_, last = (await reader.read()).splitlines(keepends=True)
            writer.close()
            reply = decode_reply(last)
            assert isinstance(reply, ErrorReply)
            assert reply.fault == "malformed"
            assert ("Fail2Ban" in reply.what) == (b"F2B" in sent)

    told = serve(path, play)
    assert kinds(told).count(RequestRefused) <= 2  # the text's lines are refused, too
    assert kinds(told)[-1] is RequestRefusedAgain


def test_a_request_may_come_in_pieces_and_a_last_one_without_its_end(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=2**24)
        for byte in b"\n \t" + encode_request(StatusRequest()):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(encode_request(StatusRequest())[:-1])
        writer.write_eof()
        replies = [decode_reply(line) async for line in reader]
        writer.close()
        assert [type(reply) for reply in replies[-2:]] == [StatusReply, StatusReply]

    serve(path, play)


@pytest.mark.parametrize("lost", ["socket", "socket and lock", "folder"])
def test_a_socket_that_was_removed_is_made_again(path: Path, lost: str) -> None:
    async def play(server: ControlServer) -> None:
        reader, writer = await asyncio.open_unix_connection(str(path), limit=2**24)
        if lost == "folder":
            shutil.rmtree(path.parent)
        else:
            os.unlink(path)
        if lost == "socket and lock":
            os.unlink(lock_path(path))
        await server.start()
        assert len(await say(path, encode_request(StatusRequest()))) == 1
        assert holder(path) == os.getpid()
        writer.write(encode_request(StatusRequest()))
        assert isinstance(decode_reply(await reader.readline()), StatusReply)
        writer.close()
        await server.start()

    serve(path, play)
    assert not path.exists()


def test_a_rival_of_a_server_without_socket_learns_that_it_runs(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        os.unlink(path)
        rival = ControlServer(path, MemoryOperations(), print)
        with pytest.raises(AnotherServerError) as caught:
            await rival.start()
        assert f"another banish is running (pid {os.getpid()})" in caught.value.what
        assert "missing" in caught.value.what

    serve(path, play)


def test_a_server_whose_path_another_took_does_not_take_it_back(path: Path) -> None:
    async def play(server: ControlServer) -> None:
        shutil.rmtree(path.parent)
        rival = ControlServer(path, MemoryOperations(), print)
        await rival.start()
        with pytest.raises(AnotherServerError):
            await server.start()
        await rival.close()
        await server.start()
        assert len(await say(path, encode_request(StatusRequest()))) == 1

    serve(path, play)


def test_whoever_asks_for_the_holder_does_not_keep_a_server_from_starting(path: Path) -> None:
    path.parent.mkdir()
    assert holder(path) is None
    lock_path(path).touch()
    assert holder(path) is None
    with lock_path(path).open("rb") as asking:
        fcntl.flock(asking, fcntl.LOCK_SH)
        timer = threading.Timer(0.07, fcntl.flock, (asking, fcntl.LOCK_UN))
        timer.start()
        lock = Lock(path)
        assert lock.claim()
        timer.join()
    assert holder(path) == os.getpid()
    lock.release()
    assert holder(path) is None


def test_a_lock_whose_pid_cannot_be_read_is_a_lock(path: Path) -> None:
    path.parent.mkdir()
    lock = Lock(path)
    assert lock.claim()
    lock_path(path).write_text("nonsense")
    assert holder(path) == 0
    lock.release()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=5))
def test_arbitrary_bytes_never_break_the_server(chunks: list[bytes]) -> None:
    broken: list[object] = []

    async def play(server: ControlServer) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: broken.append(context))
        replies = await say(server.path, *chunks)
        assert all(isinstance(reply, ErrorReply) for reply in replies)
        [reply] = await say(server.path, encode_request(StatusRequest()))
        assert isinstance(reply, StatusReply)

    with tempfile.TemporaryDirectory() as folder:
        serve(Path(folder) / "s", play)
    assert broken == []
