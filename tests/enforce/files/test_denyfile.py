"""Bans in files, by the contract that every firewall keeps."""

from collections.abc import Callable
from pathlib import Path

import pytest

from banish.enforce.files.blocks import Form, HostsDeny, NginxDeny
from banish.enforce.files.denyfile import hosts_deny_enforcer, nginx_enforcer
from banish.enforce.threaded import ThreadedEnforcer
from banish.model.address import Subject
from banish.model.instant import Seconds
from banish.ports import Enforcer
from tests.enforce.contract import EnforcerContract, Firewall

OTHERS = b"# theirs\r\nALL: 192.0.2.1\ndeny 192.0.2.1;\n\xff\\\nlast line without an end"


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
            lambda path: hosts_deny_enforcer(path, pause=Seconds(0.02)),
        )


class TestNginx(EnforcerContract):
    heals_itself = True

    @pytest.fixture
    def firewall(self, tmp_path: Path) -> Firewall:
        return WrittenFirewall(
            tmp_path / "deny.conf",
            NginxDeny(),
            lambda path: nginx_enforcer(path, pause=Seconds(0.02)),
        )
