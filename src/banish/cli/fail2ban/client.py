"""``fail2ban-client`` and ``fail2ban-server``: their command line, and what needs no server.

Dumping the configuration as the commands it stands for (``-d``, ``--dp``),
testing it (``-t``), durations (``--str2sec``) and versions. What a server answers is
`banish.cli.fail2ban.talk`; nothing that a ping does not need is loaded for one.

Options are read as Fail2Ban does it, with getopt: long ones may be shortened,
and the first word that is no option ends them. ``-t`` finds more than Fail2Ban's,
which neither compiles regexes nor reads durations: its errors are those of ``banish
check``, a jail without a log to read among them, as in Fail2Ban.
"""

import getopt
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from banish import __version__
from banish.cli.fail2ban.programs import COMPATIBLE, FAILED
from banish.cli.fail2ban.wishes import Wishes

if TYPE_CHECKING:
    from pathlib import Path

_SHORT = "hc:s:p:xfbdtviqV"
_LONG = (
    "loglevel=", "logtarget=", "syslogsocket=", "test", "async", "conf=", "pidfile=", "pname=",
    "socket=", "timeout=", "str2sec=", "help", "version", "dp", "dump-pretty",
)  # fmt: skip

_USAGE = """\
Usage: {name} [OPTIONS]{command}

Fail2Ban v{version}, provided by banish {ours}

Options:
    -c, --conf <DIR>        configuration directory
    -s, --socket <FILE>     socket path
    -p, --pidfile <FILE>    pidfile path
    --loglevel <LEVEL>      logging level
    --logtarget <TARGET>    logging target: a file, stdout, stderr, syslog or sysout
    --syslogsocket auto|<FILE>
    -d                      dump configuration
    --dp, --dump-pretty     dump the configuration in readable form
    -t, --test              test configuration
    -v                      increase verbosity
    -q                      decrease verbosity
    --str2sec <STRING>      convert time abbreviation format to seconds
    -h, --help              display this help message
    -V, --version           print the version (-V: nothing but the number)

    -i                      interactive mode
    -b                      start server in background (default)
    -f                      start server in foreground
    --timeout <SECONDS>     how long an answer may take

Accepted for compatibility: -x, --pname, --async

example: {name} -c /etc/fail2ban -d"""


def run(name: str, words: Sequence[str]) -> int:
    """Do what *words* say, called *name*, and return the exit code.

    Raises:
        ConfigError: There is no configuration where ``-c`` points.

    """
    try:
        options, command = getopt.getopt(list(words), _SHORT, list(_LONG))
    except getopt.GetoptError:
        show_usage(name)
        return FAILED
    wishes = Wishes()
    for option, value in options:
        match option:
            case "-h" | "--help":
                show_usage(name)
                return 0
            case "-V":
                print(COMPATIBLE)
                return 0
            case "--version":
                print(f"Fail2Ban v{COMPATIBLE} (banish {__version__})")
                return 0
            case "--str2sec":
                return _show_seconds(value)
            case _:
                try:
                    wishes.take(option, value)
                except ValueError:
                    show_usage(name)
                    return FAILED
    if wishes.dump:
        code = _dump(wishes)
        if not wishes.test:
            return code
    if wishes.test:
        code = _test(wishes)
        if code or not command:
            return code
    if not command and not wishes.is_interactive:
        if name != "fail2ban-server":
            show_usage(name)
            return FAILED
        command = ["start"]
    from banish.cli.fail2ban.talk import carry_out  # noqa: PLC0415

    return carry_out(wishes, command)


def _root(wishes: Wishes) -> "Path | None":
    from pathlib import Path  # noqa: PLC0415

    from banish.config import find_root  # noqa: PLC0415

    return Path(wishes.root) if wishes.root else find_root()


def _dump(wishes: Wishes) -> int:
    import pprint  # noqa: PLC0415

    from banish.cli.fail2ban.stream import read_stream  # noqa: PLC0415

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


def _test(wishes: Wishes) -> int:
    import msgspec  # noqa: PLC0415

    from banish.cli.problems import problem_rows  # noqa: PLC0415
    from banish.config import builtin_tree, load  # noqa: PLC0415

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


def _show_seconds(text: str) -> int:
    """Print the length of time *text*, whole where Fail2Ban's arithmetic keeps it whole."""
    import re  # noqa: PLC0415

    from banish.model.duration import DurationError, parse_duration  # noqa: PLC0415

    try:
        span = parse_duration(text)
    except DurationError as error:
        print(f"ERROR: {error}")
        return FAILED
    # A month and a year are fractions of days there, as is whatever is divided.
    is_fraction = re.search(r"[./]|(?i:\d\s*(?:mo|y))", text) is not None
    print(float(span) if is_fraction else int(span))
    return 0


def show_usage(name: str) -> None:
    """Print how *name* is called."""
    command = "" if name.endswith("server") else " <COMMAND>"
    print(_USAGE.format(name=name, command=command, version=COMPATIBLE, ours=__version__))
