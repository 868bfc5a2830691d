"""Finds the paths that a source's patterns name, as logs come and go.

A wildcard that also matches rotated names (``auth.log*``) does not make them
logs of their own: ``auth.log.1`` was or will be read as the end of
``auth.log``. It is reported once; naming such a file without wildcards follows it.
"""

import asyncio
import glob
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePath

from banish.model.settings import LogPath
from banish.sources.fingerprint import is_compressed, names_before_rotation
from banish.sources.globs import Expansion, expand, name_matches
from banish.sources.watch import Watch
from banish.telemetry.events import Emit, WarningGiven

PATHS_LIMIT = 100_000
"""How many paths one source follows at most: each costs some 7 KB and an inotify watch."""

MANY_PATHS = 500
"""From so many paths on, they are looked for in a thread: nobody else is to wait for it."""

FOLDER_DEPTH_LIMIT = 16
"""How often the patterns are expanded again because a folder was new."""

_ROTATED = "are read as the rotated part of another log only; name them in logpath to follow them"

TOO_MANY_CURE = f"name fewer than {PATHS_LIMIT:,} files in one logpath"


class LogNames:
    """What the patterns of one source name.

    Args:
        name: What warnings call the source.
        patterns: Paths and globs.
        emit: Gets a warning for names that are not read, once for each reason.

    """

    def __init__(self, name: str, patterns: Sequence[LogPath], emit: Emit) -> None:
        self.found: Mapping[str, bool] = {}
        """The paths to follow, and whether each may begin at its end."""
        self.matched: Mapping[str, Sequence[str]] = {}
        """The paths to follow that each pattern names."""
        self.unread = 0
        """How many are too many, so that they are not read."""
        self._name = name
        self._patterns = tuple(patterns)
        self._emit = emit
        self._in_folders: dict[str, set[str]] = {}
        """The last parts of the patterns that name files in a folder."""
        self._warned: set[str] = set()

    def may_name(self, path: str, followed: Collection[str]) -> bool:
        """Tell whether a pattern may name *path*, which is not *followed*."""
        if path in followed:
            return False
        folder, _, name = path.rpartition("/")
        wanted = self._in_folders.get(folder or "/", ())
        if is_compressed(name) or not any(name_matches(name, pattern) for pattern in wanted):
            return False
        is_rotated = any(before in followed for before in names_before_rotation(path))
        return not is_rotated or _ROTATED not in self._warned

    async def find(self, watch: Watch, followed: Collection[str], saved: Collection[str]) -> None:
        """See what the patterns name now, and have *watch* watch the folders.

        *followed* are paths that are followed already, *saved* the keys of earlier positions.
        """
        patterns = [entry.pattern for entry in self._patterns]
        for _ in range(FOLDER_DEPTH_LIMIT):
            if len(followed) < MANY_PATHS:
                expanded = [expand(pattern) for pattern in patterns]
            else:
                expanded = await asyncio.to_thread(lambda: [expand(each) for each in patterns])
            self._take(expanded, followed, saved)
            # A name that came between the listing and the watching would be missed else.
            leaves: frozenset[str] = frozenset().union(*(each.leaves for each in expanded))
            others: frozenset[str] = frozenset().union(*(each.others for each in expanded))
            if not watch.set_folders(leaves, others):
                break

    def _take(
        self, expanded: Sequence[Expansion], followed: Collection[str], saved: Collection[str]
    ) -> None:
        found: dict[str, bool] = {}
        literal: set[str] = set()
        in_folders: dict[str, set[str]] = {}
        for entry, expansion in zip(self._patterns, expanded, strict=True):
            found.update({path: entry.tail for path in expansion.paths if path not in found})
            if not glob.has_magic(entry.pattern):
                literal.update(expansion.paths)
            for folder in expansion.leaves:
                in_folders.setdefault(folder, set()).add(PurePath(entry.pattern).name)
        self._leave_out(found, literal, followed, saved)
        self.found, self._in_folders = found, in_folders
        self.matched = {
            entry.pattern: [path for path in expansion.paths if path in found]
            for entry, expansion in zip(self._patterns, expanded, strict=True)
        }

    def _leave_out(
        self,
        found: dict[str, bool],
        literal: set[str],
        followed: Collection[str],
        saved: Collection[str],
    ) -> None:
        """Take out of *found* what is read under another name, and what is too many."""
        known = {*found, *followed, *saved}
        rotated = {
            path
            for path in found
            if path not in literal and any(name in known for name in names_before_rotation(path))
        }
        self._warn_once(rotated, _ROTATED)
        fresh = sorted(found.keys() - rotated - set(followed) - literal)
        excess = set(fresh[max(0, PATHS_LIMIT - len(followed) - len(literal)) :])
        self.unread = len(excess)
        self._warn_once(excess, f"are too many and not read: {TOO_MANY_CURE}")
        for path in rotated | excess:
            del found[path]

    def _warn_once(self, paths: set[str], what: str) -> None:
        if paths and what not in self._warned:
            self._warned.add(what)
            shown = ", ".join(sorted(paths)[:3]) + (", ..." if len(paths) > 3 else "")
            self._emit(WarningGiven(self._name, f"{shown}: {what}"))
