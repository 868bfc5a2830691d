"""Starts our server as ``fail2ban-server`` would start: in the background, or in the foreground."""

import contextlib
import os
import sys
import time

from banish.cli.fail2ban.ask import NoServerError, ask, server_pid
from banish.cli.fail2ban.client import log, send, socket_of
from banish.cli.fail2ban.programs import FAILED
from banish.cli.fail2ban.wishes import Wishes
from banish.control.fail2ban.answers import CommandError

START_SECONDS = 60.0
LOOK_SECONDS = 0.05


def start(wishes: Wishes) -> int:
    """Start a server, and say so once it answers; in the foreground, be that server."""
    if _answers(wishes):
        log(wishes, "Server already running")
        return FAILED
    words = [sys.executable, "-m", "banish", *(["-c", wishes.root] if wishes.root else []), "run"]
    if wishes.is_in_foreground:
        os.execv(words[0], words)  # noqa: S606 - our own program, no shell
    pid = _spawn(words)
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if _answers(wishes):
            print("Server ready")
            return 0
        if os.waitpid(pid, os.WNOHANG)[0]:
            log(wishes, "Could not start server: 'banish check' says why")
            return FAILED
        time.sleep(LOOK_SECONDS)
    log(wishes, f"Could not start server: no answer within {START_SECONDS:g} seconds")
    return FAILED


def restart(wishes: Wishes, command: list[str]) -> int:
    """Stop the server, if there is one, and start one; ``--unban`` ends all bans first."""
    if _answers(wishes):
        if "--unban" in command:
            send(wishes, ["unban", "--all"])
        pid = server_pid(socket_of(wishes))
        code = send(wishes, ["stop"])
        if code:
            return code
        end = time.monotonic() + START_SECONDS
        while pid and _is_alive(pid) and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
    return start(wishes)


def _spawn(words: list[str]) -> int:
    """Start a program in a session of its own, without our input and output; return its pid."""
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    return os.posix_spawn(words[0], words, os.environ, file_actions=null, setsid=True)


def _is_alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # where it is our own child
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _answers(wishes: Wishes) -> bool:
    try:
        return bool(ask(socket_of(wishes), ["ping"], timeout=5.0) == "pong")
    except (NoServerError, CommandError):
        return False
