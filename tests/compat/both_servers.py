"""Debian's own Fail2Ban server and ours on one configuration, to be asked the same."""

import asyncio
import contextlib
import functools
import io
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

from banish.control.fail2ban.answers import CommandError
from banish.control.listener import Peer
from banish.daemon.app import wall_clock
from banish.daemon.openlog import open_log
from banish.daemon.server import Server
from banish.daemon.settle import RunOptions, settle

END = b"<F2B_END_COMMAND>"
START_SECONDS = 30

FILES = {
    "fail2ban.conf": """
[Definition]
loglevel = INFO
logtarget = {root}/fail2ban.log
syslogsocket = auto
socket = {root}/fail2ban.sock
pidfile = {root}/fail2ban.pid
dbfile = {root}/fail2ban.sqlite3
dbpurgeage = 1d
dbmaxmatches = 10
allowipv6 = auto
[Thread]
stacksize = 0
""",
    "jail.conf": """
[DEFAULT]
backend = polling
maxretry = 3
findtime = 10m
bantime = 1h
ignoreself = false
ignoreip = 127.0.0.1/8 192.0.2.99 2001:db8::/64
action = quiet[name=%(__name__)s]
logencoding = utf-8
filter = web
logpath = {root}/web.log
[web]
enabled = true
[mail]
enabled = true
bantime.increment = true
bantime.factor = 2
bantime.maxtime = 1d
bantime.multipliers = 1 5 30 60
[quiet]
enabled = true
bantime = -1
usedns = no
""",
    "filter.d/web.conf": """
[Definition]
failregex = ^\\s*bad login from <HOST>$
            ^\\s*bad user \\S+ from <ADDR>$
ignoreregex = ^\\s*bad user ok from
datepattern = ^%%Y-%%m-%%d %%H:%%M:%%S
""",
    "action.d/quiet.conf": """
[Definition]
actionstart = true
actionstop = true
actioncheck =
actionban = true <ip>
actionunban = true <ip>
[Init]
name = default
""",
}


def write_tree(root: Path) -> Path:
    """Write the configuration, and return where it is."""
    tree = root / "conf"
    for name, text in FILES.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{root}", str(root)))
    (root / "web.log").touch()
    return tree


class Raised:
    """An exception of the original's answer, of which only name and arguments are kept."""

    def __init__(self, name: str, *args: object) -> None:
        self.name = name
        self.args = args

    def __setstate__(self, state: object) -> None:
        """Leave out what a newer Python adds, such as the name an AttributeError looked for."""

    def __repr__(self) -> str:
        return f"{self.name}{self.args!r}"


class _Harmless(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return str if name == "str" else functools.partial(Raised, name)


class Original:
    """A server at its socket: Debian's, or ours by the same bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def ask(self, command: Sequence[object]) -> Any:
        """Return the value of a good answer, or what the server raised."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.path))
            connection.sendall(pickle.dumps(list(command), 2) + END)
            answer = b""
            while not answer.endswith(END):
                part = connection.recv(65_536)
                assert part, answer
                answer += part
        code, value = _Harmless(io.BytesIO(answer.removesuffix(END))).load()
        assert code == isinstance(value, Raised)
        return value


@contextlib.contextmanager
def original_server(package: Path, tree: Path, root: Path) -> Iterator[Original]:
    """Run Debian's server on *tree*, its files in *root*, in a network of its own."""
    root.mkdir(exist_ok=True)
    program = package / "usr/bin/fail2ban-server"
    files = ["-c", str(tree), "-s", str(root / "f.sock"), "-p", str(root / "f.pid")]
    with (root / "out").open("w") as out:
        process = subprocess.Popen(
            ["unshare", "-n", sys.executable, "-W", "ignore", str(program), *files, "-f", "start"],
            env={
                "PYTHONPATH": str(package / "usr/lib/python3/dist-packages"),
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "TZ": "UTC",
            },
            stdout=out,
            stderr=out,
        )
        try:
            until = time.monotonic() + START_SECONDS
            while "Server ready" not in (root / "out").read_text():
                assert process.poll() is None, (root / "out").read_text()
                assert time.monotonic() < until, (root / "out").read_text()
                time.sleep(0.05)
            yield Original(root / "f.sock")
        finally:
            process.terminate()
            process.wait(20)


class Ours:
    """Our server, asked without a socket."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.port = server.fail2ban.port
        self.wire = Original(Path(server.settings.server.fail2bansocket))
        """The same server at its socket."""

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._server.stopping.is_set()

    async def ask(self, command: Sequence[object]) -> Any:
        """Return the value of a good answer, or what the server raised."""
        try:
            return await self._server.fail2ban.answer(list(command), Peer(0, 0, 0))
        except CommandError as error:
            return Raised(error.kind, error.text)


@contextlib.asynccontextmanager
async def our_server(tree: Path, root: Path) -> AsyncIterator[Ours]:
    """Run our server on *tree*, its files in *root*."""
    os.makedirs(root, exist_ok=True)
    options = RunOptions(config=tree, state=root)
    settings = settle(options)
    log = open_log(settings.server, 0)
    server = Server(settings, options, log, clock=wall_clock)
    try:
        await server.claim()
        await asyncio.wait_for(server.start(), START_SECONDS)
        yield Ours(server)
    finally:
        await server.stop()
        log.close()


def client_texts(package: Path, tree: Path, server: Path, lines: Sequence[str]) -> list[str]:
    """Return what Debian's client prints of each of *lines*, asked of the server at *server*."""
    program = package / "usr/bin/fail2ban-client"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), "-c", str(tree), "-s", str(server), "-i"],
        input="\n".join([*lines, "exit", ""]),
        env={
            "PYTHONPATH": str(package / "usr/lib/python3/dist-packages"),
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC",
            "PYTHONIOENCODING": "utf-8",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    texts = done.stdout.split("fail2ban> ")[1:-1]
    assert len(texts) == len(lines), done.stdout[-2_000:] + done.stderr[-2_000:]
    return texts
