"""Puts the options of the command line at hand into the commands that are shown.

``banish unban 192.0.2.1`` ends no ban of a server that was started with ``--state DIR``:
whoever was asked with ``-c``, ``-s`` or ``--state`` shows commands with the same.
"""

import argparse
import re
import shlex
from contextvars import ContextVar

_GIVEN: ContextVar[str] = ContextVar("given", default="")

_COMMAND = re.compile(
    r"\bbanish (?:run|status|bans|ban|unban|allow|top|events|reload|confirm|resume|why|match|replay"
    r"|check|config|doctor)\b"
)
"""A command of ours within a message; the verbs are those of `banish.cli.dispatch`."""

_WHOLE = re.compile(r"(?:[^\n]*: )?(?:sudo )?banish [a-z]+(?: [\w./:-]+)*")
"""A message that ends with a command."""


def remember(options: argparse.Namespace) -> None:
    """Note where *options* say that configuration and server are."""
    words: list[str] = []
    for flag, value in (
        ("-c", options.config),
        ("-s", options.socket),
        ("--state", options.state),
    ):
        if value is not None:
            words += [flag, str(value)]
    _GIVEN.set(f" {shlex.join(words)}" if words else "")


def given() -> str:
    """Return the remembered options as they go behind a command; empty without any."""
    return _GIVEN.get()


def pasteable(text: str) -> str:
    """Return *text*, a message of ours, with each command as it has to be given here."""
    options = given()
    if not options or not _COMMAND.search(text):
        return text
    if _WHOLE.fullmatch(text):
        return text + options
    return _COMMAND.sub(lambda found: found[0] + options, text)
