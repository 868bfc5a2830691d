"""Which program of Fail2Ban a command line means.

They are installed beside ``banish``, and ``banish fail2ban-client`` is the same. A host may
still have Fail2Ban: ours speaks its protocol, so both clients ask whichever server runs.
A health check runs one every few seconds, so little is loaded here.
"""

import os
import sys
from collections.abc import Sequence

from banish.errors import BanishError

PROGRAMS = ("fail2ban-client", "fail2ban-server", "fail2ban-regex")

COMPATIBLE = "1.1.1"
"""The version of Fail2Ban whose behaviour is meant."""

PIPE_CLOSED = 141
"""What a shell reports of a program that died of SIGPIPE."""

INTERRUPTED = 130
"""What a shell reports of a program that died of SIGINT."""

FAILED = 255
"""The only exit code of these programs besides 0, but for options they do not know (2)."""


def program_meant(called: str, words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the program and its words, or None where the command line is one of our own.

    *called* is the path by which we were started. Of our global flags ``-c DIR``
    may stand before the program's name, since it means the same to all of them.
    """
    name = called.rpartition("/")[2]
    if name in PROGRAMS:
        return name, list(words)
    at = 2 if words[:1] and words[0] in ("-c", "--config") else 0
    if len(words) > at and words[at] in PROGRAMS:
        return words[at], [*(("-c", words[1]) if at else ()), *words[at + 1 :]]
    return None


def run_guarded(name: str, words: Sequence[str]) -> int:
    """Run the program *name*, and return the exit code even if it is interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # a letter that cannot be shown stops nothing
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        return run_program(name, words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered has nowhere to go; without this Python says so at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def run_program(name: str, words: Sequence[str]) -> int:
    """Run the program *name* with *words* and return its exit code."""
    if name == "fail2ban-regex":
        from banish.cli.fail2ban.regex import run  # noqa: PLC0415
    else:
        from banish.cli.fail2ban.client import run  # noqa: PLC0415
    try:
        code = run(name, words)
        sys.stdout.flush()
    except BanishError as error:
        from banish.telemetry.lines import harmless  # noqa: PLC0415

        print("\n".join(map(harmless, f"ERROR: {error}".split("\n"))))
        return FAILED
    return code
