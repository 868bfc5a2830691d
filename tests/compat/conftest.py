"""Gets a stock Fail2Ban to compare with: Debian's package, unpacked, never installed."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PACKAGE = "fail2ban"
DOWNLOAD_SECONDS = 60


def _cache() -> Path:
    """Return the folder for what tests fetch, kept between runs and private to the user."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "banish-tests"


def _unpack(into: Path) -> str:
    """Put the package's files into *into*; return why that cannot be done, or an empty text."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        return "there is no apt here"
    with tempfile.TemporaryDirectory(dir=into.parent) as folder:
        os.chmod(folder, 0o755)
        try:
            subprocess.run(
                ["apt-get", "download", "-q", PACKAGE],
                cwd=folder,
                capture_output=True,
                check=True,
                timeout=DOWNLOAD_SECONDS,
            )
            (package,) = Path(folder).glob("*.deb")
            subprocess.run(
                ["dpkg-deb", "-x", str(package), f"{folder}/files"],
                check=True,
                capture_output=True,
                timeout=DOWNLOAD_SECONDS,
            )
        except (subprocess.SubprocessError, ValueError) as error:
            return f"{PACKAGE} cannot be downloaded: {error}"
        Path(folder, "files").rename(into)
    return ""


@pytest.fixture(scope="session")
def stock_package() -> Path:
    """Give the folder in which Debian's Fail2Ban package is unpacked, or skip."""
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    unpacked = cache / PACKAGE
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        why = "" if unpacked.is_dir() else _unpack(unpacked)
    if why:
        pytest.skip(why)
    return unpacked


@pytest.fixture(scope="session")
def stock_tree(stock_package: Path) -> Path:
    """Give a stock Fail2Ban configuration directory; not to be written to."""
    return stock_package / "etc" / "fail2ban"
