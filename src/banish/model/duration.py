"""Reads and writes lengths of time as people write them: ``1d 12h``, ``90 minutes``, ``-1``.

The grammar is Fail2Ban's (server/mytime.py, ``str2seconds``): numbers with or
without a unit, glued (``1d12h``) or apart; a blank between two terms adds;
``+ - * /`` and brackets work as in arithmetic. Fail2Ban gets there by handing
the text to ``eval``; here a small parser does, so text stays data. As there, a
unit multiplies what stands to its left, so ``1h/2m`` is ``1*3600/2*60``, and
numbers are written as Python writes them: ``1_000``, ``1e3``, ``60**2``, ``7//2``.

A month is a twelfth of a year and a year is 365.25 days.
"""

import difflib
import re

from banish.model.instant import Seconds

LONGEST = 100_000_000_000.0
"""Longest length of time that is taken, in seconds: more than 3,000 years.

Beyond it `datetime` cannot say when a ban ends (its last year is 9999).
"""

LONGEST_TEXT = 250
"""Longest text that is looked at, in characters; it also bounds the recursion."""

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, 86_400.0
_YEAR = 365.25 * _DAY

_UNITS: dict[str, float] = {
    word: seconds
    for words, seconds in (
        ("s ss se sec second seconds", 1.0),
        ("m mm mi min minute minutes", _MINUTE),
        ("h hh ho hou hour hours", _HOUR),
        ("d dd da day days", _DAY),
        ("w ww we wee week weeks", 7 * _DAY),
        ("mo mon month months", _YEAR / 12),
        ("y yy ye yea year years", _YEAR),
    )
    for word in words.split()
}

_SPOKEN = ("seconds", "minutes", "hours", "days", "weeks", "months", "years")

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?)"
    r"|(?P<unit>[^\W\d_]+)|(?P<sign>\*\*|//|[-+*/()]))"
)

_CURE = 'write a number and a unit, such as "10 minutes", "10m" or "1d 12h"'


class DurationError(ValueError):
    """A text is not a duration; *cure* says what to write instead."""

    def __init__(self, what: str, cure: str = _CURE, *, is_too_long: bool = False) -> None:
        self.what = what
        self.cure = cure
        self.is_too_long = is_too_long
        """Whether it is one, but longer than `LONGEST`."""
        super().__init__(f"{what}; {cure}")


class _Parser:
    """One text under reading: its tokens, and how far we are."""

    def __init__(self, text: str) -> None:
        self._text = text.strip()
        self._tokens: list[tuple[str, str]] = []
        at, end = 0, len(self._text)
        while at < end:
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise self._refuse(f"{self._text[at:].strip()[:1]!r} is not understood")
            assert match.lastgroup is not None
            self._tokens.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        self._at = 0

    def _refuse(self, why: str, cure: str = _CURE) -> DurationError:
        return DurationError(f'"{self._text}" is not a duration: {why}', cure)

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take_sign(self, *signs: str) -> str:
        kind, token = self._peek()
        if kind == "sign" and token in signs:
            self._at += 1
            return token
        return ""

    def parse(self) -> float:
        value = self._sum()
        if self._peek()[0] != "end":
            raise self._refuse(f'there is no "(" for ")" after {value:g}')
        return value

    def _sum(self) -> float:
        value = self._product()
        while True:
            kind, _ = self._peek()
            if kind == "number":
                value += self._product()
                continue
            sign = self._take_sign("+", "-")
            if sign == "+":
                value += self._product()
            elif sign == "-":
                value -= self._product()
            elif kind == "sign" and self._peek()[1] == "(":
                raise self._refuse('a sign is missing before "("')
            else:
                return value

    def _product(self) -> float:
        value = self._unit(self._factor())
        while sign := self._take_sign("*", "/", "//"):
            factor = self._factor()
            if sign == "*":
                value *= factor
            elif factor == 0:
                raise self._refuse("it divides by zero")
            else:
                value = value // factor if sign == "//" else value / factor
            value = self._unit(value)
        return value

    def _unit(self, value: float) -> float:
        kind, token = self._peek()
        if kind != "unit":
            return value
        seconds = _UNITS.get(token.lower())
        if seconds is None:
            near = difflib.get_close_matches(token.lower(), _SPOKEN, n=1)
            raise self._refuse(
                f'"{token}" is not a unit of time', f'did you mean "{near[0]}"?' if near else _CURE
            )
        self._at += 1
        return value * seconds

    def _factor(self) -> float:
        negative = False
        while sign := self._take_sign("+", "-"):
            negative ^= sign == "-"
        kind, token = self._peek()
        self._at += 1
        if kind == "number":
            value = float(token)  # underscores between digits included
        elif (kind, token) == ("sign", "("):
            value = self._sum()
            if not self._take_sign(")"):
                raise self._refuse('a ")" is missing')
        elif kind == "end":
            raise self._refuse("it ends too soon")
        else:
            raise self._refuse(f'a number is missing before "{token}"')
        value = self._power(value)
        return -value if negative else value

    def _power(self, value: float) -> float:
        if not self._take_sign("**"):
            return value
        try:
            found = value ** self._factor()
        except (OverflowError, ZeroDivisionError) as error:
            raise self._refuse("a power in it is out of bounds") from error
        if isinstance(found, complex):
            raise self._refuse("a power in it is no number")
        return float(found)


def parse_duration(text: str) -> Seconds:
    """Return the length of time that *text* writes, in seconds; it may be below zero.

    A number without a unit counts as seconds. Units may be in any letter case.

    Raises:
        DurationError: *text* is not a duration, or one beyond `LONGEST`.

    """
    if len(text) > LONGEST_TEXT:
        raise DurationError(f'"{text[:40]}..." is not a duration: it is too long')
    if not text.strip():
        raise DurationError("a duration is missing")
    value = _Parser(text).parse()
    if not -LONGEST <= value <= LONGEST:
        raise DurationError(
            f'"{text.strip()}" is longer than 3,000 years',
            "write -1 for a ban without end",
            is_too_long=value > 0,
        )
    return Seconds(value)


def format_duration(span: float | None) -> str:
    """Return *span* for people: ``1d 2h``, ``10m``, ``0.5s``; exact to the millisecond.

    What is below zero, and None, reads ``for ever``. `parse_duration` reads
    every other text back as the same length.
    """
    if span is None or span < 0:
        return "for ever"
    thousandths = round(span * 1_000)
    parts: list[str] = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        count, thousandths = divmod(thousandths, size)
        if count:
            parts.append(f"{count}{unit}")
    if thousandths or not parts:
        parts.append(f"{thousandths / 1_000:g}s")
    return " ".join(parts)
