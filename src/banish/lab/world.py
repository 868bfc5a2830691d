"""A private world of a few hosts, for the demo, the tests and the benchmarks.

Every host is a network namespace with one interface, all on one switch. The
server also has the lab's system log and may run a real OpenSSH server. The
addresses are those set aside for documentation (RFC 5737, RFC 3849).

Nothing outlives the lab: see `banish.lab.holder`. The host's own network,
firewall, users, logs and services are not touched.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from banish.lab.accounts import Account, write_accounts
from banish.lab.authlog import START_LIMIT_SECONDS, AuthLog, AuthLogLine
from banish.lab.host import Host, on_link
from banish.lab.namespaces import (
    PROGRAM_PATH,
    LabError,
    call_in_network,
    children_in,
    new_pid_namespace,
)
from banish.lab.privilege import has_one_user
from banish.lab.ssh import PAM, SshServer, start_sshd

SERVER = "server"
HOSTNAME = "gate"
"""What the server's log lines call it."""

_ADDRESSES = {
    SERVER: ("192.0.2.10", "2001:db8:0:1::10"),
    "attacker": ("198.51.100.66", "2001:db8:0:2::66"),
    "bystander": ("203.0.113.7", "2001:db8:0:3::7"),
}

_SWITCH = "switch"
"""The network namespace that the hosts' cables run to."""

_OUTSIDE = ""
"""No host of the lab: its files and processes, but the network outside."""


