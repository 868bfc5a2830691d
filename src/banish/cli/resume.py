"""``banish resume``: let a jail that spent its ban budget start bans again."""

import argparse

from banish.cli.places import client
from banish.cli.rendering import Page, strong

EXAMPLE = """examples:
  banish status web          says whether the jail holds bans back
  banish resume web          exit code 2 if it does not
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``resume`` takes."""
    parser.add_argument("jail", metavar="JAIL")


def run(options: argparse.Namespace) -> int:
    """Give the jail its whole budget back."""
    client(options).resume(options.jail)
    if options.verbosity >= 0:
        Page().line(strong(options.jail), " starts bans again")
    return 0
