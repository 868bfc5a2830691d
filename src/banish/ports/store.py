"""What the core asks of its memory across restarts."""

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from banish.model.actionban import ActionBan
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.model.snapshot import Commit, Memory, Slice


class Store(Protocol):
    """Remembers across restarts. Each call is one transaction; none blocks the event loop."""

    async def load(self, now: Instant) -> Memory:
        """Return what is remembered: bans in force at *now*, windows, positions.

        Raises:
            StoreError: The database cannot be read.

        """
        ...

    async def load_bans(self, now: Instant) -> Memory:
        """Return what `load` does but for windows and past bans, which may be millions.

        Raises:
            StoreError: The database cannot be read.

        """
        ...

    def windows(self, now: Instant) -> AsyncGenerator[Slice]:
        """Yield past bans and then windows of all jails, in slices; windows oldest first.

        What is committed meanwhile may be in them or not. Cancelling whoever awaits
        a slice ends the reading.

        Raises:
            StoreError: The database cannot be read; what was yielded is good.

        """
        ...

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Write the commits in order, all or none.

        Writing a commit twice leaves what writing it once leaves.

        Raises:
            StoreError: Nothing was written.

        """
        ...

    async def write_actions(self, changes: Sequence[ActionBan]) -> None:
        """Write what actions began or ended, in order, all or none.

        Writing a change twice leaves what writing it once leaves.

        Raises:
            StoreError: Nothing was written.

        """
        ...

    async def history(self, *, limit: int, subject: Subject | None = None) -> Sequence[Ban]:
        """Return the newest bans, newest first."""
        ...

    async def purge(self, now: Instant, age: Seconds) -> int:
        """Forget history older than *age* and give the room back; return the rows forgotten."""
        ...

    async def close(self) -> None:
        """Finish what is under way and close the file."""
        ...
