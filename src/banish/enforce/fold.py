"""What every enforcer does with a batch before it touches its firewall.

A batch is an ordered list of orders; a firewall wants to know how things stand
at its end. `fold` keeps the last word on each jail and subject, so an enforcer
only has to make two kinds of things true: this one is banned until then, that
one is not. Doing so twice changes nothing, which is what crash recovery asks.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, ProlongBan, StartBan
from banish.model.instant import Instant, Seconds


class Folded(NamedTuple):
    """How one jail's subjects stand after a batch."""

    banned: Mapping[Subject, Instant | None]
    """When each ban ends; None for one without end."""
    free: Sequence[Subject]
    """Subjects that are not banned any more."""


TOO_SOON = Seconds(5)
"""A firewall that unbans this much before a ban's end may be read a moment late, no more."""

TOO_LATE = Seconds(600)
"""A firewall may hold a ban this much longer than wanted: our own end of it comes first."""

LONGEST = Seconds(10 * 365 * 86_400)
"""A ban that lasts longer may stand without end."""


class FirewallContents(msgspec.Struct, frozen=True):
    """What a firewall holds (`banish.ports.Enforced`)."""

    subjects: Mapping[str, frozenset[Subject]] = {}
    is_whole: bool = False
    left: Mapping[str, Mapping[Subject, float | None]] = {}
    """In how many seconds it unbans by itself, None for never; only where that is known."""

    def keeps(self, ban: Ban, now: Instant) -> bool:
        """Whether *ban*, which it holds, stays for about as long as it is to last."""
        known = self.left.get(ban.jail)
        if known is None or ban.subject not in known:
            return True
        left = known[ban.subject]
        if ban.until is None or left is None:
            return left is None and (ban.until is None or ban.until - now > LONGEST - TOO_LATE)
        return -TOO_SOON <= left - (ban.until - now) <= TOO_LATE


def fold(batch: Iterable[Decision], jails: Container[str], now: Instant) -> dict[str, Folded]:
    """Return the final state of each subject that *batch* names, by jail.

    Ignored: jails that are not in *jails*, and subjects that no firewall
    can hold. A ban that is over at *now* counts as ended.
    """
    last: dict[str, dict[Subject, Ban | None]] = {}
    for decision in batch:
        ban = decision.ban
        if ban.jail not in jails or not ban.subject.is_enforceable:
            continue
        states = last.setdefault(ban.jail, {})
        match decision:
            case StartBan() | ProlongBan():
                states[ban.subject] = None if ban.is_over(now) else ban
            case EndBan():
                states[ban.subject] = None
    return {
        jail: Folded(
            {subject: ban.until for subject, ban in states.items() if ban is not None},
            [subject for subject, ban in states.items() if ban is None],
        )
        for jail, states in last.items()
    }


def fold_bans(
    bans: Iterable[Ban], jails: Container[str], now: Instant
) -> dict[str, dict[Subject, Instant | None]]:
    """Return when each ban of *bans* ends, by jail and subject; the last of two counts.

    Ignored: as in `fold`, and bans that are over at *now*.
    """
    found: dict[str, dict[Subject, Instant | None]] = {}
    for ban in bans:
        if ban.jail in jails and ban.subject.is_enforceable:
            if ban.is_over(now):
                found.get(ban.jail, {}).pop(ban.subject, None)
            else:
                found.setdefault(ban.jail, {})[ban.subject] = ban.until
    return found
