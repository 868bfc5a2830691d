"""An action that writes a file: when it writes, and what stands there."""

import asyncio
import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from banish.enforce.addons.hosts_deny import HostsDeny
from banish.enforce.addons.nginx_deny import NginxDeny
from banish.enforce.command import shell
from banish.enforce.command.shell import Outcome
from banish.enforce.files.action import GATHER_PAUSE, LEFTOVER_SPAN, FileAction, FileOptions
from banish.enforce.files.denyfile import DenyFile
from banish.errors import ActionError
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.model.settings import ActionSettings
from banish.ports import Action
from banish.shell.script import Filled
from banish.testing.netns import NetworkNamespace

ATTACKER = parse_subject("192.0.2.1")
OTHER = parse_subject("192.0.2.2")
OTHER6 = parse_subject("2001:db8::2")
NAME = parse_subject("alice")


def ban(subject: Subject, address: Subject | None = None) -> Ban:
    return Ban("sshd", subject, Instant(0), None, address=address)


class Stage:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1_000.0
        self.file = DenyFile(path, HostsDeny())
        self.ran: list[str] = []
        self.outcome = Outcome(0)

    def action(self, jail: str = "sshd", reload: str = "") -> FileAction:
        settings = ActionSettings("hostsdeny", actname="hostsdeny", keeps_out=True)
        options = FileOptions(str(self.path), "sshd", reload)
        return FileAction(
            jail, settings, options, file=self.file, run=self.run, time=lambda: self.now
        )

    async def run(self, filled: Filled, _limit: Seconds) -> Outcome:
        self.ran.append(filled.script)
        return self.outcome

    async def settle(self, action: FileAction) -> None:
        """Let time pass until nothing is put off."""
        while action.due is not None:
            self.now = max(self.now, action.due)
            await action.tick()

    @property
    def banned(self) -> list[str]:
        lines = self.path.read_text("ascii").splitlines() if self.path.exists() else []
        return [line.removeprefix("sshd: ") for line in lines if not line.startswith("#")]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "hosts.deny")


def play(script: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(script())


def test_a_ban_is_written_at_once_and_taken_out_at_its_end(stage: Stage) -> None:
    async def script() -> None:
        action: Action = stage.action()
        await action.start()
        await action.ban(ban(ATTACKER))
        assert stage.banned == ["192.0.2.1"]
        assert list(action.held) == [ATTACKER]
        stage.now += 1
        await action.unban(ban(ATTACKER))
        assert stage.banned == []
        assert action.held == {}
        assert action.due is None

    play(script)


def test_bans_that_follow_at_once_are_written_together(stage: Stage) -> None:
    async def script() -> None:
        action = stage.action()
        await action.start()
        await action.ban(ban(ATTACKER))
        await action.ban(ban(OTHER))
        await action.ban(ban(OTHER6))
        assert stage.banned == ["192.0.2.1"]
        assert action.due == stage.now + GATHER_PAUSE
        await stage.settle(action)
        assert stage.banned == ["192.0.2.1", "192.0.2.2", "[2001:db8::2]"]

    play(script)


def test_what_an_earlier_run_left_stands_until_the_bans_had_time_to_come_back(
    stage: Stage,
) -> None:
    async def script() -> None:
        earlier = stage.action()
        for subject in (ATTACKER, OTHER, OTHER6):
            await earlier.ban(ban(subject))
        gone = stage.action("gone")
        await gone.ban(ban(ATTACKER))
        await stage.settle(gone)
        await stage.settle(earlier)
        assert stage.banned.count("192.0.2.1") == 2

        stage.file = DenyFile(stage.path, HostsDeny())
        action = stage.action()
        await action.start()
        await action.start()
        await action.unban(ban(OTHER6))
        await action.ban(ban(ATTACKER), restored=True)
        stage.now += 1
        await action.tick()
        # The jail that is gone lets in at the first change.
        assert stage.banned == ["192.0.2.1", "192.0.2.2"]
        assert action.due == 1_000 + GATHER_PAUSE + LEFTOVER_SPAN
        await stage.settle(action)
        assert stage.banned == ["192.0.2.1"]

    play(script)


def test_a_free_identifier_is_shut_out_by_its_address_or_not_at_all(stage: Stage) -> None:
    async def script() -> None:
        action = stage.action()
        await action.ban(ban(NAME))
        assert (stage.banned, action.held) == ([], {})
        await action.ban(ban(NAME, ATTACKER))
        await action.ban(ban(ATTACKER))
        await stage.settle(action)
        assert stage.banned == ["192.0.2.1"]
        await action.unban(ban(ATTACKER))
        await stage.settle(action)
        assert stage.banned == ["192.0.2.1"]
        await action.unban(ban(NAME, ATTACKER))
        await stage.settle(action)
        assert stage.banned == []

    play(script)


def test_lines_that_others_took_out_come_back_with_a_check(stage: Stage) -> None:
    async def script() -> None:
        action = stage.action()
        await action.ban(ban(ATTACKER))
        stage.path.write_text("ALL: 203.0.113.1\n")
        await action.check()
        assert stage.banned == ["192.0.2.1", "ALL: 203.0.113.1"]
        stage.path.unlink()
        stage.now += 1
        await action.reban(ban(ATTACKER))
        assert stage.banned == ["192.0.2.1"]
        await action.prolong(ban(ATTACKER))
        await action.prolong(ban(OTHER))
        assert list(action.held) == [ATTACKER]

    play(script)


def test_two_jails_share_a_file_and_flush_their_own(stage: Stage) -> None:
    async def script() -> None:
        first, second = stage.action("sshd"), stage.action("ftp")
        for action in (first, second):
            await action.start()
            await action.ban(ban(ATTACKER))
        assert stage.banned == ["192.0.2.1", "192.0.2.1"]
        assert await first.flush()
        assert stage.banned == ["192.0.2.1"]
        await first.stop()
        await second.stop()
        assert stage.path.read_bytes() == b""

    play(script)


def test_a_file_that_cannot_be_written_is_told_and_tried_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "missing" / "hosts.deny")

    async def script() -> None:
        action = stage.action()
        await action.start()
        with pytest.raises(ActionError, match=r"cannot write .*No such file"):
            await action.ban(ban(ATTACKER))
        assert action.held == {}
        assert action.due is not None
        stage.path.parent.mkdir()
        await action.ban(ban(ATTACKER))
        assert stage.banned == ["192.0.2.1"]
        stage.path.unlink()
        stage.path.mkdir()
        with pytest.raises(ActionError, match="is no file"):
            await action.check()

    play(script)


