"""Takes over a socket at which systemd already listens for us (sd_listen_fds(3))."""

import os
import socket
from collections.abc import Mapping

FIRST_DESCRIPTOR = 3


def handed_over(
    name: str, environment: Mapping[str, str] = os.environ, first: int = FIRST_DESCRIPTOR
) -> socket.socket | None:
    """Return the Unix socket that was handed to this process as *name*; None if none was.

    One that has no name is taken if it is the only one. The descriptors begin at *first*.
    """
    try:
        count = int(environment.get("LISTEN_FDS", "0"))
        is_ours = int(environment.get("LISTEN_PID", "0")) == os.getpid()
    except ValueError:
        return None
    if not is_ours or not 0 < count <= 64:
        return None
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    if name in names[:count]:
        at = names.index(name)
    elif count == 1 and names[0] in ("", "unknown"):
        at = 0
    else:
        return None
    try:
        found = socket.socket(fileno=first + at)
    except OSError:
        return None
    if found.family != socket.AF_UNIX or not _listens(found):
        found.detach()  # it is somebody else's
        return None
    found.set_inheritable(False)
    found.setblocking(False)
    return found


def _listens(found: socket.socket) -> bool:
    try:
        return found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    except OSError:
        return False
