"""Looks for names that let their client off, and for addresses of which a regex takes a piece.

For each failregex that has a place for a user name (``<F-USER>``) the line that a service would
write is read with one name after the other. If a plain name counts and another one does not, a
client that calls itself so guesses on uncounted.
"""

from typing import NamedTuple

from banish.detect.cutting import is_loose
from banish.detect.matcher import Matcher
from banish.detect.report import LineReport
from banish.detect.session import Sessions
from banish.detect.vetting import forgery
from banish.detect.vetting.frame import Frame, frame, has_address, slots, written
from banish.detect.vetting.reading import Reader
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings, Place

_NOW = Instant(1_767_225_600)

NAMES = (
    "x y",
    "x from y",
    "x: y",
    "x, y",
    "x on",
    "x port",
    "x user",
    "-",
    "x" * 100,
    " x",
    "x;y=z",
    "x@y",
    "x\\y",
    "\u00e4",
)
"""Names that clients have called themselves, or would."""

_CLOSING = "\"'>)]}"


class Uncounted(NamedTuple):
    """A failregex that somebody gets past."""

    rule: int
    """The failregex, counted from 1."""
    place: Place | None
    what: str
    """What is wrong, in one sentence."""
    line: str
    """A line that shows it, the time left out."""
    cure: str


def vet_uncounted(settings: FilterSettings) -> list[Uncounted]:
    """Return the failregexes of *settings* that do not count a name, or take a piece of an address.

    Raises:
        ConfigError: A regex is wrong.

    """
    if settings.maxlines > 1:
        return []
    reader = Reader(settings)
    matcher = Matcher("vetting", settings, Seconds(600))
    found = []
    for number in range(1, len(reader.rules) + 1):
        if not has_address(reader, number):
            continue
        made = frame(reader, number)
        one = _name(matcher, reader, made) if made is not None else _piece(reader, number)
        if one is not None:
            found.append(one)
    return found


def _name(matcher: Matcher, reader: Reader, made: Frame) -> Uncounted | None:
    """Return what a name does to the rule of *made*, if one is not counted."""
    for shape in (*made.plain, *made.full):
        for gap, before, after in slots([shape]):
            plain = _trace(matcher, f"{before}root{after}")
            if gap != "name" or plain.state != "failure" or made.true not in plain.host:
                continue
            for name in NAMES:
                line = f"{before}{name}{after}"
                if name[-1] in _CLOSING or not _is_missed(matcher, line):
                    continue
                regex = reader.settings.failregex[made.rule - 1]
                what = f'a client that calls itself "{name[:20]}" is not counted'
                cure = "Let the place of the user name hold any text: <F-USER>.*</F-USER>."
                return Uncounted(made.rule, regex.place, what, line, cure)
    return None


def _is_missed(matcher: Matcher, line: str) -> bool:
    return _trace(matcher, line).state in ("missed", "unusable", "ignored")


def _trace(matcher: Matcher, line: str) -> LineReport:
    matcher.sessions = Sessions()
    return matcher.trace(line, _NOW, _NOW)


def _piece(reader: Reader, number: int) -> Uncounted | None:
    """Return a line of which failregex *number* takes a piece of the address, if it does."""
    if not is_loose(reader.rules[number - 1]):
        return None
    for line in written(reader, number):
        taken, captured = reader.captured(line)
        true = forgery.TRUE if forgery.TRUE in line else forgery.IN_V6[forgery.TRUE]
        if taken == number and captured and captured != true and captured in true:
            regex = reader.settings.failregex[number - 1]
            what = f"the regex takes {captured} out of {true}"
            cure = "Put a blank or other fixed text before <HOST>, and .*? for .* there."
            return Uncounted(number, regex.place, what, line, cure)
    return None
