"""The actions of a jail: which there are, their properties, and how they change.

An action that runs commands has the properties of its file, and each may be set. What banish
carries out by itself (its firewall, its mail) has the options that its jail gives it; they
stand in the configuration, and are not set here. Nothing calls into an action from outside:
``set JAIL banip`` and ``unbanip`` ban and unban by all of them.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import msgspec

from banish.config.problem import FaultError
from banish.config.pythonfiles import check_arguments, read_python_file
from banish.control.fail2ban.answers import CommandError, Value
from banish.control.fail2ban.known import KnownJails
from banish.control.fail2ban.options import AT_RUN_TIME, written
from banish.control.fail2ban.words import shown_span, to_span
from banish.model.settings import ActionSettings, JailSettings

_COMMANDS = (
    "actionstart", "actionstop", "actioncheck", "actionban", "actionunban", "actionreban",
    "actionflush", "actionreload", "actionrepair",
)  # fmt: skip
"""What an action that runs commands has in any case, be it empty."""


_METHODS = frozenset({"ban", "flush", "prolong", "reban", "reload", "start", "stop", "unban"})
"""What Fail2Ban's clients can call."""


def _action(jails: KnownJails, name: str, actname: str) -> ActionSettings:
    for action in jails.get(name).actions:
        if action.actname == actname:
            return action
    raise CommandError("KeyError", f"Invalid Action name: {actname}")


def _properties(action: ActionSettings) -> dict[str, Value]:
    found: dict[str, Value] = {"timeout": shown_span(action.timeout), "actname": action.actname}
    if action.way == "commands":
        found |= dict.fromkeys(_COMMANDS, "")
        found |= action.properties
    else:
        found |= {key: str(value) for key, value in action.options.items()}
        found |= action.arguments
    return found


async def names(jails: KnownJails, name: str, _args: list[str]) -> Value:
    """Return the names of the jail's actions."""
    return [action.actname for action in jails.get(name).actions]


async def properties(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Return the names of an action's properties."""
    return sorted(_properties(_action(jails, name, args[0])))


async def methods(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Return what of an action can be called: nothing."""
    _action(jails, name, args[0])
    return []


async def get_property(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Return a property of an action."""
    actname, key = args[0], args[1]
    found = _properties(_action(jails, name, actname))
    if key not in found:
        raise CommandError("AttributeError", f"the action {actname} has no property {key}")
    return found[key]


async def set_property(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Set a property of an action that runs commands, and return its value."""
    actname, key = args[0], args[1]
    action = _action(jails, name, actname)
    if action.way != "commands":
        what = (
            f"banish carries the action {actname} out by itself: set its options in the jail's "
            "action, or nativeactions = false"
        )
        raise CommandError("Exception", what)
    if key in _METHODS:
        what = f"{key} cannot be called: 'set {name} banip' and 'unbanip' use every action"
        raise CommandError("Exception", what)
    value = args[2]
    if key == "timeout":
        new = msgspec.structs.replace(action, timeout=to_span(value))
    else:
        new = msgspec.structs.replace(action, properties={**action.properties, key: value})
    await _replace(jails, name, lambda each: new if each is action else each)
    return _properties(_action(jails, name, actname))[key]


async def add(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Add an action: one of a Python file, or one that runs commands, none of which it has yet.

    Return its name.
    """
    actname, settings = args[0], jails.get(name)
    if any(each.actname == actname for each in settings.actions):
        raise CommandError("ValueError", f"Action {actname} already exists")
    if len(args) > 1:
        try:
            new = await _from_python(actname, args[1], args[2], settings)
        except FaultError as error:
            raise CommandError("ValueError", f"{error.what}: {error.cure}") from error
    else:
        new = ActionSettings(actname, way="commands", actname=actname)
    await jails.change(msgspec.structs.replace(settings, actions=(*settings.actions, new)))
    return actname


async def _from_python(
    actname: str, path: str, arguments: str, jail: JailSettings
) -> ActionSettings:
    """Return the action of the Python file at *path*, with arguments written as JSON."""
    given = json.loads(arguments)
    if not isinstance(given, dict):
        raise CommandError("ValueError", f"the arguments of {actname} must be an object of JSON")
    texts = {key: str(value) for key, value in given.items() if key != "actname"}
    file = await asyncio.to_thread(read_python_file, path, AT_RUN_TIME)
    places = {key: written(text) for key, text in texts.items()}
    check_arguments(file, actname, places, AT_RUN_TIME)
    return ActionSettings(
        Path(path).name,
        texts,
        way="python",
        actname=actname,
        kind="python",
        options={"path": path, "bantime": -1 if jail.bantime is None else int(jail.bantime)},
        keeps_out=file.keeps_out,
    )


async def delete(jails: KnownJails, name: str, args: list[str]) -> Value:
    """Take an action away."""
    action = _action(jails, name, args[0])
    await _replace(jails, name, lambda each: None if each is action else each)
    return None


async def _replace(
    jails: KnownJails, name: str, change: Callable[[ActionSettings], ActionSettings | None]
) -> None:
    settings = jails.get(name)
    changed = [change(each) for each in settings.actions]
    kept = tuple(each for each in changed if each is not None)
    await jails.change(msgspec.structs.replace(settings, actions=kept))
