"""A real banish server in a lab, and what a test wants to know of it."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from banish.lab.world import Lab

PATIENCE_SECONDS = 20.0


def wait_until(is_so: Callable[[], bool], what: str, limit: float = PATIENCE_SECONDS) -> None:
    """Return once *is_so*; fail the test with *what* after *limit* seconds."""
    end = time.monotonic() + limit
    while not is_so():
        assert time.monotonic() < end, f"not within {limit:g} s: {what}"
        time.sleep(0.02)


class Guard:
    """`banish run` on the lab's server."""

    def __init__(self, lab: Lab, jail_local: str) -> None:
        self.lab = lab
        self.config = lab.directory / "banish"
        self.state = lab.directory / "state"
        self.output = lab.directory / "banish.out"
        self.config.mkdir()
        self.configure(jail_local)
        self.process: subprocess.Popen[Any] | None = None

    def configure(self, jail_local: str) -> None:
        """Write the configuration."""
        (self.config / "jail.local").write_text(jail_local)

    def argv(self, *words: str) -> list[str]:
        """Return a banish command for this server's configuration and state."""
        return [
            sys.executable, "-m", "banish", "-c", str(self.config), "--state", str(self.state),
            *words,
        ]  # fmt: skip

    def start(self, *words: str) -> None:
        """Start the server and return once it watches the log."""
        with self.output.open("ab") as output:
            self.process = self.lab.server.popen(
                self.argv("run", *words), stdout=output, stderr=subprocess.STDOUT
            )
        wait_until(self.is_reading, "the server reads the log")

    def is_reading(self) -> bool:
        """Whether the server answers and its sources are read."""
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        result = self.lab.server.run(self.argv("status", "--json"))
        if result.returncode == 2 or not result.stdout.startswith("{"):
            return False
        status = json.loads(result.stdout)
        return all(source["state"] == "reading" for source in status["sources"])

    def said(self) -> str:
        """Return what the server wrote."""
        return self.output.read_text("utf-8", "replace")

    def ask(self, *words: str) -> Any:
        """Return the JSON document that a verb prints."""
        result = self.lab.server.run(self.argv(*words, "--json"))
        assert result.returncode in (0, 1), result.stderr
        return json.loads(result.stdout)

    def banned(self) -> set[str]:
        """Return the subjects banned by any jail, as the server says."""
        return {
            subject if isinstance(subject, str) else subject["text"]
            for jail in self.ask("status")["jails"]
            for subject in jail["banned"]
        }

    def failures(self) -> int:
        """Return how many failures were ever counted."""
        return sum(int(jail["failures"]) for jail in self.ask("status")["jails"])

    def in_kernel(self) -> set[str]:
        """Return the elements of all sets of our table, as the kernel says."""
        result = self.lab.server.run(["nft", "--json", "list", "table", "inet", "banish"])
        if result.returncode != 0:
            return set()
        found: set[str] = set()
        for entry in json.loads(result.stdout)["nftables"]:
            for element in entry.get("set", {}).get("elem", []):
                value = (
                    element["elem"]["val"]
                    if isinstance(element, dict) and "elem" in element
                    else element
                )
                if isinstance(value, dict) and "prefix" in value:
                    value = f"{value['prefix']['addr']}/{value['prefix']['len']}"
                found.add(str(value))
        return found

    def wait_for_ban(self, address: str) -> None:
        """Return once the kernel holds *address*."""
        wait_until(lambda: address in self.in_kernel(), f"{address} in the kernel\n{self.said()}")

    def kill(self) -> None:
        """End the server without warning."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End the server in order and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return int(self.process.wait(20))


@contextlib.contextmanager
def guarded(lab: Lab, jail_local: str) -> Iterator[Guard]:
    """Run a server in *lab* while inside."""
    guard = Guard(lab, jail_local)
    try:
        guard.start()
        yield guard
    finally:
        if guard.process is not None and guard.process.poll() is None:
            guard.kill()


def sshd_jail(log: Path, **options: object) -> str:
    """Return a jail.local that watches *log* for ssh logins."""
    values = {"maxretry": 3, "bantime": "10m", "findtime": "10m", **options}
    lines = "".join(f"{key} = {value}\n" for key, value in values.items())
    return (
        f"[DEFAULT]\nsystemd_if_nologs = false\n[sshd]\nenabled = true\nlogpath = {log}\n"
        f"backend = auto\n{lines}"
    )
