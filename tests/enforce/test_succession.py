"""What one kind of firewall left does not outlive the change to another."""

import asyncio
from pathlib import Path

import pytest

from banish.enforce.succession import SucceedingEnforcer
from banish.enforce.unused import UnusedEnforcer
from banish.errors import AnotherServerError, EnforceError
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.settings import Enforcement
from banish.telemetry.events import Event, WarningGiven
from banish.testing.memory_enforcer import ScriptedEnforcer

NOW = Instant(1_790_000_000)
JAILS = [Enforcement("j")]
BANS = [Ban("j", parse_subject("192.0.2.1"), NOW, None)]


class Host:
    """All kinds of firewall of one host, and servers that come and go."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.kinds = {kind: ScriptedEnforcer(kind) for kind in ("nftables", "ipset", "iptables")}
        self.told: list[Event] = []
        self.refusals: dict[str, Exception] = {}

    def make(self, kind: str) -> ScriptedEnforcer:
        one = self.kinds[kind]
        if kind in self.refusals:
            refused = ScriptedEnforcer(kind)
            refused.fail_next(self.refusals[kind])  # type: ignore[arg-type]
            return refused
        return one

    def server(self, kind: str) -> SucceedingEnforcer:
        return SucceedingEnforcer(
            kind, self.make, known=self.kinds, path=self.path, emit=self.told.append
        )

    def run(self, kind: str, *, keep: bool | None) -> None:
        """Run a server with one ban; *keep* None: it is killed."""

        async def play() -> None:
            server = self.server(kind)
            await server.start(JAILS, BANS, NOW)
            await server.start(JAILS, BANS, NOW)
            if keep is not None:
                await server.stop(keep=keep)

        asyncio.run(play())

    def banning(self) -> set[str]:
        return {kind for kind, one in self.kinds.items() if any(one.bans.values())}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "state" / "firewall")


@pytest.mark.parametrize("keep", [None, True])
def test_what_another_kind_left_is_cleared_away_once_the_new_one_bans(
    host: Host, keep: bool | None
) -> None:
    host.run("iptables", keep=keep)
    host.run("ipset", keep=keep)
    host.run("nftables", keep=keep)
    assert host.banning() == {"nftables"}
    assert host.path is not None
    assert host.path.read_text() == "nftables\n"
    host.run("nftables", keep=False)
    assert host.banning() == set()
    assert not host.path.exists()
    assert host.told == []


def test_a_server_of_actions_alone_clears_it_away_too(host: Host) -> None:
    host.run("iptables", keep=None)
    asyncio.run(UnusedEnforcer(host.server("nftables")).start((), (), NOW))
    assert host.banning() == set()


def test_a_kind_whose_programs_are_gone_is_told_of_and_tried_again(host: Host) -> None:
    host.run("ipset", keep=None)
    host.refusals["ipset"] = EnforceError("ipset is not installed")
    host.run("nftables", keep=None)
    (warned,) = host.told
    assert isinstance(warned, WarningGiven)
    assert "bans that 'firewall = ipset' left may still stand: ipset is not" in warned.text()
    assert host.banning() == {"nftables", "ipset"}
    host.refusals.clear()
    host.run("nftables", keep=True)
    assert host.banning() == {"nftables"}


def test_what_another_server_uses_is_left_to_it(host: Host) -> None:
    host.run("ipset", keep=None)
    host.refusals["ipset"] = AnotherServerError("another")
    host.run("nftables", keep=None)
    assert host.banning() == {"nftables", "ipset"}
    assert host.told == []


@pytest.mark.parametrize("content", [b"\xff\0 nonsense", b"", b"nftables ipset x" * 1_000])
def test_a_file_of_nonsense_does_no_harm(host: Host, content: bytes) -> None:
    assert host.path is not None
    host.path.parent.mkdir()
    host.path.write_bytes(content)
    host.run("nftables", keep=None)
    assert host.banning() == {"nftables"}
    assert host.path.read_text() == "nftables\n"


def test_without_a_place_for_the_file_bans_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no folder")
    for path in (tmp_path / "state" / "firewall", None):
        host = Host(path)
        host.run("nftables", keep=True)
        assert host.banning() == {"nftables"}
