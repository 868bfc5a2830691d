"""Which program of Fail2Ban a command line means.

A link called ``fail2ban-client`` to our program is that program; so is ``banish
fail2ban-client``. No such link is installed by default: a host may still have
Fail2Ban, and its programs must not be overwritten.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol, cast

from banish.errors import BanishError

PROGRAMS = {
    "fail2ban-client": "client",
    "fail2ban-server": "client",
    "fail2ban-regex": "regex",
}
"""Each program's module in this package."""

COMPATIBLE = "1.1.1"
"""The version of Fail2Ban whose behaviour is meant."""

FAILED = 255
"""The only exit code of these programs besides 0, but for options they do not know (2)."""


class Program(Protocol):
    """The module of a program."""

    def run(self, name: str, words: Sequence[str]) -> int:
        """Do what *words* say, called *name*, and return the exit code.

        Raises:
            BanishError: Printed as ``ERROR: ...``; the exit code is `FAILED`.

        """
        ...


def program_meant(called: str, words: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return the program and its words, or None where the command line is one of our own.

    *called* is the path by which we were started. Of our global flags ``-c DIR``
    may stand before the program's name, since it means the same to all of them.
    """
    name = PurePath(called).name
    if name in PROGRAMS:
        return name, list(words)
    at = 2 if words[:1] and words[0] in ("-c", "--config") else 0
    if len(words) > at and words[at] in PROGRAMS:
        return words[at], [*(("-c", words[1]) if at else ()), *words[at + 1 :]]
    return None


def run_program(name: str, words: Sequence[str]) -> int:
    """Run the program *name* with *words* and return its exit code."""
    program = cast("Program", importlib.import_module(f"banish.cli.fail2ban.{PROGRAMS[name]}"))
    try:
        code = program.run(name, words)
        sys.stdout.flush()
    except BanishError as error:
        from banish.telemetry.lines import harmless  # noqa: PLC0415

        print("\n".join(map(harmless, f"ERROR: {error}".split("\n"))))
        return FAILED
    return code
