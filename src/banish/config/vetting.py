"""Warns of filters that attackers can turn against others, or keep busy.

Kept out of what a server does when it starts: it takes some tens of milliseconds
for each regex. docs/filter-safety.md tells operators what a warning means.
"""

from collections.abc import Iterable

from banish.config.problem import Problems
from banish.config.stopwatch import LIMIT_SECONDS, Runaway, time_filters
from banish.detect.matcher import Matcher
from banish.detect.vetting import (
    IgnoreFinding,
    InjectionFinding,
    NameFinding,
    NobodyFinding,
    vet_ignoring,
    vet_injection,
    vet_names,
    vet_subjects,
    vet_uncounted,
)
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings

_NOW = Instant(1_767_225_600)

SHOWN_LIMIT_CHARACTERS = 400
"""Longest proof that is shown."""


def vet_filters(problems: Problems, filters: Iterable[FilterSettings]) -> None:
    """Warn of what is unsafe in *filters*, which are such as load."""
    chosen = list({_regexes(settings): settings for settings in filters}.values())
    for settings, runaways in zip(chosen, time_filters(chosen), strict=True):
        for finding in vet_injection(settings):
            _tell_injection(problems, settings, finding)
        for ignored in vet_ignoring(settings):
            _tell_ignoring(problems, ignored)
        for nobody in vet_subjects(settings):
            _tell_nobody(problems, nobody)
        for name in vet_names(settings):
            _tell_name(problems, name)
        for uncounted in vet_uncounted(settings):
            proof = f"this line shows it:\n    {_safe(uncounted.line)}\n"
            problems.warn(
                uncounted.what, uncounted.place, option="failregex", cure=proof + uncounted.cure
            )
        for runaway in runaways:
            _tell_runaway(problems, runaway)


def _regexes(settings: FilterSettings) -> tuple[object, ...]:
    return settings.prefregex, settings.failregex, settings.ignoreregex, settings.maxlines


def _tell_injection(
    problems: Problems, settings: FilterSettings, finding: InjectionFinding
) -> None:
    proof = f"this line names {finding.captured} for {finding.true}:\n    {_safe(finding.line)}\n"
    if settings.ambiguous == "safe":
        proof += f"banish counts it against {_counted(settings, finding)} (ambiguous = safe); "
    problems.warn(finding.what, finding.place, option="failregex", cure=proof + finding.cure)


def _tell_ignoring(problems: Problems, finding: IgnoreFinding) -> None:
    problems.warn(
        "an attacker who writes what it looks for is never banned",
        finding.place,
        option="ignoreregex",
        cure=f"this line is a failure and is ignored, for the sake of {_safe(finding.attack)!r}:\n"
        f"    {_safe(finding.line)}\n"
        "begin with ^ and match all that stands before the ignored text, without .* or any other "
        'gap that a client can fill: write "GET /favicon\\.ico HTTP for favicon\\.ico',
    )


def _tell_nobody(problems: Problems, finding: NobodyFinding) -> None:
    problems.warn(
        "one of its alternatives matches lines and names nobody, so nobody is banned for them",
        finding.place,
        option="failregex",
        cure=f"this line matches and counts against nobody:\n    {_safe(finding.line)}\n"
        "put alternatives in parentheses, (?:404|401) for 404|401, and <HOST> outside of them",
    )


def _tell_name(problems: Problems, finding: NameFinding) -> None:
    problems.warn(
        "<HOST> takes a host's name if one stands before the address in brackets; "
        "the attacker chooses such a name",
        finding.place,
        option="failregex",
        cure=f"such as in this line:\n    {_safe(finding.line)}\n"
        f"write {finding.instead} for <HOST> and the bracket behind it",
    )


def _tell_runaway(problems: Problems, runaway: Runaway) -> None:
    pump = runaway.pump
    what = (
        f"a line of {runaway.characters} characters keeps the regex busy for more than "
        f"{LIMIT_SECONDS:g} s"
    )
    cure = (
        f"such as this one:\n    {_safe(pump.shown)}\n"
        "let no two repeats that follow each other, or stand inside each other, take the same "
        r'text: write [^"]* for .* and \S+ \S+ for (?:\S+ ?)*'
    )
    problems.warn(what, pump.place, option=pump.option, cure=cure)


def _counted(settings: FilterSettings, finding: InjectionFinding) -> str:
    """Return whom the line of *finding* counts against, in words."""
    matcher = Matcher("vetting", settings, Seconds(600))
    reports = [matcher.trace(each, _NOW, _NOW) for each in finding.line.split("\n")]
    named = [each.host for each in reports if each.state in ("failure", "informing")]
    if any(each.state == "pending" for each in reports):
        return "the address of its session"
    return named[-1] if named else "nobody"


def _safe(text: str) -> str:
    """Return *text* without anything that a terminal would act on."""
    return text.encode("unicode_escape").decode("ascii")[:SHOWN_LIMIT_CHARACTERS]
