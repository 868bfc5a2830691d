r"""Makes one regular expression of the two or three that a line is searched with.

The long way searches the date, cuts it out, searches the prefregex in what is left,
takes its ``content``, and searches the failregex in that: three matches and four
texts. Mostly each of these texts is a rest of the line, so that one regex can go
through the line from its beginning to its end.

What one step has found stays found: the next must make do with it, or the line does
not match. A look-ahead is never tried a second way, so each step but the last is one,
followed by the text that it took: ``(?=(DATE))\1``. (Atomic groups would do the same,
but Python 3.11.0 to 3.11.4 lose captures in them.)
"""

import re
import warnings
from dataclasses import dataclass
from typing import NamedTuple

from banish.detect.fusible import Clock, date_body, front_and_content, later_body
from banish.detect.pattern import Pattern, Search
from banish.detect.template import Template

_FRONT = "_front"
_NEVER = "_never"
_CONTENT = "content"
_DATE = 1


class Dated(NamedTuple):
    """Times that end with minutes and seconds, as `DateFinder.clock` tells."""

    width: int
    """How many characters they take."""
    clock: Clock


@dataclass(frozen=True, slots=True)
class Fused:
    r"""One search for date, prefregex and one failregex.

    If a line begins with a ``\w`` character and the date format finds its date at the
    line's very beginning, `match` of the line with its ``\n`` matches exactly where the
    prefregex and then the failregex do, step by step, and all groups hold the same. Of
    any other line `match` gives None, whatever the steps would find. Made without a
    format, it matches any line where they do in all of it. The line itself must have
    no ``\n`` in it.
    """

    match: Search
    date: int
    """The group that holds the date's text; `never` without one."""
    front: int
    """The group that ends where the failregex begins; 0: that is where the text begins."""
    never: int
    """A group that holds nothing at any time."""
    dates: dict[str, int]
    """The named groups of the date format."""
    groups: dict[str, int]
    """The named groups of prefregex and failregex, but for ``content``."""


def fuse(date: Template | Dated | None, prefregex: Pattern | None, rule: Pattern) -> Fused | None:
    """Return one search for *date*, *prefregex* and *rule*, or None.

    With a `Dated` it is one for lines that are known to begin with such a time, without
    any for lines whose times the source knows. None: it cannot be proved that it finds
    the same, or one of them does not search as it was compiled, being in quarantine.
    """
    try:
        return _fuse(date, prefregex, rule)
    except (re.error, RecursionError, OverflowError):
        return None


def _fuse(
    template: Template | Dated | None, prefregex: Pattern | None, rule: Pattern
) -> Fused | None:
    if template is None and prefregex is None:
        return _alone(rule)
    parts = [_compiled(pattern) for pattern in (prefregex, rule) if pattern is not None]
    dates: dict[str, int] = {}
    text = "()"
    if isinstance(template, Dated):
        text = _dated(*template)
    elif template is not None:
        date = date_body(template.regex) if template.is_fixed else None
        if date is None:
            return None
        dates = dict(template.compile().groupindex)
        text = rf"(?=\w)(?={date.scoped})\{_DATE}"
    names = [_FRONT, _NEVER, *dates]
    for number, part in enumerate(parts, 1):
        body = later_body(part.pattern) if part is not None else None
        if part is None or body is None:
            return None
        names += part.groupindex
        if number == len(parts):
            text += body.scoped
        elif _CONTENT not in part.groupindex:
            text += f"(?={body.scoped})"
        elif (halves := front_and_content(body)) is not None:
            front, content = halves
            text += f"(?{body.flags}:(?=(?P<{_FRONT}>{front})(?:{content})$))(?P={_FRONT})"
        else:
            return None
    if len(set(names)) < len(names):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fused = re.compile(f"{text}(?P<{_NEVER}>x){{0}}")
    at = dict(fused.groupindex)
    never, front_at = at.pop(_NEVER), at.pop(_FRONT, _DATE)
    groups = {name: group for name, group in at.items() if name not in dates}
    return Fused(fused.match, _DATE, front_at, never, dates, groups)


def _alone(rule: Pattern) -> Fused | None:
    """Return the search for *rule* and nothing else, with a group that holds nothing."""
    compiled = _compiled(rule)
    if compiled is None or _NEVER in compiled.groupindex:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fused = re.compile(f"{compiled.pattern}(?P<{_NEVER}>x){{0}}", compiled.flags)
    groups = dict(fused.groupindex)
    never = groups.pop(_NEVER)
    return Fused(fused.match, never, 0, never, {}, groups)


def _dated(width: int, clock: Clock) -> str:
    """Return the regex of the first *width* characters, which must be all of the time."""
    more = f"(?{clock.flags}:{clock.after})(?<!\\A.{{{width}}}){clock.end}"
    return rf"(?=\w)(.{{{width}}})(?!{more})" + clock.end


def _compiled(pattern: Pattern) -> re.Pattern[str] | None:
    """Return how *pattern* was compiled, if it searches at the beginning of a line only."""
    compiled = getattr(pattern.search, "__self__", None)
    if not isinstance(compiled, re.Pattern) or pattern.search != compiled.match:
        return None
    return None if compiled.flags & (re.MULTILINE | re.DOTALL) else compiled
