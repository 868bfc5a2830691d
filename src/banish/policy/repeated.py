"""Bans as failures: who is banned by other jails again and again is banned for long.

A jail with ``backend = ledger`` counts bans of this server as they are decided,
where Fail2Ban's recidive reads them out of its own log. Counted is what such a
log would show: bans that begin, by failures, by hand or of networks, but none
that is put back after a restart, none of the jail itself, and no identifier.
"""

from banish.model.ban import Ban
from banish.model.decision import Decision, StartBan
from banish.model.failure import Evidence, Failure, KnownDetails

LEDGER = "ledger"
"""What evidence names in place of a log's path, and the backend's name."""


def failure_of(decision: Decision, jail: str) -> Failure | None:
    """Return *decision* as the failure that *jail* counts, or None where it counts none."""
    if isinstance(decision, StartBan) and not decision.restored:
        return failure_of_ban(decision.ban, jail)
    return None


def failure_of_ban(ban: Ban, jail: str) -> Failure | None:
    """Return *ban* as the failure that *jail* counts, or None where it counts none."""
    if ban.jail == jail or not ban.subject.is_enforceable:
        return None
    line = Evidence(f"[{ban.jail}] Ban {ban.subject}", LEDGER, at=ban.since)
    return Failure(jail, ban.subject, ban.since, details=KnownDetails((line,)))
