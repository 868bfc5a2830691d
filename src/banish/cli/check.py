"""``banish check``: every problem in the configuration, each with its place and its cure."""

import argparse
import sys

from banish.cli.documents import problem_document
from banish.cli.pasteable import pasteable
from banish.cli.places import load_settings
from banish.cli.problems import counted, problem_rows
from banish.cli.rendering import Page, dim, good, print_json, strong, warn
from banish.cli.wording import plural
from banish.model.settings import Settings

EXAMPLE = """examples:
  banish check                     exit code 1 if something is wrong; warnings alone give 0
  banish check -c /etc/fail2ban
  banish check --json | jq '.problems[]'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``check`` takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="prove every filter anew, whatever earlier checks found",
    )


def run(options: argparse.Namespace) -> int:
    """Show every problem; 1 if one of them keeps something from working."""
    settings = load_vetted(options)
    found = problem_rows(settings.problems)
    if options.json:
        print_json(
            {
                "configuration": settings.root,
                "clean": not settings.errors,
                "jails": [jail.name for jail in settings.jails],
                "files": list(settings.files),
                "problems": [problem_document(each) for each in found],
                "errors": sum(each.problem.severity == "error" for each in found),
                "warnings": sum(each.problem.severity == "warning" for each in found),
            }
        )
    else:
        show(Page(), settings, quiet=options.verbosity < 0)
    return 1 if settings.errors else 0


def load_vetted(options: argparse.Namespace, *, host: bool = False) -> Settings:
    """Return the configuration with what is wrong in its filters; see `load_settings`.

    The first look at many filters takes seconds: a terminal shows how far it is.
    """
    shows = sys.stderr.isatty() and options.verbosity >= 0
    progress = _show_progress if shows else None
    try:
        return load_settings(options, host=host, vet=True, progress=progress)
    finally:
        if shows:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _show_progress(done: int, total: int) -> None:
    print(f"\rfilters checked: {done} of {total}", end="", file=sys.stderr, flush=True)


def show(page: Page, settings: Settings, *, quiet: bool) -> None:
    """Show the problems as ``file:line: option: what``, the cure below, and a summary."""
    found = problem_rows(settings.problems)
    for each in found:
        problem = each.problem
        where = f"{problem.place}: " if problem.place else ""
        option = f"{problem.option}: " if problem.option else ""
        suffix = warn(" (warning)") if problem.severity == "warning" else ""
        page.line(strong(f"{where}{option}"), each.what, suffix)
        for line in pasteable(problem.cure).splitlines():
            page.line(line, indent=4)
    if quiet:
        return
    if settings.problems:
        page.line()
    names = ", ".join(jail.name for jail in settings.jails) or "none"
    page.line(
        dim(f"{settings.root}: {plural(len(settings.files), 'file')} read; jails that run: {names}")
    )
    if found:
        page.line(counted(found))
    else:
        page.line(good("No problems."))
