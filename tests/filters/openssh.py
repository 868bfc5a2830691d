"""A real OpenSSH server in namespaces of its own, whose syslog lines we collect.

The server runs with ``unshare`` in a new mount and network namespace: its
``/dev/log`` is our socket, its users are our own ``passwd`` and ``shadow``, its
loopback carries documentation addresses (RFC 5737, RFC 3849) to connect from.
Nothing of the host is touched; the namespaces end with the server.
"""

import contextlib
import os
import queue
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SERVER = "192.0.2.1"
SERVER6 = "2001:db8::1"
CLIENTS = ("198.51.100.7", "198.51.100.77", "203.0.113.9")
CLIENT6 = "2001:db8:bad::7"
PORT = 2222
PASSWORD = "correct horse"
DEADLINE = 30.0

MISSING = [
    program
    for program in ("sshd", "ssh", "sshpass", "ssh-keygen", "unshare", "nsenter", "openssl", "ip")
    if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None
]

USERS = ("alice", "bob", "locked")

_ENTER = """
set -e
umask 022
mount --make-rprivate /
for device in null zero random urandom tty; do
    : > {work}/dev/$device
    mount --bind /dev/$device {work}/dev/$device
done
mount --rbind {work}/dev /dev
for file in passwd shadow group hosts; do
    mount --bind {work}/$file /etc/$file
done
mount --bind {work}/pam /etc/pam.d
mount -t tmpfs -o mode=755 none /run
mkdir /run/sshd
ip link set lo up
for address in {addresses}; do ip address add $address dev lo nodad; done
/usr/sbin/sshd -t -f {config} || sed -i '/^PerSourcePenalties/d' {config}
exec /usr/sbin/sshd -D -f {config}
"""


