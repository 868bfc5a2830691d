"""``banish confirm``: keep the configuration that a reload put on trial."""

import argparse

from banish.cli.places import client
from banish.cli.rendering import Page

EXAMPLE = """examples:
  banish reload --confirm 60s
  banish confirm              within 60 s; exit code 2 if no reload waits
"""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Say what ``confirm`` takes: nothing."""


def run(options: argparse.Namespace) -> int:
    """Keep what runs now."""
    client(options).confirm()
    if options.verbosity >= 0:
        Page().line("The configuration stays.")
    return 0
