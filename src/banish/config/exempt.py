"""Reads who is exempt in a jail: ``ignoreip``, ``guard``, ``ignorecommand`` and ``ignorecache``."""

import errno
import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from banish.config.problem import FaultError, Problems, did_you_mean, shown
from banish.config.reading import OptionReader
from banish.config.scripts import check_script
from banish.config.text import Text
from banish.config.values import to_duration
from banish.model.address import parse_address
from banish.model.duration import parse_duration
from banish.model.instant import Seconds
from banish.model.settings import GUARD_CHOICES, CacheRule, GuardSettings, JailSettings, Place
from banish.policy.addresslist import looks_numeric, parse_list
from banish.shell.script import ignore_script

ADDRESS_FILE_CHECK_BYTES = 1_048_576
"""How much of a list of exempt addresses is looked at for mistakes; the server reads all."""

WIDEST = {4: 8, 6: 19}
"""The widest network that an ``ignoreip`` may name without a warning. No network is allotted
wider than 2001:db8::/19 would be; 10.0.0.0/8 and fc00::/7 are private, and never reported."""

GLOBAL6 = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses of the internet (RFC 4291, 2.5.4)."""

UNKNOWN_TAGS = frozenset(
    {
        "ipmatches", "ipjailmatches", "ipfailures", "ipjailfailures", "raw-ticket", "jail.banned",
        "jail.banned_total", "jail.found", "jail.found_total",
    }
)  # fmt: skip
"""Tags that Fail2Ban has a value for and we have none before a ban: they are empty."""

MOST_ANSWERS = 1_000_000
"""Most answers that ``ignorecache`` may ask for: some 200 MB."""

_DNS_NAME = re.compile(
    r"(?=.{1,253}\.?$)[A-Za-z0-9_]([\w-]{0,62})(\.[A-Za-z0-9_][\w-]{0,62})*\.?", re.ASCII
)

_CACHE_PART = re.compile(r"\s*([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^,\"'][^,]*|))\s*(?:,|$)")


def to_ignoreip(text: Text, problems: Problems) -> tuple[str, ...]:
    """Return the entries of an ``ignoreip``, each once, in order; lists in files as ``file:/path``.

    A list that cannot be read stays among them: the server reads it when it is there.
    """
    found: dict[str, None] = {}
    comment: Place | None = None
    for word, place in text.words():
        if word.startswith(("#", ";")) and place != comment:
            comment = place
            what = (
                f"{shown(word)} does not start a comment inside a value: names after it "
                "exempt nobody"
            )
            cure = "write the comment on a line of its own; addresses after it count"
            problems.warn(what, place, option="ignoreip", cure=cure)
        elif place == comment and parse_address(word) is None:
            continue
        elif word.startswith("file:"):
            if _check_list(word[5:], place, problems):
                found.setdefault(word)
        else:
            _take_entry(word, place, found, problems)
    return tuple(found)


def _take_entry(word: str, place: Place, found: dict[str, None], problems: Problems) -> None:
    networks = _range(word)
    if networks:
        what = f"{shown(word)} is read as {len(networks)} networks"
        problems.warn(what, place, option="ignoreip", cure=f"write {' '.join(networks)}"[:200])
        found.update(dict.fromkeys(networks))
        return
    if parse_address(word) is None and (looks_numeric(word) or not _DNS_NAME.fullmatch(word)):
        _warn_entry(word, place, problems)
        return
    found.setdefault(word)


def _range(word: str) -> list[str]:
    """Return the networks that make up *word*, a range such as ``192.0.2.1-192.0.2.9``.

    There are at most 254. Fail2Ban takes a range for a DNS name.
    """
    first, dash, last = word.partition("-")
    if dash and last.isdigit():
        last = f"{first.rpartition('.')[0]}.{last}"  # 192.0.2.1-9
    try:
        begin, end = ipaddress.ip_address(first), ipaddress.ip_address(last)
        return [str(network) for network in ipaddress.summarize_address_range(begin, end)]
    except (TypeError, ValueError):  # no addresses, of two families, or the wrong way round
        return []


def _warn_entry(word: str, place: Place, problems: Problems) -> None:
    what = f"{shown(word)} is neither an address nor a network nor a DNS name: exempts nobody"
    cure = "write 192.0.2.1, 192.0.2.0/24, 2001:db8::/32 or host.example.org"
    problems.warn(what, place, option="ignoreip", cure=cure)


def _check_list(path: str, place: Place, problems: Problems) -> bool:
    """Tell what is wrong with the list in *path*; return whether the path can be one at all."""
    if not path.startswith("/") or "\0" in path:
        what = f"{shown(path)} does not begin with /, so nobody in it is exempt"
        cure = "write the whole path, such as file:/etc/banish/exempt.list"
        problems.warn(what, place, option="ignoreip", cure=cure)
        return False
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise OSError(errno.EINVAL, "it is not a regular file")
        with Path(path).open("rb") as file:
            head = file.read(ADDRESS_FILE_CHECK_BYTES + 1)
    except OSError as error:
        what = f"{path} cannot be read, so nobody in it is exempt: {error.strerror}"
        problems.warn(what, place, option="ignoreip", cure="correct the path, or create the file")
        return True
    if len(head) > ADDRESS_FILE_CHECK_BYTES:
        head = head[: head.rfind(b"\n") + 1]
    for fault in parse_list(head.decode("utf-8", "replace"))[1]:
        _warn_entry(fault.entry, Place(path, fault.line), problems)
    return True


def check_ignoreip(problems: Problems, jails: Iterable[JailSettings]) -> None:
    """Tell of an ``ignoreip`` by which nobody, or hardly anybody, can be banned."""
    for jail in jails:
        place = jail.places.get("ignoreip")
        networks = [network for entry in jail.ignoreip if (network := _network(entry)) is not None]
        for version, whole in ((4, ipaddress.ip_network("0.0.0.0/0")), (6, GLOBAL6)):
            held = [network for network in networks if network.version == version]
            merged = list(ipaddress.collapse_addresses(held))  # type: ignore[type-var]
            if any(whole.subnet_of(network) for network in merged):  # type: ignore[arg-type]
                what = f"exempts every IPv{version} address, so that none is ever banned"
                cure = "name only those who must never be banned"
                problems.error(what, place, option="ignoreip", cure=cure)
                continue
            for network in held:
                if network.prefixlen < WIDEST[version] and not network.is_private:
                    what = f"{network} exempts {network.num_addresses:,} addresses"
                    cure = "name only those who must never be banned"
                    problems.warn(what, place, option="ignoreip", cure=cure)


def _network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    subject = parse_address(entry)
    return None if subject is None else subject.network()


def read_guard(reading: OptionReader) -> GuardSettings:
    """Return the jail's ``guard`` options."""
    nobody: tuple[str, ...] = ()
    return GuardSettings(
        reading.get("guard", _guard, nobody),
        reading.get("guard.time", _span, Seconds(0)),
        reading.get("guard.groups", _words, nobody),
    )


