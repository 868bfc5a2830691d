"""What of ``fail2ban-client`` needs no running server: ``-d``, ``--dp``, ``-t``, ``--str2sec``.

``-t`` finds more than Fail2Ban's, which neither compiles regexes nor reads durations: its
errors are those of ``banish check``, a jail without a log to read among them, as in Fail2Ban.
"""

import pprint
import re
import sys
from pathlib import Path

import msgspec

from banish.cli.fail2ban.programs import FAILED
from banish.cli.fail2ban.stream import read_stream
from banish.cli.fail2ban.wishes import Wishes
from banish.cli.problems import problem_rows
from banish.config import builtin_tree, find_root, load
from banish.model.duration import DurationError, parse_duration


def _root(wishes: Wishes) -> Path | None:
    return Path(wishes.root) if wishes.root else find_root()


def dump(wishes: Wishes) -> int:
    """Print the configuration as the commands that it stands for."""
    stream = read_stream(_root(wishes), wishes.overrides)
    if wishes.verbosity >= 0:
        for warning in stream.warnings:
            print(f"WARNING {warning}", file=sys.stderr)
    for command in stream.commands:
        if wishes.dump == "pretty":
            print(pprint.pformat(command, width=1000, indent=2))
        else:
            print(command)
    return 0 if stream.is_usable else FAILED


def check(wishes: Wishes) -> int:
    """Print what is wrong with the configuration."""
    settings = load(_root(wishes), builtin=builtin_tree(), host=True)
    for each in problem_rows(settings.problems):
        severity = each.problem.severity
        if severity == "error" or wishes.verbosity > 0:
            shown = msgspec.structs.replace(each.problem, what=each.what, stops=False)
            print(f"{severity.upper()} {shown}", file=sys.stderr)
    if settings.errors:
        print("ERROR: test configuration failed", file=sys.stderr)
        return FAILED
    print("OK: configuration test is successful")
    return 0


def show_seconds(text: str) -> int:
    """Print the length of time *text*, whole where Fail2Ban's arithmetic keeps it whole."""
    try:
        span = parse_duration(text)
    except DurationError as error:
        print(f"ERROR: {error}")
        return FAILED
    # A month and a year are fractions of days there, as is whatever is divided.
    is_fraction = re.search(r"[./]|(?i:\d\s*(?:mo|y))", text) is not None
    print(float(span) if is_fraction else int(span))
    return 0
