"""``status`` and ``stats``: how the jails are, in the shapes that tools take apart.

Names, order and nesting are what programs read: a list of pairs, of which the second may be
such a list again. Counts are read, never counted: ``status`` costs the same with a million
bans. Only the list of bans that ``status JAIL`` ends with grows with them.
"""

from banish.control.fail2ban.answers import Value
from banish.control.fail2ban.bans import subjects_of
from banish.control.fail2ban.known import KnownJails

ALL = "--all"
_CYMRU = ("Banned ASN list", "Banned Country list", "Banned RIR list")


async def status(jails: KnownJails, args: list[str]) -> Value:
    """Return how the server, a jail, or every jail is."""
    if not args:
        return _overview(jails)
    name, flavor = args[0], args[1].lower() if len(args) > 1 else "basic"
    if name != ALL:
        return await _status_of(jails, name, flavor)
    if flavor == "stats":
        return await stats(jails, [])
    every = {each: await _status_of(jails, each, flavor) for each in sorted(jails.all())}
    return [*_overview(jails), every]


async def stats(jails: KnownJails, _args: list[str]) -> Value:
    """Return backend and counts of every jail."""
    return {name: _stats_of(jails, name) for name in sorted(jails.all())}


def _overview(jails: KnownJails) -> list[Value]:
    names = sorted(jails.all())
    return [("Number of jail", len(names)), ("Jail list", ", ".join(names))]


def _stats_of(jails: KnownJails, name: str) -> Value:
    settings, counts = jails.get(name), jails.counts(name)
    backend = "systemd" if settings.uses_journal else settings.backend.partition("[")[0]
    return [
        "pyinotify" if backend == "auto" else backend,
        (counts.failed, counts.failed_total),
        (counts.banned, counts.banned_total),
    ]


async def _status_of(jails: KnownJails, name: str, flavor: str) -> Value:
    settings = jails.get(name)
    if flavor == "stats":
        return _stats_of(jails, name)
    counts = jails.counts(name)
    if settings.uses_journal:
        matches = " + ".join(" ".join(match) for match in settings.filter.journalmatch)
        place: Value = ("Journal matches", [matches] if matches else [])
    else:
        place = ("File list", jails.files(name))
    actions: list[Value] = [
        ("Currently banned", counts.banned),
        ("Total banned", counts.banned_total),
    ]
    if flavor != "short":
        actions.append(("Banned IP list", await subjects_of(jails, name)))
    if flavor == "cymru":
        # What Fail2Ban answers without the package dnspython, which looks networks up.
        actions += [(title, ["error"]) for title in _CYMRU]
    failures = [
        ("Currently failed", counts.failed),
        ("Total failed", counts.failed_total),
        place,
    ]
    return [("Filter", failures), ("Actions", actions)]
