r"""Keeps the newest lines for regexes that span several (``maxlines`` above 1).

The regexes search all kept lines at once, joined by newlines. What a match
covers is used up, except the lines that ``<SKIPLINES>`` stepped over: those,
and all others, stay for the next match.
"""

import re
from itertools import accumulate

from banish.model.failure import Evidence

MAX_LINES = 1_000
"""Most lines that a regex may span; the cost of each line grows with it."""

MAX_CHARACTERS = 262_144
"""Most text kept, in characters; the oldest lines go first. Four lines of the longest kind."""


class LineBuffer:
    """The newest lines of one jail, without their times."""

    def __init__(self, maxlines: int) -> None:
        self._maxlines = maxlines
        self._lines: list[tuple[str, Evidence]] = []
        self._characters = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, text: str, evidence: Evidence) -> str:
        r"""Keep *text*, which ends with ``\n``, as the newest line; return all that is kept."""
        self._lines.append((text, evidence))
        self._characters += len(text)
        while len(self._lines) > self._maxlines or (
            self._characters > MAX_CHARACTERS and len(self._lines) > 1
        ):
            self._characters -= len(self._lines.pop(0)[0])
        return "".join(text for text, _ in self._lines)

    def covered(self, found: re.Match[str], shift: int = 0) -> list[int]:
        """Return the indexes of the lines that a match covers, skipped ones left out.

        *shift* is where the searched text begins in all that is kept.
        """
        skipped = [found.span(name) for name in found.re.groupindex if name.startswith("skiplines")]
        ends = list(accumulate(len(text) for text, _ in self._lines))
        start, end = found.span()
        if found.string.startswith("\n", start):
            # It begins with a line's end, so with the line after.
            start += 1
        start, end = start + shift, max(end, start + 1) + shift
        indexes = []
        begin = 0
        for index, line_end in enumerate(ends):
            if (
                begin < end
                and line_end > start
                and not any(first + shift <= begin < last + shift for first, last in skipped)
            ):
                indexes.append(index)
            begin = line_end
        return indexes

    def text(self, indexes: list[int]) -> str:
        """Return the lines at *indexes*."""
        return "".join(self._lines[index][0] for index in indexes)

    def remove(self, indexes: list[int]) -> tuple[Evidence, ...]:
        """Use the lines at *indexes* up; return what they were."""
        taken = tuple(self._lines[index][1] for index in indexes)
        used = set(indexes)
        self._lines = [line for index, line in enumerate(self._lines) if index not in used]
        self._characters = sum(len(text) for text, _ in self._lines)
        return taken
