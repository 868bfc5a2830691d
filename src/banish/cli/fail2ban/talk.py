"""Carries out the commands of ``fail2ban-client`` that a running server answers.

It speaks Fail2Ban's own protocol, so it asks our server and Fail2Ban's alike.
"""

import os
import shlex
import sys
import time

from banish.cli.fail2ban import texts
from banish.cli.fail2ban.programs import COMPATIBLE, FAILED
from banish.cli.fail2ban.socketpath import socket_path
from banish.cli.fail2ban.wire import NoAnswerError, Raised, ask, server_pid
from banish.cli.fail2ban.wishes import Wishes

START_SECONDS = 60.0
"""How long a server may take to start or to stop."""

PAUSE_SECONDS = 0.05

_BANNER = f"""\
Fail2Ban v{COMPATIBLE} reads log file that contains password failure report
and bans the corresponding IP addresses using firewall rules.
"""


def carry_out(wishes: Wishes, command: list[str]) -> int:
    """Carry out *command* and return the exit code."""
    path = wishes.socket or socket_path(wishes.root)
    if wishes.is_interactive:
        return _interact(path, wishes)
    first, rest = command[0], command[1:]
    if first == "start" and not rest:
        return _start(path, wishes)
    if first == "restart" and not [word for word in rest if word != "--unban"]:
        return _restart(path, wishes, rest)
    if first == "restart":
        return _reload(path, wishes, ["--restart", *rest])
    if first == "reload":
        return _reload(path, wishes, rest)
    return _send(path, wishes, list(command), command)


def _send(path: str, wishes: Wishes, sent: list[object], command: list[str]) -> int:
    """Send *sent*, print the answer as that to *command*, and return the exit code."""
    try:
        code, value = ask(path, sent, wishes.seconds)
    except NoAnswerError as error:
        is_missing = error.is_absent and not os.path.exists(path)  # noqa: PTH110 - fast
        where = f"Failed to access socket path: {path}. Is fail2ban running?"
        log_error(where if is_missing else str(error))
        return FAILED
    if code:
        args = value.args[:2] if isinstance(value, Raised) else (value,)
        log_error(f"NOK: {args!r}")
        print(texts.error_text(value))
        return FAILED
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    print(texts.text_of(command, value, is_utf8=encoding.startswith("utf")))
    return 0


def log_error(what: str) -> None:
    """Write *what* to standard error as a line of Fail2Ban's log."""
    from banish.telemetry.lines import harmless  # noqa: PLC0415 - not loaded for a ping

    now = time.time()
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    stamp = f"{when},{int(now * 1000) % 1000:03}"
    head = f"{stamp} fail2ban                [{os.getpid()}]: ERROR  "
    print(head, harmless(what), file=sys.stderr)


def _is_answered(path: str) -> bool:
    try:
        return ask(path, ["ping"], 5.0)[0] == 0
    except NoAnswerError:
        return False


def _reload(path: str, wishes: Wishes, words: list[str]) -> int:
    """Have the server read its files anew; Fail2Ban's own one is sent what we read in them."""
    flags = [word for word in words if word.startswith("--")]
    jails = [word for word in words if not word.startswith("--")]
    if len(jails) > 1 or set(flags) - {"--unban", "--restart", "--if-exists", "--all"}:
        log_error(f"reload takes one jail, --all, --restart, --unban, --if-exists: {words!r}")
        return FAILED
    jail = jails[0] if jails else "--all"
    options = [flag for flag in flags if flag != "--all"]
    try:
        is_ours = ask(path, ["banish"], wishes.seconds)[0] == 0
    except NoAnswerError:
        log_error("Could not find server")
        return FAILED
    stream: list[object] = []
    if not is_ours:
        from pathlib import Path  # noqa: PLC0415

        from banish.cli.fail2ban.stream import read_stream  # noqa: PLC0415

        root = Path(wishes.root or "/etc/fail2ban")
        read = read_stream(root, wishes.overrides)
        if not read.is_usable:  # it would lose the jails that a broken list leaves out
            log_error("the configuration has errors; nothing was reloaded")
            return FAILED
        named = [each for each in read.commands if jail in ("--all", *each[1:2])]
        stream = [list(each) for each in named]
    return _send(path, wishes, ["reload", jail, options, stream], ["reload"])


