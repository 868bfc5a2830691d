"""The real banish server inside a lab, and the kernel's own account of what it did.

What the server did is never taken from its word alone: the firewall is watched
through ``nft monitor`` and read through ``nft list``, in the server's network
namespace.
"""

import contextlib
import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from banish.lab.authlog import AuthLogLine
from banish.lab.namespaces import PROGRAM_PATH, LabError
from banish.lab.world import Lab

_PREFIX = re.compile(r"^\S+ \S+ banish\.\S+ +\[\d+\]: (?:INFO|NOTICE) +")
"""What stands before a message in the server's log: time, logger, process, level."""


@dataclasses.dataclass(frozen=True)
class Element:
    """An address in a set of the kernel's firewall."""

    table: str
    set_name: str
    address: str
    expires_seconds: int | None
    """What the kernel's own clock leaves of it; None: no end."""


class StreamLines:
    """Collects the lines of a stream, each with the UNIX time at which it came."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._lines: list[AuthLogLine] = []
        self._news = threading.Condition()
        self._is_over = False
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream: Iterable[str]) -> None:
        # The stream is closed under us when the lab closes: that is an end like any other.
        with contextlib.suppress(ValueError):
            for text in stream:
                with self._news:
                    self._lines.append(AuthLogLine(time.time(), text.rstrip("\n")))
                    self._news.notify_all()
        with self._news:
            self._is_over = True
            self._news.notify_all()

    def so_far(self, after: int = 0) -> list[AuthLogLine]:
        """Return the lines that came, without the first *after*."""
        with self._news:
            return self._lines[after:]

    def find(self, is_it: Callable[[str], bool], *, within: float) -> AuthLogLine | None:
        """Return the first line of all that *is_it*, waiting up to *within* seconds for it."""

        def first() -> AuthLogLine | None:
            return next((line for line in self._lines if is_it(line.text)), None)

        with self._news:
            self._news.wait_for(lambda: self._is_over or first() is not None, within)
            return first()


class Guard:
    """A banish server that protects the lab's server; make one with `guarded`."""

    def __init__(self, lab: Lab, process: "subprocess.Popen[str]", kernel: StreamLines) -> None:
        self._lab = lab
        self.process = process
        assert process.stdout is not None
        self.log = StreamLines(process.stdout)
        """What the server logs."""
        self.kernel = kernel
        """What ``nft monitor`` tells: each element that the firewall's sets take or lose."""

    def wait_until_ready(self, within: float = 20.0) -> AuthLogLine:
        """Return the line by which the server says that it is ready.

        Raises:
            LabError: It does not become ready; with what it said instead.

        """
        ready = self.log.find(lambda text: " ready: " in text, within=within)
        if ready is None:
            said = " / ".join(line.text for line in self.log.so_far()[-3:])
            raise LabError(f"banish does not become ready: {said or 'it says nothing'}")
        return ready

    def said(self, after: int = 0) -> list[AuthLogLine]:
        """Return what the server logged, without the prefix of each line."""
        return [AuthLogLine(line.at, _PREFIX.sub("", line.text)) for line in self.log.so_far(after)]

    def ban_in_kernel(self, address: str, *, within: float) -> AuthLogLine | None:
        """Return when the kernel first took *address* into a set, or None if it did not."""
        word = re.compile(rf"^add element .*[{{ ]{re.escape(address)}[ ,}}]")
        return self.kernel.find(lambda text: word.search(text) is not None, within=within)

    def elements(self) -> list[Element]:
        """Return what the sets of the kernel's firewall hold now.

        Raises:
            LabError: nft fails.

        """
        found: list[Element] = []
        for entry in json.loads(self._lab.nft("-j", "list", "ruleset"))["nftables"]:
            held = entry.get("set", {})
            for element in held.get("elem", []):
                inner = element.get("elem", element) if isinstance(element, dict) else {}
                value = inner.get("val", element)
                if isinstance(value, str):
                    found.append(Element(held["table"], held["name"], value, inner.get("expires")))
        return found

    def holding(self, address: str) -> Element | None:
        """Return the kernel's entry for *address*, or None where it holds none."""
        return next((held for held in self.elements() if held.address == address), None)

    def stop(self, within: float = 10.0) -> int:
        """Ask the server to end, as service managers do, and return its exit code.

        Raises:
            LabError: It does not end in *within* seconds.

        """
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"banish does not end within {within:g} s") from error


@contextlib.contextmanager
def guarded(lab: Lab, jail_local: str) -> Iterator[Guard]:
    """Run ``banish run`` on the lab's server with *jail_local* as the whole configuration.

    Raises:
        LabError: nft is not installed, or a program cannot be started.

    """
    if shutil.which("nft", path=PROGRAM_PATH) is None:
        raise LabError("nft is not installed", cure="apt install nftables", retry=False)
    config = lab.directory / "banish"
    config.mkdir()
    (config / "jail.local").write_text(jail_local)
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "errors": "replace"}
    watcher = lab.popen(
        "server", ["nft", "monitor", "elements"], stderr=subprocess.STDOUT, **options
    )
    assert watcher.stdout is not None
    kernel = StreamLines(watcher.stdout)
    state = lab.directory / "state"
    process = lab.popen(
        "server",
        [sys.executable, "-m", "banish", "-c", str(config), "--state", str(state), "run"],
        stderr=subprocess.STDOUT,
        **options,
    )
    try:
        yield Guard(lab, process, kernel)
    finally:
        for started in (process, watcher):
            started.kill()
            started.wait()
