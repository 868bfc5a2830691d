"""What is remembered across a restart: windows, positions, totals, bans in force.

Position and window belong to one snapshot: a line whose position is not saved
is read again after a crash, and must then meet the window from before it.
"""

from collections.abc import Iterable, Mapping

import msgspec

from banish.model.actionban import ActionBan
from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, FailedWhileBanned
from banish.model.failure import Evidence
from banish.model.instant import Instant
from banish.model.record import Position


class Member(msgspec.Struct, frozen=True, gc=False):
    """A subject that was banned, as the networks around it count it."""

    subject: Subject
    at: Instant
    """When the newest ban of it began."""


class Tally(msgspec.Struct, frozen=True, gc=False):
    """One subject's failures inside findtime."""

    times: tuple[Instant, ...]
    """Oldest first, at most ``maxretry``."""
    evidence: tuple[Evidence, ...] = ()
    members: tuple[Member, ...] = ()
    """For a network: which of its members were banned, at most ``netban.after``."""


class JailChanges(msgspec.Struct, frozen=True):
    """What changed in one jail since the changes were asked for last."""

    jail: str
    tallies: Mapping[Subject, Tally | None] = {}
    """New state of each subject that changed; None: forgotten. It may be worked out anew each
    time it is looked at."""
    failures_total: int = 0
    """Failures ever counted by this jail (a total, not a difference)."""
    bans_total: int = 0


class Commit(msgspec.Struct, frozen=True):
    """One step forward: decisions, and the windows and positions that follow from them.

    Written in one transaction after the firewall has taken the decisions, so a
    crash at any moment repeats work and never loses a ban.
    """

    at: Instant
    decisions: tuple[Decision, ...] = ()
    changes: tuple[JailChanges, ...] = ()
    positions: Mapping[str, Position] = {}
    """The new position of each source, by the source's name."""
    while_banned: tuple[FailedWhileBanned, ...] = ()
    """What is to be reported once the decisions of this and earlier steps are. Not written."""


def merged_changes(commits: Iterable[Commit]) -> tuple[JailChanges, ...]:
    """Return what *commits*, one after the other, change: of each subject only its last state.

    Of the others no tally is made, where these are made when they are looked at.
    """
    newest: dict[str, dict[Subject, Mapping[Subject, Tally | None]]] = {}
    last: dict[str, JailChanges] = {}
    for commit in commits:
        for changes in commit.changes:
            newest.setdefault(changes.jail, {}).update(
                dict.fromkeys(changes.tallies, changes.tallies)
            )
            last[changes.jail] = changes
    return tuple(
        JailChanges(
            jail,
            {subject: tallies[subject] for subject, tallies in newest[jail].items()},
            changes.failures_total,
            changes.bans_total,
        )
        for jail, changes in last.items()
    )


def last_positions(commits: Iterable[Commit]) -> dict[str, Position]:
    """Return where each source is after *commits*, one after the other."""
    return {source: place for commit in commits for source, place in commit.positions.items()}


class PastBan(msgspec.Struct, frozen=True, gc=False):
    """The last ban of a subject that is over: what a longer next one is counted from."""

    count: int
    """The how-manieth ban of this subject by this jail it was."""
    since: Instant
    until: Instant | None
    folded: bool = False
    """Whether it was taken in by the ban of a network, which lasted at least as long."""


class JailMemory(msgspec.Struct, frozen=True):
    """What the store kept of one jail."""

    bans: tuple[Ban, ...] = ()
    """Bans in force at the time asked for."""
    tallies: Mapping[Subject, Tally] = {}
    failures_total: int = 0
    bans_total: int = 0
    past: Mapping[Subject, PastBan] = {}
    """The last ban of subjects that are not banned now, unless the operator lifted it."""


class Slice(msgspec.Struct, frozen=True):
    """A part of the windows and past bans that the store kept."""

    jails: Mapping[str, JailMemory]
    """By jail, of each only windows and past bans."""
    rows: int
    """How many windows these are."""
    of: int
    """How many windows the store keeps in all."""


class Memory(msgspec.Struct, frozen=True):
    """All that the store kept."""

    jails: Mapping[str, JailMemory] = {}
    positions: Mapping[str, Position] = {}
    action_bans: tuple[ActionBan, ...] = ()
    """What actions did and have not undone, of jails and actions that may be gone."""
