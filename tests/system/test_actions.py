"""Actions as commands, for real: the kernel's firewall, a mail program, a killed server."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from banish.config import builtin_tree, load
from banish.enforce.command import shell
from banish.enforce.command.action import ShellAction
from banish.lab.world import Lab
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.model.settings import JailSettings
from tests.compat.conftest import stock_package, stock_tree
from tests.compat.stock_actions import NOW, Nothing
from tests.enforce.test_traffic import (
    ATTACKER,
    ATTACKER6,
    BYSTANDER,
    BYSTANDER6,
    HOST,
    HOST6,
    Network,
)
from tests.system.guard import Guard, sshd_jail, wait_until

__all__ = ["stock_package", "stock_tree"]

pytestmark = pytest.mark.system

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make network namespaces")

REFUSED = 0.5
"""Seconds after which a connection that is neither taken nor refused counts as refused."""


@pytest.fixture
def network() -> Iterator[Network]:
    with ExitStack() as stack:
        yield Network(stack)


def jail_of(tree: Path, folder: Path, options: str) -> JailSettings:
    """Return the stock jail of sshd with *options*, nothing of it native."""
    root = folder / "fail2ban"
    shutil.copytree(tree, root)
    (root / "jail.local").write_text(
        f"[DEFAULT]\nnativeactions = false\n[sshd]\nenabled = true\nbackend = polling\n"
        f"logpath = {folder}/log\n{options}"
    )
    settings = load(root, builtin=builtin_tree())
    assert not settings.errors
    (jail,) = (jail for jail in settings.jails if jail.name == "sshd")
    assert jail.enforcement is None
    return jail


def actions_of(jail: JailSettings) -> list[ShellAction]:
    return [
        ShellAction(jail.name, action, run=shell.run, facts=Nothing(), clock=lambda: Instant(NOW))
        for action in jail.actions
    ]


def ban_of(address: str) -> Ban:
    return Ban(
        "sshd",
        parse_subject(address),
        Instant(NOW),
        Instant(NOW + 600),
        failures=3,
        evidence=(Evidence(f"Failed password for $(reboot) from {address} port 4 ssh2"),),
    )


@needs_root
@pytest.mark.parametrize(
    ("banaction", "program"),
    [
        ("iptables-multiport", "iptables"),
        ("iptables-allports", "iptables"),
        ("iptables-ipset", "ipset"),
        ("nftables", "nft"),
        ("nftables-multiport", "nft"),
    ],
)
def test_a_stock_firewall_action_keeps_the_banned_client_out(
    stock_tree: Path, tmp_path: Path, network: Network, banaction: str, program: str
) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    jail = jail_of(stock_tree, tmp_path, f"banaction = {banaction}\n")
    (action,) = actions_of(jail)
    before = rules(network)

    def does(*works: Callable[[], Awaitable[None]]) -> None:
        async def do() -> None:
            for work in works:
                await work()

        with network.host.inside():
            asyncio.run(do())

    def reaches(source: str, port: int = 22) -> bool:
        target = HOST6 if ":" in source else HOST
        try:
            network.connect(source, target, port, patience=REFUSED).close()
        except OSError:
            return False
        return True

    does(action.start, lambda: action.ban(ban_of(ATTACKER)), lambda: action.ban(ban_of(ATTACKER6)))
    assert not reaches(ATTACKER)
    assert not reaches(ATTACKER6)
    assert reaches(ATTACKER, 80) == (banaction != "iptables-allports")
    assert reaches(BYSTANDER)
    assert reaches(BYSTANDER6)
    does(lambda: action.unban(ban_of(ATTACKER)))
    assert reaches(ATTACKER)
    assert not reaches(ATTACKER6)
    does(action.check)
    if "iptables" in banaction:
        # Somebody flushes the rules that lead to ours; the next ban finds that out.
        network.host.run("ip6tables", "-F", "INPUT")
        assert reaches(ATTACKER6)
        with network.host.inside():
            asyncio.run(action.check())
        assert action.needs_rebans
        does(lambda: action.reban(ban_of(ATTACKER6)))
        assert not reaches(ATTACKER6)

    async def flush() -> None:
        assert await action.flush()

    does(lambda: action.ban(ban_of(ATTACKER)), flush)
    assert reaches(ATTACKER)
    assert reaches(ATTACKER6)
    does(action.stop)
    assert rules(network) == before


def rules(network: Network) -> str:
    """Return the host's chains and rules, without what an empty chain of iptables leaves."""
    kept = network.host.run("nft", "list", "ruleset")
    return "\n".join(line for line in kept.splitlines() if "dnat" in line or "f2b" in line)


