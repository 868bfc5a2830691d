"""Takes typed options out of a configuration, one by one, past every problem."""

from collections.abc import Callable
from typing import TypeVar

from banish.config.interpolate import Lookup
from banish.config.problem import FaultError, Problems
from banish.config.text import Text
from banish.model.settings import Place

T = TypeVar("T")


class Reading:
    """The options of one jail, filter or server while they are turned into types."""

    def __init__(self, get: Lookup, problems: Problems, *, jail: str = "") -> None:
        """Take options from *get*; problems concern *jail*."""
        self._get = get
        self.problems = problems
        self.jail = jail
        self._is_whole = True
        self.places: dict[str, Place] = {}
        """Where each option taken so far is set."""

    def is_whole(self) -> bool:
        """Whether no option has had an error so far."""
        return self._is_whole

    def text(self, option: str) -> Text | None:
        """Return the text of *option*, or None if nobody sets it or it is in error."""
        try:
            text = self._get(option)
        except FaultError as fault:
            self.refuse(option, fault)
            return None
        if text is not None:
            self.places[option] = text.place
        return text

    def take(self, option: str, convert: Callable[[Text], T], default: T) -> T:
        """Return *option* as *convert* has it; *default* where it is unset, blank or in error."""
        text = self.text(option)
        if text is None or not text.text.strip():
            return default
        try:
            return convert(text)
        except FaultError as fault:
            self.refuse(option, fault)
            return default

    def refuse(self, option: str, fault: FaultError) -> None:
        """Tell that *option* is in error."""
        self._is_whole = False
        self.problems.add(fault.to_problem(option=option, jail=self.jail))
