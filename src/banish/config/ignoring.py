"""Checks ``ignorecommand`` and ``ignorecache``, as they are used at run time."""

from banish.config.problem import FaultError, Problems
from banish.config.scripts import check_script
from banish.config.text import Text
from banish.policy.ignorecache import parse_ignorecache
from banish.shell.script import ignore_script

UNKNOWN_TAGS = frozenset(
    {
        "ipmatches", "ipjailmatches", "ipfailures", "ipjailfailures", "raw-ticket", "jail.banned",
        "jail.banned_total", "jail.found", "jail.found_total",
    }
)  # fmt: skip
"""Tags that Fail2Ban has a value for and we have none before a ban: they are empty."""


def to_ignorecommand(text: Text, problems: Problems) -> str:
    """Return the command; what will work otherwise than it looks is told."""
    command = text.text.strip()
    script = ignore_script(command)
    for tag in dict.fromkeys(slot.tag for slot in script.slots):
        if tag in UNKNOWN_TAGS:
            what = f"<{tag}> has no value here and is empty"
            problems.warn(what, text.place, option="ignorecommand", cure="use <ip> or <F-NAME>")
    effect = "; for such a value the command is not run, and nobody is exempt by it"
    check_script("ignorecommand", text, script, problems, effect=effect)
    return command


def to_ignorecache(text: Text) -> str:
    """Return the rule as written.

    Raises:
        FaultError: It is none.

    """
    try:
        parse_ignorecache(text.text)
    except ValueError as error:
        what, _, cure = str(error).partition("; ")
        raise FaultError(what, text.place, cure) from error
    return text.text.strip()
