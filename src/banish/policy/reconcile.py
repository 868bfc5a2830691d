"""What has to change so that a firewall holds the bans we want, and no others."""

from collections.abc import Iterable, Mapping

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.decision import Decision, EndBan, StartBan
from banish.model.instant import Instant


def reconcile(wanted: Iterable[Ban], enforced: Mapping[str, frozenset[Subject]]) -> list[Decision]:
    """Return the decisions that turn *enforced* into *wanted*: ends first, then starts.

    *enforced* holds the banned subjects by jail; a jail that is not in it holds
    none. Ends come first since a network cannot enter an interval set beside an
    overlapping one; a batch takes effect at once, so nobody slips through. What
    no firewall can hold (`Subject.is_enforceable`) is skipped. Bans put back
    count as restored; subjects taken out carry a made-up ban that began and
    ended at 0, with the reason ``foreign``, and are not for the ledger.
    """
    missing: list[Decision] = []
    known: set[tuple[str, Subject]] = set()
    for ban in wanted:
        if not ban.subject.is_enforceable or (ban.jail, ban.subject) in known:
            continue
        known.add((ban.jail, ban.subject))
        if ban.subject not in enforced.get(ban.jail, frozenset()):
            missing.append(StartBan(ban, restored=True))
    foreign: list[Decision] = [
        EndBan(Ban(jail, subject, Instant(0), Instant(0)), "foreign")
        for jail in sorted(enforced)
        for subject in sorted(enforced[jail], key=lambda subject: subject.text)
        if (jail, subject) not in known
    ]
    return foreign + missing
