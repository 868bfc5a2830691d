"""A banish server in a network and mount namespace of its own, without a lab around it.

Enough for tests of how a server starts: one log, one jail, a real kernel. What
the server shall find missing or read-only is arranged by shell commands inside.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 30.0

FILTER = "[Definition]\nfailregex = ^fail <HOST>$\ndatepattern = {NONE}\n"

JAIL = """[{name}]
enabled = true
filter = app
logpath = {log}
backend = {backend}
maxretry = 3
bantime = 600
findtime = 600
banaction = nftables
"""


class Box:
    """A server in namespaces of its own, its files in *folder*."""

    def __init__(self, folder: Path, banish_conf: str = "", *, backend: str = "auto") -> None:
        self.folder = folder
        self.config = folder / "etc"
        self.state = folder / "state"
        self.run_folder = folder / "run"
        self.log = folder / "app.log"
        self.output = folder / "output"
        self.process: subprocess.Popen[bytes] | None = None
        (self.config / "filter.d").mkdir(parents=True)
        self.state.mkdir()
        self.run_folder.mkdir()
        self.log.touch()
        self.output.touch()
        self.jails = JAIL.format(name="app", log=self.log, backend=backend)
        (self.config / "jail.conf").write_text(self.jails)
        (self.config / "filter.d" / "app.conf").write_text(FILTER)
        places = {
            "socket": self.run_folder / "banish.sock",
            "pidfile": self.run_folder / "banish.pid",
            "dbfile": self.state / "banish.sqlite3",
            "logtarget": "STDERR",
        }
        lines = "".join(f"{name} = {value}\n" for name, value in places.items())
        (self.config / "banish.conf").write_text(f"[Definition]\n{lines}{banish_conf}\n")

    def start(self, before: str = "true", after: str = "", main: str = "-m banish") -> None:
        """Start the server in new namespaces; *before* is run there, *after* ends its line.

        *main* is what Python runs.
        """
        # Whatever the test leaves mounted goes with the namespace.
        script = f"set -e; {before}\nexec {sys.executable} {main} -c {self.config} run {after}"
        words = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", script]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(words, stdout=output, stderr=output)

    def inside(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the server's namespaces."""
        assert self.process is not None
        where = ["nsenter", "-t", str(self.process.pid), "-n", "-m", "--"]
        return subprocess.run(
            [*where, *words], capture_output=True, text=True, check=False, timeout=60
        )

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of banish against the server."""
        return self.inside(sys.executable, "-m", "banish", "-c", str(self.config), *words)

    def status(self) -> dict[str, Any]:
        """Return the server's status; empty if it does not answer."""
        said = self.ask("status", "--json").stdout
        found: dict[str, Any] = json.loads(said) if said.startswith("{") else {}
        return found

    def fail(self, address: str, times: int = 3) -> None:
        """Write failures of *address* into the log."""
        with self.log.open("a") as log:
            log.write(f"fail {address}\n" * times)

    def in_kernel(self, address: str) -> bool:
        """Whether the kernel holds *address*."""
        listed = self.inside("nft", "list", "table", "inet", "banish").stdout
        return f"{address} " in listed

    def said(self) -> str:
        """Return what the server wrote."""
        return self.output.read_text("utf-8", "replace")

    def said_in_log(self) -> str:
        """Return what the server wrote into a log file in its run folder."""
        path = self.run_folder / "banish.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def wait_until(self, is_so: Callable[[], Any], what: str) -> None:
        """Return once *is_so*; fail with *what*, and with what the server wrote."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert self.process is not None
            assert self.process.poll() is None, f"the server ended\n{self.said()}"
            assert time.monotonic() < end, f"not in time: {what}\n{self.said()}"
            time.sleep(0.02)

    def wait_for(self, text: str) -> None:
        """Return once the server wrote *text*."""
        self.wait_until(lambda: text in self.said(), text)

    def wait_for_ban(self, address: str) -> None:
        """Return once the kernel holds *address*."""
        self.wait_until(lambda: self.in_kernel(address), f"{address} in the kernel")

    def stop(self, limit: float = PATIENCE_SECONDS) -> int:
        """End the server in order and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(limit)


@contextlib.contextmanager
def boxed(folder: Path, banish_conf: str = "", *, backend: str = "auto") -> Iterator[Box]:
    """Have a box; whatever runs in it is ended at the end."""
    box = Box(folder, banish_conf, backend=backend)
    try:
        yield box
    finally:
        if box.process is not None and box.process.poll() is None:
            box.process.kill()
            box.process.wait()


IS_ROOT = os.geteuid() == 0
