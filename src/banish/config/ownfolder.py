"""Opens a folder that is the user's alone, making it where it is missing."""

import contextlib
import os
import stat
from pathlib import Path

LINKS_LIMIT = 40
"""Most symbolic links followed on the way, as the kernel does."""

_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_folder(path: Path) -> int:
    """Return a descriptor of the folder *path*, which is absolute.

    What is missing on the way is made with the rights 0700. Symbolic links are
    followed only if root or this user made them.

    Raises:
        OSError: It cannot be opened or made.
        PermissionError: It is somebody else's, others may write it, or
            somebody else's link leads there.

    """
    parts = list(path.parts[1:])
    links = 0
    folder = os.open("/", _LOOK | os.O_DIRECTORY)
    try:
        while parts:
            name = parts.pop(0)
            following = _step(folder, name)
            about = os.fstat(following)
            if stat.S_ISLNK(about.st_mode):
                links += 1
                target = _target(following, about)
                if links > LINKS_LIMIT:
                    raise PermissionError(f"{path}: too many links")
                parts[:0] = [part for part in Path(target).parts if part != "/"]
                if not target.startswith("/"):
                    continue
                following = os.open("/", _LOOK | os.O_DIRECTORY)
            os.close(folder)
            folder = following
        about = os.fstat(folder)
        if about.st_uid != os.geteuid() or about.st_mode & 0o022:
            raise PermissionError(f"{path}: others may write it")
        return os.open(".", _READ, dir_fd=folder)
    finally:
        os.close(folder)


def _step(folder: int, name: str) -> int:
    """Return a descriptor of *name* in *folder*, made if it is missing."""
    try:
        return os.open(name, _LOOK, dir_fd=folder)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another check has made it
            os.mkdir(name, 0o700, dir_fd=folder)
        return os.open(name, _LOOK, dir_fd=folder)


def _target(link: int, about: os.stat_result) -> str:
    """Return where *link* leads, and close it."""
    try:
        if about.st_uid not in (0, os.geteuid()):
            raise PermissionError("a link of somebody else's")
        return os.readlink("", dir_fd=link)
    finally:
        os.close(link)
