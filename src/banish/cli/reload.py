"""``banish reload``: apply changes of the configuration to the running server."""

import argparse
from collections.abc import Iterable

import msgspec

from banish.cli.ban import parse_lasts
from banish.cli.documents import problem_document
from banish.cli.pasteable import pasteable
from banish.cli.places import client
from banish.cli.problems import problem_rows
from banish.cli.rendering import Page, dim, print_json, strong, warn
from banish.cli.wording import plural
from banish.model.instant import iso_text
from banish.model.reload import JailDifference, OptionDifference, ReloadReport, ReloadWish
from banish.telemetry.clocktext import clock_text

EXAMPLE = """examples:
  banish reload --dry-run         show what would change, change nothing
  banish reload                   follow the files; bans and counts stay
  banish reload sshd              one jail only
  banish reload --confirm 60s     go back in 60 s unless 'banish confirm' follows

A jail whose new settings have an error keeps its old ones, and the exit code is 1.
Files that cannot be read at all change nothing, and the exit code is 2.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``reload`` takes."""
    parser.add_argument("jail", metavar="JAIL", nargs="?", help="reload only this jail")
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would change, change nothing"
    )
    parser.add_argument(
        "--confirm",
        metavar="DUR",
        help="go back to the old configuration after DUR unless 'banish confirm' follows",
    )
    parser.add_argument(
        "--restart",
        action="store_true",
        help="make the jails anew even if nothing changed; this restarts their actions",
    )
    parser.add_argument("--unban", action="store_true", help="end the bans of these jails first")
    parser.add_argument("--json", action="store_true", help="print what changed as JSON")


def run(options: argparse.Namespace) -> int:
    """Reload; 1 if a jail keeps its old settings because the new ones have an error."""
    wish = ReloadWish(
        jail=options.jail,
        dry_run=options.dry_run,
        confirm=parse_lasts(options.confirm, where="--confirm"),
        restart=options.restart,
        unban=options.unban,
    )
    report = client(options).reload(wish)
    if options.json:
        print_json(_document(report, dry_run=wish.dry_run))
    elif options.verbosity >= 0:
        _show(report, dry_run=wish.dry_run)
    return 1 if report.kept else 0


def _document(report: ReloadReport, *, dry_run: bool) -> dict[str, object]:
    return {
        "dry_run": dry_run,
        "jails": [msgspec.to_builtins(each) for each in report.jails],
        "server": [msgspec.to_builtins(each) for each in report.server],
        "later": [msgspec.to_builtins(each) for each in report.later],
        "problems": [problem_document(row) for row in problem_rows(report.problems)],
        "confirm_until": iso_text(report.confirm_until),
    }


_OUTCOMES = {
    "started": ("starts", "started"),
    "stopped": ("stops", "stopped"),
    "changed": ("changes", "changed"),
    "restarted": ("restarts", "restarted"),
}


def _show(report: ReloadReport, *, dry_run: bool) -> None:
    page = Page()
    shown = [each for each in report.jails if each.outcome in _OUTCOMES]
    for each in shown:
        page.line(strong(each.jail), f" {_OUTCOMES[each.outcome][not dry_run]}")
        _show_options(page, each.options if each.outcome != "started" else ())
    for each in report.jails:
        if each.outcome == "kept":
            page.line(
                strong(each.jail),
                warn(" keeps its old settings: the new ones have an error"),
            )
            _show_problems(page, report, each)
    if report.server:
        page.line("Server options")
        _show_options(page, report.server)
    if report.later:
        page.line("Server options that take effect at the next start")
        _show_options(page, report.later)
    unchanged = sum(each.outcome == "unchanged" for each in report.jails)
    if not shown and not report.server:
        page.line("Nothing changed." if not dry_run else "Nothing would change.")
    elif unchanged:
        page.line(dim(f"{plural(unchanged, 'jail')} unchanged"))
    _show_other_errors(page, report)
    if report.confirm_until is not None:
        page.line(
            f"The server returns to the old configuration at {clock_text(report.confirm_until)}, "
            f"unless you keep this: {pasteable('banish confirm')}"
        )


def _show_options(page: Page, options: Iterable[OptionDifference]) -> None:
    for each in options:
        page.line(f"    {each.option}: {each.before or '(not set)'} -> {each.after or '(not set)'}")


def _show_other_errors(page: Page, report: ReloadReport) -> None:
    """Show the errors with which jails run all the same, such as a value that was ignored."""
    for row in problem_rows(report.problems):
        problem = row.problem
        if problem.severity == "error" and problem.jail not in report.kept:
            page.line(warn("error: "), str(problem).partition("\n")[0])
            if problem.cure:
                page.line(f"    {problem.cure}")


def _show_problems(page: Page, report: ReloadReport, jail: JailDifference) -> None:
    for problem in report.problems:
        if problem.jail == jail.jail and problem.severity == "error":
            page.line("    ", *str(problem).splitlines(keepends=False)[:1])
            if problem.cure:
                page.line(f"        {problem.cure}")
