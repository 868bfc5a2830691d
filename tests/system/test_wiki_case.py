"""The case that Fail2Ban's documentation has shown for years, with real programs all the way.

A jail of Debian's Fail2Ban closes two ports with ``iptables``, one of them no
service's own, has the host written into hosts.deny, and sends mail by sendmail and
by SMTP. Here sshd is attacked, the kernel refuses, an sshd that asks TCP Wrapper
refuses on a port that no firewall rule closes, and OpenSMTPD delivers the mail.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from banish.lab.world import Lab
from tests.compat.conftest import fetched, stock_package, stock_tree
from tests.system.guard import Guard, wait_until

__all__ = ["stock_package", "stock_tree"]

pytestmark = pytest.mark.system

WRAPPED_PORT = 2200

MAIL_USERS = (("opensmtpd", 990), ("opensmtpq", 991))

SMTPD = """
table aliases { root = alice }
listen on lo
action "local" maildir "/run/mail/%{user.username}" alias <aliases>
match for local action "local"
match from local for any action "local"
"""

JAIL_LOCAL = """
[DEFAULT]
nativeactions = NATIVE
systemd_if_nologs = false
[sshd]
enabled = true
backend = auto
logpath = LOG
maxretry = 3
bantime = 10m
action = iptables[name=SSH, port=ssh, protocol=tcp]
         iptables[name=SSH, port=1234, protocol=tcp]
         hostsdeny
         sendmail[name=SSH, dest=alice@localhost, sender=fail2ban@localhost]
         smtp.py[host="127.0.0.1:25", dest=alice@localhost, sender=fail2ban@localhost]
"""


@pytest.fixture(scope="session")
def mail_package() -> Path:
    """Give a folder with Debian's OpenSMTPD and its libraries, unpacked, or skip."""
    return fetched("opensmtpd", "libevent-2.1-7", "libdb5.3")


