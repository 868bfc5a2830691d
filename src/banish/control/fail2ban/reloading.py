"""``reload`` and ``restart``: the server reads its files anew, and says what came of it.

Fail2Ban's client reads the files itself and sends the server a list of commands that make
all jails anew. We leave that list unread: the server reads its own files, all or nothing for
each jail. So a value that is wrong keeps the old jail at work, where Fail2Ban loses it, and
the answer names the jail.
"""

from collections.abc import Iterable

from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.known import KnownJails, unknown_jail
from banish.errors import RequestError
from banish.model.reload import ReloadReport, ReloadWish

ALL = "--all"
_FLAGS = ("--unban", "--restart", "--if-exists", ALL)
NAMED = 3
"""Jails in error that the answer names."""


def _texts(args: Iterable[Value]) -> list[str]:
    """Return flags and names; a list of flags stands for its items, one of commands for none."""
    found: list[str] = []
    for arg in args:
        if isinstance(arg, str):
            found.append(arg)
        elif isinstance(arg, list | tuple):
            found += [each for each in arg if isinstance(each, str)]
    return found


async def reload(jails: KnownJails, args: list[Value], *, restart: bool = False) -> Value:
    """Read the files anew, for all jails or one; return ``OK`` if all jails follow them."""
    texts = _texts(args)
    flags = {text for text in texts if text.startswith("--")}
    if unknown := flags - set(_FLAGS):
        raise CommandError("ValueError", f"unexpected option: {min(unknown)}")
    names = [text for text in texts if not text.startswith("--")]
    name = names[0] if names else None
    wish = ReloadWish(
        name,
        restart=restart or "--restart" in flags,
        unban="--unban" in flags,
        if_exists="--if-exists" in flags,
    )
    try:
        report = await jails.port.reload(wish)
    except RequestError as error:
        if name is not None and name not in jails.all() and "does not exist" in error.what:
            raise unknown_jail(name) from error
        raise
    _require_whole(report, name)
    return "OK"


def _require_whole(report: ReloadReport, name: str | None) -> None:
    """Refuse to say OK if a jail could not follow.

    Raises:
        CommandError: It could not.

    """
    broken = [
        problem
        for problem in report.problems
        if problem.stops and problem.severity == "error" and name in (None, problem.jail)
    ]
    first = {problem.jail: problem for problem in reversed(broken)}
    if first:
        lines = [f"Errors in jail {jail!r}: {problem}" for jail, problem in first.items()]
        more = [f"and {len(lines) - NAMED} more jails"] if len(lines) > NAMED else []
        raise CommandError("ValueError", "\n".join([*lines[:NAMED], *more]))