def test_after_each_change_the_reader_is_told_and_until_it_has_heard(stage: Stage) -> None:
    async def script() -> None:
        action = stage.action(reload="nginx -qs reload")
        await action.start()
        await action.ban(ban(ATTACKER))
        assert stage.ran == ["nginx -qs reload"]
        stage.now += 1
        await action.check()
        assert len(stage.ran) == 1  # nothing has changed
        stage.now += 1
        stage.outcome = Outcome(1, "nginx: [emerg]\n bad")
        with pytest.raises(ActionError, match=r"failed with 1; it wrote: nginx: \[emerg\] bad"):
            await action.unban(ban(ATTACKER))
        assert stage.banned == []
        assert action.due is not None
        stage.outcome = Outcome(None)
        stage.now = action.due
        with pytest.raises(ActionError, match="took too long"):
            await action.tick()
        stage.outcome = Outcome(0)
        await stage.settle(action)
        assert len(stage.ran) == 4
        stage.now += 1
        await action.check()
        assert len(stage.ran) == 4

    play(script)


NGINX = """
daemon off; user root; error_log {folder}/error.log; pid {folder}/nginx.pid; worker_processes 1;
events {{ worker_connections 16; }}
http {{
    access_log off;
    include {folder}/deny.conf;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:8008; listen [::1]:8008; root {folder}/www; }}
}}
"""


@pytest.mark.system
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces")
@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_nginx_itself_turns_the_banned_away(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(NGINX.format(folder=tmp_path))
    told = ["nginx", "-c", str(tmp_path / "nginx.conf"), "-p", str(tmp_path)]
    file = DenyFile(tmp_path / "deny.conf", NginxDeny())
    options = FileOptions(
        str(file.path), reload=f"nginx -c {tmp_path}/nginx.conf -p {tmp_path} -qs reload"
    )
    settings = ActionSettings("nginx-deny", actname="nginx-deny", keeps_out=True)
    action = FileAction("web", settings, options, file=file, run=shell.run, time=lambda: 0.0)

    def answer(address: str) -> int:
        connection = http.client.HTTPConnection(address, 8008, timeout=5)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def wait_for(status: int, address: str) -> None:
        for _ in range(200):
            if answer(address) == status:
                return
            time.sleep(0.05)
        raise AssertionError((tmp_path / "error.log").read_text())

    async def change(*bans: str) -> None:
        action.held = {parse_subject(text): ban(parse_subject(text)) for text in bans}
        await action.check()

    (tmp_path / "deny.conf").touch()
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "index.html").write_text("hello")
    with NetworkNamespace() as namespace, namespace.inside():
        server = subprocess.Popen(told, stderr=subprocess.DEVNULL)
        try:
            wait_for(200, "127.0.0.1")
            asyncio.run(change("127.0.0.0/30", "2001:db8::/32"))
            wait_for(403, "127.0.0.1")
            wait_for(200, "::1")
            asyncio.run(change("::1"))
            wait_for(403, "::1")
            wait_for(200, "127.0.0.1")
        finally:
            server.terminate()
            server.wait(20)
