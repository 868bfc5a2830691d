"""Reads ports and protocols as firewalls' command lines take them.

``ssh``, ``http,https``, ``1000:2000``, ``1000-2000``, ``{ 80, 443 }`` and
``0:65535`` for all. Names come from the host's ``/etc/services``; a few usual
ones are known even where that file is missing, as in small containers.
"""

import functools
import re
import socket

from banish.config.problem import Problems, did_you_mean, shown
from banish.config.text import Text
from banish.config.tidy import tidied
from banish.model.settings import PortRange

LAST_PORT = 65_535

_USUAL = {
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "domain": 53, "http": 80,
    "pop3": 110, "sftp": 115, "nntp": 119, "imap": 143, "imap2": 143, "snmp": 161, "ldap": 389,
    "https": 443, "smtps": 465, "submissions": 465, "submission": 587, "ldaps": 636,
    "ftps-data": 989, "ftps": 990, "imaps": 993, "pop3s": 995, "socks": 1080, "openvpn": 1194,
    "mysql": 3306, "rdp": 3389, "sieve": 4190, "sip": 5060, "sips": 5061, "postgresql": 5432,
}  # fmt: skip
"""Assigned by IANA (Service Name and Transport Protocol Port Number Registry)."""

_SEPARATORS = "{}, \t\n"

_SHOWN = 5
"""Words of one value that a message names."""

PROTOCOLS = ("tcp", "udp", "icmp", "sctp", "udplite", "dccp")


@functools.cache
def _by_name(name: str) -> int | None:
    for protocol in ("tcp", "udp", ""):
        try:
            return socket.getservbyname(name, protocol) if protocol else socket.getservbyname(name)
        except (OSError, ValueError):
            continue
    return _USUAL.get(name.lower())


def _one(word: str) -> int | None:
    if word.isascii() and word.isdigit():
        number = int(word[:6])
        return number if number <= LAST_PORT else None
    return _by_name(word) if word.isascii() else None


def _range(word: str) -> PortRange | None:
    known = _one(word)
    if known is not None:
        return PortRange(known, known)
    first, mark, last = word.partition(":") if ":" in word else word.partition("-")
    if not mark:
        return None
    low, high = _one(first or "0"), _one(last or str(LAST_PORT))
    if low is None or high is None or low > high:
        return None
    return PortRange(low, high)


def merge_ports(ports: list[PortRange]) -> tuple[PortRange, ...]:
    """Return *ports* sorted, with what overlaps or touches joined; empty if that is every port."""
    joined: list[PortRange] = []
    for port in sorted(ports):
        if joined and port.first <= joined[-1].last + 1:
            joined[-1] = PortRange(joined[-1].first, max(joined[-1].last, port.last))
        else:
            joined.append(port)
    if joined and joined[0].first <= 1 and joined[0].last == LAST_PORT:
        return ()
    return tuple(joined)


def parse_ports(text: Text, problems: Problems) -> tuple[PortRange, ...]:
    """Return the ports that *text* names, sorted and joined; empty means every port.

    What is not a port is reported to *problems* and left out. If nothing is left, every
    port is closed to a banned subject: better too much than nothing.
    """
    text = _without_comment(text, "port", problems)
    found: list[PortRange] = []
    bad: dict[str, None] = {}
    for word, _ in text.words(_SEPARATORS):
        if word.lower() in ("all", "any"):
            return ()
        port = _range(word)
        if port is not None:
            found.append(port)
        else:
            bad.setdefault(word)
    if bad:
        first, *others = bad
        cure = "" if others else did_you_mean(first, _USUAL)
        cure = cure or "write a number, a name of /etc/services, or 1000:2000"
        are = "are not ports, and are" if others else "is not a port, and is"
        what = f"{', '.join(map(shown, list(bad)[:_SHOWN]))} {are} ignored"
        if not found:
            what += "; no port is left, so bans close every port"
        problems.warn(what, text.place, option="port", cure=cure)
    return merge_ports(found)


def _without_comment(text: Text, option: str, problems: Problems) -> Text:
    """Return *text* without the comment behind it, which is reported."""
    plain = tidied(text)
    if plain is None or not any(word[0] in "#;\"'" for word, _ in text.words(_SEPARATORS)):
        return text
    what = f"{shown(text.text)} is read as {shown(plain.text)}"
    cure = f"write {plain.text}, and a comment on a line of its own"
    problems.warn(what, text.place, option=option, cure=cure)
    return plain


def parse_protocols(text: Text, problems: Problems) -> tuple[str, ...]:
    """Return the protocols that *text* names; empty means every protocol."""
    text = _without_comment(text, "protocol", problems)
    found: list[str] = []
    for word, place in text.words(_SEPARATORS):
        low = re.sub(r"^ipv6-icmp$|^icmpv6$", "icmp", word.lower())
        if low in ("all", "any", "ip"):
            return ()
        if low in PROTOCOLS:
            found.append(low)
            continue
        cure = did_you_mean(low, PROTOCOLS) or f"write one of: {', '.join(PROTOCOLS)}, all"
        what = f"{shown(word)} is not a protocol, and is ignored"
        problems.warn(what, place, option="protocol", cure=cure)
    return tuple(dict.fromkeys(found)) or ("tcp",)
