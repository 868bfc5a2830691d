"""One host of the lab: what runs on it, and what it reaches."""

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from banish.lab.namespaces import LabError, call_in_network
from banish.lab.ssh import LoginAttempt, log_in


class Surroundings(Protocol):
    """The lab, as its hosts need it."""

    @property
    def server(self) -> "Host":
        """The host with the log and the services."""
        ...

    def popen(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a program on *host*."""
        ...

    def configure(self, host: str, orders: Sequence[str]) -> None:
        """Carry out lines of ``ip -batch`` on *host*."""
        ...

    def network(self, host: str) -> Path:
        """Return the path by which a host's network namespace can be entered from outside."""
        ...


class Host:
    """One host of the lab."""

    def __init__(self, lab: Surroundings, name: str, ipv4: str, ipv6: str) -> None:
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
        self._lab.configure(self.name, [f"address add {on_link(address)} dev eth0"])

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


def on_link(address: str) -> str:
    """Return *address* as ip(8) takes it for a host that is on no network but its own."""
    # Duplicate address detection would keep an IPv6 address unusable for a second.
    return f"{address}/128 nodad" if ":" in address else f"{address}/32"
