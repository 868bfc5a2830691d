"""Checks ``ignorecommand`` and ``ignorecache``, as they are used at run time."""

from banish.config.problem import FaultError, Problems
from banish.config.text import Text
from banish.policy.ignorecache import parse_ignorecache
from banish.policy.ignorescript import UNKNOWN_TAGS, IgnoreScript

TYPED = frozenset({"ip", "family", "failures", "time", "bantime", "bancount", "restored"})
"""Tags whose values are harmless in every shell, mostly or always."""


def to_ignorecommand(text: Text, problems: Problems) -> str:
    """Return the command; what will work otherwise than it looks is told."""
    command = text.text.strip()
    script = IgnoreScript(command)
    for tag in script.tags:
        if tag in UNKNOWN_TAGS:
            what = f"<{tag}> has no value here and is empty"
            problems.warn(what, text.place, option="ignorecommand", cure="use <ip> or <F-NAME>")
    for tag in script.restricted:
        if tag not in TYPED and tag not in UNKNOWN_TAGS:
            what = (
                f"<{tag}> stands where a shell or another program parses it again, so the command"
                " is not run, and exempts nobody, for any value but letters, digits and _.:/@-"
            )
            cure = f'hand it over as an argument, in double quotes: /path/to/check "<{tag}>"'
            problems.warn(what, text.place, option="ignorecommand", cure=cure)
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
