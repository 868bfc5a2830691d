"""``banish run``: the server, in the foreground."""

import argparse
from pathlib import Path

from banish.cli.places import config_dir

EXAMPLE = """examples:
  banish run                          read the configured logs, ban in the firewall
  banish run --dry-run --state /tmp/trial
                                      try a configuration; nothing is banned
  banish run -c /etc/fail2ban         take over Fail2Ban's configuration as it is
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what ``run`` takes."""
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="ban nobody and run no action, but show what would be done; ignorecommand is run,"
        " since it decides who is counted",
    )


def run(options: argparse.Namespace) -> int:
    """Serve until asked to stop."""
    from banish.daemon.app import RunOptions  # noqa: PLC0415
    from banish.daemon.app import run as serve  # noqa: PLC0415

    return serve(
        RunOptions(
            config=config_dir(options),
            socket=None if options.socket is None else Path(options.socket),
            state=None if options.state is None else Path(options.state),
            dry_run=options.dry_run,
            verbosity=options.verbosity,
        )
    )
