"""The first process of a lab: holds its namespaces and keeps its system log.

It runs as process 1 of the lab's own pid namespace. When it ends, for whatever
reason, the kernel kills every process of the lab, and with them go the
namespaces, the interfaces and the firewall rules: there is nothing to clean up
that a crash could leave behind. It ends when its standard input is closed, so
also when whoever opened the lab is killed.

In a mount namespace of its own it gives the lab a private ``/dev`` with a
``/dev/log`` behind which it writes ``auth.log`` as rsyslog does on Debian: the
time is the time of arrival (imuxsock's ``SysSock.IgnoreTimestamp``), facilities
auth and authpriv only, in the classic or in the ISO 8601 form.

What it is asked comes as JSON lines on standard input; what happens goes as
JSON lines to standard output.
"""

import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from banish.lab.namespaces import CLONE_NEWNS, unshare

ASKPASS = """\
#!/bin/sh
printf '%s\\n' "$LAB_PASSWORD"
"""
"""Tells ssh(1) a password without a terminal; see `banish.lab.ssh.log_in`."""

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
AUTH_FACILITIES = (4, 10)
"""auth and authpriv (RFC 5424, 6.2.1)."""

PACKET = re.compile(
    rb"(?:<(?P<priority>\d{1,3})>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d )?(?P<message>.*)",
    re.DOTALL,
)
"""What syslog(3) of the C library sends: priority, time, ``ident[pid]: text``."""


def make_private_root(directory: Path) -> None:
    """Give this process its own ``/dev``, ``/run``, ``/proc`` and files of ``/etc``.

    Everything in *directory*/etc is laid over the file of the same name in /etc,
    where there is one. The host's own files are not changed.

    Raises:
        OSError: The kernel refuses a namespace.
        subprocess.CalledProcessError: It refuses a mount.

    """
    unshare(CLONE_NEWNS)
    mount("--make-rprivate", "/")
    device = directory / "dev"
    device.mkdir()
    mount("-t", "tmpfs", "-o", "mode=0755,size=1m", "lab", str(device))
    for name in DEVICES:
        (device / name).touch()
        mount("--bind", f"/dev/{name}", str(device / name))
    for name in ("pts", "shm"):
        (device / name).mkdir()
    mount("-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620", "lab", str(device / "pts"))
    mount("-t", "tmpfs", "-o", "mode=1777,size=16m", "lab", str(device / "shm"))
    (device / "ptmx").symlink_to("pts/ptmx")
    (device / "fd").symlink_to("/proc/self/fd")
    # Not --move: the kernel may refuse that to the root of a user namespace.
    mount("--rbind", str(device), "/dev")
    subprocess.run(["umount", "--recursive", str(device)], check=True, capture_output=True)
    mount("-t", "tmpfs", "-o", "mode=0755,size=16m", "lab", "/run")
    for name in ("sshd", "netns", "lab"):
        Path("/run", name).mkdir(mode=0o755)
    askpass = Path("/run/lab/askpass")
    askpass.write_text(ASKPASS)
    askpass.chmod(0o755)
    # In a container whose /proc is partly masked the kernel refuses a new one;
    # the old one serves too, it only shows the outer process ids.
    subprocess.run(["mount", "-t", "proc", "lab", "/proc"], check=False, capture_output=True)
    for path in sorted((directory / "etc").rglob("*")):
        target = Path("/etc") / path.relative_to(directory / "etc")
        if path.is_file() and target.is_file():
            mount("--bind", str(path), str(target))


def mount(*words: str) -> None:
    """Mount, with the words that the program of that name takes."""
    subprocess.run(["mount", *words], check=True, capture_output=True, text=True)


class SystemLog:
    """Writes what comes in through ``/dev/log`` to one file."""

    def __init__(self, path: Path, hostname: str, *, iso: bool) -> None:
        self._path = path
        self._hostname = hostname
        self._iso = iso
        self._file = self._open()

    def _open(self) -> BinaryIO:
        descriptor = os.open(
            self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640
        )
        return os.fdopen(descriptor, "ab", buffering=0)

    def reopen(self) -> None:
        """Go on in a new file of the same name, as rsyslog does when logrotate asks it to."""
        self._file.close()
        self._file = self._open()

    def receive(self, packet: bytes) -> str | None:
        """Write one message; return the line, or None where it is not for this log."""
        matched = PACKET.fullmatch(packet.rstrip(b"\0\n"))
        if matched is None or int(matched["priority"] or 13) >> 3 not in AUTH_FACILITIES:
            return None
        # rsyslog writes control characters as #ooo, so a message stays one line.
        message = re.sub(rb"[\0-\x1f]", lambda found: b"#%03o" % found[0][0], matched["message"])
        line = f"{self._stamp()} {self._hostname} ".encode() + message
        self.write(line)
        return line.decode(errors="replace")

    def write(self, line: bytes) -> None:
        """Append *line* as it is."""
        self._file.write(line + b"\n")

    def _stamp(self) -> str:
        now = datetime.now().astimezone()
        if self._iso:
            return now.isoformat(timespec="microseconds")
        return f"{now:%b} {now.day:2d} {now:%H:%M:%S}"


def tell(**what: object) -> None:
    """Say what happened, as one JSON line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def serve(log: SystemLog) -> None:
    """Take log messages and orders until standard input ends."""
    device = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    device.bind("/dev/log")
    Path("/dev/log").chmod(0o666)
    # Orphans of the lab become ours; nobody else can bury them.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    orders = b""
    with selectors.DefaultSelector() as selector:
        selector.register(device, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        tell(ready=True)
        while True:
            for key, _ in selector.select():
                if key.fileobj == 0:
                    block = os.read(0, 65_536)
                    if not block:
                        return
                    *whole, orders = (orders + block).split(b"\n")
                    for order in whole:
                        obey(log, json.loads(order))
                else:
                    packet, at = device.recv(65_536), time.time()
                    line = log.receive(packet)
                    if line is not None:
                        tell(line=line, at=at)


def obey(log: SystemLog, order: dict[str, str]) -> None:
    """Carry out one order and say that it is done."""
    if order["do"] == "reopen":
        log.reopen()
    elif order["do"] == "write":
        at = time.time()
        log.write(order["line"].encode(errors="surrogateescape"))
        tell(line=order["line"], at=at)
    tell(done=order["do"])


def main() -> int:
    """Build the lab's root, serve until standard input ends, then remove its directory."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    directory, hostname, style = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    try:
        make_private_root(directory)
        serve(SystemLog(directory / "log" / "auth.log", hostname, iso=style == "iso"))
    except BrokenPipeError:
        return 1  # Whoever opened the lab is gone.
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).partition("\n")[0]
        tell(error=f"{' '.join(error.cmd)}: {said}")
        return 1
    except OSError as error:
        tell(error=str(error))
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
