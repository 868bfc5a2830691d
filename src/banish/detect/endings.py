r"""Leaves out lines that could only end a session, where none is open that they could end.

Most lines that end sessions are logins of people who made no mistake before, such as
``Accepted publickey ...`` for Fail2Ban's sshd filter. Nothing follows from such a line
unless its session is open; so if it is seen not to be, nothing is searched for in the line.

It is seen by *marks*: numbers in brackets, ``[612]``, as programs write the number of
their process into every line of a session. The key of a session stands in each of its
lines just as it was captured; so where every open session's key has a mark, a line
without any of these marks is of none of them. Only a time may have been cut out of the
line before, and never out of a mark: what stands on both sides of a time is no part of a
word, else all rules look at the line (docs/adr/0012-block-prefilter.md).
"""

import re
from collections.abc import Sequence

from banish.detect.matcher import Matcher
from banish.detect.prefilter.outline import Unsupported, is_nullable, sketch, split
from banish.detect.session import KEY_CHARACTERS, marks_of

FLAGS = ("mlfgained", "mlfforget")
"""Groups of a rule that, both captured, make a line end its session and be nothing else."""

LEAST_SHARE = 1 / 3
"""Among so many of a stretch lines that only end sessions are worth being left out: it takes
as long to look at the keys that the other lines begin as to search half a line."""

CHOICES = 4_096
"""Choices of rules for which it is remembered whether they end sessions only."""

_marks_in = re.compile(r"\[([0-9]+)\]").findall


def ending_rules(matcher: Matcher) -> frozenset[int]:
    """Return which failregexes of *matcher*, counted from 1, do nothing but end sessions.

    Whatever line they match, both `FLAGS` hold something.
    """
    if matcher.needs_every_line or matcher.ignores:
        return frozenset()
    return frozenset(
        number
        for number, rule in enumerate(matcher.rules, 1)
        if rule.is_plain and rule.names.issuperset(FLAGS) and _always_flags(rule.expanded)
    )


def _always_flags(regex: str) -> bool:
    try:
        outline = sketch(regex).outline
    except Unsupported:
        return False
    found = [split(outline, flag) for flag in FLAGS]
    return all(each and each.is_certain and not is_nullable(each.inside) for each in found)


class Endings:
    """Knows which lines can only end sessions of *matcher*, and whether that matters."""

    def __init__(self, matcher: Matcher) -> None:
        self._sessions = matcher.sessions
        self._rules = ending_rules(matcher)
        self._known: dict[tuple[int, ...] | None, bool] = {None: False}

    def among(self, rules: Sequence[tuple[int, ...] | None]) -> list[bool]:
        """Return which of lines only end sessions, by the *rules* that could match each.

        Nothing if too few of them do.
        """
        if not self._rules:
            return []
        known = self._known
        for each in set(rules).difference(known):
            if len(known) >= CHOICES:
                return []
            known[each] = self._rules.issuperset(each or ())
        ends = [known[each] for each in rules]
        return ends if sum(ends) >= max(1, LEAST_SHARE * len(ends)) else []

    def others(self, rules: Sequence[tuple[int, ...] | None]) -> Sequence[int]:
        """Return the places of those lines that do not only end sessions."""
        ends = self.among(rules)
        if not ends:
            return range(len(rules))
        return [place for place, is_end in enumerate(ends) if not is_end]

    def marks_of_idle(self, lines: Sequence[str]) -> set[str] | None:
        """Return the marks of *lines*, which only end sessions; None: one may be open."""
        known = self._sessions.marks()
        marks = set(_marks_in("".join(lines)))
        return None if known is None or not known.isdisjoint(marks) else marks


def is_any_begun(marks: set[str], keys: Sequence[str | None]) -> bool:
    """Whether a session with one of *keys* may be that of a line with one of *marks*."""
    begun = marks_of([key[:KEY_CHARACTERS] for key in keys if key is not None])
    return begun is None or not begun.isdisjoint(marks)
