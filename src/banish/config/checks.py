"""Tries out what only those who use a setting can judge: regexes, dates, zones, formulas.

The parts that will use them at run time are asked themselves, so what passes here
works there.
"""

from collections.abc import Callable

from banish.config.problem import FaultError
from banish.config.reading import Reading
from banish.detect.datepattern import parse_datepattern
from banish.detect.detector import encoding_named
from banish.detect.matcher import Matcher
from banish.detect.pattern import compile_pattern, groups_of
from banish.detect.zone import zone_named
from banish.errors import ConfigError
from banish.model.instant import Seconds
from banish.model.settings import Escalation, FilterSettings, Place, Regex
from banish.policy.formula import Formula, Terms


def check_filter(reading: Reading, settings: FilterSettings) -> None:
    """Tell *reading* of every regex, date pattern, zone and encoding that does not work."""
    usedns, many = settings.usedns, settings.maxlines > 1
    first = settings.prefregex
    captured: frozenset[str] | None = frozenset()
    if first is not None:
        captured = None  # unknown, should the prefregex be wrong: then no regex is blamed for it
        with _Judged(reading, "prefregex", first.place):
            pattern = compile_pattern(first, option="prefregex", usedns=usedns, multiline=many)
            captured = groups_of(pattern)
    for regex in settings.failregex:
        with _Judged(reading, "failregex", regex.place):
            compile_pattern(regex, usedns=usedns, multiline=many, elsewhere=captured)
    for regex in settings.ignoreregex:
        with _Judged(reading, "ignoreregex", regex.place):
            compile_pattern(regex, option="ignoreregex", usedns=usedns, multiline=many)
    _check_dates(reading, settings.datepattern)
    with _Judged(reading, "logtimezone", reading.places.get("logtimezone")):
        zone_named(settings.logtimezone)
    with _Judged(reading, "logencoding", reading.places.get("logencoding")):
        encoding_named(settings.logencoding)
    if reading.is_whole():
        with _Judged(reading, "filter", reading.places.get("failregex")):
            Matcher(reading.jail, settings, Seconds(600))


def _check_dates(reading: Reading, pattern: Regex | None) -> None:
    with _Judged(reading, "datepattern", pattern.place if pattern else None):
        parse_datepattern(pattern)


def check_escalation(reading: Reading, settings: Escalation) -> None:
    """Tell *reading* of a formula or a factor that does not work."""
    terms = Terms(Seconds(600), 1)
    _check_formula(reading, "bantime.factor", lambda: Formula(settings.factor).value(terms))
    if settings.formula:
        _check_formula(reading, "bantime.formula", lambda: Formula(settings.formula).value(terms))


def _check_formula(reading: Reading, option: str, compute: Callable[[], float]) -> None:
    try:
        compute()
    except ValueError as error:
        cure = "write arithmetic over ban.Time, ban.Count and banFactor"
        reading.refuse(option, FaultError(str(error), reading.places.get(option), cure))


class _Judged:
    """Turns what is raised inside into a problem of *option*."""

    def __init__(self, reading: Reading, option: str, place: Place | None) -> None:
        self._reading = reading
        self._option = option
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, ConfigError):
            return False
        what = error.what.removeprefix(f"{self._option}: ")
        self._reading.refuse(self._option, FaultError(what, self._place, error.cure))
        return True
