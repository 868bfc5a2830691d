"""Root for those who are not: a user namespace of one's own (user_namespaces(7))."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from banish.lab.namespaces import LabError

_AS_ROOT = (
    *("unshare", "--user", "--map-root-user", "--mount", "--net"),
    # Its own pid namespace too: only then may it come back from those it makes.
    *("--pid", "--fork", "--kill-child", "--mount-proc", "--"),
)


def enter_user_namespace(argv: Sequence[str]) -> None:
    """Replace this process by *argv*, run as root of a new user namespace.

    That root may build namespaces of its own, and has no more rights over the
    machine than the user who started it.

    Raises:
        LabError: The kernel, or who administers it, does not allow it; with the cure.

    """
    trial = [*_AS_ROOT, "true"]
    if (
        shutil.which("unshare") is None
        or subprocess.run(trial, check=False, capture_output=True).returncode != 0
    ):
        raise LabError(
            "this user may not build private networks here", cure="use sudo", retry=False
        )
    os.execvp(_AS_ROOT[0], [*_AS_ROOT, *argv])  # noqa: S606 - a list, and no shell is wanted


def has_one_user() -> bool:
    """Whether we are in a user namespace that knows no user but its root."""
    # "inside outside count", user_namespaces(7).
    maps = Path("/proc/self/uid_map").read_text().split()
    return len(maps) == 3 and maps[2] == "1"
