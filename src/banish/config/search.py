"""Finds the configuration: which directory counts, and which file a name means.

A directory with its own ``jail.conf`` is a whole configuration and stands alone.
One without lies over the built-in tree: a file in it hides the built-in file of
the same name, and everything else shows through.
"""

import importlib.resources
import os
from pathlib import Path

from banish.errors import ConfigError

DEFAULT_ROOTS = (Path("/etc/banish"), Path("/etc/fail2ban"))
"""Where a configuration is looked for, best first."""


class Tree:
    """Directories lying over each other, seen as one.

    Files are named by their path inside (``filter.d/sshd.conf``); a name that
    begins with ``/`` is that file itself, wherever it is.
    """

    def __init__(self, folders: tuple[Path, ...], *, builtin: Path | None = None) -> None:
        self.folders = folders
        """The uppermost first."""
        self.builtin = builtin
        """The built-in tree, whether it shows through or not."""
        self._names: dict[str, dict[str, Path]] = {}

    @property
    def top(self) -> Path:
        """The uppermost directory."""
        return self.folders[0]

    def find(self, name: str) -> Path | None:
        """Return the file that *name* means, or None if there is none."""
        folder, _, last = name.rpartition("/")
        return self._listing(folder if folder or not name.startswith("/") else "/").get(last)

    def match(self, folder: str, suffix: str) -> list[str]:
        """Return the names of all files in *folder* that end with *suffix*, sorted."""
        return [
            f"{folder}/{name}"
            for name in sorted(self._listing(folder))
            if name.endswith(suffix) and not name.startswith(".")
        ]

    def _listing(self, folder: str) -> dict[str, Path]:
        """Return what stands in *folder*, by name; read from the disk once."""
        known = self._names.get(folder)
        if known is None:
            known = {}
            places = [folder] if folder.startswith("/") else [f / folder for f in self.folders]
            for place in places:
                try:
                    with os.scandir(place) as entries:
                        for entry in entries:
                            known.setdefault(entry.name, Path(entry.path))
                except (OSError, ValueError):  # no such folder, or a name with a NUL
                    continue
            self._names[folder] = known
        return known


def find_root() -> Path | None:
    """Return the host's configuration directory, or None if it has none."""
    return next((root for root in DEFAULT_ROOTS if root.is_dir()), None)


def builtin_tree() -> Path:
    """Return the directory that came with the program.

    Raises:
        ConfigError: The program is not installed whole.

    """
    package = Path(str(importlib.resources.files("banish")))
    for folder in (package / "share" / "config", package.parents[1] / "share" / "config"):
        if folder.is_dir():
            return folder
    raise ConfigError(
        "the built-in configuration is missing", where=str(package), cure="install banish again"
    )


def open_tree(root: Path | None, builtin: Path) -> Tree:
    """Return what *root* and *builtin* together say; *root* None is the built-in tree alone.

    Raises:
        ConfigError: *root* is no directory, or cannot be read.

    """
    if root is None:
        return Tree((builtin,), builtin=builtin)
    try:
        names = [entry.name for entry in root.iterdir()]
    except OSError as error:
        raise ConfigError(
            f"the configuration directory cannot be read: {error.strerror}",
            where=str(root),
            cure="name one that exists with -c, or leave -c away",
        ) from error
    folders = (root,) if "jail.conf" in names else (root, builtin)
    return Tree(folders, builtin=builtin)
