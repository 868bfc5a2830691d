"""Follows what the variables of a script may hold."""

from collections.abc import Iterable

from banish.shell import places
from banish.shell.binding import STRICT, bind
from banish.shell.files import Variables
from banish.shell.slot import ANY_VARIABLE, OPAQUE, Context, Slot, ValueRule

Given = list[tuple[Slot, bool]]
"""What a variable is given, and whether ``sed`` has escaped it on the way."""


class VariableFlow:
    """The variables of one script, scripts within it included."""

    def __init__(self, unsure: Iterable[str]) -> None:
        self.given: dict[str, Given] = {}
        self.spellings = Variables()
        """How what they hold is spelt, for the names of files."""
        self.unsure = set(unsure)
        self.assigned_plainly: set[str] = set()
        self.exported: set[str] = set()
        self.numbers: set[str] = set()
        """Variables whose values bash takes for numbers."""
        self.texts: dict[str, set[str]] = {}
        """Names that stand in what variables are set to."""

    def settle(self) -> None:
        """Give up the spelling of variables that are set in ways which are not seen."""
        for name in (*self.unsure, *self.given):
            if name not in self.assigned_plainly:
                self.spellings.lose(name)

    def judge_numbers(self) -> None:
        """Let variables be numbers that bash reads as such, by their names or by others'."""
        names = list(self.numbers)
        seen = set(names)
        for name in names:
            given = self.held(name)
            bind((slot for slot, _ in given), ValueRule.NUMBER, reader="bash, as a number")
            others = {slot.name for slot, _ in given} | self.texts.get(name, set())
            names += sorted(others - seen - {""})
            seen |= others

    def give(self, name: str, slots: Iterable[Slot], raw: str = "") -> None:
        """Note that the variable *name* may hold *slots*; *raw* is the text that it is set to."""
        is_escaped = "sed" in raw and "\\&" in raw
        given = self.given.setdefault(name, [])
        given.extend((slot, is_escaped) for slot in slots)
        if places.is_setting(name):
            bind((slot for slot, _ in given), *STRICT, reader=f"whoever heeds {name}")

    def held(self, name: str) -> Given:
        """Return what the variable *name* may hold."""
        if name == ANY_VARIABLE:
            return [each for given in self.given.values() for each in given]
        return self.given.get(name, [])

    def alias(self, name: str, other: str) -> list[Slot]:
        """Note that the variable *name* is another name of *other*; return what it may hold."""
        other = ANY_VARIABLE if OPAQUE in other or not other else other
        self.give(name, [Slot("", Context.QUOTED, name=other, starts=True)])
        for each in list(self.given) if other == ANY_VARIABLE else [other]:
            self.give(each, [Slot("", Context.QUOTED, name=name, starts=True)])
        return [slot for slot, _ in self.given[name]]
