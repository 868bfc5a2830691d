r"""Turns the tags of Fail2Ban's filter language into plain regular expressions.

An address is recognised loosely here, digits and colons that look like one;
whether it *is* one is decided afterwards by `banish.model.address`, so a rule
matches the same lines whatever the numbers say.

The names of the groups are part of the language (filters refer back to them):
``ip4``, ``ip6``, ``dns``, ``cidr``, ``fid``, ``fport``, and for ``<F-NAME>`` its
name in lower case. Meanings as in fail2ban/server/failregex.py, 1.1.1.
"""

import re

_HEX = "[0-9a-fA-F]{1,4}"
ADDRESS_GROUPS = {
    "ip4": r"(?P<ip4>\d{1,3}(?:\.\d{1,3}){3})",
    "ip6": rf"(?P<ip6>(?:{_HEX}::?|::){{1,7}}(?:{_HEX}|(?<=[0-9a-fA-F]::)))",
    "dns": r"(?P<dns>[\w\-.^_]*\w)",
}
"""The groups that hold an address or a host name, as they stand in an expanded regex."""

_IP4 = rf"(?:::[fF]{{4,6}}:)?{ADDRESS_GROUPS['ip4']}"
_IP6 = ADDRESS_GROUPS["ip6"]
_DNS = ADDRESS_GROUPS["dns"]
_CIDR = r"(?P<cidr>\d+)"
_ADDRESS = rf"\[?(?:{_IP4}|{_IP6})\]?"
_HOST = rf"(?:{_ADDRESS}|{_DNS})"

_FIXED = {
    "HOST": _HOST,
    "IP4": _IP4,
    "F-IP4/": _IP4,
    "IP6": _IP6,
    "F-IP6/": _IP6,
    "DNS": _DNS,
    "F-DNS/": _DNS,
    "ADDR": _ADDRESS,
    "F-ADDR/": _ADDRESS,
    "CIDR": _CIDR,
    "F-CIDR/": _CIDR,
    "SUBNET": rf"\[?(?:{_IP4}|{_IP6})(?:/{_CIDR})?\]?",
    "F-SUBNET/": rf"\[?(?:{_IP4}|{_IP6})(?:/{_CIDR})?\]?",
    "F-ID/": r"(?P<fid>\S+)",
    "F-PORT/": r"(?P<fport>\w+)",
}
_GROUP_NAMES = {"id": "fid", "port": "fport"}
_TAG = re.compile(r"<(/?[\w\-]+/?)>")
_NAMED = re.compile(r"(/?)F-([A-Z0-9_\-]+)")


def group_name(tag: str) -> str:
    """Return the group that ``<F-tag>`` fills: ``USER`` is ``user``, ``ID`` is ``fid``."""
    name = tag.lower().replace("-", "_")
    return _GROUP_NAMES.get(name, name)


def expand(regex: str, usedns: str = "warn") -> str:
    """Return *regex* with every tag of the engine replaced; other tags stay as they are.

    With *usedns* ``no``, ``<HOST>`` is an address only. A closing tag that none
    has opened is left as it is.
    """
    opened: set[str] = set()
    skips = 0

    def replace(found: re.Match[str]) -> str:
        nonlocal skips
        tag = found[1]
        if tag == "HOST" and usedns == "no":
            return _ADDRESS
        if tag == "SKIPLINES":
            skips += 1
            return rf"\n(?P<skiplines{skips - 1}>(?:(?:.*\n)*?))"
        if (fixed := _FIXED.get(tag)) is not None:
            return fixed
        if (named := _NAMED.fullmatch(tag)) is None:
            return found[0]
        closing, name = named.groups()
        if closing:
            return ")" if name in opened else found[0]
        opened.add(name)
        return f"(?P<{group_name(name)}>"

    return _TAG.sub(replace, regex)
