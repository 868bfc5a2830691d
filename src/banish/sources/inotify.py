"""One inotify instance for all watches of the process.

The kernel gives each user a small number of instances (128 by default), which
other programs need, too. It gives a file that is watched twice the same number,
so who watches what is kept here.

Events are read only while somebody waits: readers that are busy anyway cost
nothing for each line written meanwhile, and the kernel merges the events.
"""

import asyncio
from typing import Protocol

from inotify_simple import INotify, flags


class Listener(Protocol):
    """Somebody who watches files."""

    def hear(self, watch: int, mask: int, name: str) -> None:
        """Take note of an event; *watch* is -1 where events were lost.

        *name* is that of a file in the watched folder; empty where the event is of what is
        watched itself.
        """


class Inotify:
    """The instance; it is open as long as somebody uses it."""

    def __init__(self) -> None:
        self._instance: INotify | None = None
        self._listeners: dict[Listener, set[int]] = {}
        self._watched: dict[int, list[Listener]] = {}
        self._waiting = 0
        self.refusals: set[int] = set()
        """The error numbers with which the kernel refused; one warning is enough for each."""

    def join(self, listener: Listener) -> None:
        """Let *listener* watch files; the first opens the instance.

        Raises:
            OSError: The kernel gives no instance.

        """
        if self._instance is None:
            self._instance = INotify(nonblocking=True)
        self._listeners.setdefault(listener, set())

    def leave(self, listener: Listener) -> None:
        """Drop all that *listener* watches; the last one closes the instance."""
        for watch in list(self._listeners.get(listener, ())):
            self.remove(watch, listener)
        self._listeners.pop(listener, None)
        if not self._listeners and self._instance is not None:
            self._instance.close()
            self._instance = None

    def add(self, path: str, mask: int, listener: Listener) -> int:
        """Watch *path* and return the number that its events bear.

        Raises:
            OSError: It cannot be watched.

        """
        assert self._instance is not None
        watch = int(self._instance.add_watch(path, mask))
        listeners = self._watched.setdefault(watch, [])
        if listener not in listeners:
            listeners.append(listener)
            self._listeners[listener].add(watch)
        return watch

    def remove(self, watch: int, listener: Listener) -> None:
        """Watch no more for *listener*; nothing happens where nothing was watched."""
        listeners = self._watched.get(watch, [])
        if listener not in listeners:
            return
        listeners.remove(listener)
        self._listeners[listener].discard(watch)
        if listeners:
            return
        del self._watched[watch]
        if self._instance is not None:
            try:
                self._instance.rm_watch(watch)
            except OSError:
                # EINVAL: the kernel had dropped it already, since the file is gone.
                return

    def begin_wait(self) -> None:
        """Have events read in the running loop until as many calls of `end_wait`."""
        self._waiting += 1
        if self._waiting == 1 and self._instance is not None:
            asyncio.get_running_loop().add_reader(self._instance.fileno(), self.read)

    def end_wait(self) -> None:
        """Take one wait back."""
        self._waiting -= 1
        if self._waiting == 0 and self._instance is not None:
            asyncio.get_running_loop().remove_reader(self._instance.fileno())

    def read(self) -> None:
        """Hand the events out that are there; never waits."""
        if self._instance is None:
            return
        for event in self._instance.read(timeout=0):
            if event.mask & flags.Q_OVERFLOW:
                for listener in list(self._listeners):
                    listener.hear(-1, event.mask, "")
                continue
            for listener in tuple(self._watched.get(event.wd, ())):
                listener.hear(event.wd, event.mask, event.name)
            if event.mask & flags.IGNORED:
                for listener in self._watched.pop(event.wd, ()):
                    self._listeners[listener].discard(event.wd)
