"""``banish unban``: let somebody in again."""

import argparse

from banish.cli.documents import ban_document
from banish.cli.places import client
from banish.cli.rendering import Page, print_json, strong, warn
from banish.cli.wording import plural
from banish.errors import RequestError
from banish.model.address import parse_subject

EXAMPLE = """examples:
  banish unban 192.0.2.1               in every jail; exit code 1 if it was not banned
  banish unban 192.0.2.1 --jail sshd
  banish unban --all
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``unban`` takes."""
    parser.add_argument("subjects", metavar="SUBJECT", nargs="*")
    parser.add_argument("--jail", metavar="J", help="only in this jail")
    parser.add_argument("--all", action="store_true", help="end every ban")
    parser.add_argument("--json", action="store_true", help="print the bans that were in force")


def run(options: argparse.Namespace) -> int:
    """End bans; 1 if one of the named was not banned."""
    if bool(options.subjects) == options.all:
        raise RequestError("name who is to be let in, or say --all", where="unban")
    bans = client(options).unban(None if options.all else options.subjects, options.jail)
    free = {parse_subject(text) for text in options.subjects} - {ban.subject for ban in bans}
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
    return 1 if free else 0
