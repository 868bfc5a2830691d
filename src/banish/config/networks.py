"""Reads what an address is counted and banned as, and tells of settings that ban too many."""

import re
from collections.abc import Iterable, Mapping

from banish.config.options import JAIL_OPTIONS
from banish.config.problem import FaultError, shown
from banish.config.reading import OptionReader
from banish.config.text import Text
from banish.config.values import to_duration, to_number, to_span
from banish.model.instant import Seconds
from banish.model.settings import ActionSettings, Networks
from banish.policy.networks import WIDTH
from banish.policy.prefix import WIDEST

USUAL = {4: 24, 6: 48}
"""What one customer of a provider has at most, as a rule; what is wider is warned of."""

LEVELS_LIMIT = 4
"""Networks of so many lengths may be banned around one address, by family."""

NOBODY = ("none", "off")
"""Written for no length at all."""

_SETS = re.compile(r"\b(ipset|nft)\b")
"""Programs whose sets, as actions make them, take single addresses only."""


def read_networks(reading: OptionReader, actions: Iterable[ActionSettings]) -> Networks:
    """Return the jail's ``banprefix`` and ``netban`` options; warn of dangerous values."""
    prefixes = {
        4: _prefix(reading, 4),
        6: _prefix(reading, 6),
    }
    after = reading.get("netban.after", _after, 0)
    levels = {family: _levels(reading, family, prefixes[family]) for family in WIDTH}
    settings = Networks(
        prefixes[4],
        prefixes[6],
        after,
        levels[4],
        levels[6],
        reading.get("netban.findtime", to_span, Seconds(86_400)),
        reading.get("netban.bantime", _bantime, Seconds(0)),
    )
    for family, prefix in prefixes.items():
        _warn_wide(reading, f"banprefix.ipv{family}", family, prefix, "the failures of one of them")
    if after:
        _warn_netban(reading, settings, levels)
    if after or any(prefixes[family] < WIDTH[family] for family in WIDTH):
        _warn_actions(reading, actions)
    return settings


def _prefix(reading: OptionReader, family: int) -> int:
    option = JAIL_OPTIONS[f"banprefix.ipv{family}"]

    def convert(text: Text) -> int:
        return _length(text.text.strip(), text, family, WIDTH[family])

    return reading.get(option.name, convert, int(option.default))


def _levels(reading: OptionReader, family: int, prefix: int) -> tuple[int, ...]:
    """Return the lengths that can be banned, longest first, all shorter than *prefix*."""
    option = JAIL_OPTIONS[f"netban.ipv{family}"]

    def convert(text: Text) -> tuple[int, ...]:
        if text.text.strip().lower() in NOBODY:
            return ()
        found = {_length(word, text, family, WIDTH[family] - 1) for word, _ in text.words()}
        if len(found) > LEVELS_LIMIT:
            cure = f"name {LEVELS_LIMIT} at most"
            raise FaultError(f"{len(found)} lengths are too many", text.place, cure)
        for length in sorted(found, reverse=True):
            if length >= prefix:
                raise FaultError(
                    f"/{length} is no wider than what an address counts as, /{prefix}", text.place,
                    f"write a number below banprefix.ipv{family}, or none",
                )  # fmt: skip
        return tuple(sorted(found, reverse=True))

    usual = tuple(length for length in (int(option.default),) if length < prefix)
    return reading.get(option.name, convert, usual)


def _length(word: str, text: Text, family: int, longest: int) -> int:
    cap = WIDEST[family]
    digits = word.removeprefix("/")
    if not re.fullmatch(r"[0-9]{1,3}", digits):
        cure = f"write a prefix length, such as {JAIL_OPTIONS[f'netban.ipv{family}'].default}"
        raise FaultError(f"{shown(word)} is not a prefix length", text.place, cure)
    length = int(digits)
    if length < cap:
        what = f"/{length} is wider than banish ever bans by itself, /{cap}"
        raise FaultError(what, text.place, f"write a number from {cap} to {longest}")
    if length > longest:
        what = f"/{length} is no network of IPv{family}"
        raise FaultError(what, text.place, f"write a number from {cap} to {longest}")
    return length


def _after(text: Text) -> int:
    number = to_number(text, JAIL_OPTIONS["netban.after"])
    if number == 1:
        cure = "write 2 or more, or set banprefix instead to ban the network for one address"
        raise FaultError(
            "netban.after = 1 would ban a network for a single address", text.place, cure
        )
    return number


def _bantime(text: Text) -> Seconds:
    span = to_duration(text)
    if not span:
        cure = "write a length such as 1h, or leave it out to ban as long as bantime says"
        raise FaultError("a ban of 0 seconds bans nobody", text.place, cure)
    return span if span > 0 else Seconds(-1)


def _warn_netban(
    reading: OptionReader, settings: Networks, levels: Mapping[int, tuple[int, ...]]
) -> None:
    if settings.after < 3:
        what = f"{settings.after} banned members are few: neighbours in a network seldom attack"
        _warn(reading, "netban.after", f"{what} together, but often share it", "write 5, say")
    if settings.bantime < 0:
        what = "networks are banned without end, though addresses change hands"
        _warn(reading, "netban.bantime", what, "write a length such as 1w")
    for family, found in levels.items():
        for length in found:
            cause = f"{settings.after} banned members"
            _warn_wide(reading, f"netban.ipv{family}", family, length, cause)


def _warn_wide(reading: OptionReader, option: str, family: int, length: int, cause: str) -> None:
    if length >= USUAL[family]:
        return
    bits = WIDTH[family] - length
    many = f"{1 << bits:,} addresses" if family == 4 else f"{1 << (64 - length):,} networks of /64"
    cure = f"write {USUAL[family]} or more, and name in ignoreip who must never be locked out"
    _warn(reading, option, f"/{length} bans {many} for {cause}", cure)


def _warn_actions(reading: OptionReader, actions: Iterable[ActionSettings]) -> None:
    for action in actions:
        found = _SETS.search(action.command("actionban"))
        if action.way != "commands" or not action.is_enforcing or found is None:
            continue
        if any("hash:net" in said or "interval" in said for said in action.properties.values()):
            continue  # that set is of networks
        what = f"action {action.actname} puts subjects into a set by {found[1]}, which takes no"
        cure = "set nativeactions = true, or banprefix.ipv6 = 128 and netban.after = 0"
        _warn(reading, "action", f"{what} network as a rule", cure)


def _warn(reading: OptionReader, option: str, what: str, cure: str) -> None:
    """Warn without naming the jail: a value in ``[DEFAULT]`` is reported once for all of them."""
    place = reading.places.get(option)
    reading.problems.warn(what, place, option=option, cure=cure)
