"""What OpenSSH's log comes to for a given user name, computed as sshd does it.

Read from OpenSSH 10.0p1 and 9.2p1 (log.c, auth.c, packet.c, monitor.c) and compared with
lines of the real servers: a name is cut to 100 bytes (200 with what stands before it,
where a connection is named), every byte that is not printable ASCII becomes an escape,
what the network process says is escaped a second time when its monitor passes it on,
syslog gets 500 characters, and the log may strip blanks from the end.
"""

from dataclasses import dataclass

SYSLOG_CHARACTERS = 500
"""``syslog(pri, "%.500s", ...)`` in log.c."""

_C_ESCAPES = {7: r"\a", 8: r"\b", 9: r"\t", 10: r"\n", 11: r"\v", 12: r"\f", 13: r"\r"}


def vis(raw: bytes) -> bytes:
    """Return *raw* as strnvis(3) writes it with VIS_CSTYLE, VIS_NL, VIS_TAB, VIS_OCTAL."""
    out = []
    for byte in raw:
        if byte == 0x5C:
            out.append(r"\\")
        elif byte in _C_ESCAPES:
            out.append(_C_ESCAPES[byte])
        elif 0x20 <= byte <= 0x7E:
            out.append(chr(byte))
        else:
            out.append(f"\\{byte:03o}")
    return "".join(out).encode("ascii")


@dataclass(frozen=True)
class Connection:
    """One connection of a client, as sshd sees it."""

    address: str
    port: int
    name: bytes
    pid: int = 4711
    program: str = "sshd-session"
    strips: bool = True
    """Whether the log takes blanks off the end of a line, as journald does."""

    def _line(self, message: bytes) -> str:
        text = vis(message).decode("ascii")[:SYSLOG_CHARACTERS]
        text = text.rstrip(" ") if self.strips else text
        return f"Nov 22 21:00:00 gate {self.program}[{self.pid}]: {text}"

    def monitor(self, before: str, after: str, limit: int = 100) -> str:
        """Return the line of the privileged process: *before*, the name, *after*."""
        return self._line(before.encode("latin-1") + self.name[:limit] + after.encode("latin-1"))

    def network(self, before: str, after: str, limit: int = 100) -> str:
        """Return the line of the network process, which the monitor passes on."""
        said = vis(before.encode("latin-1") + self.name[:limit] + after.encode("latin-1"))[:1023]
        return self._line(said + b" [preauth]")

    @property
    def tail(self) -> str:
        """How most messages tell the peer."""
        return f" from {self.address} port {self.port}"

    def invalid_user(self) -> str:
        return self.monitor("Invalid user ", self.tail)

    def refused(self, reason: str) -> str:
        return self.monitor("User ", f" from {self.address} not allowed because {reason}")

    def failed(self, method: str = "password", *, known: bool = False, info: str = "") -> str:
        kind = "" if known else "invalid user "
        return self.monitor(f"Failed {method} for {kind}", f"{self.tail} ssh2{info}")

    def failed_pam(self, verdict: str, *, known: bool = False) -> str:
        kind = "" if known else "illegal user "
        return self.monitor(f"error: PAM: {verdict} for {kind}", f" from {self.address}")

    def accepted(self) -> str:
        return self.monitor("Accepted password for ", f"{self.tail} ssh2")

    def postponed(self) -> str:
        return self.network("Postponed keyboard-interactive for invalid user ", f"{self.tail} ssh2")

    def ran_out(self, *, known: bool = False) -> str:
        kind = "" if known else "invalid user "
        return self.network(
            f"error: maximum authentication attempts exceeded for {kind}", f"{self.tail} ssh2"
        )

    def ended(self, how: str, *, known: bool = False, after: str = "") -> str:
        """Return the line that ends a connection: *how* is ``Connection closed by``."""
        kind = "authenticating user " if known else "invalid user "
        return self.network(
            f"{how} {kind}", f" {self.address} port {self.port}{after}", 200 - len(kind)
        )

    def unnamed(self, before: str, after: str = "", *, network: bool = True) -> str:
        """Return a line that has no name, but maybe text of the client's in *after*."""
        bare = Connection(self.address, self.port, b"", self.pid, self.program, self.strips)
        said = f"{before}{self.address} port {self.port}{after}"
        return bare.network(said, "") if network else bare.monitor(said, "")
