"""Looks for failregexes that match lines and name nobody in them.

A regex needs a place for an address, but only one of its alternatives may have it:
``^<HOST> .* 404|401$`` matches every line that ends in 401, and counts it against nobody.
A line that shows it is written from the regex itself (`shapes`) and read by the filter.
"""

from typing import NamedTuple

from banish.detect.regextree import Atomic, Choice, Group, Node, Repeat, Sequence, When
from banish.detect.vetting.frame import tree_of
from banish.detect.vetting.reading import Reader
from banish.detect.vetting.writing import ADDRESS_GROUPS, plain_text, shapes
from banish.model.settings import FilterSettings, Place

SHAPES_TRIED = 64
"""Most lines written for one regex."""


class NobodyFinding(NamedTuple):
    """A failregex that matches a line and names nobody, with the line."""

    rule: int
    """The failregex, counted from 1."""
    place: Place | None
    regex: str
    line: str
    """A line that it matches, the time left out."""


def vet_subjects(settings: FilterSettings) -> list[NobodyFinding]:
    """Return the failregexes of *settings* that match lines and name nobody, each once.

    Rules of sessions are left out: another line of the session names whom it is about.

    Raises:
        ConfigError: A regex is wrong.

    """
    reader = Reader(settings)
    found: list[NobodyFinding] = []
    for number, rule in enumerate(reader.rules, 1):
        tree = tree_of(reader, rule, reader.prefregex)
        if _always_names(tree):
            continue
        for shape in shapes(tree, is_full=False, limit=SHAPES_TRIED):
            if any(piece.kind == "address" for piece in shape):
                continue
            line = plain_text(shape)
            report = reader.reports(line)[-1]
            if report.rule == number and report.state == "unusable" and not report.host:
                regex = settings.failregex[number - 1]
                found.append(NobodyFinding(number, regex.place, regex.text, line))
                break
    return found


def _always_names(node: Node) -> bool:
    """Whether every way through *node* leads through a place that names somebody."""
    match node:
        case Group(name=name, body=body):
            return name in ADDRESS_GROUPS or name == "mlfid" or _always_names(body)
        case Sequence(items):
            return any(map(_always_names, items))
        case Choice(_, branches):
            return all(map(_always_names, branches))
        case Repeat(least=least, body=body):
            return least > 0 and _always_names(body)
        case Atomic(body):
            return _always_names(body)
        case When(_, yes, no):
            return _always_names(yes) and _always_names(no)
        case _:
            return False
