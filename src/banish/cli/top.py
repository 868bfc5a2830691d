"""``banish top``: a live view of jails and bans."""

import argparse
import sys

from banish.cli.places import socket_path
from banish.errors import RequestError
from banish.extras import how_to_install

EXAMPLE = """examples:
  banish top          arrows select a ban, Enter shows its evidence, q quits; u twice
                      unbans the selected ban, a twice also exempts its subject

It needs a terminal, and the Python package textual (the extra "live").
"""


def add_arguments(_parser: argparse.ArgumentParser) -> None:
    """Say what ``top`` takes: nothing."""


def run(options: argparse.Namespace) -> int:
    """Show the view until somebody leaves it.

    Raises:
        RequestError: There is no terminal, or the package is missing.

    """
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        raise RequestError("top needs a terminal", cure="'banish events' prints what happens")
    try:
        from banish.cli.topview import TopView  # noqa: PLC0415
    except ImportError as error:
        raise RequestError(
            "top needs the Python package textual", cure=f"install it: {how_to_install('live')}"
        ) from error
    from banish.control.client import Client  # noqa: PLC0415

    client = Client(socket_path(options))
    client.status()  # whoever cannot ask learns why before the screen changes
    TopView(client).run()
    return 0
