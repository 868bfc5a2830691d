"""Fetches peers from Debian into a folder of the benchmark's own; installs nothing."""

import os
import subprocess
import tempfile
from pathlib import Path

PACKAGES = ("fail2ban", "python3-pyinotify")


class PeerMissing(Exception):
    """The peer cannot be had on this machine; the message says why."""


def cache() -> Path:
    """Return the folder that unpacked peers are kept in between runs."""
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return base / "banish-bench"


def fail2ban() -> Path:
    """Return the root of an unpacked Debian fail2ban with pyinotify.

    Raises:
        PeerMissing: apt or the package is not there.

    """
    root = cache() / "fail2ban"
    if (root / "usr/bin/fail2ban-server").exists():
        return root
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(
                ["apt-get", "download", *PACKAGES], cwd=folder, check=True, capture_output=True
            )
            for package in sorted(Path(folder).glob("*.deb")):
                subprocess.run(["dpkg", "-x", package, root], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise PeerMissing(f"cannot fetch Debian's fail2ban: {type(error).__name__}") from error
    return root


def fail2ban_version(root: Path) -> str:
    """Return the unpacked version."""
    text = (root / "usr/lib/python3/dist-packages/fail2ban/version.py").read_text("utf-8")
    return text.rsplit('version = "', 1)[-1].split('"')[0]


def fail2ban_environment(root: Path) -> dict[str, str]:
    """Return the environment in which the unpacked fail2ban finds its modules."""
    return {**os.environ, "PYTHONPATH": str(root / "usr/lib/python3/dist-packages")}
