"""``fail2ban-client`` and ``fail2ban-server``, with Fail2Ban's options, texts and exit codes.

Options are read as Fail2Ban does it, with getopt: long ones may be shortened, and the first
word that is no option ends them. A command goes to the server over Fail2Ban's own protocol,
so that a server of either kind answers. What needs no server is in `offline`, what starts
one in `process`: both are loaded only then, since containers ask ``ping`` every ten seconds.
"""

import getopt
import os
import sys
import time
from collections.abc import Sequence

from banish import __version__
from banish.cli.fail2ban.programs import COMPATIBLE, FAILED
from banish.cli.fail2ban.wishes import Wishes

_SHORT = "hc:s:p:xfbdtviqV"
_LONG = (
    "loglevel=", "logtarget=", "syslogsocket=", "test", "async", "conf=", "pidfile=", "pname=",
    "socket=", "timeout=", "str2sec=", "help", "version", "dp", "dump-pretty",
)  # fmt: skip

_USAGE = """\
Usage: {name} [OPTIONS]{command}

Fail2Ban v{version}, as banish {ours} understands it

Options:
    -c, --conf <DIR>        configuration directory
    -s, --socket <FILE>     socket path
    -p, --pidfile <FILE>    pidfile path
    --loglevel <LEVEL>      logging level
    --logtarget <TARGET>    logging target: a file, stdout, stderr, syslog or sysout
    --syslogsocket auto|<FILE>
    -d                      dump configuration
    --dp, --dump-pretty     dump the configuration for people
    -t, --test              test configuration
    -v                      increase verbosity
    -q                      decrease verbosity
    --str2sec <STRING>      convert time abbreviation format to seconds
    -h, --help              display this help message
    -V, --version           print the version (-V: nothing but the number)
    -i                      interactive: read commands line by line
    -b, -f                  start the server in the background (default), in the foreground

Taken for compatibility: -x, --pname, --async

example: {name} -c /etc/fail2ban -d"""


def run(name: str, words: Sequence[str]) -> int:
    """Do what *words* say, called *name*, and return the exit code.

    Raises:
        ConfigError: There is no configuration where ``-c`` points.

    """
    try:
        options, command = getopt.getopt(list(words), _SHORT, list(_LONG))
    except getopt.GetoptError:
        _show_usage(name)
        return FAILED
    wishes = Wishes()
    for option, value in options:
        match option:
            case "-h" | "--help":
                _show_usage(name)
                return 0
            case "-V":
                print(COMPATIBLE)
                return 0
            case "--version":
                print(f"Fail2Ban v{COMPATIBLE} (banish {__version__})")
                return 0
            case "--str2sec":
                from banish.cli.fail2ban.offline import show_seconds  # noqa: PLC0415

                return show_seconds(value)
            case _:
                _wish(wishes, option, value)
    code = _without_server(wishes)
    if code or (not command and (wishes.dump or wishes.test)):
        return code
    if wishes.dump and not wishes.test:
        return code
    if wishes.is_interactive:
        return _converse(wishes)
    if not command:
        if name.endswith("server"):
            return _carry_out(wishes, ["start"])
        _show_usage(name)
        return FAILED
    return _carry_out(wishes, list(command))


def _without_server(wishes: Wishes) -> int:
    if not wishes.dump and not wishes.test:
        return 0
    from banish.cli.fail2ban import offline  # noqa: PLC0415

    code = offline.dump(wishes) if wishes.dump else 0
    if wishes.test and not code:
        code = offline.check(wishes)
    return code


def _wish(wishes: Wishes, option: str, value: str) -> None:
    match option:
        case "-c" | "--conf":
            wishes.root = value
        case "-s" | "--socket":
            wishes.socket = value
        case "-d":
            wishes.dump = "plain"
        case "--dp" | "--dump-pretty":
            wishes.dump = "pretty"
        case "-t" | "--test":
            wishes.test = True
        case "-i":
            wishes.is_interactive = True
        case "-f":
            wishes.is_in_foreground = True
        case "-v":
            wishes.verbosity += 1
        case "-q":
            wishes.verbosity -= 1
        case "--timeout":
            wishes.timeout = float(value) if value.replace(".", "", 1).isdigit() else wishes.timeout
        case "--loglevel" | "--logtarget" | "--syslogsocket":
            wishes.overrides[option.removeprefix("--")] = value
        case _:
            pass  # of no use here


def _carry_out(wishes: Wishes, command: list[str]) -> int:
    first = command[0]
    if first == "start" and len(command) == 1:
        from banish.cli.fail2ban.process import start  # noqa: PLC0415

        return start(wishes)
    if first == "restart" and all(word.startswith("--") for word in command[1:]):
        from banish.cli.fail2ban.process import restart  # noqa: PLC0415

        return restart(wishes, command)
    return send(wishes, command)


def send(wishes: Wishes, command: list[str]) -> int:
    """Send *command* to the server, print the answer, and return the exit code."""
    from banish.cli.fail2ban.ask import NoServerError, ask  # noqa: PLC0415
    from banish.cli.fail2ban.texts import error_text, text_of  # noqa: PLC0415
    from banish.control.fail2ban.answers import CommandError  # noqa: PLC0415

    path = socket_of(wishes)
    try:
        value = ask(path, command, timeout=wishes.timeout)
    except NoServerError:
        log(wishes, f"Failed to access socket path: {path}. Is fail2ban running?")
        return FAILED
    except CommandError as error:
        log(wishes, f"NOK: ({error.text!r},)")
        print(error_text(error))
        return FAILED
    print(text_of(command, value))
    return 0


def log(wishes: Wishes, what: str) -> None:
    """Write *what* to standard error as Fail2Ban's client logs an error, unless it is to be quiet.

    Scripts that read both streams together find it there.
    """
    if wishes.verbosity >= -1:
        now = time.time()
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        part = f"{clock},{int(now % 1 * 1000):03d} {'fail2ban':<24}[{os.getpid()}]: ERROR  "
        print(f"{part} {what}", file=sys.stderr)


def socket_of(wishes: Wishes) -> str:
    """Return the socket that is meant: ``-s``, else what the configuration says, else the usual."""
    from banish.cli.fail2ban.socketpath import socket_in  # noqa: PLC0415

    return wishes.socket or socket_in(wishes.root)


def _converse(wishes: Wishes) -> int:
    """Read commands line by line, as ``-i`` asks for, until ``exit``."""
    import contextlib  # noqa: PLC0415
    import shlex  # noqa: PLC0415

    with contextlib.suppress(ImportError):
        import readline  # noqa: F401, PLC0415
    print(f"Fail2Ban v{COMPATIBLE} reads log file that contains password failure report")
    print("and bans the corresponding IP addresses using firewall rules.\n")
    while True:
        try:
            line = input("fail2ban> ")
        except (EOFError, KeyboardInterrupt):
            print()
            return 0
        try:
            command = shlex.split(line)
        except ValueError as error:
            print(f"ERROR: {error}")
            continue
        if command in (["exit"], ["quit"]):
            return 0
        if command == ["help"]:
            _show_usage("fail2ban-client")
        elif command:
            _carry_out(wishes, command)


def _show_usage(name: str) -> None:
    command = "" if name.endswith("server") else " <COMMAND>"
    print(_USAGE.format(name=name, command=command, version=COMPATIBLE, ours=__version__))
