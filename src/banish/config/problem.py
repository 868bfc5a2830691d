"""Gathers what is wrong in the configuration; nothing here stops at the first problem."""

import difflib
from collections.abc import Iterable

from banish.model.settings import Place, Problem, Severity

SHOWN_LIMIT_CHARACTERS = 60
"""Longest piece of a value that a message repeats."""


class FaultError(Exception):
    """One thing wrong, on its way to whoever knows which jail and option it concerns.

    Never leaves `banish.config`: it becomes a `Problem`, or a `ConfigError`
    where somebody asked for one filter only.
    """

    def __init__(
        self,
        what: str,
        place: Place | None = None,
        cure: str = "",
        *,
        instead: tuple[object, str] | None = None,
    ) -> None:
        """Tell *what* is wrong at *place*.

        *instead* is the value that counts in place of the wrong one, and how it is written;
        None: the option's default.
        """
        self.what = what
        self.place = place
        self.cure = cure
        self.instead = instead
        super().__init__(what)

    def to_problem(
        self,
        severity: Severity = "error",
        *,
        option: str = "",
        jail: str = "",
        stops: bool = False,
    ) -> Problem:
        """Return this as a problem of *option* of *jail*, which it may keep from running."""
        return Problem(severity, self.what, self.place, option, self.cure, jail, stops)


class Problems:
    """A list of problems in the order they were met, each once."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def add(self, problem: Problem) -> None:
        """Add *problem*, unless it was added before."""
        self._found.setdefault(problem)

    def error(
        self, what: str, place: Place | None, *, option: str = "", cure: str = "", jail: str = ""
    ) -> None:
        """Tell something that keeps a part, or *jail*, from working."""
        self.add(Problem("error", what, place, option, cure, jail))

    def warn(self, what: str, place: Place | None, *, option: str = "", cure: str = "") -> None:
        """Tell something that works otherwise than its writer thinks."""
        self.add(Problem("warning", what, place, option, cure))

    def all(self) -> tuple[Problem, ...]:
        """Return all problems, in the order they were met."""
        return tuple(self._found)


def nearest(name: str, known: Iterable[str], *, closeness: float = 0.6) -> str:
    """Return the known name most like *name*, or an empty text if none is close enough.

    *closeness* is between 0 (anything) and 1 (equal only).
    """
    found = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=closeness)
    return found[0] if found else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a cure that names the nearest known name, or an empty text."""
    near = nearest(name, known)
    return f'did you mean "{near}"?' if near else ""


def shown(text: str) -> str:
    """Return *text* in quotes for a message, on one line and not too long."""
    line = text.replace("\n", " ")
    if len(line) > SHOWN_LIMIT_CHARACTERS:
        line = line[: SHOWN_LIMIT_CHARACTERS - 3] + "..."
    return f'"{line}"'
