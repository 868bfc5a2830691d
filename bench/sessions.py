"""Writes an auth.log of whole sshd sessions, interleaved, the same every time from a seed.

Each session has several lines under one pid, as servers with PAM write them. The kinds of
session are weighted by hand so that the shares of line kinds come near those of attacked
servers; the wording is written by hand, not recorded. Pids are reused, several hosts share
the file, one address in ten is IPv6.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

LINES_A_SECOND = 4
OPEN_SESSIONS = 12
HOSTS = ("bastion", "web1", "mail")
PIDS = 4_000
"""Few enough that a log of 100,000 lines uses each of them again."""

_KNOWN = ("root", "root", "root", "backup", "www-data", "mysql")
_UNKNOWN = ("admin", "test", "oracle", "ubuntu", "git", "deploy", "x" * 100, "a1b2c3")
_PAM = "pam_unix(sshd:auth): "
_NO_USER = "logname= uid=0 euid=0 tty=ssh ruser= rhost={a}"
_KNOWN_FAILS = f"{_PAM}authentication failure; {_NO_USER}  user={{u}}"
_UNKNOWN_FAILS = (f"{_PAM}check pass; user unknown", f"{_PAM}authentication failure; {_NO_USER}")


@dataclass(frozen=True)
class Kind:
    """One kind of session: its lines and what it should count for."""

    weight: int
    lines: tuple[str, ...]
    failures: int
    """Refused logins in it: the lines that our own sshd filter is to count."""
    is_unknown: bool = False


ATTACKS = (
    Kind(9, (_KNOWN_FAILS, "Failed password for {u} from {a} port {p} ssh2", "Received disconnect from {a} port {p}:11: Bye Bye [preauth]", "Disconnected from authenticating user {u} {a} port {p} [preauth]"), 1),
    Kind(5, ("Invalid user {u} from {a} port {p}", *_UNKNOWN_FAILS, "Failed password for invalid user {u} from {a} port {p} ssh2", "Received disconnect from {a} port {p}:11: Bye Bye [preauth]", "Disconnected from invalid user {u} {a} port {p} [preauth]"), 2, is_unknown=True),
    Kind(2, ("reverse mapping checking getaddrinfo for host.example [{a}] failed - POSSIBLE BREAK-IN ATTEMPT!", _KNOWN_FAILS, "Failed password for {u} from {a} port {p} ssh2", "Connection closed by authenticating user {u} {a} port {p} [preauth]"), 1),
    Kind(2, (_KNOWN_FAILS, *("Failed password for {u} from {a} port {p} ssh2",) * 3, "Connection reset by authenticating user {u} {a} port {p} [preauth]", f"PAM 2 more authentication failures; {_NO_USER}  user={{u}}"), 3),
)  # fmt: skip
HARMLESS = (
    Kind(4, ("Accepted publickey for anna from {a} port {p} ssh2: ED25519 SHA256:Ck2vBL5nTn", "pam_unix(sshd:session): session opened for user anna(uid=1000) by (uid=0)", "Received disconnect from {a} port {p}:11: disconnected by user", "Disconnected from user anna {a} port {p}", "pam_unix(sshd:session): session closed for user anna"), 0),
    Kind(1, ("Connection closed by {a} port {p}",), 0),
)  # fmt: skip
OTHERS = (
    ("CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)"),
    ("CRON", "pam_unix(cron:session): session closed for user root"),
    ("systemd-logind", "New session {p} of user anna."),
    ("systemd-logind", "Removed session {p}."),
    ("dbus-daemon", "[system] Reloaded configuration"),
)


class SessionLog:
    """Writes one log; ``failures`` tells afterwards how many lines of it should count."""

    def __init__(
        self, seed: int, begin: datetime, *, sshd: float, attacks: float, is_iso: bool = False
    ) -> None:
        """Start at *begin*; *sshd* and *attacks* are chances of 0 to 1."""
        self.failures = 0
        self.sessions: list[tuple[str, int, list[str]]] = []
        self._dice = random.Random(seed)
        self._begin, self._is_iso = begin, is_iso
        self._sshd, self._attacks = sshd, attacks
        self._busy: set[tuple[str, int]] = set()

    def lines(self, count: int) -> Iterator[str]:
        """Yield at least *count* lines; the sessions still open then are written to their end."""
        dice = self._dice
        number = 0
        open_now: list[tuple[str, int, list[str]]] = []
        while number < count or open_now:
            at = self._begin + timedelta(seconds=number // LINES_A_SECOND)
            number += 1
            if number < count and dice.random() >= self._sshd:
                tag, text = dice.choice(OTHERS)
                text = text.format(p=dice.randint(1, 9_999))
                host, pid = dice.choice(HOSTS), dice.randint(1, 399)
                yield f"{self._stamp(at)} {host} {tag}[{pid}]: {text}"
                continue
            if not open_now or (number < count and len(open_now) < OPEN_SESSIONS):
                open_now.append(self._session())
            session = dice.choice(open_now)
            host, pid, left = session
            yield f"{self._stamp(at)} {host} sshd[{pid}]: {left.pop(0)}"
            if not left:
                open_now.remove(session)
                self._busy.discard((host, pid))

    def _session(self) -> tuple[str, int, list[str]]:
        dice = self._dice
        is_attack = dice.random() < self._attacks
        kinds = ATTACKS if is_attack else HARMLESS
        kind = dice.choices(kinds, [each.weight for each in kinds])[0]
        number = dice.randint(1, 500)
        address = f"198.18.{number % 250}.{number // 250 + 1}"
        if dice.random() < 0.1:
            address = f"2001:db8::{number:x}"
        if not is_attack:
            address = f"192.0.2.{number % 60 + 1}"
        user = dice.choice(_UNKNOWN if kind.is_unknown else _KNOWN)
        port = dice.randint(1_024, 65_535)
        host, pid = dice.choice(HOSTS), dice.randint(400, 400 + PIDS)
        while (host, pid) in self._busy:
            pid = dice.randint(400, 400 + PIDS)
        self._busy.add((host, pid))
        self.failures += kind.failures
        texts = [text.format(a=address, u=user, p=port) for text in kind.lines]
        self.sessions.append((host, pid, list(texts)))
        return host, pid, texts

    def _stamp(self, at: datetime) -> str:
        if self._is_iso:
            return at.astimezone().isoformat(timespec="microseconds")
        return f"{at:%b} {at.day:2d} {at:%H:%M:%S}"


def write(path: Path, count: int, *, sshd: float, attacks: float, is_iso: bool = False) -> None:
    """Write a log of about *count* lines that ends about now to *path*."""
    begin = datetime.now().astimezone() - timedelta(seconds=count // LINES_A_SECOND)
    log = SessionLog(1, begin, sshd=sshd, attacks=attacks, is_iso=is_iso)
    with path.open("w", encoding="ascii") as target:
        target.writelines(line + "\n" for line in log.lines(count))
