"""The process and its host: signals, word to systemd."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable


def on_signals(stop: Callable[[], None], reopen_logs: Callable[[], None]) -> None:
    """Let TERM and INT stop the server in order, USR1 reopen its log, HUP do nothing."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGUSR1, reopen_logs)
    loop.add_signal_handler(signal.SIGHUP, reopen_logs)


def notify_systemd(state: str) -> None:
    """Tell systemd *state* (sd_notify(3)), where it asked to be told."""
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
