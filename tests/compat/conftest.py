"""Gets a stock Fail2Ban to compare with: Debian's package, unpacked, never installed."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

PACKAGE = "fail2ban"
DOWNLOAD_SECONDS = 60


def _cache() -> Path:
    """Return the folder for what tests fetch, kept between runs and private to the user."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "banish-tests"


def _unpack(into: Path, packages: Sequence[str]) -> str:
    """Put the files of *packages* into *into*; return why that cannot be done, or nothing."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return "there is no apt here"
    with tempfile.TemporaryDirectory(dir=into.parent) as folder:
        os.chmod(folder, 0o755)
        try:
            subprocess.run(
                ["apt-get", "download", "-q", *packages],
                cwd=folder,
                capture_output=True,
                check=True,
                timeout=DOWNLOAD_SECONDS,
            )
            for package in Path(folder).glob("*.deb"):
                subprocess.run(
                    ["dpkg-deb", "-x", str(package), f"{folder}/files"],
                    check=True,
                    capture_output=True,
                    timeout=DOWNLOAD_SECONDS,
                )
        except subprocess.SubprocessError as error:
            return f"{' '.join(packages)} cannot be downloaded: {error}"
        Path(folder, "files").rename(into)
    return ""


def fetched(*packages: str) -> Path:
    """Return a folder with the files of Debian's *packages*, never installed, or skip."""
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    unpacked = cache / "+".join(packages)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        why = "" if unpacked.is_dir() else _unpack(unpacked, packages)
    if why:
        pytest.skip(why)
    return unpacked


def _lost_modules() -> list[str]:
    """Return the packages of what Python no longer has and Fail2Ban's package depends on."""
    if not shutil.which("apt-cache"):
        return []
    depends = subprocess.run(
        ["apt-cache", "depends", PACKAGE], capture_output=True, text=True, check=False, timeout=60
    ).stdout
    return sorted(set(re.findall(r"Depends: (python3-pyasyn\w+)$", depends, re.MULTILINE)))


@pytest.fixture(scope="session")
def stock_package() -> Path:
    """Give the folder in which Debian's Fail2Ban package is unpacked, or skip."""
    return fetched(PACKAGE, *_lost_modules())


@pytest.fixture(scope="session")
def stock_tree(stock_package: Path) -> Path:
    """Give a stock Fail2Ban configuration directory; not to be written to."""
    return stock_package / "etc" / "fail2ban"
