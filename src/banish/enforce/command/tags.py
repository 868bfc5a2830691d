"""What the tags of a ban stand for: ``<ip>``, ``<failures>``, ``<matches>``, ``<F-USER>``, ...

Fail2Ban has them in ``Actions.ActionInfo`` (server/actions.py, 1.0.2). Two differ:
``<time>`` is in whole seconds always, and ``<ip-host>`` of an address without a
name is empty rather than ``None``.
"""

import ipaddress
from collections.abc import Iterable

from banish.model.address import Subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.ports import BanFacts
from banish.shell.fitting import FittedValue
from banish.shell.script import Values

FAMILIES = {4: "inet4", 6: "inet6", 0: ""}
"""How actions call the families of addresses."""

_MERGED = frozenset({"ipmatches", "ipfailures", "ipjailmatches", "ipjailfailures"})
_NAMES = ("fq-hostname", "sh-hostname")
_COUNTS = ("jail.banned", "jail.banned_total", "jail.found", "jail.found_total")
_CAPTURED_AS = {"port": "fport", "fport": "port"}
"""Captures that go by two names (``R_MAP`` in server/failregex.py)."""


async def values(
    wanted: Iterable[str],
    *,
    jail: str,
    family: str,
    now: Instant,
    facts: BanFacts,
    ban: Ban | None = None,
    restored: bool = False,
) -> Values:
    """Return a value for each of the tags *wanted*; without a *ban*, as at start and stop."""
    chosen = frozenset(wanted)
    found = {
        "family": _ours(family),
        "time": _ours(int(now if ban is None else ban.since)),
        "restored": _ours(int(restored)),
        "jail.name": FittedValue(jail),
    }
    if ban is None:
        found |= {tag: _ours(0) for tag in ("failures", "bancount")}
        found["bantime"] = _ours(-1)
    else:
        found |= _of_ban(ban)
        address = ban.address or ban.subject
        if "ip-host" in chosen and address.is_address:
            found["ip-host"] = FittedValue(await facts.host_of(address))
        if chosen & _MERGED:
            found |= await _merged(ban, facts)
    if not chosen.isdisjoint(_NAMES):
        names = map(FittedValue, await facts.names())
        found |= dict(zip(_NAMES, names, strict=True))
    if not chosen.isdisjoint(_COUNTS):
        found |= dict(zip(_COUNTS, map(_ours, facts.counts(jail)), strict=True))
    for tag in chosen:
        if tag.startswith("F-"):
            found[tag] = _captured(tag.removeprefix("F-"), ban)
    return {tag: found[tag] for tag in chosen if tag in found}


def _ours(value: object) -> FittedValue:
    return FittedValue(str(value), is_ours=True)


def _of_ban(ban: Ban) -> dict[str, FittedValue]:
    address = ban.address or ban.subject
    lasts = -1 if ban.until is None else int(ban.until - ban.since)
    matches = "\n".join(line.text for line in ban.evidence)
    return {
        "ip": FittedValue(address.text, is_ours=address.is_enforceable),
        "fid": FittedValue(ban.subject.text, is_ours=ban.subject.is_enforceable),
        "ip-rev": _ours(reverse(address)),
        "failures": _ours(ban.failures),
        "bantime": _ours(lasts),
        "bancount": _ours(ban.count),
        "matches": FittedValue(matches),
        "raw-ticket": FittedValue(
            f"jail={ban.jail} ip={address.text} time={int(ban.since)} bantime={lasts} "
            f"bancount={ban.count} failures={ban.failures} matches={matches!r}"
        ),
    }


def reverse(address: Subject) -> str:
    """Return *address* turned round as in DNS, a point at its end; empty if it is none.

    RFC 1035, 3.5 for IPv4 and RFC 3596, 2.5 for IPv6, without the zone.
    """
    if not address.is_enforceable:
        return ""
    first = ipaddress.ip_network(address.text).network_address
    return first.reverse_pointer.removesuffix("in-addr.arpa").removesuffix("ip6.arpa")


async def _merged(ban: Ban, facts: BanFacts) -> dict[str, FittedValue]:
    """Return the values that take in earlier bans of the same subject."""
    found: dict[str, FittedValue] = {}
    for prefix, jail in (("ip", None), ("ipjail", ban.jail)):
        bans = [
            past
            for past in await facts.past(ban.subject, jail)
            if (past.jail, past.since) != (ban.jail, ban.since)
        ]
        bans.append(ban)
        lines = dict.fromkeys(line.text for each in bans for line in each.evidence)
        found[f"{prefix}matches"] = FittedValue("\n".join(lines))
        found[f"{prefix}failures"] = _ours(sum(each.failures for each in bans))
    return found


def _captured(name: str, ban: Ban | None) -> FittedValue:
    if ban is None:
        return FittedValue("")
    option = name.lower()
    if option in ("id", "fid"):
        return FittedValue(ban.subject.text, is_ours=ban.subject.is_enforceable)
    tags = dict(ban.tags)
    return FittedValue(tags.get(option) or tags.get(_CAPTURED_AS.get(option, option)) or "")
