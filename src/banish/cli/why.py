"""``banish why``: the evidence for a ban, and the command that undoes it."""

import argparse
import shlex
import time
from collections.abc import Sequence

from banish.cli.documents import evidence_document
from banish.cli.pasteable import given
from banish.cli.places import client
from banish.cli.rendering import Cell, Page, Styled, bad, dim, print_json, strong, warn
from banish.cli.wording import ago, left, ordinal, plural
from banish.model.actionresult import ActionResult
from banish.model.address import parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant
from banish.telemetry.clocktext import clock_text

EXAMPLE = """examples:
  banish why 192.0.2.1           exit code 1 if it was never banned
  banish why 192.0.2.1 --json | jq -r '.bans[0].evidence[].text'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``why`` takes."""
    parser.add_argument("subject", metavar="SUBJECT")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(options: argparse.Namespace) -> int:
    """Show every ban of the subject, newest first; 1 if there is none."""
    server = client(options)
    bans = server.why(options.subject)
    results = server.action_results(options.subject) if bans else ()
    now = Instant(time.time())
    subject = str(parse_subject(options.subject))
    in_force = [ban for ban in bans if end_of(ban, now) is None]
    if options.json:
        print_json(
            {
                "subject": subject,
                "banned": bool(in_force),
                "bans": [evidence_document(ban) for ban in bans],
                "undo": [undo(ban) for ban in in_force],
                "actions": [
                    {
                        "at": result.at,
                        "jail": result.jail,
                        "action": result.action,
                        "did": result.kind,
                        "trouble": result.trouble,
                    }
                    for result in results
                ],
            }
        )
    else:
        page = Page()
        show(page, subject, bans, now)
        show_results(page, results[-RESULTS_SHOWN:])
    return 0 if bans else 1


def end_of(ban: Ban, now: Instant) -> Instant | None:
    """Return when *ban* ended, None while it is in force."""
    if ban.ended_at is not None:
        return ban.ended_at
    return ban.until if ban.is_over(now) else None


def undo(ban: Ban) -> str:
    """Return the command line that ends *ban*, fit for a shell."""
    return shlex.join(["banish", "unban", str(ban.subject), "--jail", ban.jail]) + given()


def show(page: Page, subject: str, bans: Sequence[Ban], now: Instant) -> None:
    """Tell the story of each ban."""
    if not bans:
        page.line(strong(subject), " has no ban on record")
        return
    for number, ban in enumerate(bans):
        if number:
            page.line()
        _show_ban(page, subject, ban, now)


RESULTS_SHOWN = 20
"""The newest of what actions did are shown."""


def show_results(page: Page, results: Sequence[ActionResult]) -> None:
    """Tell what actions did, and what they failed with."""
    if not results:
        return
    page.line()
    page.line(dim("actions"))
    for result in results:
        came_to: Cell = bad(f"failed: {result.trouble}") if result.trouble else "done"
        what = f"  {result.jail}: {result.action} {result.kind} "
        page.line(dim(clock_text(result.at)), what, came_to, indent=2)


_ENDINGS = {
    "operator": ", ended by an operator",
    "exempt": ", ended because the subject became exempt",
    "stopped": ", ended with the server",
    "fleet": ", ended by another node",
    "folded": ", replaced by the ban of its network",
}
"""What is said of an end that is not simply that of the ban's time."""


def _show_ban(page: Page, subject: str, ban: Ban, now: Instant) -> None:
    end = end_of(ban, now)
    if end is not None:
        page.line(
            strong(str(ban.subject)),
            f" was banned by {ban.jail} until {clock_text(end)}",
            dim(f" ({ago(end, now)}{_ENDINGS.get(ban.end_reason, '')})"),
        )
    else:
        until = "without end" if ban.until is None else f"until {clock_text(ban.until)}"
        page.line(
            strong(str(ban.subject)),
            " is ",
            warn("banned"),
            f" by {ban.jail} {until}",
            dim(f" ({left(ban.until, now)})"),
        )
    if str(ban.subject) != subject:
        page.line(dim("holds     "), f"{subject}, which lies in it", indent=2)
    for label, text in _facts(ban, now):
        page.line(Styled(f"{label:<10}", "dim"), text, indent=2)
    if ban.evidence:
        page.line(dim("evidence"), indent=2)
        for line in ban.evidence:
            place = f"{line.path}, byte {line.offset}" if line.offset or line.path else "unknown"
            page.line(dim(f"{clock_text(line.at)}  {place}"), indent=4)
            page.line(line.text, indent=6)
    if end is None:
        page.line(dim("undo      "), undo(ban), indent=2)


def _facts(ban: Ban, now: Instant) -> list[tuple[str, str]]:
    facts = [
        ("since", f"{clock_text(ban.since)} ({ago(ban.since, now)})"),
        ("count", f"the {ordinal(ban.count)} ban of this subject by this jail"),
    ]
    match ban.cause:
        case "failures":
            rule = f", the last by failregex {ban.rule}" if ban.rule else ""
            facts.append(("because", f"{plural(ban.failures, 'failure')} within findtime{rule}"))
        case "operator":
            facts.append(("because", "an operator asked for it"))
        case "fleet":
            facts.append(("because", "another node of the fleet banned it"))
        case "network":
            facts.append(("because", f"{plural(ban.failures, 'member')} of it were banned"))
    return facts
