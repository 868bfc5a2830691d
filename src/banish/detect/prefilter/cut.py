r"""Says what may be cut out of a line, and where the cut may touch a word.

The matcher cuts the time out before a rule searches, so a rule may match
across the place where it stood. Most formats are bound to words: the time
begins and ends with a letter or a digit, and neither of its neighbours is one.
So a cut lies between two characters that are no parts of words, or at the
line's beginning or end, and `expression` lets anything stand between two such
characters only.

A format that may touch a word (it begins with a space, or with ``[``) brings an
expression of its own, a *guard*: a line in which it does touch one is looked
at whatever else it holds.
"""

from collections.abc import Sequence
from typing import NamedTuple

from banish.detect.prefilter.expression import WORD, nearest, within_line
from banish.detect.prefilter.outline import (
    ASCII,
    EMPTY,
    FIRST_GROUP,
    NEWLINE,
    OTHERS,
    WORDS,
    Outline,
    Set,
    Unsupported,
    firsts,
    is_nullable,
    lasts,
    restricted,
    seq,
    shortest,
    sketch,
    split,
)
from banish.detect.template import Template

WORD_BOUND_BEGIN = r"(?=^|\b|\W)"
WORD_BOUND_END = r"(?=\b|\W|$)"
LINE_BOUND = r"^(?:\W{0,2})?("
EPOCH_BOUND = r"((?:^|(?P<square>(?<=^\[))|(?P<audit>(?<=\baudit\()))"
"""What `banish.detect.datepattern` puts around a format."""

ENOUGH_CHARACTERS = 8
"""So much of a time, with the word it touches, is rare enough."""

NEAR_A_BRACKET = 2
"""Of a time in brackets the bracket and the word are, and the automaton is far quicker."""

_BRACKETS = sum(1 << ord(character) for character in "[]()<>")

LEAST_CHARACTERS = 6
"""A time that may touch words must be at least so long, with the word: else it stands in
nearly every line."""

_PART = Set(WORD, WORDS)
"""A part of a word."""

_NO_PART = Set(ASCII & ~WORD & ~NEWLINE, OTHERS)
"""No part of a word."""


class Cuts(NamedTuple):
    """What the formats of one jail may cut out."""

    inside: bool
    """Whether anything but a line's beginning is ever cut."""
    guards: tuple[Outline, ...]
    """Over bytes: where a time touches a word."""


def cuts(templates: Sequence[Template]) -> Cuts:
    """Return what *templates* may cut out of a line.

    Raises:
        Unsupported: A format is not understood.

    """
    inside = False
    guards: dict[Outline, None] = {}
    for template in templates:
        drawn = sketch(template.regex)
        found = split(drawn.outline, FIRST_GROUP)
        if found is None or (drawn.is_anchored and found.before == EMPTY):
            continue
        inside = True
        regex = template.regex
        if regex.startswith("(?iu)"):
            regex = regex.removeprefix("(?iu)")
        edges: list[Outline | None] = []
        before = lasts(found.before)
        if regex.startswith(WORD_BOUND_BEGIN) and found.before == EMPTY:
            edges.append(_touching(restricted(found.inside, _NO_PART, 0), 0))
        elif not regex.startswith((LINE_BOUND, EPOCH_BOUND)) and (
            is_nullable(found.before) or before.ascii & WORD or before.beyond & WORDS
        ):
            edges.append(_touching(found.inside, 0))
        if regex.endswith(WORD_BOUND_END) and found.after == EMPTY:
            edges.append(_touching(restricted(found.inside, _NO_PART, -1), -1))
        else:
            edges.append(_touching(found.inside, -1))
        guards.update((edge, None) for edge in edges if edge is not None)
    return Cuts(inside, tuple(guards))


def _touching(time: Outline | None, side: int) -> Outline | None:
    """Return *time*, over bytes, with part of a word before it (*side* 0) or behind."""
    if time is None:
        return None
    both = [_PART, time] if side == 0 else [time, _PART]
    whole = within_line(seq(both), gaps=False, ends=False)
    if shortest(whole) < LEAST_CHARACTERS:
        raise Unsupported("its datepattern may cut anything out of a line")
    edge = firsts(time) if side == 0 else lasts(time)
    is_bracketed = not edge.beyond and not edge.ascii & ~_BRACKETS
    return nearest(whole, side, NEAR_A_BRACKET if is_bracketed else ENOUGH_CHARACTERS)
