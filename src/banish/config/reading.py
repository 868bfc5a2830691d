"""Takes typed options out of a configuration, one by one, past every problem.

A mistake in *how long* or *how often* must not end *whether*: a jail whose ``bantime`` or
``maxretry`` cannot be read goes on with the nearest value that can be meant, or with the
default, and says so. Only what decides whom a jail finds or exempts (`VITAL`) keeps it from
running when it is wrong, since no other value is safe there.
"""

import contextlib
from collections.abc import Callable
from typing import TypeVar, cast

from banish.config.interpolate import Lookup
from banish.config.options import FILTER_OPTIONS, JAIL_OPTIONS, SERVER_OPTIONS
from banish.config.problem import FaultError, Problems, shown
from banish.config.text import Text
from banish.config.tidy import tidied
from banish.model.settings import Place

VITAL = frozenset(
    {
        "action", "enabled", "failregex", "filter", "ignorecommand", "ignoreip", "ignoreregex",
        "journalmatch", "prefregex",
    }
)  # fmt: skip
"""Options of a jail that must be right for it to run."""

T = TypeVar("T")


class OptionReader:
    """The options of one jail, filter or server while they are turned into types."""

    def __init__(self, get: Lookup, problems: Problems, *, jail: str = "") -> None:
        """Take options from *get*; problems concern *jail*."""
        self._get = get
        self.problems = problems
        self.jail = jail
        self._is_whole = True
        self._refused: set[str] = set()
        self._wrong: set[Text] = set()
        self.places: dict[str, Place] = {}
        """Where each option taken so far is set."""

    def is_refused(self, *options: str) -> bool:
        """Whether one of *options* has had an error so far."""
        return not self._refused.isdisjoint(options)

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

    def get(self, option: str, convert: Callable[[Text], T], default: T) -> T:
        """Return *option* as *convert* has it; *default* where it is unset or blank.

        Where it is in error: for a `VITAL` option *default*, and the jail does not run. For
        another one the value without what stands around it if *convert* takes that, or what
        the error names instead: both a warning; or else *default*, which stays an error.
        """
        try:
            text = self._get(option)
        except FaultError as fault:
            self._replace(option, fault, default)
            return default
        if text is not None:
            self.places[option] = text.place
        if text is None or not text.text.strip():
            return default
        if option not in VITAL and text in self._wrong:
            return self._like_another(text, convert, default)
        return self.settle(option, text, convert, default)

    def settle(self, option: str, text: Text, convert: Callable[[Text], T], default: T) -> T:
        """Return *text*, which is the value of *option*, as `take` does."""
        try:
            return convert(text)
        except FaultError as fault:
            self._wrong.add(text)
            return self._mended(option, text, convert, default, fault)

    def _like_another(self, text: Text, convert: Callable[[Text], T], default: T) -> T:
        """Return what *text* comes to, which comes from another option and is reported there."""
        for each in (text, tidied(text)):
            if each is not None:
                with contextlib.suppress(FaultError):
                    return convert(each)
        return default

    def _mended(
        self,
        option: str,
        text: Text,
        convert: Callable[[Text], T],
        default: T,
        fault: FaultError,
    ) -> T:
        plain = None if option in VITAL else tidied(text)
        if plain is None:
            return self._replace(option, fault, default)
        try:
            value = convert(plain)
        except FaultError as again:
            return self._replace(option, again if again.instead else fault, default)
        what = f"{shown(text.text)} is read as {shown(plain.text)}"
        cure = f"write {plain.text}, and a comment on a line of its own"
        self.problems.warn(what, text.place, option=option, cure=cure)
        return value

    def _replace(self, option: str, fault: FaultError, default: T) -> T:
        """Return what counts instead of *option*, which is in error."""
        if option in VITAL:
            self.refuse(option, fault)
            return default
        if fault.instead is not None:
            value, written = fault.instead
            what = f"{fault.what}; {written} counts instead"
            self.problems.warn(what, fault.place, option=option, cure=fault.cure)
            return cast("T", value)
        what = f"{fault.what}; {_default(option)} counts instead"
        self.leave_out(option, FaultError(what, fault.place, fault.cure))
        return default

    def refuse(self, option: str, fault: FaultError) -> None:
        """Tell that *option* is in error, so that the jail cannot run."""
        self._is_whole = False
        self._refused.add(option)
        self._report(option, fault, stops=bool(self.jail))

    def leave_out(self, option: str, fault: FaultError) -> None:
        """Tell that a part of *option* is in error, and that the jail runs without that part."""
        self._report(option, fault)

    def _report(self, option: str, fault: FaultError, *, stops: bool = False) -> None:
        self.problems.add(fault.to_problem(option=option, jail=self.jail, stops=stops))


_OTHERS = {
    "bantime.formula": "doubling",
    "datepattern": "the list of usual formats",
    "timeout": "60s",
}
"""What counts where it is not the default as the table of options writes it."""


def _default(option: str) -> str:
    """Return how the default of *option* is written."""
    known = JAIL_OPTIONS | FILTER_OPTIONS | SERVER_OPTIONS
    if option in _OTHERS:
        return _OTHERS[option]
    return known[option].default or "an empty value" if option in known else "the default"
