"""Reaches a Unix socket by a path of any length.

The kernel takes at most 107 bytes (``sun_path``, unix(7)). A longer path is
gone through its directory's descriptor instead, which has a short name in
``/proc``; only the last part of the path must fit.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATH_LIMIT_BYTES = 107


@contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Yield a name of *path* that a socket can be bound or connected to, while inside.

    Raises:
        OSError: The directory is not there, or may not be entered.

    """
    if len(os.fsencode(path)) <= PATH_LIMIT_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
