"""Who may ask what, at a real socket by real users."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from banish.config.server import is_known_member
from banish.control import messages
from banish.control.listener import Peer
from banish.control.roles import Roles, group_id, includes, role_for, user_id
from banish.control.server import ControlServer
from banish.exempt.host import members
from banish.model.reload import ReloadWish
from banish.model.settings import ControlAccess
from banish.telemetry.events import Event
from banish.testing.operations import MemoryOperations

NOBODY, OTHERS, AUDIT = 65_534, 64_000, 64_001

ASK = """
import os, socket, sys
user, *groups = map(int, sys.argv[3].split())
os.setgroups(groups)
os.setgid(user)
os.setuid(user)
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(10)
    s.connect(sys.argv[1])
    try:
        s.sendall(sys.argv[2].encode() + b"\\n")
    except BrokenPipeError:
        pass  # refused unheard: the answer says why
    print(s.makefile().readline())
"""
STATUS, BAN, STOP = (
    messages.encode_request(each).decode().strip()
    for each in (
        messages.StatusRequest(),
        messages.BanRequest("sshd", ("192.0.2.1",)),
        messages.StopRequest(),
    )
)


@pytest.mark.parametrize(
    ("request_", "role"),
    [
        (messages.StatusRequest(), "read"),
        (messages.WhyRequest("192.0.2.1"), "read"),
        (messages.SubscribeRequest(), "read"),
        (messages.BanRequest("j", ("192.0.2.1",)), "operate"),
        (messages.UnbanRequest(None), "operate"),
        (messages.ResumeRequest("j"), "operate"),
        (messages.AllowRequest(("192.0.2.1",)), "configure"),
        (messages.ReloadRequest(ReloadWish(dry_run=True)), "configure"),
        (messages.ConfirmRequest(), "configure"),
        (messages.StopRequest(), "configure"),
    ],
)
def test_each_request_takes_a_role(request_: messages.Request, role: str) -> None:
    assert role_for(request_) == role


def test_every_role_includes_those_before_it() -> None:
    assert includes("configure", "read")
    assert includes("operate", "operate")
    assert not includes("read", "operate")


def test_a_peer_has_the_highest_of_its_roles() -> None:
    roles = Roles(ControlAccess(read=(f"@{AUDIT}", "64000"), operate=(f"@{OTHERS}",)))
    assert roles.are_for_others
    assert roles.of(Peer(1, 0, 0), ()) == "configure"
    assert roles.of(Peer(1, os.geteuid(), 7), ()) == "configure"
    assert roles.of(Peer(1, OTHERS, 7), ()) == "read"
    assert roles.of(Peer(1, OTHERS, 7), (OTHERS,)) == "operate"
    assert roles.of(Peer(1, 7, AUDIT), ()) == "read"
    assert roles.of(Peer(1, 7, 7), (8,)) is None


def test_nobody_else_has_a_role_by_default_or_by_an_unknown_name() -> None:
    for access in (ControlAccess(), ControlAccess(read=("no-such-user", "@no-such-group"))):
        roles = Roles(access)
        assert not roles.are_for_others
        assert roles.of(Peer(1, NOBODY, NOBODY), ()) is None


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that other users may enter, as those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become others")
def test_each_user_may_do_what_its_role_says(open_folder: Path) -> None:
    path = open_folder / "run" / "banish.sock"
    told: list[Event] = []

    def ask(user: int, groups: tuple[int, ...], line: str) -> str:
        done = subprocess.run(
            [sys.executable, "-I", "-c", ASK, str(path), line, " ".join(map(str, (user, *groups)))],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        return done.stdout + done.stderr

    async def play() -> None:
        access = ControlAccess(read=(f"@{AUDIT}",), operate=(str(OTHERS),))
        operations = MemoryOperations()
        server = ControlServer(path, operations, told.append, access=access)
        await server.start()
        try:
            reads = await asyncio.to_thread(ask, NOBODY, (AUDIT,), STATUS)
            assert '"say":"status"' in reads
            refused = await asyncio.to_thread(ask, NOBODY, (AUDIT,), BAN)
            assert "this user may not do that (control.operate)" in refused
            assert not operations.in_force
            assert '"say":"bans"' in await asyncio.to_thread(ask, OTHERS, (), BAN)
            assert len(operations.in_force) == 1
            refused = await asyncio.to_thread(ask, OTHERS, (), STOP)
            assert "control.configure" in refused
            assert operations.stops == 0
            refused = await asyncio.to_thread(ask, NOBODY, (), STATUS)
            assert "no right to use this socket (control.read)" in refused
            server.follow(ControlAccess())
            assert path.stat().st_mode & 0o777 == 0o600
            assert "Permission denied" in await asyncio.to_thread(ask, OTHERS, (), STATUS)
        finally:
            await server.close()

    asyncio.run(play())
    assert len(told) == 3


@pytest.mark.parametrize("name", ["\0", "a\0b", "\N{SUPERSCRIPT TWO}", "\udc80", "", "@"])
def test_a_name_that_nobody_can_have_is_known_to_nobody(name: str) -> None:
    assert user_id(name) is None
    assert group_id(name) is None
    assert not is_known_member(name)
    assert not is_known_member(f"@{name}")
    assert members(name) == frozenset()
