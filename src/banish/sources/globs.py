"""Finds the files that patterns name, and the folders where more could appear.

Fail2Ban expands a glob once, at start; here a file that appears later is
followed too (banish watches the folders). As in Python's ``glob``: ``*``, ``?``
and ``[...]`` match inside one folder level, a leading dot only if written.
"""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from banish.sources.fingerprint import is_compressed


def matching_files(pattern: str) -> list[str]:
    """Return the paths that *pattern* names, in alphabetical order.

    A path without wildcards is returned whether it is there or not. Folders and
    compressed files that a wildcard happens to match are left out.
    """
    whole = str(Path(pattern).absolute())
    if not glob.has_magic(whole):
        return [whole]
    return sorted(
        path for path in _expand(whole) if not is_compressed(path) and not Path(path).is_dir()
    )


def watched_folders(pattern: str, files: Iterable[str]) -> frozenset[str]:
    """Return the folders in which a new name could change what *pattern* names.

    For ``/srv/*/log/app.log``: ``/srv``, each ``/srv/X`` and each
    ``/srv/X/log``; of a folder that is missing, the nearest one above it that
    is there. For a symbolic link also the folder it leads to.
    """
    root, *names = Path(pattern).absolute().parent.parts
    found = [Path(root)]
    folders: set[Path] = set()
    for name in names:
        below: list[Path] = []
        for folder in found:
            if glob.has_magic(name):
                folders.add(folder)
                candidates = [folder / each for each in _expand(name, folder)]
                below.extend(each for each in candidates if each.is_dir())
            elif (folder / name).is_dir():
                below.append(folder / name)
            else:
                folders.add(folder)
        found = below
    folders.update(found)
    folders.update(
        _nearest_folder(Path(os.path.realpath(path))) for path in files if Path(path).is_symlink()
    )
    return frozenset(map(str, folders))


def _expand(pattern: str, folder: Path | None = None) -> list[str]:
    # Not Path.glob: its wildcards match a leading dot.
    return glob.glob(pattern, root_dir=folder)  # noqa: PTH207


def _nearest_folder(path: Path) -> Path:
    """Return the nearest folder above *path* that is there."""
    return next(folder for folder in path.parents if folder.is_dir())
