"""The commands that set up the actions of a jail, with every property of each.

What a property is, `banish.config.commands` says.
"""

import json
from collections.abc import Iterator

from banish.config import commands
from banish.config.arguments import parse_specs
from banish.config.definition import Definition
from banish.config.jails import JailSection
from banish.config.problem import FaultError
from banish.config.text import Text
from banish.model.settings import Place


def action_commands(jail: JailSection) -> list[list[object]]:
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


def _script_command(jail: JailSection, name: str, arguments: dict[str, Text]) -> list[object]:
    given = {option: text.text for option, text in arguments.items()}
    called = given.pop("actname", name.removesuffix(".py"))
    path = f"{jail.library.tree.top}/action.d/{name}"
    return ["set", jail.name, "addaction", called, path, json.dumps(given)]


def _file_commands(
    jail: JailSection, name: str, arguments: dict[str, Text], place: Place
) -> Iterator[list[object]]:
    merged = jail.library.read(f"action.d/{name}")
    if merged is None:
        raise FaultError(f"Unable to read action '{name}'", place)
    given = commands.named(name, jail.name, arguments, place)
    called = given["actname"].text
    definition = Definition(merged, given, jail.option, read_for="action")
    properties = [
        [option, text.text == "true" if option in commands.FLAGS else text.text]
        for option, text in commands.properties(definition)
    ]
    yield ["set", jail.name, "addaction", called]
    if len(properties) > 1:
        yield ["multi-set", jail.name, "action", called, properties]
    elif properties:
        yield ["set", jail.name, "action", called, *properties[0]]
