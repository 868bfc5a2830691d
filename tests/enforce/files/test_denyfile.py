"""Bans in files, by the contract that every firewall keeps."""

import asyncio
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from banish.enforce.addons.hosts_deny import HostsDeny
from banish.enforce.addons.nginx_deny import NginxDeny
from banish.enforce.files.blocks import Form
from banish.enforce.files.denyfile import EVERY_SERVICE, DenyFile
from banish.enforce.threaded import ThreadedEnforcer
from banish.model.address import Subject, parse_subject
from banish.model.instant import Seconds
from banish.ports import Enforcer
from tests.enforce.contract import NOW, SSHD, EnforcerContract, Firewall, ban
from tests.enforce.files.denyfirewall import DenyFileFirewall

OTHERS = b"# theirs\r\nALL: 192.0.2.1\ndeny 192.0.2.1;\n\xff\\\nlast line without an end"


PAUSE = Seconds(0.02)


def hosts_deny_enforcer(path: Path, services: str = EVERY_SERVICE) -> ThreadedEnforcer:
    file = DenyFile(path, HostsDeny())
    return ThreadedEnforcer(DenyFileFirewall(file, f"hosts.deny ({path})", services), pause=PAUSE)


def nginx_enforcer(path: Path) -> ThreadedEnforcer:
    file = DenyFile(path, NginxDeny())
    return ThreadedEnforcer(DenyFileFirewall(file, f"nginx ({path})", EVERY_SERVICE), pause=PAUSE)


class WrittenFirewall:
    def __init__(self, path: Path, form: Form, make: Callable[[Path], ThreadedEnforcer]) -> None:
        self.path = path
        self.form = form
        self.make = make
        self.enforcer = make(path)

    def lines(self, change: Callable[[list[str]], list[str]]) -> None:
        text = self.path.read_text("ascii")
        self.path.write_text("\n".join(change(text.splitlines())) + "\n", "ascii")

    def lift(self, jail: str, subject: Subject) -> None:
        line = self.form.write(subject, "ALL")
        self.lines(lambda lines: [one for one in lines if one != line])

    def slip_in(self, jail: str, subject: Subject) -> None:
        line = self.form.write(subject, "ALL")
        begin = f'# banish: begin 1 "{jail}"'

        def change(lines: list[str]) -> list[str]:
            if begin not in lines:
                return [begin, line, f'# banish: end "{jail}"', *lines]
            lines.insert(lines.index(begin) + 1, line)
            return lines

        self.lines(change)

    def destroy(self) -> None:
        self.path.unlink()

    def others(self) -> str:
        text = self.path.read_bytes() if self.path.exists() else b""
        if not text.endswith(OTHERS):
            self.path.write_bytes(text + OTHERS)
        return self.path.read_bytes()[-len(OTHERS) :].decode("latin-1")

    def shows(self, subject: Subject) -> bool:
        return self.form.write(subject, "ALL") in self.path.read_text("ascii").splitlines()

    def again(self) -> Enforcer:
        return self.make(self.path)


class TestHostsDeny(EnforcerContract):
    heals_itself = True

    @pytest.fixture
    def firewall(self, tmp_path: Path) -> Firewall:
        return WrittenFirewall(
            tmp_path / "hosts.deny",
            HostsDeny(),
            hosts_deny_enforcer,
        )


class TestNginx(EnforcerContract):
    heals_itself = True

    @pytest.fixture
    def firewall(self, tmp_path: Path) -> Firewall:
        return WrittenFirewall(
            tmp_path / "deny.conf",
            NginxDeny(),
            nginx_enforcer,
        )


@pytest.mark.skipif(shutil.which("tcpdmatch") is None, reason="needs tcpdmatch of tcpd")
def test_the_wrapper_library_reads_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "hosts.allow").touch()
    (tmp_path / "hosts.deny").write_text("in.ftpd: 198.51.100.1, \\\n  198.51.100.2\n")
    banned = ("192.0.2.0/25", "203.0.113.1", "2001:db8::/48", "2001:db8:ffff::1")
    enforcer = hosts_deny_enforcer(tmp_path / "hosts.deny", services="sshd vsftpd")
    asyncio.run(enforcer.start([SSHD], [ban(parse_subject(text)) for text in banned], NOW))

    def is_denied(service: str, client: str) -> bool:
        # -d: with the files of this folder.
        words = ["tcpdmatch", "-d", service, client]
        done = subprocess.run(
            words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=20
        )
        assert ("denied" in done.stdout) != ("granted" in done.stdout), done
        return "denied" in done.stdout

    inside = ("192.0.2.127", "203.0.113.1", "2001:db8:0:ffff::1", "2001:db8:ffff::1")
    for client in inside:
        assert is_denied("vsftpd", client)
    for client in ("192.0.2.128", "203.0.113.2", "2001:db8:1::1", "2001:db8:ffff::2"):
        assert not is_denied("vsftpd", client)
    assert not is_denied("other", inside[0])
