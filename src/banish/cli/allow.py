"""``banish allow``: let somebody in, and never ban them again."""

import argparse

from banish.cli.documents import ban_document
from banish.cli.pasteable import pasteable
from banish.cli.places import client
from banish.cli.rendering import Page, dim, print_json, strong
from banish.model.address import parse_subject

EXAMPLE = """examples:
  banish allow 192.0.2.1               in every jail, banned now or not
  banish allow 192.0.2.0/24 --jail sshd

It holds until the next reload or start of the server. To keep it, write the
subject into ignoreip.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``allow`` takes."""
    parser.add_argument("subjects", metavar="SUBJECT", nargs="+")
    parser.add_argument("--jail", metavar="J", help="only in this jail")
    parser.add_argument("--json", action="store_true", help="print the bans that were in force")


def run(options: argparse.Namespace) -> int:
    """Exempt the subjects, and end their bans."""
    subjects = [str(parse_subject(text)) for text in options.subjects]
    bans = client(options).allow(options.subjects, options.jail)
    if options.json:
        print_json([ban_document(ban) for ban in bans])
    elif options.verbosity >= 0:
        page = Page()
        for ban in bans:
            page.line(strong(str(ban.subject)), f" unbanned in {ban.jail}")
        where = f"in {options.jail}" if options.jail else "in every jail"
        for subject in subjects:
            page.line(strong(subject), f" is exempt {where}, until the next reload or start")
        section = options.jail or "DEFAULT"
        how = f"to keep it, add to ignoreip of [{section}] in jail.local: {' '.join(subjects)}"
        page.line(dim(pasteable(how)))
    return 0
