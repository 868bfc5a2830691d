"""``banish match``: try filters on log lines, without a server."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from banish import __version__
from banish.cli.places import config_dir
from banish.cli.rendering import Cell, Column, Page, Style, Styled, dim, strong
from banish.cli.trial import (
    every_filter,
    log_or_input,
    parse_now,
    short_name,
    trial_filter,
    trial_jail,
    watched,
)
from banish.cli.wording import count, plural
from banish.detect.detector import encoding_named
from banish.detect.matcher import Matcher
from banish.detect.report import LineReport, LineState
from banish.errors import RequestError
from banish.model.codec import to_json
from banish.model.instant import Instant, Seconds, iso_text
from banish.model.settings import FilterSettings, Place, Regex
from banish.sources.replay import read_log
from banish.telemetry.clocktext import clock_text

EXAMPLE = """examples:
  banish match --filter sshd /var/log/auth.log
  banish match --jail sshd --json - < lines.log       one JSON object a line
  banish match --regex 'login failed from <HOST>$' app.log
  banish match --all --now 2026-11-22T20:00:00 old.log
"""

FOR_EVER = Seconds(float("inf"))


class FilterTrial(NamedTuple):
    """One filter under trial."""

    name: str
    matcher: Matcher
    encoding: str


class LineVerdict(NamedTuple):
    """What the filters made of one line."""

    number: int
    text: str
    reports: tuple[tuple[FilterTrial, LineReport], ...]
    """Every filter's, or those that had something to say where there are many."""

    @property
    def first(self) -> tuple[FilterTrial, LineReport]:
        """The report to be shown: of the first filter that found a failure, else of the first."""
        for trial, report in self.reports:
            if report.failures:
                return trial, report
        return self.reports[0]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``match`` takes."""
    parser.add_argument(
        "--filter", metavar="NAME[opts]", help="a filter, such as sshd[mode=aggressive], or a path"
    )
    parser.add_argument("--jail", metavar="J", help="the filter of this jail, enabled or not")
    parser.add_argument(
        "--regex", metavar="RE", action="append", help="a failregex; may be given several times"
    )
    parser.add_argument("--all", action="store_true", help="all filters")
    parser.add_argument("--now", metavar="TIME", help="pretend it is TIME (ISO 8601 or seconds)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "log",
        metavar="LOG",
        nargs="?",
        default="-",
        help="a log file, compressed or not; - reads standard input",
    )


def run(options: argparse.Namespace) -> int:
    """Try the filters on every line, in the order of the lines."""
    now = Instant(time.time()) if options.now is None else parse_now(options.now)
    trials = _trials(options)
    with watched([trial.matcher for trial in trials]):
        _report(options, trials, _verdicts(trials, options.log, now))
    return 0


def _report(
    options: argparse.Namespace, trials: Sequence[FilterTrial], verdicts: Iterator[LineVerdict]
) -> None:
    if options.json:
        shape = _all_document if options.all else _document
        for verdict in verdicts:
            sys.stdout.write(to_json(shape(verdict)).decode() + "\n")
        return
    _show(Page(), verdicts, trials, options.verbosity)


def _trials(options: argparse.Namespace) -> list[FilterTrial]:
    ways = [options.filter, options.jail, options.regex, options.all or None]
    if sum(way is not None for way in ways) != 1:
        raise RequestError(
            "no filter was given",
            where="match",
            cure="give one of --filter NAME, --jail J, --regex RE, --all",
        )
    root = config_dir(options)
    if options.all:
        chosen: list[FilterSettings] = []
        for settings, trouble in every_filter(root):
            if settings is None:
                print(f"banish: skipped: {trouble}", file=sys.stderr)
            else:
                chosen.append(settings)
    elif options.filter is not None:
        chosen = [trial_filter(options.filter, root)]
    elif options.jail is not None:
        chosen = [trial_jail(options.jail, root, __version__).filter]
    else:
        regexes = tuple(Regex(text, Place("--regex")) for text in options.regex)
        chosen = [FilterSettings("regex", failregex=regexes)]
    jail = options.jail or "match"
    return [
        FilterTrial(
            short_name(settings),
            Matcher(jail, settings, FOR_EVER),
            encoding_named(settings.logencoding),
        )
        for settings in chosen
    ]


def _verdicts(trials: Sequence[FilterTrial], log: str, now: Instant) -> Iterator[LineVerdict]:
    number = 0
    for batch in read_log(log_or_input(log)):
        lines = batch.block.split(b"\n")
        lines.pop()
        for raw in lines:
            number += 1
            yield _verdict(trials, number, raw.rstrip(b"\r"), now)
        sys.stdout.flush()


def _verdict(trials: Sequence[FilterTrial], number: int, raw: bytes, now: Instant) -> LineVerdict:
    reports: list[tuple[FilterTrial, LineReport]] = []
    encoding, text = "utf-8", raw.decode("utf-8", "replace")
    for trial in trials:
        if trial.encoding != encoding:
            encoding, text = trial.encoding, raw.decode(trial.encoding, "replace")
        reports.append((trial, trial.matcher.trace(text, now, live=None)))
    return LineVerdict(number, text, tuple(reports))


_IDENTITY = frozenset({"ip4", "ip6", "dns", "cidr", "fid", "mlfid"})
"""Tags that say who it was, which ``subject`` and ``host`` say already."""


def _document(verdict: LineVerdict) -> dict[str, Any]:
    trial, report = verdict.first
    failure = report.failures[0] if report.failures else None
    tags = {name: value for name, value in report.tags.items() if name not in _IDENTITY}
    return {
        "line": verdict.number,
        "text": verdict.text,
        "matched": failure is not None,
        "filter": trial.name,
        "rule": report.rule or None,
        "subject": failure.subject.text if failure else None,
        "host": report.host or None,
        "user": tags.get("user"),
        "time": iso_text(report.at),
        "ignored": report.ignored,
        "tags": tags,
        "ambiguous": list(report.readings),
        "failures": failure.attempts if failure else 0,
    }


def _all_document(verdict: LineVerdict) -> dict[str, Any]:
    fired = [
        {"filter": trial.name, "rule": report.rule, "subject": report.failures[0].subject.text}
        for trial, report in verdict.reports
        if report.failures
    ]
    if not fired:
        return {
            "line": verdict.number,
            "text": verdict.text,
            "matched": False,
            "subject": None,
            "filters": [],
        }
    return _document(verdict) | {"filters": fired}


_SAID: dict[LineState, tuple[str, Style]] = {
    "failure": ("match", "good"),
    "ignored": ("ignored", "warn"),
    "informing": ("informs", ""),
    "pending": ("waits", ""),
    "unusable": ("unusable", "bad"),
    "missed": ("-", "dim"),
}


SHOWN_TRIALS = 3
"""So many filters are named with their files."""

_RARE: tuple[tuple[LineState, str], ...] = (
    ("informing", "informing"),
    ("pending", "waiting for their session"),
    ("unusable", "unusable"),
)
"""States that the summary names only where they occur."""


def _show(
    page: Page, verdicts: Iterator[LineVerdict], trials: Sequence[FilterTrial], verbosity: int
) -> None:
    """Show each line and what came of it, and at the end what came of all."""
    states: Counter[LineState] = Counter()
    hits: Counter[tuple[str, int]] = Counter()
    undated = ambiguous = 0
    for verdict in verdicts:
        _, report = verdict.first
        states[report.state] += 1
        undated += report.undated
        ambiguous += bool(report.readings)
        fired = [(trial, each) for trial, each in verdict.reports if each.matched]
        hits.update((trial.name, each.rule) for trial, each in fired)
        if verbosity < 0:
            continue
        word, style = _SAID[report.state]
        text: Cell = dim(verdict.text) if report.state == "missed" else verdict.text
        page.line(dim(f"{verdict.number:>6}  "), Styled(f"{word:<9}", style), text)
        for trial, each in fired:
            page.line(*_details(trial, each, verbosity), indent=17)
    if verbosity >= 0:
        page.line()
    total = states.total()
    parts = [f"{count(states['failure'])} matched", f"{count(states['ignored'])} ignored"]
    parts += [f"{count(states[state])} {word}" for state, word in _RARE if states[state]]
    parts.append(f"{count(states['missed'])} missed")
    page.line(strong(plural(total, "line")), ": ", ", ".join(parts))
    if undated:
        page.line(f"{plural(undated, 'line')} without a time that could be read", indent=2)
    if ambiguous:
        could = plural(ambiguous, "line")
        page.line(
            f"{could} could name two addresses; see `ambiguous` in docs/filter-safety.md", indent=2
        )
    if verbosity >= 0 and len(trials) <= SHOWN_TRIALS:
        for trial in trials:
            place = trial.matcher.settings.failregex[0].place
            if place is not None and place.path.startswith("/"):
                page.line(dim(f"filter {trial.name} is that of {place.path}"), indent=2)
    if hits:
        _show_hits(page, trials, hits)


def _details(trial: FilterTrial, report: LineReport, verbosity: int) -> list[Cell]:
    parts: list[Cell] = []
    if report.failures:
        parts += [strong(str(report.failures[0].subject)), " "]
    parts.append(f"by {trial.name}, failregex {report.rule}")
    if report.state == "unusable" and not report.readings:
        parts.append(", which names " + (f"{report.host}, no address" if report.host else "nobody"))
    if user := report.tags.get("user"):
        parts.append(f", user {user}")
    if report.failures and report.repeated > 1:
        parts.append(f", counts {count(report.repeated)} times")
    if report.at is not None:
        parts.append(
            dim(f", at {clock_text(report.at)}" + (f" ({report.template})" if verbosity else ""))
        )
    if report.readings:
        parts.append(", could name " + " or ".join(report.readings))
        if report.state == "unusable":
            parts.append(": counts against nobody")
    if report.ignore_rule:
        parts.append(f", ignoreregex {report.ignore_rule}")
    if verbosity > 0:
        parts += [dim(f", {name}={value}") for name, value in sorted(report.tags.items())]
    return parts


def _show_hits(page: Page, trials: Sequence[FilterTrial], hits: Counter[tuple[str, int]]) -> None:
    page.line()
    regexes = {trial.name: trial.matcher.settings.failregex for trial in trials}
    page.table(
        (
            Column("hits", is_number=True),
            Column("filter"),
            Column("failregex", is_number=True),
            Column(""),
        ),
        [
            (count(hits[name, rule]), name, str(rule), dim(_short(regexes[name][rule - 1].text)))
            for name, rule in sorted(hits)
        ],
    )


def _short(regex: str) -> str:
    return regex if len(regex) <= 60 else f"{regex[:57]}..."
