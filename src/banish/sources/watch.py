"""Wakes whoever reads files as soon as one changes: inotify, and a slow look beside it.

Files are watched by their open descriptor (through /proc/self/fd), so a rename
between opening and watching loses nothing. Folders are watched for names that
come and go. NFS and some overlay file systems deliver no events for what other
hosts or layers write, hence `SAFETY_SPAN`; where there is no inotify, or its
limits are used up, `POLL_SPAN`.

Events are read only while somebody waits: a reader that is busy anyway costs
nothing for each line written meanwhile, and the kernel merges the events.
"""

import asyncio
import errno
from pathlib import Path
from typing import NamedTuple

from inotify_simple import INotify, flags

from banish.model.instant import Seconds
from banish.telemetry.happenings import Emit, WarningGiven

SAFETY_SPAN = Seconds(2.0)
"""How often open files are looked at although no event came."""

LOOKS_FOR_NAMES = 5
"""At one in so many of these looks names are looked for, too: that takes ten times as long,
and a name that nobody tells of is rarer than a line."""

POLL_SPAN = Seconds(0.2)
"""How often everything is looked at where events cannot be had."""

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


class Changes(NamedTuple):
    """What changed since the last wait."""

    owners: frozenset[str]
    """Owners of files that were written to, renamed or deleted."""
    names: bool
    """Whether names came or went in a watched folder, or may have."""
    all: bool
    """Whether any file may have changed: the slow look, or lost events."""


class Watch:
    """Waits for files to change; one task at a time may wait.

    Args:
        part: What warnings call it.
        emit: Told when inotify cannot be had, with the cure.
        polls: Use no inotify at all.

    """

    def __init__(self, part: str, emit: Emit, *, polls: bool = False) -> None:
        self._part = part
        self._emit = emit
        self._files: dict[int, int] = {}
        self._owners: dict[int, str] = {}
        self._folders: dict[str, int] = {}
        self._is_whole = not polls
        self._looks = 0
        self._inotify: INotify | None = None
        if not polls:
            try:
                self._inotify = INotify(nonblocking=True)
            except OSError as error:
                self._degrade(error)

    @property
    def span(self) -> Seconds:
        """How long a change may go unnoticed at most."""
        return SAFETY_SPAN if self._is_whole else POLL_SPAN

    def add_file(self, descriptor: int, path: str, owner: str) -> None:
        """Wake *owner* whenever the open file changes."""
        watch = self._add(f"/proc/self/fd/{descriptor}", _FILE_MASK)
        if watch is None and self._is_whole:
            watch = self._add(path, _FILE_MASK)
        if watch is not None:
            self._files[descriptor] = watch
            self._owners[watch] = owner

    def drop_file(self, descriptor: int) -> None:
        """Watch the file no more; to be called before it is closed."""
        watch = self._files.pop(descriptor, None)
        if watch is not None:
            del self._owners[watch]
            self._remove(watch)

    def set_folders(self, folders: frozenset[str]) -> bool:
        """Watch exactly *folders*; tell whether one is new, so that names may have been missed."""
        for folder in self._folders.keys() - folders:
            self._remove(self._folders.pop(folder))
        is_new = False
        for folder in folders - self._folders.keys():
            watch = self._add(folder, _FOLDER_MASK)
            if watch is not None:
                self._folders[folder] = watch
                is_new = True
        return is_new

    async def wait(self, span: Seconds | None = None) -> Changes:
        """Return when something changed, or after *span* (by default `span`)."""
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[bool] = loop.create_future()

        def wake(by_event: bool) -> None:
            if not woken.done():
                woken.set_result(by_event)

        timer = loop.call_later(self.span if span is None else span, wake, False)
        inotify = self._inotify
        if inotify is not None:
            loop.add_reader(inotify.fileno(), wake, True)
        try:
            by_event = await woken
        finally:
            timer.cancel()
            if inotify is not None:
                loop.remove_reader(inotify.fileno())
        if by_event:
            return self._take()
        self._looks += 1
        names = not self._is_whole or self._looks % LOOKS_FOR_NAMES == 0
        return Changes(frozenset(), names=names, all=True)

    def close(self) -> None:
        """Let go of inotify and all it watches."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        self._files.clear()
        self._owners.clear()
        self._folders.clear()

    def _take(self) -> Changes:
        assert self._inotify is not None
        owners: set[str] = set()
        names = is_all = False
        for event in self._inotify.read(timeout=0):
            if event.mask & flags.Q_OVERFLOW:
                is_all = names = True
            elif (owner := self._owners.get(event.wd)) is not None:
                owners.add(owner)
            elif event.wd in self._folders.values():
                names = True
                if event.mask & (flags.IGNORED | flags.MOVE_SELF):
                    self._forget_folder(event.wd)
        return Changes(frozenset(owners), names, is_all)

    def _forget_folder(self, watch: int) -> None:
        """A watched folder was deleted or has another name: the next look watches anew."""
        for folder, known in list(self._folders.items()):
            if known == watch:
                del self._folders[folder]
                self._remove(watch)

    def _add(self, path: str, mask: int) -> int | None:
        if self._inotify is None:
            return None
        try:
            return int(self._inotify.add_watch(path, mask))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self._degrade(error)
            elif Path(path).exists():
                # A file system or a sandbox that lets us read but not watch.
                self._is_whole = False
            return None

    def _remove(self, watch: int) -> None:
        if self._inotify is not None:
            try:
                self._inotify.rm_watch(watch)
            except OSError:
                # EINVAL: the kernel had let go of it already, since the file is gone.
                return

    def _degrade(self, error: OSError) -> None:
        if not self._is_whole:
            return
        self._is_whole = False
        match error.errno:
            case errno.ENOSPC:
                cure = "raise it: sysctl fs.inotify.max_user_watches=524288"
            case errno.EMFILE:
                cure = "raise it: sysctl fs.inotify.max_user_instances=1024"
            case _:
                cure = "is /proc mounted, and does the sandbox allow inotify_init1?"
        what = f"no inotify ({error.strerror}), so files are looked at every {POLL_SPAN} s"
        self._emit(WarningGiven(self._part, f"{what}; {cure}"))
