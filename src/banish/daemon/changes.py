"""Compares two configurations: what a running server has to change to follow the new one.

Values in, values out: `plan` decides, `banish.daemon.changer` carries out. Each jail
stands for itself. A jail that the new configuration spoils keeps its old settings, and
says why; all the others follow. Where an option stands does not matter, only what it is.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from banish.model.duration import format_duration
from banish.model.instant import Seconds
from banish.model.settings import (
    ActionSettings,
    ControlAccess,
    FilterSettings,
    JailSettings,
    LogPath,
    Problem,
    Regex,
    ServerSettings,
    Settings,
)

Area = Literal["judging", "exempting", "reading", "acting", "enforcing"]
"""What a change of an option concerns: the counts, who is never banned, the logs and the filter,
the actions, or the firewall."""

AREAS: Mapping[str, Area] = {
    "filter": "reading",
    "logpaths": "reading",
    "backend": "reading",
    "uses_journal": "reading",
    "journal": "reading",
    "maxretry": "judging",
    "findtime": "judging",
    "bantime": "judging",
    "maxmatches": "judging",
    "escalation": "judging",
    "networks": "judging",
    "budget": "judging",
    "ignoreip": "exempting",
    "ignoreself": "exempting",
    "ignorecommand": "exempting",
    "ignorecache": "exempting",
    "guard": "exempting",
    "actions": "acting",
    "enforcement": "enforcing",
    "cutconnections": "enforcing",
}
"""Every field of `JailSettings` that changes what a jail does, and what it concerns."""

LIVE_SERVER_OPTIONS = frozenset(
    {
        "loglevel",
        "logtarget",
        "logformat",
        "dbpurgeage",
        "keepbans",
        "linetime",
        "access",
        "fail2banversion",
    }
)
"""Options of the server that a running server follows; the others wait for its next start."""

TEXT_LIMIT = 200
"""Characters of a value that are shown."""


class OptionChange(msgspec.Struct, frozen=True):
    """One option before and after, as an operator would write it."""

    option: str
    before: str
    after: str


class JailChange(msgspec.Struct, frozen=True):
    """What becomes of one jail."""

    jail: str
    before: JailSettings | None
    """None: the jail is new."""
    after: JailSettings | None
    """None: the jail ends."""
    areas: frozenset[Area] = frozenset()
    options: tuple[OptionChange, ...] = ()


class ChangePlan(msgspec.Struct, frozen=True):
    """What has to change, and what the server runs by then."""

    settings: Settings
    """The new configuration, with the old settings of the jails that it spoils."""
    jails: tuple[JailChange, ...] = ()
    """The jails that start, end or change, in the order of the new configuration."""
    kept: tuple[str, ...] = ()
    """Jails that go on with their old settings, since the new ones have an error."""
    unchanged: tuple[str, ...] = ()
    server: tuple[OptionChange, ...] = ()
    """Options of the server that are followed at once."""
    later: tuple[OptionChange, ...] = ()
    """Options of the server that take effect at its next start."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do now."""
        return not self.jails and not self.server


def plan(
    old: Settings, new: Settings, *, only: str | None = None, also: Iterable[str] = ()
) -> ChangePlan:
    """Return what leads from *old* to *new*.

    Args:
        old: What the server runs.
        new: What the files say now.
        only: The one jail that is to follow; None: all, and the server's own options.
        also: Jails that are to be made anew even if none of their options changed.

    """
    before = {jail.name: jail for jail in old.jails}
    after = {jail.name: jail for jail in new.jails}
    if only is not None:
        others = {name: jail for name, jail in before.items() if name != only}
        order = [*before, *(name for name in after if name == only and name not in before)]
        chosen = {**others, **({only: after[only]} if only in after else {})}
        after = {name: chosen[name] for name in order if name in chosen}
    spoilt = _spoilt(new.problems)
    kept = [name for name in before if name not in after and name in spoilt]
    after |= {name: before[name] for name in kept}
    anew = frozenset(also)
    changes = [
        change
        for name in dict.fromkeys((*after, *before))
        if (change := _change(name, before.get(name), after.get(name), anew)) is not None
    ]
    changed = {change.jail for change in changes}
    server, later = ((), ()) if only is not None else _server_changes(old.server, new.server)
    followed = {name: getattr(new.server, name) for name in LIVE_SERVER_OPTIONS}
    settings = msgspec.structs.replace(
        new,
        jails=tuple(after.values()),
        server=old.server if only else msgspec.structs.replace(old.server, **followed),
    )
    return ChangePlan(
        settings=settings,
        jails=tuple(changes),
        kept=tuple(kept),
        unchanged=tuple(name for name in after if name not in changed and name not in kept),
        server=server,
        later=later,
    )


