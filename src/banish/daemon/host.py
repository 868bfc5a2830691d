"""The process and its host: signals, open files, word to systemd."""

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

DESCRIPTORS_WANTED = 65_536
"""How many files may be open at once, where the hard limit allows it."""

_PR_SET_NAME = 15
"""From linux/prctl.h."""

KEPT_BYTES = 8 * 1024 * 1024
"""Memory that may stay free for what comes next: some blocks of log, whole and decoded."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""From malloc.h of glibc."""


def raise_descriptor_limit() -> int:
    """Let the process have as many files open as it may; return how many those are.

    Above `DESCRIPTORS_WANTED` nothing is gained, and programs that actions start
    and that close all descriptors one by one would take long.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS_WANTED if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS_WANTED if soft == resource.RLIM_INFINITY else soft


def log_file_limit() -> int:
    """Return how many log files may be open at once: half of what the process may.

    The other half is kept for the database, sockets, the firewall and actions.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (DESCRIPTORS_WANTED if soft == resource.RLIM_INFINITY else soft) // 2


@contextlib.contextmanager
def on_signals(handlers: Mapping[signal.Signals, Callable[[], object]]) -> Iterator[None]:
    """While inside, have each signal of *handlers* call its handler, in the event loop.

    Not by the loop's own handlers: these get signals as bytes in a pipe, and lose those that
    find it full. The watchdog's ticks (`banish.daemon.watchdog`) are bytes in it, too, one each
    10 ms, and the pipe holds less than 300. Here the bytes only wake the loop up, so that it
    does not matter which of them are dropped.
    """
    loop = asyncio.get_running_loop()
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    loop.add_reader(ours.fileno(), _drain, ours)

    def handle(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(handlers[signal.Signals(number)])

    before = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
    old = {number: signal.signal(number, handle) for number in handlers}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        loop.remove_reader(ours.fileno())
        ours.close()
        theirs.close()


def _drain(channel: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while channel.recv(4_096):
            pass


def notify_systemd(state: str) -> None:
    """Send systemd *state* (sd_notify(3)), where it asked for notifications."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
    ):
        channel.sendto(state.encode(), address)


async def heartbeat() -> None:
    """Tell systemd twice in each ``WatchdogSec`` that the event loop turns, where it asked to.

    A loop that hangs tells nothing, and systemd starts the server anew.
    """
    asked = os.environ.get("WATCHDOG_USEC", "")
    if not asked.isdigit() or not int(asked):
        return
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return  # it is meant for who started us
    pause = int(asked) / 1_000_000 / 2
    while True:
        notify_systemd("WATCHDOG=1")
        await asyncio.sleep(pause)


def set_process_name(name: str) -> None:
    """Let the process be called *name* (at most 15 bytes, prctl(2)) in ps and pgrep.

    Panels look for a process called ``fail2ban-server``.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0)


def freeze_objects() -> None:
    """Let the garbage collector leave alone what lives as long as the server.

    Failures are trees of plain values that reference counting frees. Going
    through everything after each 700 new objects, as Python does by default,
    was a fifth of the CPU of a log full of attacks.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 50, 50)


def keep_memory() -> None:
    """Have freed blocks of log kept for the next ones.

    glibc gives what is free back to the kernel by itself, and each page of the next block is
    then made and cleared anew: a tenth of the CPU of a harmless log. Where the C library
    knows no mallopt(3), things stay as they are.
    """
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, KEPT_BYTES // 2)
        libc.mallopt(_M_TRIM_THRESHOLD, KEPT_BYTES)
