"""Takes over a socket at which systemd already listens for us (sd_listen_fds(3))."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path

FIRST_DESCRIPTOR = 3
MOST_DESCRIPTORS = 64


def handed_over(
    path: Path, environment: Mapping[str, str] = os.environ, first: int = FIRST_DESCRIPTOR
) -> socket.socket | None:
    """Return the Unix socket handed to this process that listens at *path*; None if there is none.

    The path alone decides, not the name under which systemd hands it over. The descriptors
    begin at *first*; those that are not taken stay as they are.
    """
    try:
        count = int(environment.get("LISTEN_FDS", "0"))
        is_ours = int(environment.get("LISTEN_PID", "0")) == os.getpid()
    except ValueError:
        return None
    if not is_ours:
        return None
    for number in range(first, first + min(count, MOST_DESCRIPTORS)):
        try:
            found = socket.socket(fileno=number)
        except OSError:
            continue
        if _listens_at(found, path):
            found.set_inheritable(False)
            found.setblocking(False)
            return found
        found.detach()
    return None


def _listens_at(found: socket.socket, path: Path) -> bool:
    try:
        name = found.getsockname()
        listens = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    except OSError:
        return False
    is_named = found.family == socket.AF_UNIX and isinstance(name, str) and name.startswith("/")
    return listens and is_named and Path(name).resolve() == path.resolve()