class Lab:
    """A running lab; make one with `Lab.open`."""

    def __init__(self, directory: Path, holder: "subprocess.Popen[str]") -> None:
        self.directory = directory
        """The lab's folder, at the same path inside and outside; gone once it is closed."""
        self.log_path = directory / "log" / "auth.log"
        """The server's log, written the moment something happens."""
        self.has_ipv6 = Path("/proc/net/if_inet6").exists()
        self.hosts: dict[str, Host] = {}
        self._holder = holder
        self._log = AuthLog(holder)
        self._processes: list[subprocess.Popen[Any]] = []

    @classmethod
    @contextlib.contextmanager
    def open(
        cls,
        hosts: Sequence[str] = ("attacker", "bystander"),
        *,
        accounts: Sequence[Account] = (),
        log_style: Literal["classic", "iso"] = "classic",
    ) -> Iterator["Lab"]:
        """Build a lab of a server and *hosts*; take it all away at the end.

        *accounts* are users of the server. *log_style* is how the log's times
        are written: ``Nov 22 21:00:00`` or ``2026-11-22T21:00:00.123456+00:00``.

        Raises:
            LabError: The kernel refuses, or a program is missing; says which and the cure.

        """
        for program, package in (("ip", "iproute2"), ("nsenter", "util-linux")):
            if shutil.which(program, path=PROGRAM_PATH) is None:
                raise LabError(
                    f"{program} is not installed", cure=f"apt install {package}", retry=False
                )
        directory = Path(tempfile.mkdtemp(prefix="banish-lab-"))
        try:
            for name in ("etc", "log"):
                (directory / name).mkdir()
            write_accounts(directory / "etc", accounts)
            (directory / "etc" / "nsswitch.conf").write_text(
                "".join(f"{kind}: files\n" for kind in ("passwd", "group", "shadow", "hosts"))
            )
            (directory / "etc" / "pam.d").mkdir()
            (directory / "etc" / "pam.d" / "sshd").write_text(PAM)
            table = {name: _addresses(name, number) for number, name in enumerate((SERVER, *hosts))}
            (directory / "etc" / "hosts").write_text(
                "127.0.0.1 localhost\n::1 localhost\n"
                + "".join(f"{ip} {name}\n" for name, pair in table.items() for ip in pair)
            )
            lab = cls(directory, _start_holder(directory, log_style))
            try:
                lab._log.start()
                lab._wire(table)
                yield lab
            finally:
                lab.close()
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    @property
    def server(self) -> Host:
        """The host with the log and the services."""
        return self.hosts[SERVER]

    @property
    def attacker(self) -> Host:
        """The host that means harm."""
        return self.hosts["attacker"]

    @property
    def bystander(self) -> Host:
        """A host that did nothing wrong."""
        return self.hosts["bystander"]

    def network(self, host: str) -> Path:
        """Return the path by which a host's network namespace can be entered from outside."""
        return Path(f"/proc/{self._holder.pid}/root/run/netns/{host}")

    def popen(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a program on *host*; see `Host.popen`."""
        options.setdefault("start_new_session", True)
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("env", {**os.environ, "PATH": PROGRAM_PATH})
        # The root is named too, or else entering a mount namespace would leave a chroot.
        holder = f"/proc/{self._holder.pid}"
        root = f"{holder}/root"
        enter = ["nsenter", f"--mount={holder}/ns/mnt", f"--root={root}", f"--wd={root}"]
        if host != _OUTSIDE:
            enter.append(f"--net={self.network(host)}")
        try:
            with children_in(Path(f"/proc/{self._holder.pid}/ns/pid")):
                started = subprocess.Popen([*enter, "--", *argv], **options)
        except OSError as error:
            raise LabError(f"{host}: {argv[0]} cannot be started: {error}") from error
        self._processes.append(started)
        return started

    def sshd(
        self, *, pam: bool = False, port: int = 22, settings: Mapping[str, str] | None = None
    ) -> SshServer:
        """Start a real OpenSSH server on the server and return it once it listens.

        *settings* are lines of sshd_config(5) that come before the lab's own.

        Raises:
            LabError: sshd is not installed, or refuses to start; says why.

        """
        before = len(self.lines())
        if has_one_user():  # sshd will not be root there (see `start_sshd`).
            free = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
            call_in_network(self.network(SERVER), lambda: free.write_text("0"))
        server = start_sshd(
            self.server.popen, self.directory, pam=pam, port=port, settings=settings
        )
        deadline = time.monotonic() + START_LIMIT_SECONDS
        while not self._log.has_line(f" port {port}.", before):
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"sshd does not start: {server.trouble()}", retry=False)
            self._log.wait_for_news(0.05)
        return server

    def lines(self, after: int = 0) -> list[AuthLogLine]:
        """Return the log's lines so far, without the first *after*."""
        return self._log.lines(after)

    def wait_for_line(self, part: str, *, after: int = 0, timeout: float = 10.0) -> AuthLogLine:
        """Return the first line that contains *part*, among those after the first *after*.

        Raises:
            LabError: There was none within *timeout* seconds.

        """
        return self._log.wait_for_line(part, after=after, timeout=timeout)

    def write_line(self, text: str) -> None:
        """Append *text* to the log as one line, as it is."""
        self._log.order(do="write", line=text)

    def rotate_by_rename(self) -> Path:
        """Rename the log to ``auth.log.1`` and begin a new one, as logrotate's ``create``.

        Returns the old log's new path.
        """
        old = self.log_path.with_name("auth.log.1")
        self.log_path.rename(old)
        self._log.order(do="reopen")
        return old

    def rotate_by_copytruncate(self) -> Path:
        """Copy the log to ``auth.log.1`` and empty it, as logrotate's ``copytruncate``.

        Returns the copy's path.
        """
        old = self.log_path.with_name("auth.log.1")
        shutil.copyfile(self.log_path, old)
        os.truncate(self.log_path, 0)
        return old

    def nft(self, *words: str) -> str:
        """Return what the program of that name says on the server.

        Raises:
            LabError: nft says no; with its words.

        """
        result = self.server.run(["nft", *words])
        if result.returncode != 0:
            raise LabError(f"nft {' '.join(words)}: {result.stderr.strip()}", retry=False)
        return result.stdout

    def configure(self, host: str, orders: Sequence[str]) -> None:
        """Carry out lines of ``ip -batch`` on *host*.

        Raises:
            LabError: ip says no; with its words.

        """
        process = self.popen(
            host,
            ["ip", "-batch", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        _, said = process.communicate("\n".join(orders) + "\n")
        if process.returncode != 0:
            raise LabError(f"{host}: ip: {said.strip()}", retry=False)

    def close(self) -> None:
        """End every process of the lab and take it away; twice is once."""
        if self._holder.stdin is not None:
            with contextlib.suppress(OSError):
                self._holder.stdin.close()
        # The kernel ends process 1 of a pid namespace only when all others of it
        # are buried, and those that we started are ours to bury.
        for process in self._processes:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self._processes.clear()
        self._holder.wait()
        self._log.join()
        if self._holder.stdout is not None:
            self._holder.stdout.close()

    def _wire(self, table: Mapping[str, tuple[str, str]]) -> None:
        """Make the switch and a host for each entry: name to IPv4 and IPv6 address."""
        self.configure(_OUTSIDE, [f"netns add {name}" for name in (_SWITCH, *table)])
        plugs = ["link add hub type bridge stp_state 0 forward_delay 0", "link set hub up"]
        for number, name in enumerate(table):
            plugs += [
                f"link add port{number} type veth peer name eth0 netns {name}",
                f"link set port{number} master hub up",
            ]
        self.configure(_SWITCH, plugs)
        for name, (ipv4, ipv6) in table.items():
            orders = [
                "link set lo up",
                "link set eth0 up",
                f"address add {on_link(ipv4)} dev eth0",
                f"route add default dev eth0 src {ipv4}",
            ]
            if self.has_ipv6:
                orders += [
                    f"address add {on_link(ipv6)} dev eth0",
                    f"route add ::/0 dev eth0 src {ipv6}",
                ]
            self.configure(name, orders)
            self.hosts[name] = Host(self, name, ipv4, ipv6)


def _start_holder(directory: Path, log_style: str) -> "subprocess.Popen[str]":
    try:
        with new_pid_namespace():
            return subprocess.Popen(
                [sys.executable, "-m", "banish.lab.holder", str(directory), HOSTNAME, log_style],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
                env={**os.environ, "PATH": PROGRAM_PATH},
            )
    except OSError as error:
        raise LabError(
            f"the kernel allows no private namespaces here: {error.strerror}",
            cure="run it as root; in a container, with --privileged",
            retry=False,
        ) from error


def _addresses(name: str, number: int) -> tuple[str, str]:
    return _ADDRESSES.get(name) or (f"203.0.113.{100 + number}", f"2001:db8:0:4::{100 + number}")
