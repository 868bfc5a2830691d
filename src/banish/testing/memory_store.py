"""A store in plain dicts that can be made to fail; passes the real one's contract."""

from collections.abc import AsyncGenerator, Sequence

import msgspec

from banish.errors import StoreError
from banish.model.actionban import ActionBan
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, EndReason, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds
from banish.model.record import Position
from banish.model.snapshot import Commit, JailMemory, Memory, PastBan, Slice, Tally

_Name = tuple[str, Subject]


class _Entry(msgspec.Struct):
    ban: Ban
    ended_at: Instant | None = None
    reason: EndReason | None = None


class MemoryStore:
    """Implements `ports.Store` without a file.

    Set `trouble` to an error and every call raises it until it is None again.
    `commits` holds every commit that was taken.
    """

    def __init__(self) -> None:
        self.trouble: StoreError | None = None
        self.commits: list[Commit] = []
        self.is_closed = False
        self.action_bans: dict[tuple[str, str, Subject], ActionBan] = {}
        self._bans: dict[_Name, dict[Instant, _Entry]] = {}
        self._tallies: dict[str, dict[Subject, Tally]] = {}
        self._totals: dict[str, tuple[int, int]] = {}
        self._positions: dict[str, Position] = {}

    async def load(self, now: Instant) -> Memory:
        """Return what is remembered."""
        self._check()
        in_force: dict[str, list[Ban]] = {}
        past: dict[str, dict[Subject, PastBan]] = {}
        for (jail, subject), entries in self._bans.items():
            last = entries[max(entries)]
            if last.ended_at is None and not last.ban.is_over(now):
                in_force.setdefault(jail, []).append(last.ban)
            elif last.reason != "operator":
                ban = last.ban
                past.setdefault(jail, {})[subject] = PastBan(
                    ban.count, ban.since, ban.until, last.reason == "folded"
                )
        jails = {
            jail: JailMemory(
                tuple(in_force.get(jail, ())),
                dict(self._tallies.get(jail, {})),
                *self._totals.get(jail, (0, 0)),
                past.get(jail, {}),
            )
            for jail in sorted({*in_force, *past, *self._tallies, *self._totals})
        }
        return Memory(jails, dict(self._positions), tuple(self.action_bans.values()))

    async def write_actions(self, changes: Sequence[ActionBan]) -> None:
        """Take what actions began or ended."""
        self._check()
        for change in changes:
            name = (change.ban.jail, change.action, change.ban.subject)
            self.action_bans.pop(name, None)
            if not change.is_ended:
                ban = msgspec.structs.replace(change.ban, evidence=())
                self.action_bans[name] = ActionBan(change.action, ban)

    async def load_bans(self, now: Instant) -> Memory:
        """Return what `load` does but for windows and past bans."""
        memory = await self.load(now)
        jails = {
            name: msgspec.structs.replace(jail, tallies={}, past={})
            for name, jail in memory.jails.items()
            if jail.bans or name in self._totals
        }
        return Memory(jails, memory.positions, memory.action_bans)

    async def windows(self, now: Instant) -> AsyncGenerator[Slice]:
        """Yield the past bans and windows, each as a slice of its own."""
        memory = await self.load(now)
        every = [
            (name, subject, tally)
            for name, jail in memory.jails.items()
            for subject, tally in jail.tallies.items()
        ]
        for name, jail in memory.jails.items():
            for subject, past in jail.past.items():
                yield Slice({name: JailMemory(past={subject: past})}, 0, 0)
        for name, subject, tally in sorted(every, key=lambda each: each[2].times[-1:]):
            self._check()
            yield Slice({name: JailMemory(tallies={subject: tally})}, 1, len(every))

    async def commit(self, commits: Sequence[Commit]) -> None:
        """Take the commits in order."""
        self._check()
        for commit in commits:
            self.commits.append(commit)
            for decision in commit.decisions:
                self._decide(commit.at, decision)
            for changes in commit.changes:
                tallies = self._tallies.setdefault(changes.jail, {})
                for subject, tally in changes.tallies.items():
                    if tally is None:
                        tallies.pop(subject, None)
                    else:
                        tallies[subject] = tally
                self._totals[changes.jail] = (changes.failures_total, changes.bans_total)
            self._positions.update(commit.positions)

    async def history(self, *, limit: int, subject: Subject | None = None) -> Sequence[Ban]:
        """Return the newest bans, newest first."""
        self._check()
        found = [
            msgspec.structs.replace(
                entry.ban, ended_at=entry.ended_at, end_reason=entry.reason or ""
            )
            for (_, banned), entries in self._bans.items()
            for entry in entries.values()
            if subject in (None, banned)
        ]
        return sorted(found, key=lambda ban: ban.since, reverse=True)[:limit]

    async def purge(self, now: Instant, age: Seconds) -> int:
        """Forget ended bans once *age* has passed since their end and three times their length."""
        self._check()
        forgotten = 0
        before = now - age
        for name, entries in list(self._bans.items()):
            for since, entry in list(entries.items()):
                until = entry.ban.until
                if entry.ended_at is None and until is not None and until <= now:
                    entry.ended_at, entry.reason = until, "expired"
                is_remembered = (
                    entry.reason != "operator"
                    and until is not None
                    and until + 2 * (until - since) >= before
                )
                if entry.ended_at is not None and entry.ended_at < before and not is_remembered:
                    del entries[since]
                    forgotten += 1
            if not entries:
                del self._bans[name]
        return forgotten

    async def close(self) -> None:
        """Take no more calls."""
        self.is_closed = True

    def _check(self) -> None:
        if self.is_closed:
            raise StoreError("the store is closed", retry=False)
        if self.trouble is not None:
            raise self.trouble

    def _decide(self, at: Instant, decision: Decision) -> None:
        ban = decision.ban
        entries = self._bans.setdefault((ban.jail, ban.subject), {})
        match decision:
            case StartBan() | ProlongBan():
                old = entries.get(ban.since)
                if old is not None:
                    evidence = ban.evidence or old.ban.evidence
                    tags = ban.tags or old.ban.tags
                    ban = msgspec.structs.replace(ban, evidence=evidence, tags=tags)
                for entry in entries.values():
                    if entry.ended_at is None:
                        entry.ended_at, entry.reason = at, "expired"
                entries[ban.since] = _Entry(ban)
            case EndBan(reason="stopped" | "foreign"):
                if not entries:
                    del self._bans[ban.jail, ban.subject]
            case EndBan():
                holding = [entry for entry in entries.values() if entry.ended_at is None]
                if holding:
                    for entry in holding:
                        entry.ended_at, entry.reason = at, decision.reason
                elif ban.since not in entries:
                    entries[ban.since] = _Entry(ban, at, decision.reason)
