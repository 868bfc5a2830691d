"""Fetches peers from Debian into a folder of the benchmark's own; installs nothing."""

import gzip
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

FAIL2BAN = ("fail2ban", "python3-pyinotify")
SSHGUARD = ("sshguard",)


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
    if not (root / "usr/bin/fail2ban-server").exists():
        _unpack(root, FAIL2BAN)
    return root


def sshguard_parser() -> Path:
    """Return the parser of an unpacked Debian sshguard, the part of it that reads logs.

    Raises:
        PeerMissing: apt or the package is not there.

    """
    root = cache() / "sshguard"
    parser = root / "usr/libexec/sshguard/sshg-parser"
    if not parser.exists():
        _unpack(root, SSHGUARD)
    return parser


def sshguard_version() -> str:
    """Return the unpacked version."""
    changes = cache() / "sshguard/usr/share/doc/sshguard/changelog.Debian.gz"
    found = re.search(r"\(([\d.]+)", gzip.decompress(changes.read_bytes())[:200].decode())
    return found[1] if found else "of Debian"


def _unpack(root: Path, packages: Sequence[str]) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(
                ["apt-get", "download", *packages], cwd=folder, check=True, capture_output=True
            )
            for package in sorted(Path(folder).glob("*.deb")):
                subprocess.run(["dpkg", "-x", package, root], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            what = f"cannot fetch Debian's {packages[0]}: {type(error).__name__}"
            raise PeerMissing(what) from error


def fail2ban_version(root: Path) -> str:
    """Return the unpacked version."""
    text = (root / "usr/lib/python3/dist-packages/fail2ban/version.py").read_text("utf-8")
    return text.rsplit('version = "', 1)[-1].split('"')[0]


def fail2ban_environment(root: Path) -> dict[str, str]:
    """Return the environment in which the unpacked fail2ban finds its modules."""
    return {**os.environ, "PYTHONPATH": str(root / "usr/lib/python3/dist-packages")}
