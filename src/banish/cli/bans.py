"""``banish bans``: who is banned now."""

import argparse
import time
from collections.abc import Iterable, Sequence

from banish.cli.documents import ban_document
from banish.cli.pasteable import pasteable
from banish.cli.places import client
from banish.cli.rendering import Cell, Column, Page, dim, print_json, strong
from banish.cli.wording import ago, left, ordinal, plural
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.telemetry.clocktext import clock_text

EXAMPLE = """examples:
  banish bans                 every ban in force, those that end first on top
  banish bans --jail sshd
  banish bans --json | jq -r '.[].subject'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``bans`` takes."""
    parser.add_argument("--jail", metavar="J", help="only bans of this jail")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(options: argparse.Namespace) -> int:
    """List the bans in force; none at all is an answer, too."""
    bans = soonest_first(client(options).bans(options.jail))
    if options.json:
        print_json([ban_document(ban) for ban in bans])
        return 0
    page = Page()
    ban_table(page, bans, Instant(time.time()), with_jail=True)
    if bans and options.verbosity >= 0 and page.is_terminal:
        page.line()
        how = pasteable("'banish why SUBJECT' shows the evidence")
        page.line(dim(f"{plural(len(bans), 'ban')}; {how}"))
    return 0


def soonest_first(bans: Iterable[Ban]) -> Sequence[Ban]:
    """Return the bans by their end, those without end last."""
    return sorted(bans, key=lambda ban: (ban.until is None, ban.until or 0.0, ban.since))


def ban_table(page: Page, bans: Sequence[Ban], now: Instant, *, with_jail: bool) -> None:
    """Show bans, one a row."""
    if not bans:
        page.line(dim("Nobody is banned."), indent=2)
        return
    columns = [Column("subject")]
    if with_jail:
        columns.append(Column("jail"))
    columns += [
        Column("since"),
        Column("until"),
        Column("left", is_number=True),
        Column("failures", is_number=True),
        Column("ban", is_number=True),
        Column("by"),
    ]
    page.table(columns, [_row(ban, now, with_jail=with_jail) for ban in bans])


def _row(ban: Ban, now: Instant, *, with_jail: bool) -> Sequence[Cell]:
    row: list[Cell] = [strong(str(ban.subject))]
    if with_jail:
        row.append(ban.jail)
    row += [
        dim(ago(ban.since, now)),
        clock_text(ban.until) if ban.until is not None else "no end",
        left(ban.until, now) if ban.until is not None else "",
        str(ban.failures) if ban.failures else dim("-"),
        ordinal(ban.count),
        ban.cause,
    ]
    return row
