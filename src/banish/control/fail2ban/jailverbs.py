"""``get JAIL OPTION`` and ``set JAIL OPTION VALUE``: one way for all options of a jail.

The new settings are worked out from the tables, then the server follows them as it would
follow a changed file. What makes no sense is refused before anything changes.
"""

from collections.abc import Awaitable, Callable, Mapping

from banish.control.fail2ban import actions, bans
from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.known import KnownJails
from banish.control.fail2ban.lists import JAIL_LISTS, require_log
from banish.control.fail2ban.options import JAIL_OPTIONS, changed, shown
from banish.errors import ConfigError
from banish.model.settings import JailSettings

Verb = Callable[[KnownJails, str, list[str]], Awaitable[Value]]
"""Answers one command about the jail named, which exists."""

_REGEX_OPTIONS = ("failregex", "ignoreregex", "prefregex")

GETS: Mapping[str, Verb] = {
    "banned": bans.get_banned,
    "banip": bans.get_banip,
    "actions": actions.names,
    "action": actions.get_property,
    "actionproperties": actions.properties,
    "actionmethods": actions.methods,
}
"""What ``get JAIL`` takes beside the options of the tables."""


async def _set_idle(jails: KnownJails, name: str, args: list[str]) -> Value:
    choice = args[0].lower()
    if choice not in ("on", "off"):
        raise CommandError("Exception", "Invalid idle option, must be 'on' or 'off'")
    if jails.runs(name):
        await jails.port.set_idle(name, is_idle=choice == "on")
    return choice == "on"


SETS: Mapping[str, Verb] = {
    "banip": bans.ban,
    "unbanip": bans.unban_in,
    "attempt": bans.attempt,
    "idle": _set_idle,
    "addaction": actions.add,
    "delaction": actions.delete,
    "action": actions.set_property,
}
"""What ``set JAIL`` takes beside the options of the tables."""


async def get(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Answer ``get`` for the jail called *name*."""
    settings = jails.get(name)
    option, rest = args[0], args[1:]
    if option in JAIL_OPTIONS:
        return shown(settings, option)
    if option in JAIL_LISTS:
        return JAIL_LISTS[option].show(jails, settings)
    if option in GETS:
        return await GETS[option](jails, name, rest)
    if option.startswith("bantime."):
        return None  # as Fail2Ban answers for any such option that it does not know
    raise CommandError("Exception", "Invalid command (no get action or not yet implemented)")


async def set_(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Answer ``set`` for the jail called *name*."""
    settings = jails.get(name)
    option, rest = args[0], args[1:]
    if option in SETS:
        return await SETS[option](jails, name, rest)
    if option in JAIL_OPTIONS:
        await _follow(jails, settings, changed(settings, option, rest[0]), option)
        return shown(jails.get(name), option)
    listed = JAIL_LISTS.get(option[3:])
    if listed is None or option[:3] not in ("add", "del"):
        what = f"Invalid command '{option}' (no set action or not yet implemented)"
        raise CommandError("Exception", what)
    change = listed.add if option.startswith("add") else listed.delete
    new = change(settings, rest)
    if option == "addlogpath":
        await require_log(rest[0])
    await _follow(jails, settings, new, option[3:])
    return listed.show(jails, jails.get(name))


async def _follow(
    jails: KnownJails, before: JailSettings, after: JailSettings, option: str
) -> None:
    if after == before:
        return
    try:
        await jails.change(after)
    except ConfigError as error:
        kind = "RegexException" if option in _REGEX_OPTIONS else "ValueError"
        raise CommandError(kind, error.what) from error


def is_set(option: str) -> bool:
    """Whether *option* is something that ``set JAIL`` knows."""
    is_list = option[:3] in ("add", "del") and option[3:] in JAIL_LISTS
    return option in SETS or option in JAIL_OPTIONS or is_list
