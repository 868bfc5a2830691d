"""Notices that a prefregex has left out the true address together with the front of a line.

``[^:]+:`` before ``<F-CONTENT>`` is meant for a place in a program. In ``Host 192.0.2.1 failed for
'x: Host 203.0.113.66 failed for y'`` it takes all up to the name, and the failregexes see what
the client wrote. The front is the service's own: so if the line, cut off behind an address of its
front, is read as a failure of that address, then that is the true one.
"""

import re

from banish.detect.pattern import Pattern, Search
from banish.detect.quarantine import interruptible
from banish.detect.readings import addresses_in, word_ends
from banish.detect.regextree import Group, Node, Repeat, characters, inside, mask_of, read

CUTS_LIMIT = 16
"""So many words behind an address of the front the line is cut off, at most."""

_TEXT = mask_of(" .0123456789")
_LEAST = 12


def swallows(prefregex: Pattern | None) -> bool:
    """Whether the front that *prefregex* leaves out may hold an address with text around it."""
    if prefregex is None or "content" not in prefregex.names:
        return False
    return _has_gap(read(prefregex.expanded, prefregex.flags))


def _has_gap(node: Node) -> bool:
    if isinstance(node, Group) and node.name == "content":
        return False
    if isinstance(node, Repeat) and node.most >= _LEAST and characters(node.body) & _TEXT == _TEXT:
        return True
    return any(map(_has_gap, inside(node)))


@interruptible("failregex")
def swallowed(prefregex: Pattern, before: re.Match[str], searches: list[Search]) -> str:
    """Return the address that *prefregex* has left out, if a failregex would take it, else ``""``.

    *before* is what it has found; *searches* are those of the failregexes.
    """
    text = before.string
    number, end = 0, before.start("content")
    for begin, behind, address in addresses_in(text, end):
        for at in word_ends(text, behind, end)[:CUTS_LIMIT]:
            again = prefregex.search(text[:at] + "\n")
            if again is None or not again["content"] or again.start("content") > begin:
                continue
            content = again["content"] + "\n"
            for number, search in enumerate(searches, 1):  # noqa: B007 - read by `interruptible`
                found = search(content)
                if found is not None:
                    named = found.groupdict()
                    if text[begin:behind] in (named.get("ip4"), named.get("ip6")):
                        return address
                    break
    return ""
