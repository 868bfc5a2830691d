"""Reads options that only jails have: how long bans last, and by what a log is watched."""

import re

import msgspec

from banish.config.arguments import parse_spec
from banish.config.problem import FaultError, did_you_mean, shown
from banish.config.text import Text
from banish.config.values import to_duration, to_number
from banish.model.duration import format_duration
from banish.model.instant import Seconds
from banish.model.option import Option

_ENDLESS = frozenset({"permanent", "forever", "for ever", "infinite", "unlimited", "endless"})
"""What people write for a ban without end, and Fail2Ban takes for an error."""

BACKENDS = ("auto", "pyinotify", "polling", "systemd", "ledger")


def to_backend(text: Text) -> str:
    """Return the backend, its options included."""
    name, _ = parse_spec(text)
    if name.lower() == "gamin":  # dropped by Fail2Ban 1.0; its users mean "as files change"
        return "auto"
    if name.lower() not in BACKENDS:
        cure = did_you_mean(name, BACKENDS) or f"write one of: {', '.join(BACKENDS)}"
        raise FaultError(f"{shown(name)} is no backend", text.place, cure)
    return re.sub(r"^\w+", name.lower(), text.text.strip())


def to_bantime(text: Text) -> Seconds | None:
    """Return how long a ban lasts; None: without end."""
    cure = "write -1 for a ban without end, or a length of time such as 10m"
    endless = (None, "-1 (without end)")
    if text.text.strip().lower() in _ENDLESS:
        raise FaultError(f"{shown(text.text)} is not a duration", text.place, cure, instead=endless)
    try:
        span = to_duration(text)
    except FaultError as fault:
        if fault.instead is not None:
            fault.instead = endless
        raise
    if span > 0:
        return span
    if span >= 0:
        raise FaultError("a ban of 0 seconds bans nobody", text.place, cure)
    if text.text.strip() != "-1":
        what = f"{shown(text.text.strip())} is below zero"
        cure = f"write -1 for a ban without end, or {format_duration(-span)} for one that ends"
        raise FaultError(what, text.place, cure, instead=endless)
    return None


def to_maxtime(text: Text) -> Seconds | None:
    """Return how long a ban lasts at most; None: there is no bound."""
    span = to_duration(text)
    if span <= 0 and text.text.strip() not in ("0", "-1"):
        what, cure = f"{shown(text.text.strip())} is not a duration", "write one, such as 4w"
        raise FaultError(what, text.place, cure, instead=(None, "no bound"))
    return span if span > 0 else None


def to_rndtime(text: Text) -> Seconds:
    """Return how much a ban is longer by chance, at most."""
    span = to_duration(text)
    if span < 0 and text.text.strip() != "-1":
        what = f"{shown(text.text.strip())} is below zero"
        raise FaultError(what, text.place, "write 8m, or 0", instead=(Seconds(0), "0"))
    return Seconds(max(0.0, span))


def to_matches(text: Text, option: Option) -> int:
    """Return how many lines to keep; past the bound, the bound.

    It follows ``maxretry`` where nothing else is said, and a jail that allows
    thousands of failures must not stand still for want of evidence.
    """
    return min(to_number(text, msgspec.structs.replace(option, most=10**15)), option.most)
