"""The commands that set up the actions of a jail, with every property of each.

A property is an option of the action that has its say at run time: the commands
to run, tags put in as far as they are known before a ban, and the parameters
they were made of, tags left as written (Fail2Ban: ``ActionReader`` in
client/actionreader.py, 1.0.2).
"""

import json
import re
from collections.abc import Iterator

from banish.config.arguments import parse_specs
from banish.config.definition import Definition
from banish.config.interpolate import Tags
from banish.config.jails import Jail
from banish.config.problem import FaultError
from banish.config.text import Text, single
from banish.config.values import TRUE_WORDS
from banish.model.settings import Place

_COMMANDS = (
    "actionstart", "actionstart_on_demand", "actionstop", "actionflush", "actionreload",
    "actioncheck", "actionrepair", "actionrepair_on_unban", "actionban", "actionprolong",
    "actionreban", "actionunban", "norestored",
)  # fmt: skip
"""The options that every action may have, in the order they are sent."""

_FLAGS = frozenset({"actionstart_on_demand", "actionrepair_on_unban", "norestored"})

_LATE_TAGS = frozenset({"matches", "ipmatches", "ipjailmatches", "timeout", "bantime"})
"""Tags that are put in when somebody is banned, whatever the files say of them."""

_CONDITIONAL = re.compile(r"(\w+)\?.+")
"""``blocktype?family=inet6``: known only when somebody is banned, so its tag stays, too."""


def action_commands(jail: Jail) -> list[list[object]]:
    """Return the commands for the actions of *jail*, in their order.

    Raises:
        FaultError: An action is not there, or something in it is wrong.

    """
    text = jail.scope.get("action")
    found: list[list[object]] = []
    for name, arguments, place in parse_specs(text) if text else ():
        if name.endswith(".py"):
            found.append(_script_command(jail, name, arguments))
        else:
            found += _file_commands(jail, name, arguments, place)
    return found


def _script_command(jail: Jail, name: str, arguments: dict[str, Text]) -> list[object]:
    given = {option: text.text for option, text in arguments.items()}
    called = given.pop("actname", name.removesuffix(".py"))
    path = f"{jail.library.tree.top}/action.d/{name}"
    return ["set", jail.name, "addaction", called, path, json.dumps(given)]


def _file_commands(
    jail: Jail, name: str, arguments: dict[str, Text], place: Place
) -> Iterator[list[object]]:
    merged = jail.library.read(f"action.d/{name}")
    if merged is None:
        raise FaultError(f"Unable to read action '{name}'", place)
    arguments.setdefault("name", single(jail.name, place))
    called = arguments.setdefault(
        "actname", single(_called(name, jail.name, arguments["name"].text), place)
    ).text
    properties = list(_properties(Definition(merged, arguments, jail.option, read_for="action")))
    yield ["set", jail.name, "addaction", called]
    if len(properties) > 1:
        yield ["multi-set", jail.name, "action", called, properties]
    elif properties:
        yield ["set", jail.name, "action", called, *properties[0]]


def _called(action: str, jail: str, name: str) -> str:
    """Return what an action is called: the same file may serve a jail under several names."""
    if name == jail:
        return action
    return action + (name[len(jail) :] if name.startswith(jail) else f"-{name}")


def _properties(definition: Definition) -> Iterator[list[object]]:
    given = definition.given()
    own = [option for option in _COMMANDS if option not in given]
    late = {found[1] for option in given if (found := _CONDITIONAL.fullmatch(option))}
    tags = Tags(lambda name: None if name in late or name in _LATE_TAGS else definition.raw(name))
    for option in (*own, *(option for option in given if option in _COMMANDS)):
        text = definition.raw(option) if option in late else tags.get(option)
        if text is not None:
            flag = text.text.lower() in TRUE_WORDS
            yield [option, flag if option in _FLAGS else text.text]
    for option in given:
        if option not in _COMMANDS and not option.startswith("known/"):
            text = definition.raw(option)
            if text is not None:
                yield [option, text.text]