def _restart(path: str, wishes: Wishes, words: list[str]) -> int:
    if words and _is_answered(path):
        _send(path, wishes, ["unban", "--all"], ["unban"])
    if pid := server_pid(path):
        code = _send(path, wishes, ["stop"], ["stop"])
        if code:
            return code
        end = time.monotonic() + START_SECONDS
        while _is_alive(pid):
            if time.monotonic() > end:
                log_error(f"the server (process {pid}) does not stop")
                return FAILED
            time.sleep(PAUSE_SECONDS)
    return _start(path, wishes)


def _is_alive(pid: int) -> bool:
    import contextlib  # noqa: PLC0415

    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # where it is our own child
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start(path: str, wishes: Wishes) -> int:
    """Start the server: here if it is wished, else in the background, until it answers."""
    if _is_answered(path):
        log_error("Server already running")
        return FAILED
    if wishes.is_foreground:
        return _serve(wishes)
    import signal  # noqa: PLC0415

    words = ["-c", wishes.root] if wishes.root else []
    words += ["-s", wishes.socket] if wishes.socket else []
    words += ["-p", wishes.pidfile] if wishes.pidfile else []
    words += [word for option, value in wishes.overrides.items() for word in (f"--{option}", value)]
    words += ["-v"] * wishes.verbosity + ["-q"] * -wishes.verbosity
    program = [sys.executable, "-m", "banish", "fail2ban-server", *words, "-f", "start"]
    # Without our input and output: who waits for their end must not wait for the server's.
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    pid = os.posix_spawn(program[0], program, os.environ, file_actions=null, setsid=True)
    end = time.monotonic() + START_SECONDS
    while not _is_answered(path):
        if os.waitpid(pid, os.WNOHANG)[0]:
            log_error("Could not start server: 'banish check' says why, or a start with -f")
            return FAILED
        if time.monotonic() > end:
            os.kill(pid, signal.SIGTERM)
            log_error(f"the server did not answer within {START_SECONDS:.0f} seconds")
            return FAILED
        time.sleep(PAUSE_SECONDS)
    print("Server ready")
    return 0


def _serve(wishes: Wishes) -> int:
    from pathlib import Path  # noqa: PLC0415

    from banish.config import find_root  # noqa: PLC0415
    from banish.daemon.app import RunOptions, run  # noqa: PLC0415

    return run(
        RunOptions(
            config=Path(wishes.root) if wishes.root else find_root(),
            verbosity=wishes.verbosity,
            fail2ban_socket=Path(wishes.socket) if wishes.socket else None,
            fail2ban_pidfile=Path(wishes.pidfile) if wishes.pidfile else None,
            overrides=wishes.overrides,
        )
    )


def _interact(path: str, wishes: Wishes) -> int:
    """Carry out what is typed, line by line."""
    import contextlib  # noqa: PLC0415

    if not _is_answered(path):
        log_error("Could not find server")
        return FAILED
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401, PLC0415 - gives input() a history
    print(_BANNER)
    while True:
        try:
            line = input("fail2ban> ").strip()
        except EOFError:
            print()
            return 0
        if line in ("exit", "quit"):
            return 0
        if line == "help":
            from banish.cli.fail2ban.client import show_usage  # noqa: PLC0415

            show_usage("fail2ban-client")
            continue
        try:
            words = shlex.split(line)
        except ValueError as error:
            log_error(str(error))
            continue
        if words:
            inner = Wishes()
            inner.root, inner.socket, inner.seconds = wishes.root, path, wishes.seconds
            carry_out(inner, words)
