"""The report of ``fail2ban-regex``, in the shape that people and scripts know."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from banish.cli.fail2ban.regex_trial import MatchedFailure, RegexTrial
from banish.model.settings import Regex
from banish.telemetry.lines import harmless

HEADING = ("", "Running tests", "=============", "")

_CONTROL = re.compile(r"[^\t\n\x20-\x7e]+")


def safe(text: str) -> str:
    """Return *text*, tabs and line ends as they are, everything that steers a terminal escaped."""
    return _CONTROL.sub(lambda found: harmless(found[0]), text)


_KINDS = ("matched", "ignored", "missed")


def report_lines(trial: RegexTrial, verbosity: int, *, shows_patterns: bool) -> Iterator[str]:
    """Yield the lines of the report, without their ends.

    Args:
        trial: What is reported.
        verbosity: Above 0, everything that was not hit is reported, too.
        shows_patterns: Tell the date formats as regular expressions, too.

    """
    yield from ("", "Results", "=======")
    matcher = trial.matcher
    if matcher.prefregex is not None:
        groups = [f"    {text}" for text in trial.prefregex_groups] if verbosity else []
        yield from ("", f"Prefregex: {trial.prefregex_hits} total")
        yield from _listed([matcher.prefregex.expanded, *groups])
    settings = matcher.settings
    yield from _regexes("Failregex", settings.failregex, trial.hits, trial.found, verbosity)
    yield from _regexes("Ignoreregex", settings.ignoreregex, trial.ignore_hits, {}, verbosity)
    yield from _ambiguities(trial)
    yield from _nobodies(trial)
    yield from ("", "Date template hits:")
    yield from _listed(_templates(trial, verbosity, shows_patterns), "[# of hits] date format")
    yield ""
    yield (
        f"Lines: {trial.tested} lines, {trial.ignored} ignored, "
        f"{trial.matched} matched, {trial.missed} missed"
    )
    yield f"[processed in {trial.seconds:.2f} sec]"
    yield ""
    for kind in _KINDS:
        yield from _kept(trial, kind)


def _listed(lines: Sequence[str], header: str = "") -> Iterator[str]:
    if not lines:
        return
    if header:
        yield f"|- {header}"
    for line in lines:
        yield f"|  {safe(line)}"
    yield "`-"


def _regexes(
    title: str,
    regexes: Iterable[Regex],
    hits: Counter[int],
    found: dict[int, list[MatchedFailure]],
    verbosity: int,
) -> Iterator[str]:
    lines: list[str] = []
    for number, regex in enumerate(regexes, 1):
        if hits[number] or verbosity:
            lines.append(f"{number:2}) [{hits[number]}] {regex.text}")
        lines += [f"    {_when(each)}" for each in found.get(number, ())]
    yield from ("", f"{title}: {hits.total()} total")
    yield from _listed(lines, " #) [# of hits] regular expression")


def _ambiguities(trial: RegexTrial) -> Iterator[str]:
    """Yield what lines with two addresses count for; nothing where there are none."""
    if not trial.ambiguous:
        return
    yield from ("", f"Ambiguous: {trial.ambiguous} lines could name two addresses")
    lines: list[str] = []
    for report in trial.ambiguities:
        taken = report.failures[0].subject.text if report.failures else "nobody"
        could = " or ".join(report.readings)
        lines += [f"{could}, counts against {taken}:", f"    {report.line.rstrip()}"]
    yield from _listed(lines)


def _nobodies(trial: RegexTrial) -> Iterator[str]:
    """Yield which lines match and count against nobody; nothing where there are none."""
    if not trial.nobody:
        return
    yield from ("", f"Nobody: {trial.nobody} of {trial.matched} matched lines count against nobody")
    lines: list[str] = []
    for report in trial.nobodies:
        what = f"failregex {report.rule} matches, and captures no address:"
        lines += [what, f"    {report.line.rstrip()}"]
    yield from _listed(lines)


def _when(found: MatchedFailure) -> str:
    many = " (multiple regex matched)" if len(found.report.rules) > 1 else ""
    try:
        clock = time.strftime("%a %b %d %H:%M:%S %Y", time.localtime(found.at))
    except (OverflowError, OSError, ValueError):
        clock = f"@{found.at}"  # a log may write any year
    return f"{found.identity}  {clock}{many}"


def _templates(trial: RegexTrial, verbosity: int, shows_patterns: bool) -> list[str]:
    lines: list[str] = []
    for hits, weight, template in trial.matcher.dates.standing():
        if hits or verbosity:
            lines.append(f"[{hits}] {template.name}")
            if shows_patterns:
                both = f"{weight:.3f} ({template.weight:.3f})"
                lines.append(f"    # weight: {both}, pattern: {template.pattern}")
                lines.append(f"    # regex:   {template.regex}")
    return lines


def _kept(trial: RegexTrial, kind: str) -> Iterator[str]:
    limits = trial.limits
    match kind:
        case "matched":
            total, all_of_them, wanted = trial.matched, limits.all_matched, limits.all_matched
        case "ignored":
            total, all_of_them, wanted = trial.ignored, limits.all_ignored, not limits.no_ignored
        case _:
            total, all_of_them, wanted = trial.missed, limits.all_missed, not limits.no_missed
    if not total or not wanted:
        return
    header = f"{kind.capitalize()} line(s):"
    if total < limits.lines or all_of_them:
        yield from _listed([line.rstrip() for line in trial.kept[kind]], header)
    else:
        yield f"{header} too many to print.  Use --print-all-{kind} to print all {total} lines"
