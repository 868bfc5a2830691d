r"""Looks for text by which an attacker makes an ignoreregex ignore his failure.

For each failregex, lines are written as a service writes them (`frame`). Into each
of their gaps goes text that an ignoreregex looks for, behind text of the attacker's own:
``/cgi-bin/x/favicon.ico`` where ``favicon\.ico`` is ignored. A line that fails without
that text and is ignored with it is the proof, and there is no finding without one.

An ignoreregex that ignores a whole field, ``"GET /favicon\.ico HTTP``, is no finding:
whoever asks for just that is meant to be ignored. So the text never stands alone in a gap.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from banish.detect.pattern import Pattern
from banish.detect.regextree import read
from banish.detect.vetting.frame import Frame, Gap, could_be, frame, has_address, opened, slots
from banish.detect.vetting.reading import Reader
from banish.detect.vetting.writing import Shape, plain_text, shapes
from banish.model.settings import FilterSettings, Place

LINES_LIMIT = 20_000
"""Most lines tried with one ignoreregex; most do not even match it, and cost a microsecond."""

TEXT_LIMIT_CHARACTERS = 200

OWN = "x"
"""Stands for what the attacker really wants."""


class IgnoreFinding(NamedTuple):
    """An ignoreregex that an attacker can trip, with the proof."""

    rule: int
    """The ignoreregex, counted from 1."""
    place: Place | None
    regex: str
    line: str
    """A failure that is ignored, the time left out."""
    attack: str
    """The part of the line that the attacker wrote."""
    gap: str
    """Where he wrote, as in `InjectionFinding`."""


def vet_ignoring(settings: FilterSettings) -> list[IgnoreFinding]:
    """Return the ignoreregexes of *settings* that an attacker can trip, each once.

    Raises:
        ConfigError: A regex is wrong.

    """
    if not settings.ignoreregex:
        return []
    reader = Reader(settings)
    numbers = [n for n in range(1, len(reader.rules) + 1) if has_address(reader, n)]
    frames = [made for number in numbers if (made := frame(reader, number)) is not None]
    findings = []
    for number, pattern in enumerate(reader.ignores, 1):
        found = _tripped(reader, frames, number, pattern)
        if found is not None:
            findings.append(found)
    return findings


def _tripped(
    reader: Reader, frames: list[Frame], number: int, pattern: Pattern
) -> IgnoreFinding | None:
    written = [(made, slot) for made in frames for slot in slots(made.plain) + slots(made.full)]
    tried = (
        (made, slot, attack)
        for core in _cores(reader, pattern)
        for made, slot in written
        for attack in _attacks(core, slot.after)
    )
    for made, slot, attack in islice(tried, LINES_LIMIT):
        line = f"{slot.before}{attack}{slot.after}"
        if pattern.search(line + "\n") is None or not _could_hold(reader, made, slot, line):
            continue
        plain = f"{slot.before}{OWN}{slot.after}"
        is_failure = reader.reports(plain)[-1].state == "failure"
        if is_failure and reader.reports(line)[-1].ignore_rule == number:
            regex = reader.settings.ignoreregex[number - 1]
            return IgnoreFinding(number, regex.place, regex.text, line, attack, slot.gap)
    return None


def _could_hold(reader: Reader, made: Frame, slot: Gap, line: str) -> bool:
    """Whether the failregex takes *line* too, so that it fails if nothing ignores it."""
    return could_be(reader, made, line) or (slot.gap == "name" and bool(reader.captured(line)[0]))


def _cores(reader: Reader, pattern: Pattern) -> list[str]:
    """Return texts that *pattern* looks for, the shortest first."""
    tree = opened(read(pattern.expanded, reader.flags))
    found: dict[str, None] = {}
    for is_full in (False, True):
        for shape in shapes(tree, is_full=is_full):
            found.update(dict.fromkeys(_parts(shape)))
    return sorted((core for core in found if core.strip()), key=len)


def _attacks(core: str, after: str) -> Iterator[str]:
    """Yield *core* behind text of the attacker's own, alone, or with more of it behind.

    What *after* begins with is the service's, and need not be written twice.
    """
    yield f"{OWN}{core}"
    yield f"{OWN}{core}{OWN}"
    yield f"{OWN} {core} {OWN}"
    for cut in range(1, len(core)):
        if after.startswith(core[cut:]):
            yield f"{OWN}{core[:cut]}"


def _parts(shape: Shape) -> Iterator[str]:
    """Yield *shape* as a text, and what of it stands between its gaps, however many."""
    kinds = [piece.kind for piece in shape]
    edges = [at for at, kind in enumerate(kinds) if kind not in ("text", "address")]
    for begin in (0, *(at + 1 for at in edges)):
        for end in (*(at for at in edges if at > begin), len(shape)):
            text = plain_text(shape[begin:end])
            if text and len(text) <= TEXT_LIMIT_CHARACTERS and "\n" not in text:
                yield text
