"""Finds the files that patterns name, and the folders where more could appear.

Fail2Ban expands a glob once, at start; here a file that appears later is
followed too (banish watches the folders). As in Python's ``glob``: ``*``, ``?``
and ``[...]`` match inside one folder level, a leading dot only if written.

A folder of logs may hold tens of thousands of names, so each folder is listed
once, and the list says what is a folder and what is a link.
"""

import fnmatch
import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from banish.sources.fingerprint import is_compressed


class Expansion(NamedTuple):
    """What one pattern stands for at the moment."""

    paths: list[str]
    """The files that it names, in alphabetical order; without wildcards, its one path."""
    leaves: frozenset[str]
    """The folders that hold these files, or would. Only names that the pattern's last part
    matches concern it there."""
    others: frozenset[str]
    """Other folders in which a new name could change what the pattern names: those above, and
    those to which symbolic links lead."""


def expand(pattern: str) -> Expansion:
    """Return what *pattern* names now, and the folders to watch for changes of that.

    A path without wildcards is returned whether it is there or not. Folders and
    compressed files that a wildcard happens to match are left out.

    For ``/srv/*/log/app.log``: ``/srv``, each ``/srv/X`` and each
    ``/srv/X/log``; of a folder that is missing, the nearest one above it that
    is there. For a symbolic link also the folder it leads to.
    """
    whole = Path(pattern).absolute()
    found, others = _parents(whole)
    leaves = {str(folder) for folder in found}
    if not glob.has_magic(str(whole)):
        paths, links = [str(whole)], [str(whole)] if whole.is_symlink() else []
    else:
        named = [entry for folder in leaves for entry in _entries(folder, whole.name)]
        paths = sorted(path for path, _ in named)
        links = [path for path, is_link in named if is_link]
    others.update(str(_nearest_folder(Path(os.path.realpath(link)))) for link in links)
    return Expansion(paths, frozenset(leaves), frozenset(others))


def name_matches(name: str, pattern: str) -> bool:
    """Tell whether *name* is one that *pattern*, the last part of a glob, stands for."""
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatch.fnmatchcase(name, pattern)


def _parents(whole: Path) -> tuple[list[Path], set[str]]:
    """Return the folders that the pattern's folder part names, and those to watch above them."""
    root, *names = whole.parent.parts
    found = [Path(root)]
    others: set[str] = set()
    for name in names:
        below: list[Path] = []
        for folder in found:
            if glob.has_magic(name):
                others.add(str(folder))
                # Not Path.glob: its wildcards match a leading dot.
                matching = glob.glob(name, root_dir=folder)  # noqa: PTH207
                below.extend(each for match in matching if (each := folder / match).is_dir())
            elif (folder / name).is_dir():
                below.append(folder / name)
            else:
                others.add(str(folder))
        found = below
    return found, others


def _entries(folder: str, pattern: str) -> Iterator[tuple[str, bool]]:
    """Yield the files in *folder* that *pattern* matches, and whether each is a link."""
    prefix = folder.rstrip("/")
    if not glob.has_magic(pattern):
        path = f"{prefix}/{pattern}"
        if os.path.lexists(path) and not is_compressed(path) and not Path(path).is_dir():
            yield path, Path(path).is_symlink()
        return
    for entry in _listed(folder):
        if name_matches(entry.name, pattern) and not is_compressed(entry.name):
            try:
                is_folder = entry.is_dir()
            except OSError:
                continue
            if not is_folder:
                yield f"{prefix}/{entry.name}", entry.is_symlink()


def _listed(folder: str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return ()


def _nearest_folder(path: Path) -> Path:
    """Return the nearest folder above *path* that is there."""
    return next(folder for folder in path.parents if folder.is_dir())
