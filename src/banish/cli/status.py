"""``banish status``: how the server is doing, at a glance or one jail in full."""

import argparse
import sys
from collections.abc import Sequence
from typing import TextIO

from banish.cli import health
from banish.cli.bans import ban_table
from banish.cli.documents import (
    ban_document,
    jail_document,
    problem_document,
    source_document,
    status_document,
)
from banish.cli.pasteable import pasteable
from banish.cli.places import client
from banish.cli.problems import problem_rows
from banish.cli.rendering import (
    Cell,
    Column,
    Page,
    Styled,
    bad,
    dim,
    good,
    print_json,
    strong,
    warn,
)
from banish.cli.watching import watch
from banish.cli.wording import ago, count, plural, size, span
from banish.errors import RequestError
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.model.status import ACTIONS_ALONE, JailStatus, ServerStatus, SourceHealth
from banish.telemetry.clocktext import clock_text

EXAMPLE = """examples:
  banish status              everything at a glance; exit code 1 if something is wrong
  banish status sshd         one jail and who is banned in it
  banish status --watch      refreshed every 2 s; piped, one after the other
  banish status --json | jq .enforcement
"""

WATCH_SECONDS = 2.0
LEAST_SECONDS, MOST_SECONDS = 0.1, 86_400.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``status`` takes."""
    parser.add_argument("jail", nargs="?", metavar="JAIL", help="show only this jail, in full")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument(
        "-w", "--watch", action="store_true", help="show it again every 2 s, until Ctrl-C"
    )
    parser.add_argument(
        "--every", type=_pause, metavar="SECONDS", help="show it again every SECONDS"
    )


def run(options: argparse.Namespace) -> int:
    """Show the status, once or again and again; 1 if something needs the operator."""
    if not options.watch and options.every is None:
        return _look(options, sys.stdout)
    every = WATCH_SECONDS if options.every is None else options.every
    apart = "" if options.json else "\n"
    return watch(lambda stream: _look(options, stream), every, apart=apart)


def _look(options: argparse.Namespace, stream: TextIO) -> int:
    server = client(options)
    status = server.status()
    if options.jail is None:
        troubles = health.troubles(status)
        if options.json:
            print_json(status_document(status, troubles, server.bans()), stream)
        else:
            show(Page(stream), status, quiet=options.verbosity < 0)
        return 1 if troubles or status.starting else 0
    jail = _named(status, options.jail)
    bans = server.bans(jail.name)
    sources = _sources_of(jail, status.sources)
    if options.json:
        print_json(
            jail_document(jail, bans)
            | {
                "logs": [source_document(source) for source in sources],
                "bans_in_force": [ban_document(ban) for ban in bans],
                "problems": [
                    problem_document(each)
                    for each in problem_rows(status.problems)
                    if jail.name in each.jails
                ],
            },
            stream,
        )
    else:
        show_jail(Page(stream), jail, sources, bans, status.now)
    is_ill = health.of_jail(jail) or any(map(health.of_source, sources))
    return 1 if is_ill else 0


def _pause(text: str) -> float:
    seconds = float(text)
    if not LEAST_SECONDS <= seconds <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(
            f"{text} is not from {LEAST_SECONDS:g} to {MOST_SECONDS:g} seconds"
        )
    return seconds


def _named(status: ServerStatus, name: str) -> JailStatus:
    for jail in status.jails:
        if jail.name == name:
            return jail
    names = ", ".join(jail.name for jail in status.jails)
    raise RequestError(
        f"the jail '{name}' does not exist", cure=f"running jails: {names or 'none'}"
    )


def show(page: Page, status: ServerStatus, *, quiet: bool = False) -> None:
    """Show the whole server; with *quiet* only what needs the operator."""
    troubles = health.troubles(status)
    if not quiet:
        _show_head(page, status)
        _show_jails(page, status.jails, status.sources)
        _show_sources(page, status.sources, status.now)
        _show_firewall(page, status)
    warnings = [
        each for each in problem_rows(status.problems) if each.problem.severity == "warning"
    ]
    if troubles:
        page.title("Needs you")
        for trouble in troubles:
            page.line(bad(trouble.where), ": ", pasteable(trouble.what), indent=2)
            if trouble.cure:
                page.line(pasteable(trouble.cure), indent=6)
    if quiet:
        return
    page.line()
    if warnings:
        how = pasteable("see them with 'banish check'")
        page.line(dim(f"{plural(len(warnings), 'warning')}: {how}"))
    if status.confirm_until is not None:
        page.line(
            warn(
                "The last reload is not confirmed: the server returns to the old configuration at "
                f"{clock_text(status.confirm_until)}, unless you keep it: "
                f"{pasteable('banish confirm')}"
            )
        )
    if status.starting:
        page.line(
            warn(f"Starting: {status.starting}. Lines are processed once the start is complete.")
        )
    elif not troubles and status.enforcement.enforced is None and not _needs_no_firewall(status):
        page.line(warn("No problem is known, but the firewall has not been read back yet."))
    elif not troubles:
        page.line(good("All is well."))


def _needs_no_firewall(status: ServerStatus) -> bool:
    return status.dry_run or status.enforcement.enforcer == ACTIONS_ALONE


def _show_head(page: Page, status: ServerStatus) -> None:
    mode: list[Cell] = [", ", warn("dry run: nothing is banned")] if status.dry_run else []
    page.line(
        strong(f"banish {status.version}"),
        f", pid {status.pid}, up {span(status.uptime)}",
        *mode,
    )
    page.line(dim(f"configuration {status.root}, memory {status.store}"))


def _show_jails(page: Page, jails: Sequence[JailStatus], sources: Sequence[SourceHealth]) -> None:
    page.title("Jails")
    if not jails:
        page.line(warn("none is running"), indent=2)
        return
    columns = (
        Column("jail"),
        Column("failing", is_number=True),
        Column("failures", is_number=True),
        Column("banned", is_number=True),
        Column("bans", is_number=True),
        Column("filter"),
        Column("state"),
    )
    page.table(
        columns,
        [
            (
                strong(jail.name),
                _number(jail.failing_subjects, "warn"),
                _number(jail.failures_total),
                _number(jail.banned_now, "strong"),
                _number(jail.bans_total),
                jail.filter,
                _jail_state(jail, _sources_of(jail, sources)),
            )
            for jail in jails
        ],
    )


def _number(number: int, style: str = "") -> Cell:
    if not number:
        return dim("0")
    match style:
        case "warn":
            return warn(count(number))
        case "strong":
            return strong(count(number))
        case _:
            return count(number)


def _sources_of(jail: JailStatus, sources: Sequence[SourceHealth]) -> list[SourceHealth]:
    return [source for source in sources if source.name in jail.sources]


def _jail_state(jail: JailStatus, sources: Sequence[SourceHealth]) -> Styled:
    if jail.held_until is not None:
        return bad("holding bans back")
    if sources and all(source.state == "waiting" for source in sources):
        return bad("waiting for its log")
    if jail.trouble:
        return bad("in trouble")
    if any(source.trouble for source in sources):
        return warn("watching, log in trouble")
    return good("watching") if jail.enforced else warn("watching, no firewall")


def _show_sources(page: Page, sources: Sequence[SourceHealth], now: Instant) -> None:
    if not sources:
        return
    page.title("Logs")
    columns = (
        Column("log"),
        Column("state"),
        Column("lines", is_number=True),
        Column("behind", is_number=True),
        Column("last line"),
    )
    page.table(columns, [_source_row(source, now) for source in sources])
    for source in sources:
        if source.state == "waiting" and source.detail:
            page.line(warn("waiting"), f" for {source.name}: {source.detail}", indent=2)


def _source_row(source: SourceHealth, now: Instant) -> tuple[Cell, ...]:
    state = {"reading": good("reading"), "waiting": warn("waiting"), "failing": bad("failing")}
    lag: Cell = warn(size(source.lag_bytes)) if source.lag_bytes else dim("0 B")
    cut = f" ({plural(source.cut_lines, 'line')} cut)" if source.cut_lines else ""
    return (
        strong(source.name),
        state[source.state],
        _number(source.lines),
        lag,
        f"{ago(source.last_line_at, now)}{cut}",
    )


def _show_firewall(page: Page, status: ServerStatus) -> None:
    enforcement = status.enforcement
    page.title("Firewall")
    if enforcement.enforcer == ACTIONS_ALONE:
        page.line("not used: every jail bans by its own actions", indent=2)
        return
    if enforcement.trouble:
        held: Cell = bad("in trouble")
    elif status.dry_run:
        held = warn("none in the kernel: a dry run")
    elif enforcement.enforced is None:
        held = warn("not read back yet")
    elif enforcement.enforced < enforcement.wanted:
        held = bad(f"{count(enforcement.enforced)} in the kernel")
    else:
        held = good(f"{count(enforcement.enforced)} in the kernel")
    page.line(
        strong(enforcement.enforcer),
        f": {count(enforcement.wanted)} wanted, ",
        held,
        dim(f", checked {ago(enforcement.checked_at, status.now)}"),
        f", repaired {plural(enforcement.repairs, 'time')}" if enforcement.repairs else "",
        indent=2,
    )


def show_jail(
    page: Page, jail: JailStatus, sources: Sequence[SourceHealth], bans: Sequence[Ban], now: Instant
) -> None:
    """Show one jail in full."""
    page.line(strong(jail.name), ", ", _jail_state(jail, sources), dim(f", filter {jail.filter}"))
    if (trouble := health.of_jail(jail)) is not None:
        page.line(bad(pasteable(trouble.what)), indent=2)
        if trouble.cure:
            page.line(pasteable(trouble.cure), indent=6)
    page.line()
    rows: list[tuple[Cell, Cell]] = [
        ("failing now", _number(jail.failing_subjects, "warn")),
        ("failures so far", _number(jail.failures_total)),
        ("of these, while already banned", _number(jail.failures_while_banned)),
        ("banned now", _number(jail.banned_now, "strong")),
        ("bans so far", _number(jail.bans_total)),
        ("exempt (ignoreip, ignorecommand)", _number(jail.exempt_total)),
    ]
    if jail.held_total:
        rows.append(("bans held back by the ban budget", warn(count(jail.held_total))))
    if jail.evicted_total:
        rows.append(
            (
                "subjects with failures dropped to save memory (windowmemory)",
                warn(count(jail.evicted_total)),
            )
        )
    if jail.stopped_total:
        rows.append(("lines skipped: a regex took too long", warn(count(jail.stopped_total))))
    for what, total in (
        ("lines without a usable time", jail.undated_total),
        ("lines with a time far off, counted as now", jail.retimed_total),
        ("old lines of a backlog, not counted", jail.too_old_total),
        ("matched lines without an address that can be banned", jail.unusable_total),
        ("lines not valid in the log's encoding", jail.undecodable_total),
        ("lines ignored by an ignoreregex", jail.ignored_total),
    ):
        if total:
            rows.append((what, warn(count(total))))
    page.table((Column(""), Column("", is_number=True)), rows)
    _show_sources(page, sources, now)
    for source in sources:
        if (ill := health.of_source(source)) is not None:
            page.line(bad(pasteable(ill.what)), indent=2)
            if ill.cure:
                page.line(pasteable(ill.cure), indent=6)
    page.title("Banned")
    ban_table(page, bans, now, with_jail=False)
