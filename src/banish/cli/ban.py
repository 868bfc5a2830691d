"""``banish ban``: keep somebody out by hand."""

import argparse
from collections.abc import Sequence

from banish.cli.documents import ban_document
from banish.cli.places import client
from banish.cli.rendering import Page, dim, print_json, strong
from banish.cli.wording import plural
from banish.errors import RequestError
from banish.model.address import parse_subject
from banish.model.duration import DurationError, parse_duration
from banish.model.instant import Seconds
from banish.telemetry.clocktext import clock_text

EXAMPLE = """examples:
  banish ban sshd 192.0.2.1                 for as long as the jail bans
  banish ban sshd 192.0.2.1 --for 1w
  banish ban sshd 2001:db8::/48 --for -1    without end
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``ban`` takes."""
    parser.add_argument("jail", metavar="JAIL")
    parser.add_argument(
        "subjects", metavar="SUBJECT", nargs="+", help="address or network, such as 192.0.2.0/24"
    )
    parser.add_argument(
        "--for",
        dest="lasts",
        metavar="DUR",
        help='how long, such as "10m", "1d 12h", -1 for ever (default: the jail\'s bantime)',
    )
    parser.add_argument("--json", action="store_true", help="print the new bans as JSON")


def parse_lasts(text: str | None, where: str = "--for") -> Seconds | None:
    """Return a length of time as written, such as that of a ban; None for none.

    Raises:
        RequestError: It is not a duration.

    """
    if text is None:
        return None
    try:
        return parse_duration(text)
    except DurationError as error:
        raise RequestError(error.what, where=where, cure=error.cure) from error


def run(options: argparse.Namespace) -> int:
    """Ban; somebody who is banned already stays so, and that is as asked."""
    subjects: Sequence[str] = options.subjects
    server = client(options)
    bans = server.ban(options.jail, subjects, parse_lasts(options.lasts))
    if options.json:
        print_json([ban_document(ban) for ban in bans])
        return 0
    if options.verbosity < 0:
        return 0
    page = Page()
    for ban in bans:
        until = "without end" if ban.until is None else f"until {clock_text(ban.until)}"
        page.line(strong(str(ban.subject)), f" banned in {ban.jail} {until}")
    already = {parse_subject(text) for text in subjects} - {ban.subject for ban in bans}
    held = {ban.subject: ban for ban in server.bans(options.jail)} if already else {}
    for subject in sorted(already):
        what = f" was already banned in {options.jail}"
        if options.lasts is not None and subject in held:
            end = held[subject].until
            until = "without end" if end is None else f"until {clock_text(end)}"
            what += f" {until}: that ban is kept, --for {options.lasts} does not change it"
        page.line(strong(str(subject)), dim(what))
    if len(bans) > 1:
        page.line(dim(plural(len(bans), "new ban")))
    return 0
