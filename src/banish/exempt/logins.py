"""Who is logged in by ssh at the moment, and from where, as the kernel attests.

A session counts if all of this is so:

- Its process runs ``sshd`` (``sshd-session`` since OpenSSH 9.8) and calls itself
  ``user@pts/0`` or ``user@notty``, which OpenSSH does only past authentication
  (``session_proctitle`` in its session.c). Before, it ends in ``[priv]`` or ``[net]``.
- It or its parent runs as root: anybody may start a program called so, but only
  root starts the real one.
- It holds an established connection to a port on which root listens. So neither
  the far end of a forwarded connection nor a port that a user opened counts.

Reading costs some milliseconds for a few hundred processes. Processes that end
meanwhile are nobody. Without CAP_SYS_PTRACE the kernel shows neither the programs
nor the connections of others, so nobody is exempt; `can_look` tells.
"""

import ipaddress
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from banish.model.address import Subject, parse_address

READ_LIMIT_BYTES = 4 << 20
"""Some 25,000 connections; what comes after is not looked at."""

SESSIONS_LIMIT = 1_000
FILES_LIMIT = 256
"""Open files of a session that are looked at."""

_TITLE = re.compile(
    r"sshd(?:-session)?: (?P<account>[^\s\x00-\x1f\x7f]{1,64})@(?:notty|(?:pts/|tty)[\w/,]{1,64})"
)
_PROGRAMS = ("sshd", "sshd-session")
_CAP_SYS_PTRACE = 19
"""As in linux/capability.h."""

_ESTABLISHED, _LISTENING = "01", "0A"
"""States of connections, as in include/net/tcp_states.h of Linux."""


class Login(msgspec.Struct, frozen=True):
    """A session that is past authentication."""

    subject: Subject
    """The address it comes from."""
    account: str


def live_logins(proc: Path = Path("/proc")) -> list[Login]:
    """Return the sessions that are past authentication, each address and account once."""
    sessions = list(_sessions(proc))
    if not sessions:
        return []
    peers = _peers(proc)
    found = {
        Login(peers[inode], account): None
        for process, account in sessions
        for inode in _sockets(process)
        if inode in peers
    }
    return list(found)


def can_look(proc: Path = Path("/proc")) -> bool:
    """Whether the kernel lets this process see the programs and connections of others."""
    for line in _read(proc / "self" / "status", 8_192).splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> _CAP_SYS_PTRACE & 1)
    return False


def _sessions(proc: Path) -> Iterator[tuple[Path, str]]:
    count = 0
    for process in proc.glob("[0-9]*"):
        title = _read(process / "cmdline", 256).split("\0")[0].strip()
        match = _TITLE.fullmatch(title)
        if match is None or not _is_sshd(process) or not _is_of_root(proc, process):
            continue
        yield process, match["account"]
        count += 1
        if count >= SESSIONS_LIMIT:
            return


def _is_sshd(process: Path) -> bool:
    try:
        # The program may have been replaced by an update while it runs.
        name = (process / "exe").readlink().name.removesuffix(" (deleted)")
    except OSError:
        return False
    return name in _PROGRAMS


def _is_of_root(proc: Path, process: Path) -> bool:
    """Whether *process* belongs to root, or is the child of root's ``sshd``."""
    user, parent = _status(process)
    if user == "0":
        return True
    above = proc / parent
    return parent.isdigit() and _status(above)[0] == "0" and _is_sshd(above)


def _status(process: Path) -> tuple[str, str]:
    """Return the real user's number and the parent's; empty where it is gone."""
    fields = {
        name: value.split()
        for name, _, value in (
            line.partition(":") for line in _read(process / "status", 8_192).splitlines()
        )
    }
    user, parent = fields.get("Uid"), fields.get("PPid")
    return (user[0], parent[0]) if user and parent else ("", "")


def _sockets(process: Path) -> Iterator[str]:
    """Yield the inodes of the sockets that *process* holds."""
    try:
        for number, file in enumerate((process / "fd").iterdir()):
            if number >= FILES_LIMIT:
                return
            target = str(file.readlink())
            if target.startswith("socket:["):
                yield target[8:-1]
    except OSError:
        return  # it ended meanwhile, or is not ours to look at


def _peers(proc: Path) -> dict[str, Subject]:
    """Return the peers of connections to ports on which root listens, by inode."""
    listening: set[str] = set()
    established: list[tuple[str, str, str]] = []
    for name in ("tcp", "tcp6"):
        for line in _read(proc / "net" / name, READ_LIMIT_BYTES).splitlines()[1:]:
            fields = line.split()
            if len(fields) < 10:
                continue
            port = fields[1].partition(":")[2]
            if fields[3] == _LISTENING and fields[7] == "0":
                listening.add(port)
            elif fields[3] == _ESTABLISHED:
                established.append((port, fields[2].partition(":")[0], fields[9]))
    peers: dict[str, Subject] = {}
    for port, peer, inode in established:
        subject = _subject(peer) if port in listening else None
        if subject is not None:
            peers[inode] = subject
    return peers


def _subject(written: str) -> Subject | None:
    """Return the address that /proc/net/tcp writes so: words of 32 bits, their bytes turned."""
    if len(written) not in (8, 32):
        return None
    words = bytes.fromhex(written)
    turned = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    return parse_address(str(ipaddress.ip_address(turned)))


def _read(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(limit).decode("utf-8", "replace")
    except OSError:
        return ""
