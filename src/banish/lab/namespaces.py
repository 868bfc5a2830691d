"""The three system calls that put a process into namespaces of its own.

Python has ``os.setns`` and ``os.unshare`` only from 3.12 on, so they are called
through the C library. `new_pid_namespace` and `children_in` change where the
*next children* of the calling thread are born and change it back at once: the
thread itself stays where it is, and a child's process id is a real one outside,
so it can be signalled and waited for like any other (pid_namespaces(7)).
"""

import contextlib
import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from banish.errors import MachineError

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
CLONE_NEWPID = 0x20000000
"""From linux/sched.h; the same on every architecture."""

PROGRAM_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
"""PATH with the folders that ordinary users often lack."""

_libc = ctypes.CDLL(None, use_errno=True)

T = TypeVar("T")


class LabError(MachineError):
    """The lab cannot be built, or something in it does not answer in time."""


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces (unshare(2)).

    Raises:
        OSError: The kernel refuses, mostly for want of privilege.

    """
    if _libc.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), "unshare")


def setns(path: Path, flags: int) -> None:
    """Move the calling thread into the namespace behind *path* (setns(2)).

    Raises:
        OSError: The namespace is gone, or the kernel refuses.

    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.setns(descriptor, flags) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(path))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def new_pid_namespace() -> Iterator[None]:
    """Within, the first child of this thread is process 1 of a new pid namespace."""
    unshare(CLONE_NEWPID)
    try:
        yield
    finally:
        setns(Path("/proc/self/ns/pid"), CLONE_NEWPID)


@contextlib.contextmanager
def children_in(pid_namespace: Path) -> Iterator[None]:
    """Within, children of this thread are born in *pid_namespace*."""
    setns(pid_namespace, CLONE_NEWPID)
    try:
        yield
    finally:
        setns(Path("/proc/self/ns/pid"), CLONE_NEWPID)


def call_in_network(network: Path, call: Callable[[], T]) -> T:
    """Return ``call()``, made by a thread of its own inside the network namespace.

    Sockets that it opens stay in that namespace for good (network_namespaces(7)).
    An exception of *call* is raised here.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def enter_and_call() -> None:
        try:
            setns(network, CLONE_NEWNET)
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - carried over to the caller's thread
            errors.append(error)

    thread = threading.Thread(target=enter_and_call, name="banish-lab-network")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]
