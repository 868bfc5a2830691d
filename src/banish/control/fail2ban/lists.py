"""The options of a jail that hold several values: regexes, exempt addresses, logs, matches.

Each has a verb to add and one to delete, and answers what it holds afterwards.
"""

import asyncio
import glob
import os
from collections.abc import Callable, Mapping, Sequence

import msgspec

from banish.config.exempt import to_ignoreip
from banish.config.problem import Problems
from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.known import KnownJails
from banish.control.fail2ban.options import with_value, written
from banish.control.fail2ban.words import require_words
from banish.model.address import parse_address
from banish.model.settings import JailSettings, LogPath, Regex

Change = Callable[[JailSettings, Sequence[str]], JailSettings]
"""Returns the settings with values added or deleted."""


class JailList(msgspec.Struct, frozen=True):
    """One option of several values."""

    show: Callable[[KnownJails, JailSettings], Value]
    add: Change
    delete: Change


def _regexes(field: str) -> JailList:
    def texts(settings: JailSettings) -> tuple[Regex, ...]:
        found: tuple[Regex, ...] = getattr(settings.filter, field)
        return found

    def add(settings: JailSettings, args: Sequence[str]) -> JailSettings:
        require_words(args)
        more = tuple(Regex(text) for text in args if text.strip())
        return with_value(settings, f"filter.{field}", texts(settings) + more)

    def delete(settings: JailSettings, args: Sequence[str]) -> JailSettings:
        at, old = int(args[0]), texts(settings)
        if not 0 <= at < len(old):
            return settings  # as in Fail2Ban, which only logs it
        return with_value(settings, f"filter.{field}", old[:at] + old[at + 1 :])

    return JailList(lambda _, jail: [each.text for each in texts(jail)], add, delete)


def _exempt_as_shown(entry: str) -> str:
    found = parse_address(entry)
    return entry if found is None else found.text


def _entries(args: Sequence[str]) -> list[str]:
    """Return what *args* exempt, as ``ignoreip`` would read them.

    Raises:
        CommandError: One of them exempts nobody.

    """
    found: list[str] = []
    for arg in args:
        problems = Problems()
        taken = to_ignoreip(written(arg), problems)
        if arg.strip() and not taken:
            first = problems.all()[0]
            raise CommandError("ValueError", f"{first.what}: {first.cure}")
        found += taken
    return found


def _add_exempt(settings: JailSettings, args: Sequence[str]) -> JailSettings:
    every = dict.fromkeys((*settings.ignoreip, *_entries(args)))
    return msgspec.structs.replace(settings, ignoreip=tuple(every))


def _delete_exempt(settings: JailSettings, args: Sequence[str]) -> JailSettings:
    wanted = _exempt_as_shown(args[0])
    kept = tuple(each for each in settings.ignoreip if _exempt_as_shown(each) != wanted)
    if len(kept) == len(settings.ignoreip):
        raise CommandError("ValueError", f"{args[0]} is not in the ignoreip of {settings.name}")
    return msgspec.structs.replace(settings, ignoreip=kept)


def _show_exempt(_jails: KnownJails, settings: JailSettings) -> Value:
    return list(dict.fromkeys(_exempt_as_shown(each) for each in settings.ignoreip))


def _add_log(settings: JailSettings, args: Sequence[str]) -> JailSettings:
    where = args[1].lower() if len(args) > 1 else "head"
    if where not in ("head", "tail"):
        raise CommandError("ValueError", "File option must be 'head' or 'tail'")
    if any(each.pattern == args[0] for each in settings.logpaths):
        return settings
    path = LogPath(args[0], tail=where == "tail")
    return msgspec.structs.replace(settings, logpaths=(*settings.logpaths, path))


def _delete_log(settings: JailSettings, args: Sequence[str]) -> JailSettings:
    kept = tuple(each for each in settings.logpaths if each.pattern != args[0])
    return msgspec.structs.replace(settings, logpaths=kept)


async def require_log(path: str) -> None:
    """Refuse a log that is not there, as Fail2Ban does.

    Raises:
        CommandError: No file has that name, or one that the pattern names.

    """
    there = glob.glob if glob.has_magic(path) else os.path.exists
    if not await asyncio.to_thread(there, path):
        raise CommandError("FileNotFoundError", f"No such file or directory: {path}")


def _add_match(settings: JailSettings, args: Sequence[str]) -> JailSettings:
    if not settings.uses_journal:
        return settings
    match = tuple(part for arg in args for part in arg.split())
    if not match:
        return settings
    matches = (*settings.filter.journalmatch, match)
    return with_value(settings, "filter.journalmatch", matches)


def _delete_match(settings: JailSettings, args: Sequence[str]) -> JailSettings:
    if not settings.uses_journal:
        return settings
    match = tuple(part for arg in args for part in arg.split())
    kept = tuple(each for each in settings.filter.journalmatch if match and each != match)
    return with_value(settings, "filter.journalmatch", kept)


def _show_matches(_jails: KnownJails, settings: JailSettings) -> Value:
    return [list(match) for match in settings.filter.journalmatch] if settings.uses_journal else []


JAIL_LISTS: Mapping[str, JailList] = {
    "failregex": _regexes("failregex"),
    "ignoreregex": _regexes("ignoreregex"),
    "ignoreip": JailList(_show_exempt, _add_exempt, _delete_exempt),
    "logpath": JailList(lambda jails, jail: jails.files(jail.name), _add_log, _delete_log),
    "journalmatch": JailList(_show_matches, _add_match, _delete_match),
}
"""Every such option by its name; ``add`` and ``del`` before it are the verbs of ``set``."""
