"""From the words of a command line to the verb's module, and from errors to exit codes."""

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from banish import __version__
from banish.cli.fail2ban.programs import INTERRUPTED, PIPE_CLOSED, PROGRAMS
from banish.cli.pasteable import pasteable, remember
from banish.errors import BanishError, OperatorError

VERBS = {
    "run": ("run", "protect this host: read the logs, ban in the firewall"),
    "demo": ("demo", "show a demo: a private host with a real sshd, attacked and defended"),
    "status": ("status", "show jails, failures, bans, logs, and what the firewall holds"),
    "bans": ("bans", "list active bans"),
    "ban": ("ban", "ban by hand"),
    "unban": ("unban", "end bans by hand"),
    "allow": ("allow", "let subjects in and never ban them again"),
    "top": ("top", "show jails and bans live, each ban with its evidence"),
    "events": ("events", "print what happens, as it happens"),
    "reload": ("reload", "apply changes of the configuration to the running server"),
    "confirm": ("confirm", "keep the configuration that 'reload --confirm' put on trial"),
    "resume": ("resume", "let a jail that spent its ban budget start bans again"),
    "why": ("why", "show the evidence for a ban, and how to undo it"),
    "match": ("match", "try filters on log lines; needs no server"),
    "replay": ("replay", "run past logs through jails and print the decisions"),
    "check": ("check", "find every problem in the configuration"),
    "config": ("configuration", "show effective settings and where each comes from"),
    "doctor": ("doctor", "check what banish needs on this host, and how to fix what is missing"),
}
"""Each verb's module in this package, and what it is for."""


class Verb(Protocol):
    """The module of a verb."""

    EXAMPLE: str
    """What ``--help`` ends with."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what the verb takes."""
        ...

    def run(self, options: argparse.Namespace) -> int:
        """Do it and return the exit code.

        Raises:
            BanishError: Printed on standard error; exit code 2 if the operator can fix it, else 1.

        """
        ...


_WITH_VALUE = ("-c", "--config", "-s", "--socket", "--state")


def _verb_among(words: Sequence[str]) -> str | None:
    before = ""
    for word in words:
        if not word.startswith("-") and before not in _WITH_VALUE:
            return word
        before = word
    return None


def build_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the verb that *words* name is loaded and knows its arguments."""
    chosen = _verb_among(words)
    parser = argparse.ArgumentParser(
        prog="banish",
        description="Watches logs and bans attackers in the firewall.",
        epilog="examples:\n"
        "  sudo banish run       protect this host\n"
        "  sudo banish status    in another terminal: see how it is doing\n\n"
        f"Under one of the names {', '.join(PROGRAMS)},\n"
        "or with such a name as its first word, banish is that program.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"banish {__version__}")
    _add_everywhere(parser, is_verb=False)
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb")
    for name, (module, purpose) in VERBS.items():
        verb_parser = verbs.add_parser(
            name,
            help=purpose,
            description=f"{purpose[0].upper()}{purpose[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        _add_everywhere(verb_parser, is_verb=True)
        if name == chosen:
            verb = _load(module)
            verb.add_arguments(verb_parser)
            verb_parser.epilog = verb.EXAMPLE
    return parser


def _load(module: str) -> Verb:
    return cast("Verb", importlib.import_module(f"banish.cli.{module}"))


def _add_everywhere(parser: argparse.ArgumentParser, *, is_verb: bool) -> None:
    """Add the flags that stand before or after the verb.

    After it they have no default, or they would overwrite what stood before it.
    """
    group = parser.add_argument_group("everywhere")

    def default(value: object) -> object:
        return argparse.SUPPRESS if is_verb else value

    group.add_argument(
        "-c",
        "--config",
        metavar="DIR",
        default=default(None),
        help=(
            "configuration directory (default: /etc/banish, else /etc/fail2ban, else the "
            "built-in one)"
        ),
    )
    group.add_argument(
        "-s", "--socket", metavar="SOCKET", default=default(None), help="the server's socket"
    )
    group.add_argument(
        "--state",
        metavar="DIR",
        default=default(None),
        help="keep database, sockets and pid file in DIR",
    )
    suffix = "_after" if is_verb else ""
    group.add_argument(
        "-v", "--verbose", action="count", default=0, dest=f"louder{suffix}", help="print more"
    )
    group.add_argument(
        "-q", "--quiet", action="count", default=0, dest=f"quieter{suffix}", help="print less"
    )


def _parse(words: Sequence[str]) -> argparse.Namespace | int:
    """Return what *words* say, or the exit code where that is already decided."""
    parser = build_parser(words)
    try:
        options, rest = parser.parse_known_args(words)
        if rest and not _takes(options, rest):
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 2
    if options.verb is None:
        parser.print_help(sys.stderr)
        return 2
    options.verbosity = (
        options.louder + options.louder_after - options.quieter - options.quieter_after
    )
    return options


def _takes(options: argparse.Namespace, rest: Sequence[str]) -> bool:
    """Give *rest* to a verb that takes operands anywhere (its option ``operands``).

    argparse itself leaves operands over that come after another option:
    ``--jail J --json LOG``.
    """
    if not hasattr(options, "operands"):
        return False
    options.operands = [*options.operands, *rest]
    return all(word == "-" or not word.startswith("-") for word in rest)


def _report(error: BanishError) -> None:
    """Say on standard error what went wrong; what it quotes never steers the terminal."""
    from banish.telemetry.lines import harmless  # noqa: PLC0415

    lines = pasteable(f"banish: {error}").split("\n")
    print("\n".join(map(harmless, lines)), file=sys.stderr)


def carry_out(argv: Sequence[str] | None) -> int:
    """Do what *argv* (default: the process's own) says; see `banish.cli.main`."""
    words = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a letter that cannot be shown stops nothing
            stream.reconfigure(errors="backslashreplace")
    try:
        options = _parse(words)
        if not isinstance(options, int):
            remember(options)
        code = options if isinstance(options, int) else _load(VERBS[options.verb][0]).run(options)
        if sys.stdout is not None:  # started with it closed
            sys.stdout.flush()
    except BanishError as error:
        _report(error)
        return 2 if isinstance(error, OperatorError) else 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered has nowhere to go; without this Python says so at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    return code
