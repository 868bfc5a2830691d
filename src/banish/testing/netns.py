"""Network namespaces for tests: a network of one's own that leaves nothing behind.

A namespace has no name and lives as long as the descriptor that holds it, so it
is gone when the test is, however the test ends. Needs root.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

CLONE_NEWNET = 0x40000000


class NetworkNamespace:
    """A network with nothing in it but a loopback interface, which is up."""

    def __init__(self) -> None:
        """Make the namespace.

        Raises:
            OSError: The kernel refuses; commonly for want of root.

        """
        # unshare(2) moves the thread that calls it: one that is thrown away after.
        with ThreadPoolExecutor(max_workers=1) as thread:
            self._descriptor = thread.submit(_make).result()
        self.run("ip", "link", "set", "lo", "up")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def path(self) -> Path:
        """What ``ip link set ... netns`` takes as this namespace's name."""
        return Path(f"/proc/{os.getpid()}/fd/{self._descriptor}")

    def close(self) -> None:
        """Let go of the namespace; sockets that are still open in it keep it alive."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Put the calling thread into the namespace.

        Sockets, threads and programs begun there stay there.
        """
        outside = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(self._descriptor)
            try:
                yield
            finally:
                _enter(outside)
        finally:
            os.close(outside)

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a program inside and return what it wrote.

        Raises:
            subprocess.CalledProcessError: It failed.

        """
        with self.inside():
            done = subprocess.run(
                command, input=stdin, capture_output=True, text=True, check=True, timeout=30
            )
        return done.stdout

    def join(self, other: "NetworkNamespace", here: str, there: str) -> None:
        """Lay a cable: interface *here* in this namespace, *there* in the other, both up."""
        peer = ("peer", "name", there, "netns", str(other.path))
        self.run("ip", "link", "add", here, "type", "veth", *peer)
        self.run("ip", "link", "set", here, "up")
        other.run("ip", "link", "set", there, "up")


def _make() -> int:
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        _fail("unshare")
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _enter(descriptor: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
        _fail("setns")


def _fail(call: str) -> None:
    code = ctypes.get_errno()
    raise OSError(code, f"{call}: {os.strerror(code)}")
