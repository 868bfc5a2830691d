"""What ``fail2ban-regex -o TOKEN`` prints of each failure.

A token is ``id`` or ``fid``, ``ip``, ``host``, ``msg`` (the lines), ``row`` (a
Python list), the name of a group, or a text with tags such as ``<ip> <F-USER>
<time>``. A tag that nobody knows stays as it is; a text that a log supplies is
never taken for a tag.
"""

import functools
import ipaddress
import re
import time
from collections.abc import Callable, Iterable

from banish.cli.fail2ban.regex_trial import MatchedFailure
from banish.detect.matcher import Matcher
from banish.model.address import parse_address

_CLOCK = re.compile(r"\d\d?:\d\d").search
_ZONE = re.compile(
    r"\d\d?:\d\d(?::\d\d(?:[.,]\d+)?)?\s*(?:Z|(?!AM\b|PM\b)[A-Z]{2,5}|[+-]\d\d(?::?\d\d)?)(?!\w)"
    r"|^\W*@[0-9a-fA-F]{24}"
).search
"""Finds in a time that it names its zone: behind the clock, or as TAI64N, which is UTC."""

_TAG = re.compile(r"<([^ <>]+)>")


def output_of(token: str, matcher: Matcher) -> Callable[[MatchedFailure], Iterable[str]]:
    """Return what turns a failure of *matcher* into the lines that *token* asks for."""
    match token:
        case "id" | "fid":
            return lambda found: [str(found.identity)]
        case "ip":
            return lambda found: [str(found.ip)]
        case "host":
            return lambda found: [found.report.host]
        case "msg":
            return lambda found: found.lines
        case "matches":
            return lambda found: [str(found.lines)]
        case "row":
            return lambda found: [_row(found, matcher)]
        case _ if "<" in token:
            return lambda found: _filled(token, found, matcher)
        case _:
            return lambda found: [_plain(found.report.tags.get(token))]


def _plain(value: str | tuple[str, ...] | None) -> str:
    return value if isinstance(value, str) else str(value)


def _row(found: MatchedFailure, matcher: Matcher) -> str:
    """Return the failure as Python writes it, groups that took no part included."""
    tags: dict[str, object] = {}
    patterns = (matcher.prefregex, matcher.rules[found.report.rule - 1])
    for pattern in patterns:
        if pattern is not None:
            names = re.findall(r"\(\?P<(\w+)>", pattern.expanded)
            hidden = {"content", "nofail", "mlfforget", "mlfgained"}
            tags.update((name, None) for name in names if name not in hidden)
    tags.update(
        (name if name != "port" else "fport", text) for name, text in found.report.tags.items()
    )
    if "users" in tags:
        tags["users"] = set(found.report.tags["users"])
    if found.ip != found.identity:
        tags["ip"] = found.ip
    return f"[{found.identity!r},\t{_seconds(found, matcher)!r},\t{tags!r}],"


def _seconds(found: MatchedFailure, matcher: Matcher) -> float | None:
    """Return the failure's time; fractions are cut off, as Fail2Ban reads no part of a second.

    It is an integer where Fail2Ban's is one (strptime.py, 1.1.1): where the line or the jail
    names the zone. Seconds of the epoch and times of the local zone have a ``.0``.
    """
    if found.at is None:
        return None
    date, whole = found.report.date, int(found.at)
    is_zoned = _ZONE(date) or (matcher.settings.logtimezone and _CLOCK(date))
    return whole if is_zoned else float(whole)


def _filled(text: str, found: MatchedFailure, matcher: Matcher) -> Iterable[str]:
    """Return *text* with its tags put in; with ``<msg>`` in it, once for each line."""
    lines = found.lines if "<msg>" in text else ("",)

    def put(tag: re.Match[str], line: str) -> str:
        value = line if tag[1] == "msg" else _value(tag[1], found, matcher)
        return tag[0] if value is None else value

    return [_TAG.sub(functools.partial(put, line=line), text) for line in lines]


def _value(tag: str, found: MatchedFailure, matcher: Matcher) -> str | None:
    """Return the value of *tag*, or None if there is no such tag."""
    ip = found.ip or ""
    match tag:
        case "ip" | "host":
            return ip if tag == "ip" else found.report.host
        case "fid" | "id":
            return str(found.identity)
        case "time":
            return str(_seconds(found, matcher) or float(int(time.time())))
        case "family":
            address = parse_address(ip)
            return f"inet{address.family}" if address and address.family == 4 else "inet6"
        case "ip-rev":
            return _reversed(ip)
        case "matches":
            return "\n".join(found.lines)
        case "failures":
            return str(found.report.attempts)
        case "bancount" | "restored":
            return "0"
        case "br":
            return "\n"
        case "sp":
            return " "
        case _ if tag.startswith("F-"):
            value = found.report.tags.get(tag[2:].lower(), "")
            return value if isinstance(value, str) else str(value)
        case _:
            return None


def _reversed(ip: str) -> str:
    """Return an address as DNS blocklists are asked for it."""
    try:
        pointer = ipaddress.ip_address(ip).reverse_pointer
    except ValueError:
        return ""
    return re.sub(r"(in-addr|ip6)\.arpa$", "", pointer)