def _spoilt(problems: Iterable[Problem]) -> frozenset[str]:
    return frozenset(each.jail for each in problems if each.stops and each.jail)


def _change(
    name: str, before: JailSettings | None, after: JailSettings | None, anew: frozenset[str]
) -> JailChange | None:
    if before is None or after is None:
        return JailChange(name, before, after, frozenset(AREAS.values()))
    if name in anew:
        return JailChange(name, before, after, frozenset(AREAS.values()), _options(before, after))
    bare_before, bare_after = without_places(before), without_places(after)
    areas = frozenset(
        area
        for field, area in AREAS.items()
        if getattr(bare_before, field) != getattr(bare_after, field)
    )
    return JailChange(name, before, after, areas, _options(before, after)) if areas else None


def _options(before: JailSettings, after: JailSettings) -> tuple[OptionChange, ...]:
    old, new = written(before), written(after)
    return tuple(
        OptionChange(option, old.get(option, ""), new.get(option, ""))
        for option in dict.fromkeys((*old, *new))
        if old.get(option, "") != new.get(option, "")
    )


def _server_changes(
    old: ServerSettings, new: ServerSettings
) -> tuple[tuple[OptionChange, ...], tuple[OptionChange, ...]]:
    hidden = ("places", "takeover_dbfile", "access")
    changes = [
        OptionChange(field, _text(getattr(old, field)), _text(getattr(new, field)))
        for field in ServerSettings.__struct_fields__
        if field not in hidden and getattr(old, field) != getattr(new, field)
    ]
    live = [change for change in changes if change.option in LIVE_SERVER_OPTIONS]
    for role in ControlAccess.__struct_fields__:
        before, after = (" ".join(getattr(each.access, role)) for each in (old, new))
        if before != after:
            live.append(OptionChange(f"control.{role}", before, after))
    return tuple(live), tuple(change for change in changes if change not in live)


def without_places(jail: JailSettings) -> JailSettings:
    """Return *jail* without the places in files that its options come from."""
    return msgspec.structs.replace(
        jail,
        places={},
        filter=_filter_without_places(jail.filter),
        logpaths=tuple(LogPath(path.pattern, path.tail) for path in jail.logpaths),
        actions=tuple(map(_action_without_place, jail.actions)),
    )


def _filter_without_places(settings: FilterSettings) -> FilterSettings:
    return msgspec.structs.replace(
        settings,
        failregex=tuple(Regex(regex.text) for regex in settings.failregex),
        ignoreregex=tuple(Regex(regex.text) for regex in settings.ignoreregex),
        prefregex=Regex(settings.prefregex.text) if settings.prefregex else None,
        datepattern=Regex(settings.datepattern.text) if settings.datepattern else None,
    )


def _action_without_place(action: ActionSettings) -> ActionSettings:
    return msgspec.structs.replace(action, place=None)


def written(jail: JailSettings) -> Mapping[str, str]:
    """Return the options of *jail* as an operator would write them, each at most one long line."""
    found = {option: _text(value(jail)) for option, value in _VALUES.items()}
    return {option: text for option, text in found.items() if text}


