r"""Looks for failregexes that take a host's name although its address stands beside it.

``from <HOST> \(`` reads ``from unknown.example.org (192.0.2.1)`` as the name. Whoever owns
the address owns the name: looked up, it has no address, or somebody else's. The running
server takes the address beside it (`banish.detect.beside`), where the jail looks up names.
The proof is a line, written as the regex has it, of which the filter takes the name.
"""

import re
from typing import NamedTuple

import msgspec

from banish.detect.vetting.forgery import TRUE
from banish.detect.vetting.frame import frame, has_address
from banish.detect.vetting.reading import Reader
from banish.detect.vetting.writing import Shape, plain_text
from banish.model.settings import FilterSettings, Place

NAME = "unknown.example.org"
"""Stands for a host's name (RFC 2606)."""

_LIKELY = re.compile(r"<(?:HOST|(?:F-)?DNS/?)>.{0,16}?\\[\[(]").search
"""Finds a bracket soon behind a place that takes names; without one there is no need to try."""

_BRACKET = re.compile(r"(?P<open>\s?[\[(])(?P<inside>[^\[\]()]*)(?P<close>[\])])?").match


class NameFinding(NamedTuple):
    """A failregex that takes a name beside an address, with the line that shows it."""

    rule: int
    """The failregex, counted from 1."""
    place: Place | None
    regex: str
    line: str
    """What a service would write, the time left out."""
    instead: str
    """What to write for ``<HOST>`` and the bracket behind it."""


def vet_names(settings: FilterSettings) -> list[NameFinding]:
    """Return the failregexes of *settings* that take names beside addresses, each once.

    Raises:
        ConfigError: A regex is wrong.

    """
    # Where names are not looked up, no line with a name matches: the same fault, and cure.
    reader = Reader(msgspec.structs.replace(settings, usedns="warn"))
    found: list[NameFinding] = []
    for number in range(1, len(reader.rules) + 1):
        texts = (settings.failregex[number - 1], settings.prefregex)
        if not any(each and _LIKELY(each.text) for each in texts):
            continue
        if not has_address(reader, number) or (made := frame(reader, number)) is None:
            continue
        for shape in made.plain + made.full:
            proven = _proven(reader, number, shape)
            if proven is not None:
                regex = settings.failregex[number - 1]
                found.append(NameFinding(number, regex.place, regex.text, *proven))
                break
    return found


def _proven(reader: Reader, number: int, shape: Shape) -> tuple[str, str] | None:
    """Return a line in which a name is taken, and what to write for it; None: it is not."""
    place = next(at for at, piece in enumerate(shape) if piece.kind == "address")
    before, after = plain_text(shape[:place]), plain_text(shape[place + 1 :])
    bracket = _BRACKET(after)
    if bracket is None:
        return None
    opening = bracket["open"]
    closing = ")" if "(" in opening else "]"
    if bracket["close"] not in (None, closing):
        return None
    # Where the regex ends inside the bracket, the service closes it all the same.
    rest = after[bracket.end() :] if bracket["close"] else ""
    line = f"{before}{NAME}{opening}{TRUE}{closing}{rest}"
    report = reader.reports(line)[-1]
    if report.rule != number or NAME not in (report.host, report.tags.get("dns")):
        return None
    return line, rf"\S+{re.escape(opening)}<ADDR>{re.escape(closing)}".replace("\\ ", " ")
