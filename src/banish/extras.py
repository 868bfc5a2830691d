"""Says how an optional Python package gets into the environment that banish runs in.

``pip install 'banish[web]'`` would be wrong nearly everywhere: it installs into whatever
environment ``pip`` is of, and takes banish from the package index where this one came
from a checkout.
"""

import importlib.metadata
import shlex
import sys

PACKAGES = {
    "abuse": "dnspython",
    "chat": "apprise",
    "journal": "cysystemd",
    "live": "textual",
    "web": "aiohttp",
}
"""The package of each extra that something tells to be missing."""


def how_to_install(extra: str) -> str:
    """Return the command line that installs the package of *extra* where banish looks for it."""
    package = PACKAGES[extra]
    return shlex.join([sys.executable or "python3", "-m", "pip", "install", _wanted(package)])


def _wanted(package: str) -> str:
    """Return *package* with the versions that banish asks for."""
    try:
        required = importlib.metadata.requires("banish") or []
    except importlib.metadata.PackageNotFoundError:
        return package  # run from a checkout that is not installed
    for line in required:
        wanted = line.partition(";")[0].strip()
        if wanted.startswith(package):
            return wanted
    return package