_VALUES: Mapping[str, Callable[[JailSettings], object]] = {
    "filter": lambda jail: jail.filter.name,
    "failregex": lambda jail: [regex.text for regex in jail.filter.failregex],
    "ignoreregex": lambda jail: [regex.text for regex in jail.filter.ignoreregex],
    "prefregex": lambda jail: jail.filter.prefregex and jail.filter.prefregex.text,
    "datepattern": lambda jail: jail.filter.datepattern and jail.filter.datepattern.text,
    "maxlines": lambda jail: jail.filter.maxlines,
    "journalmatch": lambda jail: [" ".join(match) for match in jail.filter.journalmatch],
    "usedns": lambda jail: jail.filter.usedns,
    "logtimezone": lambda jail: jail.filter.logtimezone,
    "logencoding": lambda jail: jail.filter.logencoding,
    "ambiguous": lambda jail: jail.filter.ambiguous,
    "countrepeated": lambda jail: jail.filter.countrepeated,
    "logpath": lambda jail: [
        f"{path.pattern} tail" if path.tail else path.pattern for path in jail.logpaths
    ],
    "backend": lambda jail: (
        jail.backend
        if jail.uses_journal == jail.backend.startswith("systemd")
        else f"{jail.backend} (the journal)"
    ),
    "maxretry": lambda jail: jail.maxretry,
    "findtime": lambda jail: format_duration(jail.findtime),
    "bantime": lambda jail: _duration(jail.bantime),
    "maxmatches": lambda jail: jail.maxmatches,
    "bantime.increment": lambda jail: jail.escalation.increment,
    "bantime.factor": lambda jail: jail.escalation.factor,
    "bantime.formula": lambda jail: jail.escalation.formula,
    "bantime.multipliers": lambda jail: " ".join(f"{n:g}" for n in jail.escalation.multipliers),
    "bantime.maxtime": lambda jail: _optional(jail.escalation.maxtime),
    "bantime.rndtime": lambda jail: _optional(jail.escalation.rndtime),
    "bantime.overalljails": lambda jail: jail.escalation.overalljails,
    "banprefix.ipv4": lambda jail: jail.networks.prefix4,
    "banprefix.ipv6": lambda jail: jail.networks.prefix6,
    "netban.after": lambda jail: jail.networks.after,
    "netban.ipv4": lambda jail: " ".join(map(str, jail.networks.levels4)),
    "netban.ipv6": lambda jail: " ".join(map(str, jail.networks.levels6)),
    "netban.findtime": lambda jail: format_duration(jail.networks.findtime),
    "netban.bantime": lambda jail: _optional(jail.networks.bantime),
    "ignoreip": lambda jail: " ".join(jail.ignoreip),
    "ignoreself": lambda jail: jail.ignoreself,
    "ignorecommand": lambda jail: jail.ignorecommand,
    "ignorecache": lambda jail: (
        f'key="{rule.key}", max-count={rule.most}, max-time={format_duration(rule.span)}'
        if (rule := jail.ignorecache) is not None
        else ""
    ),
    "guard": lambda jail: " ".join(jail.guard.exempts),
    "guard.time": lambda jail: _optional(jail.guard.time),
    "guard.groups": lambda jail: " ".join(jail.guard.groups),
    "banbudget": lambda jail: (
        f"{jail.budget.most}/{format_duration(jail.budget.span)}" if jail.budget.most else ""
    ),
    "banbudget.pause": lambda jail: _optional(jail.budget.pause),
    "action": lambda jail: [_action_text(action) for action in jail.actions],
    "ports": lambda jail: (
        "" if jail.enforcement is None else ",".join(map(str, jail.enforcement.ports)) or "all"
    ),
    "protocol": lambda jail: (
        "" if jail.enforcement is None else ",".join(jail.enforcement.protocols) or "all"
    ),
    "blocktype": lambda jail: "" if jail.enforcement is None else jail.enforcement.blocktype,
    "cutconnections": lambda jail: jail.cutconnections,
}


def _action_text(action: ActionSettings) -> str:
    arguments = ", ".join(f"{name}={value}" for name, value in action.arguments.items())
    return f"{action.name}[{arguments}]" if arguments else action.name


def _duration(span: Seconds | None) -> str:
    return "-1" if span is None or span < 0 else format_duration(span)


def _optional(span: Seconds | None) -> str:
    return _duration(span) if span else ""


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return "\n".join(map(str, value))
        case _:
            return str(value)


def shown(text: str) -> str:
    """Return *text* in one line of bounded length, for a screen."""
    line = " | ".join(text.splitlines())
    return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 3] + "..."
