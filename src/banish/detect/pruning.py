r"""Spares `re` ways through a regex that cannot lead anywhere.

A rule may choose between two readings and ask at its end which it was:
``(?:(?P<a>\S+)|[^:]+) from <HOST>(?(a): |$)``. Python's engine then walks the first
reading to its end, every way there is, before it sees that no ``: `` follows. Here
the group gets beforehand what its reading needs later on, ``(?P<a>(?=.*: )\S+)``.
A condition that is necessary takes nothing away: the same lines match, and
the same groups hold the same.
"""

import re
from collections.abc import Iterator

from banish.detect.regextree import (
    Chars,
    Choice,
    Group,
    Node,
    Sequence,
    When,
    inside,
    read,
)


def pruned(regex: str) -> str:
    """Return *regex*, which `re` takes, with such conditions added; for texts of one line only."""
    if "(?(" not in regex:
        return regex
    for name, literal in _needs(read(regex)):
        opening = f"(?P<{name}>"
        if regex.count(opening) == 1:  # else one of them is no group, but stands in a set
            regex = regex.replace(opening, f"{opening}(?=.*{re.escape(literal)})")
    return regex


def _needs(root: Node) -> Iterator[tuple[str, str]]:
    """Yield groups, and what must follow somewhere after the beginning of each."""
    items = tuple(_flat(root))
    for place, item in enumerate(items):
        if isinstance(item, When):
            literal = _literal(item.yes)
            for before in items[:place]:
                for group in _groups(before):
                    if literal and group.number == item.group and group.name:
                        yield group.name, literal


def _flat(node: Node) -> Iterator[Node]:
    """Yield what is taken one after the other, each once and always."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from _flat(item)
    else:
        yield node


def _groups(node: Node) -> Iterator[Group]:
    """Yield the groups in *node* that are entered once at most.

    Not those in an atomic group: stopped beforehand where it leads nowhere, that would take
    another way.
    """
    if isinstance(node, Group):
        yield node
    if isinstance(node, (Group, Choice, Sequence, When)):
        for child in inside(node):
            yield from _groups(child)


def _literal(node: Node) -> str:
    """Return the longest text that *node* takes whatever else it takes."""
    runs = [""]
    for item in _flat(node):
        if isinstance(item, Chars) and item.mask.bit_count() == 1 and item.text.isascii():
            runs[-1] += item.text
        else:
            runs.append("")
    return max(runs, key=len)
