"""Tries out what only those who use a setting can judge: regexes, dates, zones, formulas.

The parts that will use them at run time are asked themselves, so what passes here
works there.
"""

from collections.abc import Callable

import msgspec

from banish.config.problem import FaultError
from banish.config.reading import OptionReader
from banish.config.text import Text, single
from banish.detect.datepattern import parse_datepattern
from banish.detect.detector import encoding_named
from banish.detect.matcher import Matcher
from banish.detect.pattern import compile_pattern, groups_of
from banish.detect.zone import zone_named
from banish.errors import ConfigError
from banish.model.instant import Seconds
from banish.model.settings import Escalation, FilterSettings, Place, Regex
from banish.policy.formula import Formula, Terms


def check_filter(reading: OptionReader, settings: FilterSettings) -> FilterSettings:
    """Return *settings* without what does not work in them, and tell *reading* of each such part.

    Without a failregex that works there is nothing to find, and without a prefregex or an
    ignoreregex of its own a filter would find more than is meant: such a jail does not run.
    A date pattern, a zone and an encoding that do not work give way to the default.
    """
    usedns, many = settings.usedns, settings.maxlines > 1
    first = settings.prefregex
    captured: frozenset[str] | None = frozenset()
    if first is not None:
        captured = None  # unknown, should the prefregex be wrong: then no regex is blamed for it
        with _Judged(reading.refuse, "prefregex", first.place):
            pattern = compile_pattern(first, option="prefregex", usedns=usedns, multiline=many)
            captured = groups_of(pattern)
    for regex in settings.ignoreregex:
        with _Judged(reading.refuse, "ignoreregex", regex.place):
            compile_pattern(regex, option="ignoreregex", usedns=usedns, multiline=many)
    working: list[Regex] = []
    for regex in settings.failregex:
        with _Judged(reading.leave_out, "failregex", regex.place):
            compile_pattern(regex, usedns=usedns, multiline=many, elsewhere=captured)
            working.append(regex)
    if settings.failregex and not working:
        what, cure = "none of the regexes works, so the jail finds nothing", "fix one of them"
        reading.refuse("failregex", FaultError(what, settings.failregex[0].place, cure))
    mended = msgspec.structs.replace(
        settings,
        failregex=tuple(working),
        datepattern=_working_dates(reading, settings.datepattern),
        logtimezone=_working(reading, "logtimezone", settings.logtimezone, "", zone_named),
        logencoding=_working(reading, "logencoding", settings.logencoding, "auto", encoding_named),
    )
    if reading.is_whole():
        with _Judged(reading.refuse, "filter", reading.places.get("failregex")):
            Matcher(reading.jail, mended, Seconds(600))
    return mended


def _working_dates(reading: OptionReader, pattern: Regex | None) -> Regex | None:
    """Return *pattern* if it works, else None, for the default formats."""
    with _Judged(reading.leave_out, "datepattern", pattern.place if pattern else None):
        parse_datepattern(pattern)
        return pattern
    return None


def _working(
    reading: OptionReader, option: str, value: str, default: str, use: Callable[[str], object]
) -> str:
    """Return *value* if *use* takes it, else *default*."""
    with _Judged(reading.leave_out, option, reading.places.get(option)):
        use(value)
        return value
    return default


def check_escalation(reading: OptionReader, settings: Escalation) -> Escalation:
    """Return *settings* with the default for a formula or a factor that does not work."""
    terms = Terms(Seconds(600), 1)
    factor, formula = settings.factor, settings.formula
    factor = _working_formula(reading, "bantime.factor", factor, "1", terms)
    if formula:
        formula = _working_formula(reading, "bantime.formula", formula, "", terms)
    return msgspec.structs.replace(settings, factor=factor, formula=formula)


def _working_formula(
    reading: OptionReader, option: str, written: str, default: str, terms: Terms
) -> str:
    cure = "write arithmetic over ban.Time, ban.Count and banFactor"

    def take(text: Text) -> str:
        try:
            Formula(text.text).value(terms)
        except ValueError as error:
            raise FaultError(str(error), text.place, cure) from error
        return text.text

    place = reading.places.get(option, Place(""))
    return reading.settle(option, single(written, place), take, default)


class _Judged:
    """Turns what is raised inside into a problem of *option*."""

    def __init__(
        self, tell: Callable[[str, FaultError], None], option: str, place: Place | None
    ) -> None:
        self._report = tell
        self._option = option
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, ConfigError):
            return False
        what = error.what.removeprefix(f"{self._option}: ")
        self._report(self._option, FaultError(what, self._place, error.cure))
        return True
