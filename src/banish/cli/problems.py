"""The problems of a configuration as they are shown and counted: each once.

What is wrong in ``[DEFAULT]`` concerns many jails and is one mistake, so whoever counts
(``check``, ``doctor``, ``status``, ``--json``) counts what is here.
"""

from collections.abc import Iterable
from typing import NamedTuple

from banish.cli.wording import count, plural
from banish.model.settings import Problem

JAILS_SHOWN = 5
"""Jails that one message names."""


class ProblemRow(NamedTuple):
    """One problem, and the jails that it concerns."""

    problem: Problem
    jails: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """What is wrong, and what comes of it for the jails."""
        if not self.jails:
            return self.problem.what
        names = ", ".join(self.jails[:JAILS_SHOWN])
        if len(self.jails) > JAILS_SHOWN:
            names += f" and {count(len(self.jails) - JAILS_SHOWN)} more"
        jails = f"jail {names}" if len(self.jails) == 1 else f"jails {names}"
        if not self.problem.stops:
            return f"{self.problem.what} ({jails})"
        return f"{self.problem.what}; {jails} {'does' if len(self.jails) == 1 else 'do'} not run"


def problem_rows(problems: Iterable[Problem]) -> list[ProblemRow]:
    """Return *problems*, each once with all jails that it concerns, in their order."""
    found: dict[tuple[object, ...], ProblemRow] = {}
    for problem in problems:
        key = (*(getattr(problem, name) for name in _SAME), str(problem.place))
        before = found.get(key)
        jails = () if before is None else before.jails
        if problem.jail and problem.jail not in jails:
            jails = (*jails, problem.jail)
        found[key] = ProblemRow(before.problem if before is not None else problem, jails)
    return list(found.values())


_SAME = ("severity", "what", "option", "cure", "stops")


def counted(found: Iterable[ProblemRow]) -> str:
    """Return how many errors and warnings there are: ``2 errors, 1 warning``."""
    severities = [each.problem.severity for each in found]
    errors = severities.count("error")
    return f"{plural(errors, 'error')}, {plural(len(severities) - errors, 'warning')}"