def test_mail_about_a_ban_says_who_and_shows_whois(stock_tree: Path, tmp_path: Path) -> None:
    for name, script in (
        ("sendmail", f'{{ echo "$@"; cat; }} > {tmp_path}/mail'),
        ("whois", 'echo "whois says: owner of $1"'),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    mailcmd = f'{tmp_path}/sendmail -f "<sender>" "<dest>"'
    jail = jail_of(
        stock_tree,
        tmp_path,
        f"action = sendmail-whois-matches[name=sshd, dest=me@example, mailcmd='{mailcmd}']\n",
    )
    (action,) = actions_of(jail)
    assert not action.settings.is_enforcing

    async def play() -> None:
        await action.start()
        assert (tmp_path / "mail").read_text().startswith("-f fail2ban me@example\nSubject: ")
        await action.ban(ban_of(ATTACKER))

    path = os.environ["PATH"]
    os.environ["PATH"] = f"{tmp_path}:{path}"
    try:
        asyncio.run(play())
    finally:
        os.environ["PATH"] = path
    mail = (tmp_path / "mail").read_text()
    assert f"Subject: [Fail2Ban] sshd: banned {ATTACKER} from gate.example" in mail
    assert f"whois says: owner of {ATTACKER}" in mail
    assert f"Failed password for $(reboot) from {ATTACKER}" in mail


KEEP = """[Definition]
actionstart = echo start >> <file>
actionban = echo ban "<ip>" <restored> >> <file>
actionunban = echo unban "<ip>" >> <file>
actionstop = echo stop >> <file>
"""

TELL = """[Definition]
norestored = true
actionban = echo "told of <ip> <F-USER>" >> <file>
"""


def test_own_actions_run_at_ban_and_unban_and_outlive_a_kill(lab: Lab) -> None:
    told, kept = lab.directory / "told", lab.directory / "kept"
    action = f"keep[file={kept}]\n  tell[file={told}]"
    guard = Guard(lab, sshd_jail(lab.log_path, action=action))
    (guard.config / "action.d").mkdir()
    (guard.config / "action.d" / "keep.conf").write_text(KEEP)
    (guard.config / "action.d" / "tell.conf").write_text(TELL)
    address = lab.attacker.ipv4
    guard.start()
    try:
        for _ in range(3):
            lab.attacker.fail_login("root")
        wait_until(lambda: read(kept)[-1:] == [f"ban {address} 0"], "the ban is kept")
        wait_until(lambda: read(told) == [f"told of {address} root"], "the ban is told")
        assert guard.in_kernel() == set()
        assert guard.ask("status")["jails"][0]["enforced"]
        guard.kill()
        guard.start()
        wait_until(lambda: read(kept)[-1:] == [f"ban {address} 1"], "the ban is restored")
        assert lab.server.run(guard.argv("unban", address)).returncode == 0
        wait_until(lambda: read(kept)[-1:] == [f"unban {address}"], "the ban is ended")
        assert guard.stop() == 0
    finally:
        if guard.process is not None and guard.process.poll() is None:
            guard.kill()
    assert read(kept) == [
        "start", f"ban {address} 0", "start", f"ban {address} 1", f"unban {address}", "stop",
    ]  # fmt: skip
    assert read(told) == [f"told of {address} root"]


def test_a_trial_run_tells_of_commands_and_runs_none(lab: Lab) -> None:
    kept = lab.directory / "kept"
    guard = Guard(lab, sshd_jail(lab.log_path, action=f"keep[file={kept}]"))
    (guard.config / "action.d").mkdir()
    (guard.config / "action.d" / "keep.conf").write_text(KEEP)
    guard.start("--dry-run")
    try:
        for _ in range(3):
            lab.attacker.fail_login("root")
        wait_until(lambda: "with f2bV_ip=" in guard.said(), "the command is told")
        assert guard.stop() == 0
    finally:
        if guard.process is not None and guard.process.poll() is None:
            guard.kill()
    assert f"'{lab.attacker.ipv4}'" in guard.said()
    assert not kept.exists()


def read(path: Path) -> list[str]:
    """Return the lines of a file that may not be there yet."""
    return path.read_text().splitlines() if path.exists() else []