@pytest.fixture
def host(lab: Lab, mail_package: Path) -> Lab:
    """A lab whose server may write to its own /etc, has a mail server, and sshds on four ports."""
    if shutil.which("iptables") is None:
        pytest.skip("iptables is not installed")
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    linked = subprocess.run(["ldd", str(sshd)], capture_output=True, text=True, check=False)
    if "libwrap" not in linked.stdout:
        pytest.skip("this sshd does not ask TCP Wrapper")
    etc = lab.directory / "etc"
    home = "/var/lib/opensmtpd/empty"
    users = "".join(f"{name}:x:{uid}:{uid}::{home}:/bin/false\n" for name, uid in MAIL_USERS)
    groups = "".join(f"{name}:x:{uid}:\n" for name, uid in MAIL_USERS)
    for name, line in (("passwd", users), ("group", groups)):
        with (etc / name).open("a") as file:
            file.write(line)
    (etc / "hosts.deny").write_text("# by hand\n")
    (etc / "hosts.allow").write_text("")
    # Or else smtpd asks for its clients' names where nobody answers.
    (etc / "resolv.conf").write_text("lookup file\n")
    (etc / "mailname").write_text("localhost\n")
    (etc / "smtpd-lab.conf").write_text(SMTPD)
    usr = mail_package / "usr"
    # Overlays, since files are renamed in /etc and there are new ones in /usr.
    for order in (
        "mkdir -p /run/etc /run/usr /run/etc-work /run/usr-work /run/mail && chmod 1777 /run/mail",
        f"cp -a {etc}/. /run/etc && chmod -R a+rX /run/etc",
        "mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/etc-work lab /etc",
        f"mount -t overlay -o lowerdir={usr}:/usr,upperdir=/run/usr,workdir=/run/usr-work lab /usr",
        # As the package is when it is installed; sendmail is a link to it.
        "chgrp opensmtpq /usr/sbin/smtpctl && chmod 2755 /usr/sbin/smtpctl",
        "mount -t tmpfs lab /var/lib && mount -t tmpfs lab /var/spool",
        "mkdir -p /var/lib/opensmtpd/empty && chmod 711 /var/spool",
    ):
        done = lab.server.run(["sh", "-c", f"umask 022; {order}"])
        if done.returncode != 0:
            pytest.skip(f"{order}: {done.stderr}")
    output = (lab.directory / "smtpd.out").open("wb")
    with output:
        lab.server.popen(
            ["/usr/sbin/smtpd", "-d", "-f", "/etc/smtpd-lab.conf"],
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    lab.sshd(port=1234)
    lab.sshd(port=80)
    lab.sshd(port=WRAPPED_PORT)
    return lab


def said(lab: Lab, *words: str) -> str:
    return lab.server.run(list(words)).stdout


def mails(lab: Lab) -> str:
    return said(lab, "sh", "-c", "cat /run/mail/alice/new/* 2>/dev/null")


def is_greeted(lab: Lab, *, by: str = "attacker") -> bool:
    """Whether the sshd that asks TCP Wrapper talks to a host at all."""
    words = ["ssh-keyscan", "-t", "ed25519", "-T", "2", "-p", str(WRAPPED_PORT), lab.server.ipv4]
    return "ssh-ed25519" in lab.hosts[by].run(words).stdout


@pytest.mark.parametrize("native", ["true", "false"])
def test_two_ports_are_closed_the_host_is_denied_and_mail_arrives(
    host: Lab, stock_tree: Path, native: str
) -> None:
    guard = Guard(host, "")
    shutil.copytree(stock_tree, guard.config, dirs_exist_ok=True)
    (guard.config / "fail2ban.local").write_text("[Definition]\nlogtarget = STDOUT\n")
    guard.configure(JAIL_LOCAL.replace("NATIVE", native).replace("LOG", str(host.log_path)))
    attacker = host.attacker
    ports = (22, 1234, 80)
    wait_until(lambda: host.server.connects(25, to="127.0.0.1"), "the mail server answers")
    guard.start()
    try:
        assert [attacker.connects(port) for port in ports] == [True, True, True]
        assert is_greeted(host)
        for _ in range(3):
            attacker.fail_login("root")
        wait_until(
            lambda: (
                [attacker.connects(port, timeout=0.5) for port in ports] == [False, False, True]
            ),
            f"both ports are closed, and no other\n{guard.said()}",
        )
        wait_until(
            lambda: f"ALL: {attacker.ipv4}" in said(host, "cat", "/etc/hosts.deny"),
            f"the host is denied\n{guard.said()}",
        )
        assert not is_greeted(host)
        assert is_greeted(host, by="bystander")
        assert host.bystander.connects(22)
        wanted = f"SSH: banned {attacker.ipv4} from", f"sshd: banned {attacker.ipv4} from"
        wait_until(
            lambda: all(each in mails(host) for each in wanted),
            f"both mails arrive\n{guard.said()}\n{(host.directory / 'smtpd.out').read_text()}",
        )
        assert (f"-s {attacker.ipv4}/32" in said(host, "iptables", "-S")) == (native == "false")
        assert (attacker.ipv4 in guard.in_kernel()) == (native == "true")
        (jail,) = guard.ask("status")["jails"]
        assert jail["enforced"]
        assert not jail["trouble"], jail["trouble"]
        assert host.server.run(guard.argv("unban", attacker.ipv4)).returncode == 0
        # Asked for in the files first: each refused try is one more failure in the log.
        wait_until(
            lambda: (
                said(host, "cat", "/etc/hosts.deny") == "# by hand\n"
                and attacker.ipv4 not in said(host, "iptables", "-S")
            ),
            f"the ban is ended\n{guard.said()}",
        )
        assert [attacker.connects(port) for port in ports] == [True, True, True]
        assert is_greeted(host)
        assert guard.stop() == 0
    finally:
        if guard.process is not None and guard.process.poll() is None:
            guard.kill()
    wait_until(lambda: "sshd: stopped on" in mails(host), "the end is told")
