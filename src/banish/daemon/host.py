"""The process and its host: signals, the pid file, word to systemd."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from banish.errors import OperatorError


def on_signals(stop: Callable[[], None], reopen_logs: Callable[[], None]) -> None:
    """Let TERM and INT stop the server in order, USR1 reopen its log, HUP do nothing."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGUSR1, reopen_logs)
    loop.add_signal_handler(signal.SIGHUP, reopen_logs)


@contextlib.contextmanager
def pid_file(path: Path) -> Iterator[None]:
    """Keep our process id in *path* while inside.

    Raises:
        OperatorError: The file cannot be written.

    """
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(f"{os.getpid()}\n", encoding="ascii")
    except OSError as error:
        raise OperatorError(
            f"cannot write the pid file: {error.strerror}",
            where=str(path),
            cure="run as root, or choose another place: --state DIR, or pidfile in banish.conf",
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path.read_text(encoding="ascii").strip() == str(os.getpid()):
                path.unlink()


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
