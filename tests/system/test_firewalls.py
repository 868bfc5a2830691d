"""Other firewalls than nftables, and files that others read, end to end in a lab."""

import shutil
import subprocess
from pathlib import Path

import pytest

from banish.lab.world import Lab
from tests.system.guard import Guard, guarded, sshd_jail, wait_until

pytestmark = pytest.mark.system

IPTABLES = ("iptables-save", "ip6tables-save")


def shown(lab: Lab) -> str:
    """Return what stands in the server's firewall, as its own programs say."""
    text = "".join(lab.server.run([program]).stdout for program in IPTABLES)
    return text + (lab.server.run(["ipset", "save"]).stdout if shutil.which("ipset") else "")


def with_firewall(guard: Guard, firewall: str) -> None:
    """Have the server started anew with *firewall*."""
    assert guard.stop() == 0
    (guard.config / "banish.local").write_text(f"[Definition]\nfirewall = {firewall}\n")
    guard.start()


@pytest.mark.skipif(shutil.which("ipset") is None, reason="needs ipset")
@pytest.mark.parametrize("firewall", ["iptables", "ipset"])
def test_a_ban_stands_through_a_strangers_flush_and_a_crash_and_ends(
    lab: Lab, firewall: str
) -> None:
    attacker, bystander = lab.attacker, lab.bystander
    with guarded(lab, sshd_jail(lab.log_path)) as guard:
        with_firewall(guard, firewall)
        lab.server.run(["iptables", "-A", "INPUT", "-s", "203.0.113.9", "-j", "DROP"])
        theirs = "-A INPUT -s 203.0.113.9/32 -j DROP\n"
        for _ in range(3):
            attacker.fail_login("root")
        wait_until(lambda: guard.banned() == {attacker.ipv4}, "the attacker is banned")
        wait_until(lambda: not attacker.connects(), "the attacker is kept out")
        assert bystander.connects()

        lab.server.run(["iptables", "-F"])
        lab.server.run(["iptables", "-A", "INPUT", "-s", "203.0.113.9", "-j", "DROP"])
        wait_until(lambda: not attacker.connects(), "what was flushed is put back")
        assert theirs in shown(lab)

        guard.kill()
        assert not attacker.connects()
        guard.start()
        assert not attacker.connects()
        assert firewall in guard.ask("status")["enforcement"]["enforcer"]
        assert guard.ask("status")["enforcement"]["trouble"] == ""

        attacker6 = attacker.ipv6
        guard.ask("ban", "sshd", attacker6)
        assert not attacker.connects(to=lab.server.ipv6)
        assert bystander.connects(to=lab.server.ipv6)
        guard.ask("unban", "--all")
        assert attacker.connects()
        assert attacker.connects(to=lab.server.ipv6)
        assert guard.stop() == 0
    assert "banish" not in shown(lab)
    assert theirs in shown(lab)


def wraps() -> bool:
    """Whether the OpenSSH server of this host asks the TCP Wrapper library."""
    sshd = shutil.which("sshd", path="/usr/sbin:/sbin")
    if sshd is None or not Path("/etc/hosts.deny").is_file():
        return False
    return "libwrap" in subprocess.run(["ldd", sshd], capture_output=True, text=True).stdout  # noqa: PLW1510


@pytest.mark.skipif(not wraps(), reason="needs an sshd that is built with libwrap")
def test_who_stands_in_hosts_deny_is_turned_away_by_sshd_itself(lab: Lab) -> None:
    attacker, bystander = lab.attacker, lab.bystander
    deny = lab.directory / "hosts.deny"
    deny.write_text("in.ftpd: 203.0.113.9\n")
    nginx = lab.directory / "deny.conf"
    nginx.touch()
    # A mount point, as under systemd's ReadWritePaths=: the file is written in place.
    mounted = lab.server.run(["mount", "--bind", str(deny), "/etc/hosts.deny"])
    assert mounted.returncode == 0, mounted.stderr
    action = f"hostsdeny[daemon_list=sshd]\n    nginx-deny[file={nginx}, reload=]"
    with guarded(lab, sshd_jail(lab.log_path, action=action)) as guard:
        assert bystander.ssh_login("alice", "correct horse").outcome == "accepted"
        for _ in range(3):
            attacker.fail_login("root")
        wait_until(lambda: attacker.ipv4 in deny.read_text(), "the attacker stands in hosts.deny")
        assert f"sshd: {attacker.ipv4}\n" in deny.read_text()
        wait_until(lambda: attacker.ipv4 in nginx.read_text(), "nginx is told, too")
        # The packets come through: it is sshd that hangs up.
        assert attacker.connects()
        assert attacker.ssh_login("alice", "correct horse").outcome not in ("accepted", "denied")
        assert bystander.ssh_login("alice", "correct horse").outcome == "accepted"

        guard.kill()
        assert attacker.ssh_login("alice", "correct horse").outcome not in ("accepted", "denied")
        guard.start()
        guard.ask("unban", attacker.ipv4)
        wait_until(lambda: attacker.ipv4 not in deny.read_text(), "the attacker is taken out")
        assert attacker.ssh_login("alice", "correct horse").outcome == "accepted"
        assert guard.stop() == 0
    assert deny.read_text() == "in.ftpd: 203.0.113.9\n"
    assert nginx.read_text() == ""
