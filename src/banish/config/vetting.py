"""Warns of filters that attackers can turn against others, or keep busy.

A server does not do this when it starts: it takes some tens of milliseconds
for each regex. docs/filter-safety.md tells operators what a warning means.
"""

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple, TypeVar

import msgspec

from banish.config.cpulimit import CpuLimitError, cpu_limit
from banish.config.problem import Problems
from banish.config.stopwatch import LIMIT_SECONDS, Runaway, time_each
from banish.config.verdicts import Flaw, Verdicts
from banish.detect.matcher import Matcher
from banish.detect.mended import mended, mended_ignore, mended_prefix
from banish.detect.vetting import (
    IgnoreFinding,
    InjectionFinding,
    NameFinding,
    NobodyFinding,
    Uncounted,
    vet_ignoring,
    vet_injection,
    vet_names,
    vet_subjects,
    vet_uncounted,
)
from banish.model.instant import Instant, Seconds
from banish.model.settings import FilterSettings

EXAMINED_SECONDS = 5.0
"""CPU time of each way of looking at one filter. The whole of Debian's 91 takes 14 s."""

FILTERS_ALONE = 8
"""With fewer filters no other process is worth its start."""

_NOW = Instant(1_767_225_600)

SHOWN_LIMIT_CHARACTERS = 400
"""Longest proof that is shown."""


_Found = TypeVar("_Found")

Progress = Callable[[int, int], None]
"""Is given how many filters were vetted, and of how many."""


class _Findings(NamedTuple):
    """What is unsafe in one filter."""

    injections: list[InjectionFinding]
    ignoring: list[IgnoreFinding]
    nobody: list[NobodyFinding]
    names: list[NameFinding]
    uncounted: list[Uncounted]
    is_whole: bool = True
    """Whether the time for it was enough."""


UNKNOWN = (
    "whether an attacker can turn this filter against others is not known: its regexes take too "
    "long for a proof"
)
UNKNOWN_CURE = "mend those that backtrack badly, and run 'banish check' again"

OWN_RULE = "banish searches a rule of its own in place of this one (ambiguous = safe)"
"""What is said of a regex that is known to be wrong, and for which a right one is searched."""


def vet_filters(
    problems: Problems,
    filters: Iterable[FilterSettings],
    progress: Progress | None = None,
    verdicts: Verdicts | None = None,
) -> None:
    """Warn of what is unsafe in *filters*, which are such as load.

    With many filters all cores are at work; *progress* is called after each filter, in order.
    What *verdicts* has is not proven again, and what it lacks is kept there.
    """
    chosen = list({_regexes(settings): settings for settings in filters}.values())
    with contextlib.ExitStack() as stack:
        if verdicts:
            stack.callback(verdicts.close)
        known = [verdicts.find(settings) if verdicts else None for settings in chosen]
        unknown = [each for each, flaws in zip(chosen, known, strict=True) if flaws is None]
        examined = _examined(unknown, stack)
        timed = iter(time_each(unknown))  # while other processes are at work
        for number, (settings, flaws) in enumerate(zip(chosen, known, strict=True), 1):
            if flaws is None:
                timing = next(timed)
                findings = next(examined)
                flaws = tuple(_flaws(settings, findings, timing.runaways))  # noqa: PLW2901
                if verdicts and timing.is_whole and findings.is_whole:
                    verdicts.keep(settings, flaws)
            for flaw in flaws:
                place = flaw.place(settings)
                problems.warn(flaw.what, place, option=flaw.option, cure=flaw.cure)
            if progress is not None:
                progress(number, len(chosen))


def _examined(chosen: Sequence[FilterSettings], stack: contextlib.ExitStack) -> Iterator[_Findings]:
    """Return what is unsafe in each of *chosen*, by other processes if that is quicker.

    These are ended with *stack*.
    """
    cores = len(os.sched_getaffinity(0))
    # A process of one thread may be copied as it is, which costs next to nothing.
    if len(chosen) < FILTERS_ALONE or cores == 1 or threading.active_count() > 1:
        return map(_examine, chosen)
    # One core is left to the regexes that are timed meanwhile.
    pool = ProcessPoolExecutor(cores - 1, mp_context=multiprocessing.get_context("fork"))
    stack.enter_context(pool)
    return _results([pool.submit(_examine, settings) for settings in chosen], chosen)


def _results(
    futures: "Sequence[Future[_Findings]]", chosen: Sequence[FilterSettings]
) -> Iterator[_Findings]:
    for future, settings in zip(futures, chosen, strict=True):
        try:
            yield future.result()
        except BrokenProcessPool:
            yield _examine(settings)  # one was killed, as for want of memory


