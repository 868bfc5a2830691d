"""``banish unban``: let somebody in again."""

import argparse
import time
from collections.abc import Sequence

from banish.cli.documents import ban_document
from banish.cli.places import client
from banish.cli.rendering import Page, print_json, strong, warn
from banish.cli.why import end_of, undo
from banish.cli.wording import plural
from banish.errors import RequestError
from banish.model.address import Subject, parse_subject
from banish.model.ban import Ban
from banish.model.instant import Instant

EXAMPLE = """examples:
  banish unban 192.0.2.1               in every jail; exit code 1 if it was not banned
  banish unban 192.0.2.1 --jail sshd
  banish unban --all
"""


ASKED_LIMIT = 20
"""Of so many subjects at most it is asked whether they are still banned."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``unban`` takes."""
    parser.add_argument("subjects", metavar="SUBJECT", nargs="*")
    parser.add_argument("--jail", metavar="J", help="only in this jail")
    parser.add_argument(
        "--all", action="store_true", help="end every ban and forget all failures counted so far"
    )
    parser.add_argument("--json", action="store_true", help="print the bans that were in force")


def run(options: argparse.Namespace) -> int:
    """End bans; 1 if one of the named was not banned."""
    if bool(options.subjects) == options.all:
        raise RequestError("give the subjects to unban, or --all", where="unban")
    server = client(options)
    bans = server.unban(None if options.all else options.subjects, options.jail)
    named = {parse_subject(text) for text in options.subjects}
    free = {subject for subject in named if not any(_names(subject, ban) for ban in bans)}
    if options.json:
        print_json([ban_document(ban) for ban in bans])
    elif options.verbosity >= 0:
        page = Page()
        if options.all:
            page.line(f"{plural(len(bans), 'ban')} ended")
        else:
            for ban in bans:
                page.line(strong(str(ban.subject)), f" unbanned in {ban.jail}")
        where = f" in {options.jail}" if options.jail else ""
        for subject in sorted(free):
            page.line(strong(str(subject)), warn(f" was not banned{where}"))
        for subject in sorted(named)[:ASKED_LIMIT]:
            _show_holders(page, subject, server.why(str(subject)))
    return 1 if free else 0


def _names(subject: Subject, ban: Ban) -> bool:
    """Whether *ban* is what *subject* was banned as: a jail may ban a network in its place."""
    if ban.subject == subject:
        return True
    return (
        subject.is_address
        and ban.subject.is_network
        and ban.subject.family == subject.family
        and subject.network()[0] in ban.subject.network()
    )


def _show_holders(page: Page, subject: Subject, bans: Sequence[Ban]) -> None:
    """Tell which bans of networks keep *subject* out still, and how to end them."""
    now = Instant(time.time())
    for ban in bans:
        if ban.subject != subject and end_of(ban, now) is None:
            held = f" is still banned: {ban.jail} bans {ban.subject}, which contains it"
            page.line(strong(str(subject)), warn(held))
            page.line(undo(ban), indent=4)
