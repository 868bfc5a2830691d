"""Wakes whoever reads files as soon as one changes: inotify, and a slow look beside it.

Files are watched by their open descriptor (through /proc/self/fd), so a rename
between opening and watching loses nothing. Folders are watched for names that
come and go. NFS and some overlay file systems deliver no events for what other
hosts or layers write, hence `SAFETY_SPAN`; where there is no inotify, or its
limits are used up, `POLL_SPAN`.

All sources look at the same moments, and a look that took long is made less
often: thousands of files cost some percent of one processor at most.
"""

import asyncio
import errno
import math
from pathlib import Path
from typing import NamedTuple

from inotify_simple import flags

from banish.model.instant import Seconds
from banish.sources.inotify import Inotify
from banish.telemetry.events import Emit, WarningGiven

SAFETY_SPAN = Seconds(2.0)
"""How often open files are looked at although no event came."""

LOOKS_FOR_NAMES = 5
"""At one in so many of these looks names are looked for, too: that takes ten times as long,
and a name that nobody tells of is rarer than a line."""

POLL_SPAN = Seconds(0.2)
"""How often everything is looked at where events cannot be had."""

LOOK_SHARE = 0.02
"""The part of the time that looks may take where events come as well."""

POLL_SHARE = 0.1
"""The same where there are looks only."""

LONGEST_PAUSE = Seconds(60.0)
"""Between two looks, however long they take."""

HEARD_LIMIT = 20_000
"""Paths that are remembered between two waits; past it everything is looked at."""

_FILE_MASK = flags.MODIFY | flags.ATTRIB | flags.MOVE_SELF
_FOLDER_MASK = (
    flags.ATTRIB  # the rights of a file in it, which may have kept us out
    | flags.CREATE
    | flags.DELETE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.DELETE_SELF
    | flags.MOVE_SELF
    | flags.ONLYDIR
)


class PathChanges(NamedTuple):
    """What changed since the last wait."""

    owners: frozenset[str]
    """Owners of files that were written to, renamed or deleted."""
    paths: frozenset[str]
    """Paths in folders of logs at which a name came, went or changed its rights."""
    names: bool
    """Whether any name may have come or gone, in whichever folder."""
    all: bool
    """Whether any file may have changed: the slow look, or lost events."""