def _guard(text: Text) -> tuple[str, ...]:
    words = _words(text)
    if words in (("none",), ("off",)):
        return ()
    for word in words:
        if word not in GUARD_CHOICES:
            cure = (
                did_you_mean(word, GUARD_CHOICES)
                or f"write some of {', '.join(GUARD_CHOICES)}, or none"
            )
            # Better too many are exempt than the administrator is locked out.
            everybody = (tuple(GUARD_CHOICES), " ".join(GUARD_CHOICES))
            what = f"{shown(word)} is not a choice of guard"
            raise FaultError(what, text.place, cure, instead=everybody)
    return words


def _span(text: Text) -> Seconds:
    return Seconds(max(0.0, to_duration(text)))


def _words(text: Text) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text.text.replace(",", " ").split()))


def to_ignorecommand(text: Text, problems: Problems) -> str:
    """Return the command; warn of parts that will not work as they look."""
    command = text.text.strip()
    script = ignore_script(command)
    for tag in dict.fromkeys(slot.tag for slot in script.slots):
        if tag in UNKNOWN_TAGS:
            what = f"<{tag}> has no value here and is empty"
            problems.warn(what, text.place, option="ignorecommand", cure="use <ip> or <F-NAME>")
    effect = "; for such a value the command is not run, and nobody is exempt by it"
    check_script("ignorecommand", text, script, problems, effect=effect)
    return command


def to_ignorecache(text: Text) -> CacheRule | None:
    """Return the rule, written as Fail2Ban does: ``key="<ip>", max-count=100, max-time=5m``.

    All three parts may be left out. None where it is blank: no answer is remembered.

    Raises:
        FaultError: It is written otherwise.

    """
    try:
        return _cache_rule(text.text.strip())
    except ValueError as error:
        what, _, cure = str(error).partition("; ")
        raise FaultError(what, text.place, cure) from error


def _cache_rule(text: str) -> CacheRule | None:
    if not text:
        return None
    text = text.removeprefix("[").removesuffix("]")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        part = _CACHE_PART.match(text, at)
        if part is None or part[1] not in ("key", "max-count", "max-time"):
            raise ValueError(
                f'"{text[at:].strip()[:40]}" is not understood;'
                ' write key="<ip>", max-count=100, max-time=5m'
            )
        found[part[1]] = next(value for value in part.groups()[1:] if value is not None).strip()
        at = part.end()
    most = found.get("max-count", "100")
    if not re.fullmatch("[0-9]{1,7}", most) or not 1 <= int(most) <= MOST_ANSWERS:
        raise ValueError(
            f'max-count: "{most}" is no number from 1 to {MOST_ANSWERS}; write max-count=100'
        )
    span = parse_duration(found.get("max-time", "5m"))
    if span <= 0:
        raise ValueError("max-time must be longer than nothing; write max-time=5m")
    return CacheRule(found.get("key", "<ip>"), int(most), span)
