"""Keeps on record what actions did, so that all of it is undone, whoever killed the server.

A ban is put on record before its action is asked to carry it out, and taken off after
the action has ended it. A crash in between leaves a record of what may have been done;
the next start then unbans the subject, unless its ban goes on. So an action may be
sent twice, and nobody stays banned for good.

A database that cannot be written holds up no ban for longer than `SETTLE_LIMIT`: what is
not on record then is written once it can be.
"""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from banish.errors import StoreError
from banish.model.actionban import ActionBan
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant, Seconds
from banish.ports import Store

SETTLE_LIMIT = Seconds(2)
"""How long a ban waits for its record."""

RETRY_PAUSE = Seconds(5)
"""How long after a failure no ban waits for its record."""

CHANGES_AT_ONCE = 5_000
"""Changes of one transaction: some 30 ms, so that the ledger need not wait long."""

ENDS_LIMIT = 256
"""Ends that may wait to be taken off the record; after a crash they are carried out twice."""

FORGOTTEN_AFTER = Seconds(7 * 86_400)
"""So long a ban that is over and that nobody could end stays on record."""

_Key = tuple[str, str, Subject]


class ActionRecords:
    """The record of all actions of a server; used by their workers."""

    def __init__(self, store: Callable[[], Store | None]) -> None:
        """Prepare; *store* returns the database, if it is open."""
        self._store = store
        self._changes: dict[_Key, ActionBan] = {}
        """What is not written yet."""
        self._ends = 0
        self._lock = asyncio.Lock()
        self._not_before = 0.0

    def note(self, change: ActionBan) -> None:
        """Take *change* up; it is written with the next one that is waited for."""
        key = (change.ban.jail, change.action, change.ban.subject)
        self._changes.pop(key, None)
        self._changes[key] = change
        self._ends += change.is_ended

    def is_to_end(self, done: ActionBan, now: Instant) -> bool:
        """Whether what an earlier run did is to be undone still.

        When that was found out first is put on record. `FORGOTTEN_AFTER` that moment it is
        given up, and forgotten.
        """
        found_at = done.ban.ended_at
        if found_at is not None and now - found_at > FORGOTTEN_AFTER:
            self.note(ActionBan(done.action, done.ban, is_ended=True))
            return False
        if found_at is None:
            ban = msgspec.structs.replace(done.ban, ended_at=now)
            self.note(ActionBan(done.action, ban))
        return True

    @property
    def is_long(self) -> bool:
        """Whether more ends wait to be written than a crash should find."""
        return self._ends >= ENDS_LIMIT

    async def settle(self, jail: str, action: str, subject: Subject) -> None:
        """Return once what was noted of *subject* is written, or cannot be."""
        key = (jail, action, subject)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_LIMIT):
                while key in self._changes and await self._write(key):
                    pass
                return
        self._note_failure()

    async def flush(self) -> None:
        """Write all that was noted, as far as that can be."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_LIMIT):
                while self._changes and await self._write(None):
                    pass

    async def _write(self, key: _Key | None) -> bool:
        """Write some changes; tell whether to go on."""
        async with self._lock:
            if key is not None and key not in self._changes:
                return False  # another one has written it meanwhile
            store = self._store()
            if store is None or asyncio.get_running_loop().time() < self._not_before:
                return False
            part = dict(list(self._changes.items())[:CHANGES_AT_ONCE])
            try:
                await store.write_actions(list(part.values()))
            except StoreError:
                self._note_failure()  # the ledger, which is in the same file, tells of it
                return False
            for each, change in part.items():
                if self._changes.get(each) is change:
                    del self._changes[each]
            self._ends = sum(change.is_ended for change in self._changes.values())
            return True

    def _note_failure(self) -> None:
        self._not_before = asyncio.get_running_loop().time() + RETRY_PAUSE


class ActionRecord:
    """The record of one action: who was banned by it, and not unbanned yet."""

    def __init__(self, record: ActionRecords, jail: str, action: str, *, is_kept: bool) -> None:
        """Prepare; with *is_kept* false nothing is put on record."""
        self._record = record
        self._jail = jail
        self._action = action
        self._is_kept = is_kept
        self._begun: dict[Subject, Instant] = {}

    def __contains__(self, subject: Subject) -> bool:
        return subject in self._begun

    def adopt(self, ban: Ban) -> None:
        """Take over what an earlier run put on record."""
        self._begun[ban.subject] = ban.since

    async def begin(self, ban: Ban) -> None:
        """Put *ban* on record; returns once that is written, or cannot be."""
        if not self._is_kept or self._begun.get(ban.subject) == ban.since:
            return
        self._begun[ban.subject] = ban.since
        self._record.note(ActionBan(self._action, ban))
        await self._record.settle(self._jail, self._action, ban.subject)

    def is_to_end(self, ban: Ban, now: Instant) -> bool:
        """Whether *ban*, which is over, is to be ended; see `ActionRecord.is_to_end`."""
        is_to_end = self._record.is_to_end(ActionBan(self._action, ban), now)
        if not is_to_end:
            self._begun.pop(ban.subject, None)
        return is_to_end

    def forget(self, ban: Ban) -> None:
        """Take *ban* off the record; that is written with what comes next."""
        if self._begun.pop(ban.subject, None) is not None:
            self._record.note(ActionBan(self._action, ban, is_ended=True))

    async def end(self, ban: Ban) -> None:
        """Take *ban* off the record, soon."""
        self.forget(ban)
        if self._record.is_long:
            await self._record.flush()

    async def end_all(self) -> None:
        """Take everybody off the record."""
        for subject, since in list(self._begun.items()):
            await self.end(Ban(self._jail, subject, since, None))

    async def flush(self) -> None:
        """Write what waits."""
        await self._record.flush()