class Watch:
    """Waits for files to change; one task at a time may wait.

    Args:
        part: What warnings call it.
        emit: Gets an event when inotify cannot be had, with the cure.
        polls: Use no inotify at all.
        inotify: The process's; None: one of its own.

    """

    def __init__(
        self, part: str, emit: Emit, *, polls: bool = False, inotify: Inotify | None = None
    ) -> None:
        self._part = part
        self._emit = emit
        self._files: dict[int, int] = {}
        self._parked: dict[str, int] = {}
        self._owners: dict[int, str] = {}
        self._open: set[int] = set()
        self._folders: dict[str, int] = {}
        self._folders_of: dict[int, list[str]] = {}
        self._others: frozenset[str] = frozenset()
        self._is_whole = not polls
        self._looks = 0
        self._cost = Seconds(0.0)
        self._look_at: float | None = None
        self._woken: asyncio.Future[None] | None = None
        self._heard: set[str] = set()
        self._heard_paths: set[str] = set()
        self._heard_names = False
        self._heard_all = False
        self._inotify: Inotify | None = None
        self._refusals: set[int] = set()
        if not polls:
            self._inotify = inotify or Inotify()
            self._refusals = self._inotify.refusals
            try:
                self._inotify.join(self)
            except OSError as error:
                self._inotify = None
                self._degrade(error)

    @property
    def is_whole(self) -> bool:
        """Whether events tell of every change; otherwise files are looked at at intervals."""
        return self._is_whole

    @property
    def span(self) -> Seconds:
        """How long a change may go unnoticed at most, but for looks that take long."""
        return SAFETY_SPAN if self._is_whole else POLL_SPAN

    def look_took(self, cost: Seconds) -> None:
        """Say how long it took to look at everything: a costly look is made less often."""
        self._cost = cost

    def add_file(self, descriptor: int, path: str, owner: str) -> None:
        """Wake *owner* whenever the open file changes."""
        watch = self._add(f"/proc/self/fd/{descriptor}", _FILE_MASK)
        if watch is None and self._is_whole:
            watch = self._add(path, _FILE_MASK)
        if watch is not None:
            self._files[descriptor] = watch
            self._open.add(watch)
            self._owners[watch] = owner

    def drop_file(self, descriptor: int) -> None:
        """Watch the file no more; to be called before it is closed."""
        watch = self._files.pop(descriptor, None)
        if watch is not None:
            self._open.discard(watch)
            self._owners.pop(watch, None)
            self._remove(watch)

    def park_file(self, descriptor: int) -> None:
        """Go on watching the file after it is closed, until its owner's `unpark`."""
        watch = self._files.pop(descriptor, None)
        if watch is not None:
            self._open.discard(watch)
            self._parked[self._owners[watch]] = watch

    def unpark(self, owner: str) -> None:
        """Watch *owner*'s closed file no more, unless it is open again."""
        watch = self._parked.pop(owner, None)
        if watch is not None and watch not in self._open:
            self._owners.pop(watch, None)
            self._remove(watch)

    def set_folders(self, leaves: frozenset[str], others: frozenset[str]) -> bool:
        """Watch exactly these folders; tell whether one is new, so that names may have been missed.

        For *leaves* it reports which path changed, for *others* only that something did.
        """
        self._others = others
        folders = leaves | others
        for folder in self._folders.keys() - folders:
            watch = self._folders.pop(folder)
            names = self._folders_of[watch]
            names.remove(folder)
            if not names:
                del self._folders_of[watch]
                self._remove(watch)
        is_new = False
        for folder in folders - self._folders.keys():
            added = self._add(folder, _FOLDER_MASK)
            if added is not None:
                self._folders[folder] = added
                # Two names may lead to one folder, and bear one number.
                self._folders_of.setdefault(added, []).append(folder)
                is_new = True
        return is_new

    async def wait(self, span: Seconds | None = None, *, by: float | None = None) -> PathChanges:
        """Return when something changed, or after *span* (by default `span`).

        At *by*, a time of the running loop, it returns even if nothing changed.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        if span is not None:
            due = now + span
        else:
            if self._look_at is None:
                self._look_at = self._next_look(now)
            due = self._look_at
        until = due if by is None else min(due, by)
        if self._has_heard or now >= until:
            await asyncio.sleep(0)
        else:
            await self._sleep(loop, until)
        if loop.time() >= due:
            self._look_at = None
            self._looks += 1
            self._heard_all = True
            if not self._is_whole or self._looks % LOOKS_FOR_NAMES == 0:
                self._heard_names = True
        return self._take()

    async def _sleep(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        woken = self._woken = loop.create_future()
        timer = loop.call_at(until, self._wake)
        inotify = self._inotify
        if inotify is not None:
            inotify.begin_wait()
        try:
            await woken
        finally:
            self._woken = None
            timer.cancel()
            if inotify is not None:
                inotify.end_wait()

    def _next_look(self, now: float) -> float:
        """Return the next moment at which all sources look, later where a look takes long."""
        share = LOOK_SHARE if self._is_whole else POLL_SHARE
        span = self.span
        pause = max(min(self._cost / share, LONGEST_PAUSE) - span, 0.0)
        return (math.floor((now + pause) / span) + 1) * span

    def close(self) -> None:
        """Let go of inotify and all that is watched."""
        if self._inotify is not None:
            self._inotify.leave(self)
            self._inotify = None
        self._files.clear()
        self._parked.clear()
        self._owners.clear()
        self._open.clear()
        self._folders.clear()
        self._folders_of.clear()

    def hear(self, watch: int, mask: int, name: str) -> None:
        """Take note of an event of inotify, see `banish.sources.inotify`."""
        if mask & flags.Q_OVERFLOW:
            self._heard_all = self._heard_names = True
        elif (owner := self._owners.get(watch)) is not None:
            self._heard.add(owner)
        elif watch in self._folders_of:
            self._hear_of_folder(watch, mask, name)
        if self._has_heard:
            self._wake()

    def _hear_of_folder(self, watch: int, mask: int, name: str) -> None:
        folders = self._folders_of[watch]
        if not name or not self._others.isdisjoint(folders):
            self._heard_names = True
        else:
            self._heard_paths.update(f"{folder.rstrip('/')}/{name}" for folder in folders)
        if len(self._heard_paths) > HEARD_LIMIT:
            self._heard_paths.clear()
            self._heard_all = self._heard_names = True
        if mask & (flags.IGNORED | flags.MOVE_SELF):
            # It was deleted or has another name: the next look for names watches anew.
            for folder in folders:
                del self._folders[folder]
            del self._folders_of[watch]
            self._remove(watch)

    @property
    def _has_heard(self) -> bool:
        return bool(self._heard or self._heard_paths) or self._heard_names or self._heard_all

    def _wake(self) -> None:
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def _take(self) -> PathChanges:
        changes = PathChanges(
            frozenset(self._heard),
            frozenset(self._heard_paths),
            names=self._heard_names,
            all=self._heard_all,
        )
        self._heard.clear()
        self._heard_paths.clear()
        self._heard_names = self._heard_all = False
        return changes

    def _add(self, path: str, mask: int) -> int | None:
        if self._inotify is None:
            return None
        try:
            return self._inotify.add(path, mask, self)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self._degrade(error)
            elif Path(path).exists():
                # A file system or a sandbox that lets us read but not watch.
                self._is_whole = False
            return None

    def _remove(self, watch: int) -> None:
        if self._inotify is not None:
            self._inotify.remove(watch, self)

    def _degrade(self, error: OSError) -> None:
        if not self._is_whole:
            return
        self._is_whole = False
        if error.errno in self._refusals:
            return  # all sources of the process meet the same limit
        self._refusals.add(error.errno or 0)
        match error.errno:
            case errno.ENOSPC:
                cure = "raise it: sysctl fs.inotify.max_user_watches=524288"
            case errno.EMFILE:
                cure = "raise it: sysctl fs.inotify.max_user_instances=1024"
            case _:
                cure = "is /proc mounted, and does the sandbox allow inotify_init1?"
        what = (
            f"no inotify ({error.strerror}), so files are polled every {POLL_SPAN} s, "
            "less often where thousands are followed"
        )
        self._emit(WarningGiven(self._part, f"{what}; {cure}"))
