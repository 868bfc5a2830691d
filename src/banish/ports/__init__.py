"""What the core asks of the edges: one small protocol for each kind of agent.

Each protocol has a contract suite in ``tests/``; a fake in `banish.testing`
passes the same suite as the real thing.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Protocol

from banish.model.actionresult import ActionResult
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision
from banish.model.instant import Instant, Seconds
from banish.model.record import Batch, Position
from banish.model.reload import ReloadReport, ReloadWish
from banish.model.settings import ActionSettings, Enforcement
from banish.model.status import ServerStatus, SourceHealth
from banish.model.streamed import EventBatch
from banish.ports.store import Store

__all__ = [
    "Action",
    "BanFacts",
    "Clock",
    "Enforced",
    "Enforcer",
    "Operations",
    "Resolver",
    "Source",
    "Store",
    "Subscription",
]

Clock = Callable[[], Instant]
"""Tells the wall time."""


class Source(Protocol):
    """Yields what is written to one place: a glob of files, a journal, a socket."""

    @property
    def name(self) -> str:
        """What positions and health are kept by; unique among all sources."""
        ...

    def batches(self, after: Mapping[str, Position]) -> AsyncGenerator[Batch]:
        """Yield blocks of whole lines, from just after the given positions, for ever.

        *after* holds the positions that an earlier run saved, by the key it
        saved them under: `Batch.source` of the batches it had finished. Nothing
        is yielded twice and nothing is left out, across rotation too. While the
        log is missing or unreadable the iterator waits and tries again; `health`
        says why. It is closed by cancelling the task that awaits it.
        """
        ...

    async def placed(self) -> None:
        """Return once `batches` knows where to begin in every log that is there.

        Lines written from then on are live. A log that is missing or cannot be
        read is not waited for.
        """
        ...

    def health(self) -> SourceHealth:
        """Return how the source is doing; never waits."""
        ...


class Enforced(Protocol):
    """What a firewall holds, as read back from it."""

    @property
    def subjects(self) -> Mapping[str, frozenset[Subject]]:
        """Banned subjects by jail."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether the tables, chains and rules around them are as they should be."""
        ...

    def keeps(self, ban: Ban, now: Instant) -> bool:
        """Whether *ban*, which it holds, stays for about as long as it is to last."""
        ...


