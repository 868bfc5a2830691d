"""``banish check``: every problem in the configuration, each with its place and its cure."""

import argparse
from collections.abc import Callable, Iterator, Sequence

from banish.cli.documents import problem_document
from banish.cli.places import load_settings
from banish.cli.rendering import Page, bad, dim, good, print_json, strong, warn
from banish.cli.wording import plural
from banish.detect.datepattern import parse_datepattern
from banish.detect.detector import encoding_named
from banish.detect.matcher import Matcher
from banish.detect.pattern import compile_pattern
from banish.errors import ConfigError
from banish.model.settings import FilterSettings, JailSettings, Place, Problem, Regex, Settings
from banish.policy.ignore import IgnoreList
from banish.policy.jail import JailPolicy
from banish.telemetry.lines import parse_level

EXAMPLE = """examples:
  banish check                     exit code 1 if something is wrong; warnings alone give 0
  banish check -c /etc/fail2ban
  banish check --json | jq '.problems[]'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``check`` takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(options: argparse.Namespace) -> int:
    """Show every problem; 1 if one of them keeps something from working."""
    settings = load_settings(options)
    problems = every_problem(settings)
    errors = [problem for problem in problems if problem.severity == "error"]
    if options.json:
        print_json(
            {
                "configuration": settings.root,
                "clean": not errors,
                "jails": [jail.name for jail in settings.jails],
                "files": list(settings.files),
                "problems": [problem_document(problem) for problem in problems],
            }
        )
    else:
        show(Page(), settings, problems, quiet=options.verbosity < 0)
    return 1 if errors else 0


def every_problem(settings: Settings) -> Sequence[Problem]:
    """Return what loading found and what only shows when everything is put together."""
    found = dict.fromkeys(settings.problems)
    for problem in _server_problems(settings):
        found.setdefault(problem)
    for jail in settings.jails:
        for problem in _jail_problems(jail):
            found.setdefault(problem)
    return list(found)


def _server_problems(settings: Settings) -> Iterator[Problem]:
    try:
        parse_level(settings.server.loglevel)
    except ConfigError as error:
        place = settings.server.places.get("loglevel")
        yield Problem("error", error.what, place, "loglevel", error.cure)


def _jail_problems(jail: JailSettings) -> Iterator[Problem]:
    """Yield what is wrong in a jail's regexes, times and formulas, each on its own."""
    before = len(jail.filter.failregex)
    is_clean = True
    for option, place, attempt in _attempts(jail):
        try:
            attempt()
        except ConfigError as error:
            is_clean = False
            yield _problem(error, jail, option, place)
    if is_clean and before:
        try:
            Matcher(jail.name, jail.filter, jail.findtime)
        except ConfigError as error:
            yield _problem(error, jail, "filter", jail.places.get("filter"))


def _problem(error: ConfigError, jail: JailSettings, option: str, place: Place | None) -> Problem:
    what = error.what.removeprefix(f"{option}: ")
    return Problem("error", what, place, option, error.cure, jail.name)


def _attempts(jail: JailSettings) -> Iterator[tuple[str, Place | None, Callable[[], object]]]:
    """Yield everything that can fail by itself: its option, its place, and the attempt."""
    found = jail.filter
    for option, regexes in (
        ("prefregex", () if found.prefregex is None else (found.prefregex,)),
        ("failregex", found.failregex),
        ("ignoreregex", found.ignoreregex),
    ):
        for regex in regexes:
            yield option, regex.place, _compiling(found, option, regex)
    if found.datepattern is not None:
        yield "datepattern", found.datepattern.place, lambda: parse_datepattern(found.datepattern)
    place = jail.places.get("logencoding")
    yield "logencoding", place, lambda: encoding_named(found.logencoding)
    yield "bantime.formula", jail.places.get("bantime.formula"), lambda: _try_policy(jail)


def _compiling(found: FilterSettings, option: str, regex: Regex) -> Callable[[], object]:
    def attempt() -> object:
        return compile_pattern(
            regex,
            option=option,
            usedns=found.usedns,
            multiline=found.maxlines > 1,
            # Who is named by the prefregex need not be named again: the matcher as a
            # whole is tried at the end, this is only about the regex itself.
            elsewhere=frozenset({"ip4"}),
        )

    return attempt


def _try_policy(jail: JailSettings) -> None:
    try:
        JailPolicy(jail, IgnoreList(jail.ignoreip))
    except ValueError as error:
        raise ConfigError(str(error), cure="see bantime.formula in jail.conf(5)") from error


def show(page: Page, settings: Settings, problems: Sequence[Problem], *, quiet: bool) -> None:
    """Show the problems, errors first where they are of one place, and a summary."""
    for problem in problems:
        mark = bad("error") if problem.severity == "error" else warn("warning")
        where = f"{problem.place}: " if problem.place else ""
        option = f"{problem.option}: " if problem.option else ""
        page.line(strong(f"{where}{option}"), problem.what, dim("  ["), mark, dim("]"))
        for line in problem.cure.splitlines():
            page.line(line, indent=4)
    if quiet:
        return
    if problems:
        page.line()
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    names = ", ".join(jail.name for jail in settings.jails) or "none"
    page.line(
        dim(f"{settings.root}: {plural(len(settings.files), 'file')} read; jails that run: {names}")
    )
    if not problems:
        page.line(good("No problems."))
    else:
        page.line(f"{plural(errors, 'error')}, {plural(warnings, 'warning')}")
