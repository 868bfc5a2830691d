"""Says why a subject cannot be banned by hand, and the cure."""

from banish.errors import RequestError
from banish.model.address import Subject, SubjectKind
from banish.model.instant import Seconds
from banish.policy.exempt import ExemptList
from banish.policy.reserved import reserved


def require_bannable(
    subject: Subject, lasts: Seconds | None, exempt: ExemptList, jail: str
) -> None:
    """Refuse a ban of *subject* for so long by *jail*, if it must not be.

    Raises:
        RequestError: The subject is exempt, is a name or no peer's address, or *lasts* is zero.

    """
    where = f"jail {jail}"
    if subject.kind is SubjectKind.NAME:
        raise RequestError(
            f"{subject} is a name, and only addresses can be banned",
            where=where,
            cure="give its addresses",
        )
    no_peer = reserved(subject)
    if no_peer is not None:
        raise RequestError(
            f"{subject} cannot be banned: {no_peer}, and no attacker has such an address",
            where=where,
            cure="give the address from which the attacker connects",
        )
    always = exempt.exempts(subject)
    if always is not None:
        raise RequestError(
            f"{subject} must not be banned: {always}",
            where=where,
            cure="take it out of ignoreip (or set ignoreself = false): banish reload",
        )
    for_now = exempt.exempts_for_now(subject)
    if for_now is not None:
        raise RequestError(
            f"{subject} must not be banned: {for_now}",
            where=where,
            cure="end that login and wait for guard.time; or set guard = none: banish reload",
        )
    if lasts is not None and not lasts:
        raise RequestError(
            f"a ban of {subject} for 0 seconds bans nobody",
            where=where,
            cure="give a time, or -1 for a ban without end",
        )