class Enforcer(Protocol):
    """Carries decisions out: nftables, an action script, memory."""

    @property
    def name(self) -> str:
        """What status and logs call it."""
        ...

    @property
    def changed_by(self) -> str:
        """Who else changed what is ours last, such as ``nft (pid 7)``; empty: not known."""
        ...

    async def start(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> None:
        """Make the firewall hold exactly *bans* for exactly *jails*, in one step.

        What an earlier run of ours left is replaced; what is not ours is not
        touched. Also used to repair the firewall: calling it twice leaves what
        calling it once leaves.

        Raises:
            EnforceError: Nothing changed.
            DisturbedError: It was changed, and changed by somebody else meanwhile.
            AnotherServerError: Another server holds its bans there.

        """
        ...

    async def change(self, jails: Sequence[Enforcement], bans: Sequence[Ban], now: Instant) -> bool:
        """Hold *bans* for exactly *jails* from now on; only after a `start`.

        The bans of jails that were served before are trusted to stand there, so
        that a change costs what changes. Returns whether all bans were put there
        anew. Whoever doubts what stands there calls `start`.

        Raises:
            EnforceError: Nothing changed.
            DisturbedError: It was changed, and changed by somebody else meanwhile.
            AnotherServerError: Another server holds its bans there.

        """
        ...

    async def apply(self, batch: Sequence[Decision], now: Instant) -> None:
        """Carry out *batch*, in order, all of it or none.

        Applying a batch twice leaves what applying it once leaves. Subjects
        that a firewall cannot hold (`Subject.is_enforceable`) and jails that
        `start` did not name are skipped.

        Raises:
            EnforceError: Nothing of the batch took effect.

        """
        ...

    async def read(self) -> Enforced:
        """Return what the firewall really holds.

        Raises:
            EnforceError: It cannot be read.

        """
        ...

    async def wait_for_foreign_change(self) -> None:
        """Return once somebody else may have changed what is ours.

        Returns within a second or two of the change; may return without one.
        Never returns where nobody else can.
        """
        ...

    async def stop(self, *, keep: bool) -> None:
        """Take away all that is ours, or with *keep* leave the bans in force."""
        ...


class Action(Protocol):
    """What one action of one jail does besides the firewall: commands, a notifier, a file.

    One task uses it, and nothing runs side by side; a call that was cancelled may
    be made again. Every method may raise `ActionError`, and nothing else.
    """

    jail: str
    settings: ActionSettings
    held: dict[Subject, Ban]
    """The bans that it has carried out and not ended; none where it only tells."""
    needs_rebans: bool
    """Whether all that it held is to be put back; whoever does so clears it."""
    was_repaired: bool
    """Whether a check repaired something: which bans are left is then unknown."""

    @property
    def due(self) -> float | None:
        """When `tick` is to be called, in the event loop's time; None: not at all."""
        ...

    async def start(self) -> None:
        """Make ready; also called again."""
        ...

    async def ban(self, ban: Ban, *, restored: bool = False) -> None:
        """Keep a subject out, or tell of it; *restored*: it was banned before the start."""
        ...

    async def reban(self, ban: Ban) -> None:
        """Ban a subject again after another program had unbanned it."""
        ...

    async def prolong(self, ban: Ban, *, restored: bool = False) -> None:
        """Take note that a ban ends at another time."""
        ...

    async def unban(self, ban: Ban) -> None:
        """Let a subject in again."""
        ...

    def adopt(self, ban: Ban) -> None:
        """Count *ban*, which an earlier run carried out, among those that are held."""
        ...

    async def check(self) -> None:
        """See whether all is as it should be, and repair it if not."""
        ...

    async def flush(self) -> bool:
        """Let everybody in at once; tell whether that was done."""
        ...

    async def stop(self) -> None:
        """Do what is left to do, and undo what `start` did."""
        ...

    async def tick(self) -> None:
        """Do what was put off until now."""
        ...


class BanFacts(Protocol):
    """Knows what a ban does not say of itself; none of it raises, all of it ends in time."""

    async def host_of(self, address: Subject) -> str:
        """Return the DNS name of *address*, or nothing."""
        ...

    async def past(self, subject: Subject, jail: str | None) -> tuple[Ban, ...]:
        """Return the remembered bans of *subject* by *jail*, or by all (None), oldest first."""
        ...

    def counts(self, jail: str) -> tuple[int, int, int, int]:
        """Return how many are banned now, were ever banned, fail now, and ever failed."""
        ...

    async def names(self) -> tuple[str, str]:
        """Return this host's whole name and its short one."""
        ...


class Resolver(Protocol):
    """Turns names into addresses, with a cache and a time limit."""

    async def addresses(self, name: str) -> Sequence[Subject]:
        """Return the addresses of *name*, at most 32; none if it has none.

        Raises:
            ResolveError: The answer did not come in time, or the resolver failed.

        """
        ...


class Subscription(Protocol):
    """What happens in a server, for one subscriber."""

    async def next(self, patience: float) -> EventBatch:
        """Return the events that wait, some at a time; none after *patience* seconds."""
        ...

    def close(self) -> None:
        """Want no more."""
        ...


class Operations(Protocol):
    """What an operator can ask of a running server."""

    async def status(self) -> ServerStatus:
        """Return how the server is doing."""
        ...

    async def bans(self, jail: str | None) -> Sequence[Ban]:
        """Return the bans in force, of one jail or of all.

        Raises:
            RequestError: There is no such jail.

        """
        ...

    async def ban(
        self, jail: str, subjects: Sequence[Subject], lasts: Seconds | None
    ) -> Sequence[Ban]:
        """Ban by hand and return the bans that are new once they are enforced.

        *lasts* None means the jail's own bantime; below zero means without end.

        Raises:
            RequestError: There is no such jail, or a subject cannot be banned.
            EnforceError: The firewall did not take them.

        """
        ...

    async def unban(self, subjects: Sequence[Subject] | None, jail: str | None) -> Sequence[Ban]:
        """End bans by hand (None: all of them) and return those that were in force.

        Raises:
            RequestError: There is no such jail.

        """
        ...

    async def allow(self, subjects: Sequence[Subject], jail: str | None) -> Sequence[Ban]:
        """End the bans of *subjects* and exempt them, from *jail* or all; return those bans.

        Until the next reload or start: the files stay as they are.

        Raises:
            RequestError: There is no such jail, or a subject is neither address nor network.

        """
        ...

    async def why(self, subject: Subject) -> Sequence[Ban]:
        """Return the bans of *subject*, past and present, newest first, with evidence.

        Those in force come first; among them are bans of networks around it.
        """
        ...

    async def action_results(self, subject: Subject) -> Sequence[ActionResult]:
        """Return what actions did about *subject* recently, oldest first."""
        ...

    async def resume(self, jail: str) -> None:
        """Let *jail* start bans again, though its ban budget was exceeded.

        Raises:
            RequestError: There is no such jail, or it holds no bans back.

        """
        ...

    async def reload(self, wish: ReloadWish) -> ReloadReport:
        """Read the configuration and follow it: all or nothing for each jail.

        Raises:
            RequestError: The jail does not exist, or another reload waits to be confirmed.
            ConfigError: The configuration is broken as a whole; nothing has changed.

        """
        ...

    async def confirm(self) -> None:
        """Keep the configuration that waits to be confirmed.

        Raises:
            RequestError: None does.

        """
        ...

    def subscribe(self, since: int | None, kinds: Sequence[str]) -> Subscription:
        """Return what happens from now on, or after the event *since*; only *kinds*, if any."""
        ...

    async def stop(self) -> None:
        """Ask the server to stop; returns at once."""
        ...