def _examine(settings: FilterSettings) -> _Findings:
    is_whole = True

    def within(vet: Callable[[FilterSettings], list[_Found]]) -> list[_Found]:
        nonlocal is_whole
        try:
            with cpu_limit(EXAMINED_SECONDS):
                return vet(settings)
        except CpuLimitError:
            is_whole = False
            return []

    found = _Findings(
        within(vet_injection),
        within(vet_ignoring),
        within(vet_subjects),
        within(vet_names),
        within(vet_uncounted),
    )
    return found._replace(is_whole=is_whole)


def _flaws(
    settings: FilterSettings, found: _Findings, runaways: Iterable[Runaway]
) -> Iterator[Flaw]:
    for injection in found.injections:
        yield _turned(settings, injection)
    others = [
        *map(_tripped, found.ignoring),
        *map(_naming_nobody, found.nobody),
        *map(_taking_name, found.names),
        *map(_leaving_uncounted, found.uncounted),
        *map(_kept_busy, runaways),
    ]
    if not found.is_whole:
        yield Flaw("failregex", 1, UNKNOWN, UNKNOWN_CURE)
    for flaw in others:
        if _is_replaced(settings, flaw):
            yield msgspec.structs.replace(flaw, cure=f"{flaw.cure}\n{OWN_RULE}")
        else:
            yield flaw


def _regexes(settings: FilterSettings) -> tuple[object, ...]:
    return settings.prefregex, settings.failregex, settings.ignoreregex, settings.maxlines


def _turned(settings: FilterSettings, finding: InjectionFinding) -> Flaw:
    proof = f"this line names {finding.captured} for {finding.true}:\n    {_safe(finding.line)}\n"
    regex = settings.failregex[finding.rule - 1]
    if settings.ambiguous == "safe" and mended(regex) is not regex:
        proof += f"{OWN_RULE}; "
    elif settings.ambiguous == "safe":
        proof += f"banish counts it against {_counted(settings, finding)} (ambiguous = safe); "
    return Flaw("failregex", finding.rule, finding.what, proof + finding.cure)


def _is_replaced(settings: FilterSettings, flaw: Flaw) -> bool:
    """Whether another regex, which is known to be right, is searched for that of *flaw*."""
    if settings.ambiguous != "safe" or settings.maxlines > 1:
        return False
    match flaw.option:
        case "failregex":
            regex = settings.failregex[flaw.rule - 1]
            return mended(regex) is not regex
        case "ignoreregex":
            regex = settings.ignoreregex[flaw.rule - 1]
            return mended_ignore(regex) is not regex
        case _:
            first = settings.prefregex
            return first is not None and mended_prefix(first) is not first


def _leaving_uncounted(finding: Uncounted) -> Flaw:
    proof = f"this line shows it:\n    {_safe(finding.line)}\n"
    return Flaw("failregex", finding.rule, finding.what, proof + finding.cure)


def _tripped(finding: IgnoreFinding) -> Flaw:
    return Flaw(
        "ignoreregex",
        finding.rule,
        "an attacker who writes what it looks for is never banned",
        f"this line is a failure and is ignored, for the sake of {_safe(finding.attack)!r}:\n"
        f"    {_safe(finding.line)}\n"
        "begin with ^ and match all that stands before the ignored text, without .* or any other "
        'gap that a client can fill: write "GET /favicon\\.ico HTTP for favicon\\.ico',
    )


def _naming_nobody(finding: NobodyFinding) -> Flaw:
    return Flaw(
        "failregex",
        finding.rule,
        "one of its alternatives matches lines and names nobody, so nobody is banned for them",
        f"this line matches and counts against nobody:\n    {_safe(finding.line)}\n"
        "put alternatives in parentheses, (?:404|401) for 404|401, and <HOST> outside of them",
    )


def _taking_name(finding: NameFinding) -> Flaw:
    return Flaw(
        "failregex",
        finding.rule,
        "<HOST> takes a host's name if one stands before the address in brackets; "
        "the attacker chooses such a name",
        f"such as in this line:\n    {_safe(finding.line)}\n"
        f"write {finding.instead} for <HOST> and the bracket behind it",
    )


def _kept_busy(runaway: Runaway) -> Flaw:
    pump = runaway.pump
    what = (
        f"this regex backtracks badly: one line of {runaway.characters:,} characters takes more "
        f"than {LIMIT_SECONDS:g} s"
    )
    cure = (
        f"such as this one:\n    {_safe(pump.shown)}\n"
        "let no two repeats that follow each other, or stand inside each other, take the same "
        r'text: write [^"]* for .* and \S+ \S+ for (?:\S+ ?)*'
    )
    is_first = pump.option == "prefregex"
    return Flaw("prefregex" if is_first else "failregex", pump.rule, what, cure)


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
