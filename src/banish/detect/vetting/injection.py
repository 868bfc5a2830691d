r"""Looks for lines in which an attacker's text, not the service, names who is banned.

For each failregex, lines are written that a service could write by the shape of
the regex itself: the true address where the regex has it, text of an attacker's
in one of the gaps. If the regex, as the matcher applies it, then takes the
attacker's address, that line is the proof, and the only way to a finding: what
cannot be shown is not reported. Gaps are believed to hold what the regex lets them
hold and nothing else (so ``"[^"]*"`` is safe), except for user names, which hold
anything but the bracket or quote that closes them: ``\S+`` does not keep a
client from sending blanks. Which gaps attackers reach is not known here; each
counts. docs/filter-safety.md says what follows from that.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from banish.detect.vetting import forgery
from banish.detect.vetting.frame import Frame, Gap, could_be, frame, has_address, slots
from banish.detect.vetting.reading import Reader
from banish.model.settings import FilterSettings, Place

LINES_LIMIT = 600
"""Most lines tried on one regex with its own forgeries, and as many with those of others."""

FOREIGN_LIMIT = 40
"""Most forgeries of other rules of the filter that a rule is tried on."""

_CLOSING = "\"'>)]}"


class InjectionFinding(NamedTuple):
    """A regex that an attacker can make name an address of his choice, with the proof."""

    rule: int
    """The failregex that took the attacker's address, counted from 1."""
    place: Place | None
    regex: str
    line: str
    """What a service would write, the time left out."""
    attack: str
    """The part of the line that the attacker wrote."""
    true: str
    captured: str
    written_by: int
    """The failregex whose shape the line has; another one if an earlier rule stole the line."""
    gap: str
    """Where the attacker wrote: ``before`` or ``after`` the address, in a user ``name``,
    in front of a regex that does not begin with ``^`` (``start``) or behind one that does not
    end with ``$`` (``end``)."""

    @property
    def what(self) -> str:
        """What is wrong, in one sentence."""
        return f"an attacker who writes {_GAPS[self.gap]} chooses who is banned"

    @property
    def cure(self) -> str:
        """What to do about it."""
        return _CURES["other" if self.rule != self.written_by else self.gap]


_GAPS = {
    "before": "the text before the address",
    "after": "the text after the address",
    "name": "the user name",
    "start": "the text before its match",
    "end": "the text after its match",
}
_CURES = {
    "before": (
        "match the text before the address greedily, or so that it cannot contain an "
        "address with what follows it; match everything after the address, and end with $"
    ),
    "after": (
        "write the part before the address so that it cannot contain an address with "
        "what follows it; then the address can be in one place only"
    ),
    "name": (
        "allow the name in only one place, match everything after the address without .* "
        "or another gap, and end with $"
    ),
    "start": "begin with ^ and match everything before the address",
    "end": "match everything after the address, and end with $",
    "other": (
        "write this regex so that it cannot match the lines of the others: spell out "
        "the text between the start and the name, or match everything up to the end and end with $"
    ),
}


class Vetting(NamedTuple):
    """What came of looking for injections into one filter."""

    findings: list[InjectionFinding]
    """One for each failregex that can be turned, in their order."""
    unvetted: tuple[int, ...]
    """Failregexes that have an address, but for which no line could be written."""


def vet_injection(settings: FilterSettings) -> list[InjectionFinding]:
    """Return the failregexes of *settings* that an attacker can turn on others, each once.

    Raises:
        ConfigError: A regex is wrong.

    """
    return examine_injection(settings).findings


def examine_injection(settings: FilterSettings) -> Vetting:
    """Return what `vet_injection` does, and of which failregexes nothing can be said.

    Regexes without an address cannot be turned, and are neither.

    Raises:
        ConfigError: A regex is wrong.

    """
    reader = Reader(settings)
    numbers = [n for n in range(1, len(reader.rules) + 1) if has_address(reader, n)]
    made = {number: frame(reader, number) for number in numbers}
    frames = [each for each in made.values() if each is not None]
    own = {each.rule: _texts(each) for each in frames}
    found: dict[int, InjectionFinding] = {}
    for each in frames:
        _try(reader, each, forgery.dressed(own[each.rule]), found)
    for each in frames:
        _try(reader, each, forgery.dressed(forgery.known(each.forged)), found)
    for each in frames:
        others = [text for rule in own if rule != each.rule for text in own[rule][:3]]
        foreign = list(dict.fromkeys(others))[:FOREIGN_LIMIT]
        _try(reader, each, [f"x{text}" for text in foreign], found)
    unvetted = tuple(number for number in numbers if made[number] is None)
    return Vetting([found[rule] for rule in sorted(found)], unvetted)


def _texts(made: Frame) -> list[str]:
    found: dict[str, None] = {}
    for shape in made.full + made.plain:
        found.update(dict.fromkeys(forgery.texts(shape, made.true, made.forged)))
    return sorted(found, key=len)


def _try(
    reader: Reader, made: Frame, attacks: list[str], found: dict[int, InjectionFinding]
) -> None:
    """Put *attacks* into every gap of the rule's full lines; put what is proven into *found*."""
    plain = slots(made.plain)
    attacked = _attacked(slots(made.full), attacks)
    for gap, line, attack in islice(attacked, LINES_LIMIT):
        rule = _taken_by(reader, made, gap, line)
        if rule == 0 or rule in found:
            continue
        plainest = min(
            (
                other
                for other_gap, other, _ in _attacked(plain, [attack])
                if other_gap == gap and _taken_by(reader, made, gap, other) == rule
            ),
            key=len,
            default=line,
        )
        regex = reader.settings.failregex[rule - 1]
        captured = reader.captured(plainest)[1]
        found[rule] = InjectionFinding(
            rule, regex.place, regex.text, plainest, attack, made.true, captured, made.rule, gap
        )
        if rule == made.rule:
            return


def _attacked(gaps: list[Gap], attacks: list[str]) -> Iterator[tuple[str, str, str]]:
    """Give each gap filled with each attack: which gap, the line, the attack."""
    for attack in attacks:
        for gap, before, after in gaps:
            closing = after[:1] if gap == "name" else ""
            if not closing or closing not in _CLOSING or closing not in attack:
                yield gap, f"{before}{attack}{after}", attack


def _taken_by(reader: Reader, made: Frame, gap: str, line: str) -> int:
    """Return the rule that takes the attacker's address out of *line*; 0 for none."""
    if gap != "name" and not could_be(reader, made, line):
        return 0
    rule, captured = reader.captured(line)
    if made.forged not in captured or made.true in captured:
        return 0
    return rule if reader.counts_against(line, made.forged, made.true) else 0
