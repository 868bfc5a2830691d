"""A private world of a few hosts, for the demo, the tests and the benchmarks.

Every host is a network namespace with one interface, all on one switch. The
server also has the lab's system log and may run a real OpenSSH server. The
addresses are those set aside for documentation (RFC 5737, RFC 3849).

Nothing outlives the lab: see `banish.lab.holder`. The host's own network,
firewall, users, logs and services are not touched.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from banish.lab.accounts import Account, write_accounts
from banish.lab.namespaces import (
    PROGRAM_PATH,
    LabError,
    call_in_network,
    children_in,
    new_pid_namespace,
)
from banish.lab.privilege import has_one_user
from banish.lab.ssh import PAM, LoginAttempt, SshServer, log_in, start_sshd

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

START_LIMIT_SECONDS = 15.0


@dataclasses.dataclass(frozen=True)
class AuthLogLine:
    """A line of the server's ``auth.log`` and the UNIX time just before it was written."""

    at: float
    text: str


class Host:
    """One host of the lab."""

    def __init__(self, lab: "Lab", name: str, ipv4: str, ipv6: str) -> None:
        self._lab = lab
        self.name = name
        self.ipv4 = ipv4
        self.ipv6 = ipv6

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a program on this host; *options* are those of `subprocess.Popen`.

        Its process id is the program's own, so signals reach it. It starts in
        ``/``, so paths must be absolute, in its own session, and ends at the
        latest with the lab.

        Raises:
            LabError: The lab is closed.

        """
        return self._lab.popen(self.name, argv, **options)

    def run(
        self, argv: Sequence[str], *, timeout: float = 10.0, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on this host to its end and return what it wrote, as text.

        Raises:
            LabError: The lab is closed, or *timeout* seconds have passed.

        """
        process = self.popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.communicate()
            raise LabError(f"{self.name}: {argv[0]} took longer than {timeout:g} s") from error
        return subprocess.CompletedProcess(list(argv), process.returncode, out, err)

    def add_address(self, address: str) -> None:
        """Give this host one more address, IPv4 or IPv6; once is enough.

        Raises:
            LabError: It is not an address, or the host has it already.

        """
        self._lab.configure(self.name, [f"address add {_on_link(address)} dev eth0"])

    def connects(
        self, port: int = 22, *, to: str = "", timeout: float = 2.0, source: str = ""
    ) -> bool:
        """Tell whether a TCP connection to *port* is accepted within *timeout* seconds.

        *to* is the server's IPv4 address if not given; *source* is one of this
        host's own addresses.
        """
        target = to or self._lab.server.ipv4

        def connect() -> bool:
            try:
                with socket.create_connection(
                    (target, port), timeout, source_address=(source, 0) if source else None
                ):
                    return True
            except OSError:
                return False

        return call_in_network(self._lab.network(self.name), connect)

    def ssh_login(
        self, user: str, password: str, *, to: str = "", source: str = "", timeout: float = 10.0
    ) -> LoginAttempt:
        """Log in with ssh(1) and a password, and out again; return what came of it."""
        return log_in(
            self.run, user, password, to or self._lab.server.ipv4, source=source, timeout=timeout
        )

    def fail_login(self, user: str = "root", *, to: str = "", source: str = "") -> LoginAttempt:
        """Try one wrong password."""
        return self.ssh_login(user, "wrong-password", to=to, source=source)


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
        self._lines: list[AuthLogLine] = []
        self._done: list[str] = []
        self._error = ""
        self._ready = False
        self._news = threading.Condition()
        self._processes: list[subprocess.Popen[Any]] = []
        self._reader = threading.Thread(target=self._read_holder, daemon=True)

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
                lab._reader.start()
                lab._wait(lambda: lab._ready, "the lab does not start")
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
        while not self._has_line(f" port {port}.", before):
            if server.process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"sshd does not start: {server.trouble()}", retry=False)
            with self._news:
                self._news.wait(0.05)
        return server

    def lines(self, after: int = 0) -> list[AuthLogLine]:
        """Return the log's lines so far, without the first *after*."""
        with self._news:
            return self._lines[after:]

    def wait_for_line(self, part: str, *, after: int = 0, timeout: float = 10.0) -> AuthLogLine:
        """Return the first line that contains *part*, among those after the first *after*.

        Raises:
            LabError: There was none within *timeout* seconds.

        """
        self._wait(lambda: self._has_line(part, after), f"no log line says {part!r}", timeout)
        return next(line for line in self.lines(after) if part in line.text)

    def write_line(self, text: str) -> None:
        """Append *text* to the log as one line, as it is."""
        self._order(do="write", line=text)

    def rotate_by_rename(self) -> Path:
        """Rename the log to ``auth.log.1`` and begin a new one, as logrotate's ``create``.

        Returns the old log's new path.
        """
        old = self.log_path.with_name("auth.log.1")
        self.log_path.rename(old)
        self._order(do="reopen")
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
        if self._reader.is_alive():
            self._reader.join(5)
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
                f"address add {_on_link(ipv4)} dev eth0",
                f"route add default dev eth0 src {ipv4}",
            ]
            if self.has_ipv6:
                orders += [
                    f"address add {_on_link(ipv6)} dev eth0",
                    f"route add ::/0 dev eth0 src {ipv6}",
                ]
            self.configure(name, orders)
            self.hosts[name] = Host(self, name, ipv4, ipv6)

    def _has_line(self, part: str, after: int) -> bool:
        return any(part in line.text for line in self.lines(after))

    def _order(self, **order: str) -> None:
        assert self._holder.stdin is not None
        before = len(self._done)
        self._holder.stdin.write(json.dumps(order) + "\n")
        self._holder.stdin.flush()
        self._wait(lambda: len(self._done) > before, "the lab's log does not answer")

    def _wait(
        self, is_so: Callable[[], bool], trouble: str, timeout: float = START_LIMIT_SECONDS
    ) -> None:
        with self._news:
            self._news.wait_for(lambda: is_so() or bool(self._error), timeout)
            if is_so():
                return
        raise LabError(f"{trouble}: {self._error}" if self._error else trouble, retry=False)

    def _read_holder(self) -> None:
        assert self._holder.stdout is not None
        for text in self._holder.stdout:
            news = json.loads(text)
            with self._news:
                if "line" in news:
                    self._lines.append(AuthLogLine(news["at"], news["line"]))
                elif "ready" in news:
                    self._ready = True
                elif "done" in news:
                    self._done.append(news["done"])
                else:
                    self._error = news["error"]
                self._news.notify_all()
        with self._news:
            self._error = self._error or "the lab has ended"
            self._news.notify_all()


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


def _on_link(address: str) -> str:
    # Duplicate address detection would keep an IPv6 address unusable for a second.
    return f"{address}/128 nodad" if ":" in address else f"{address}/32"