class Server:
    """A running server and the lines it has logged so far."""

    def __init__(self, process: subprocess.Popen[bytes], work: Path, log: socket.socket) -> None:
        self._process = process
        self._log = log
        self._written: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.work = work
        # A full socket stops sshd in the middle of a login, so it is emptied at all times.
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        with contextlib.suppress(OSError):
            while datagram := self._log.recv(65_536):
                message = datagram.decode("utf-8", "replace").rstrip("\0\n").partition(">")[2]
                self._written.put(f"{message[:15]} gate {message[16:]}")

    def read(self, *, until: str = "", times: int = 1, quiet: float = 0.3) -> list[str]:
        """Return what was logged since the last call, as rsyslog would write it to a file.

        Waits for *times* lines that hold *until*, then until nothing came for *quiet* seconds.
        """
        lines: list[str] = []
        deadline = time.monotonic() + DEADLINE
        missing = times if until else 0
        while time.monotonic() < deadline:
            try:
                line = self._written.get(timeout=quiet)
            except queue.Empty:
                if missing <= 0:
                    break
                continue
            lines.append(line)
            missing -= until in line
        assert missing <= 0, f"{missing} lines with {until!r} did not come: {lines}"
        return lines

    def run(self, *command: str, timeout: float = 20.0) -> subprocess.CompletedProcess[bytes]:
        """Run *command* in the server's network namespace."""
        return subprocess.run(
            ["nsenter", f"--target={self._process.pid}", "--net", *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )

    def login(
        self,
        user: str,
        *,
        method: str = "password",
        password: str = "wrong",
        tries: int = 1,
        client: str = CLIENTS[0],
        options: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[bytes]:
        """Try to log in as *user* from *client* with the real ``ssh``."""
        quoted = user.replace("\\", "\\\\").replace('"', '\\"')
        config = self.work / "client"
        config.write_text(f'User "{quoted}"\n', "utf-8", "surrogateescape")
        command = [
            "sshpass",
            "-p",
            password,
            "ssh",
            "-F",
            str(config),
            "-p",
            str(PORT),
            "-b",
            client,
            *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", f"PreferredAuthentications={method}", "-o", "LogLevel=ERROR"),
            *("-o", f"NumberOfPasswordPrompts={tries}", "-o", "IdentitiesOnly=yes"),
            *("-o", "ConnectTimeout=10", "-o", f"IdentityFile={self.work}/key"),
            *options,
            SERVER6 if ":" in client else SERVER,
            "true",
        ]
        if tries > 1:  # sshpass gives up at the second prompt; a shell that answers does not
            askpass = self.work / "askpass"
            askpass.write_text(f"#!/bin/sh\necho {shlex.quote(password)}\n", "utf-8")
            askpass.chmod(0o755)
            command = [
                "env",
                f"SSH_ASKPASS={askpass}",
                "SSH_ASKPASS_REQUIRE=force",
                *command[3:],
            ]
        return self.run(*command)

    def send(self, data: bytes, client: str = CLIENTS[0], *, reset: bool = False) -> None:
        """Connect from *client*, send *data*, and close (or reset) the connection."""
        program = (
            "import socket,struct,sys\n"
            f"s=socket.create_connection(({SERVER!r},{PORT}),10,({client!r},0))\n"
            "s.recv(200)\n"
            f"s.sendall(bytes.fromhex({data.hex()!r}))\n"
            + (
                "s.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0))\n"
                if reset
                else "s.shutdown(socket.SHUT_WR)\ns.settimeout(5)\nwhile s.recv(9999): pass\n"
            )
            + "s.close()\n"
        )
        self.run("python3", "-c", program)


@contextlib.contextmanager
def server(config: str = "", *, penalties: str = "no") -> Iterator[Server]:
    """Run a server with *config* added to a plain configuration; yield it.

    sshd's own *penalties* are off: from 9.8 on it would drop the connections of a client that
    failed before. Where sshd does not know them, that line of its configuration is left out.
    """
    work = Path(tempfile.mkdtemp(prefix="banish-sshd-"))
    work.chmod(0o755)
    process: subprocess.Popen[bytes] | None = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log, (work / "out").open("wb") as out:
        try:
            before = os.umask(0o022)
            try:
                _furnish(work, f"{config}\nPerSourcePenalties {penalties}\n")
            finally:
                os.umask(before)
            log.bind(str(work / "dev/log"))
            (work / "dev/log").chmod(0o666)
            log.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            script = _ENTER.format(
                work=work,
                config=work / "sshd_config",
                addresses=" ".join(
                    [f"{ip}/32" for ip in (SERVER, *CLIENTS)]
                    + [f"{ip}/128" for ip in (SERVER6, CLIENT6)]
                ),
            )
            process = subprocess.Popen(
                ["unshare", "--mount", "--net", "/bin/sh", "-c", script],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
            running = Server(process, work, log)
            try:
                running.read(until="Server listening on")
            except AssertionError as error:
                raise AssertionError((work / "out").read_text("utf-8", "replace")) from error
            yield running
        finally:
            if process is not None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(5)
                process.kill()
                process.wait(5)
            with contextlib.suppress(OSError):
                log.shutdown(socket.SHUT_RDWR)
            shutil.rmtree(work, ignore_errors=True)


def _furnish(work: Path, config: str) -> None:
    for folder in ("dev", "pam", "home"):
        (work / folder).mkdir()
    for key, kind in (("host", "ed25519"), ("key", "ed25519")):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(work / key)], check=True
        )
    secret = subprocess.run(
        ["openssl", "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
    ).stdout.strip()
    passwd = ["root:x:0:0:root:/root:/bin/sh", "sshd:x:105:65534::/run/sshd:/usr/sbin/nologin"]
    passwd += [f"{name}:x:{2000 + n}:2000::/tmp:/bin/sh" for n, name in enumerate(USERS)]
    passwd.append("noshell:x:2010:2000::/tmp:/nonexistent/shell")
    shadow = [f"root:{secret}:19000::::::", "sshd:*:19000::::::", f"noshell:{secret}:19000::::::"]
    shadow += [
        f"{name}:{'!' if name == 'locked' else ''}{secret}:19000:0:99999:7:::" for name in USERS
    ]
    (work / "passwd").write_text("\n".join(passwd) + "\n", "utf-8")
    (work / "shadow").write_text("\n".join(shadow) + "\n", "utf-8")
    (work / "group").write_text("root:x:0:\nnogroup:x:65534:\nstaff:x:2000:\n", "utf-8")
    (work / "hosts").write_text("127.0.0.1 localhost\n", "utf-8")
    (work / "pam/sshd").write_text(
        "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
        "session required pam_permit.so\npassword required pam_deny.so\n",
        "utf-8",
    )
    (work / "pam/other").write_text("auth required pam_deny.so\n", "utf-8")
    (work / "sshd_config").write_text(
        config
        + f"\nPort {PORT}\nListenAddress {SERVER}\nListenAddress {SERVER6}\n"
        + f"HostKey {work}/host\nPidFile none\nStrictModes no\nUsePAM no\n"
        + f"AuthorizedKeysFile {work}/authorized_%u\nPasswordAuthentication yes\n"
        + "KbdInteractiveAuthentication no\n",
        "utf-8",
    )
